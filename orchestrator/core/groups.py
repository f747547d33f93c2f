"""Groups of customers: companies, accounts, households. What is known of one, and what its members hear of it.

A customer is in any number of groups; `customer.group` is the one that was told of last, with its traits and its `id`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from orchestrator.core.inbox import Grouped
from orchestrator.core.profile import Moved, set_attribute

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn

ATTRIBUTE: Final = "group"
"""The attribute that holds a customer's group."""
ID: Final = "id"
"""The name under which a group's id stands among its traits: nobody's but ours."""


def merged_traits(known: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """What is known of a group once somebody told more: name by name the last one decides, null takes a trait away."""
    both = {**known, **told}
    return {name: value for name, value in both.items() if value is not None and name != ID}


def document(group: str, traits: Mapping[str, Any]) -> dict[str, Any]:
    """The group as the attribute has it."""
    return {**traits, ID: group}


def regroup(turn: CustomerTurn, item: Grouped) -> Moved:
    """What a group's news change of a member. Returns what moved: the attribute, and each trait as `group.NAME`."""
    held = turn.customer.attributes.get(ATTRIBUTE)
    before: Mapping[str, Any] = held if isinstance(held, Mapping) else {}
    after: Mapping[str, Any]
    if item.what == "joined" or (item.what == "changed" and before.get(ID) == item.group):
        after = document(item.group, item.traits)
    elif item.what == "left" and before.get(ID) == item.group:
        after = item.traits
    else:
        return []
    moved: Moved = []
    set_attribute(turn, ATTRIBUTE, dict(after) if after else None, moved)
    if moved:
        names = dict.fromkeys([*before, *after])
        traits = [(f"{ATTRIBUTE}.{name}", before.get(name), after.get(name)) for name in names]
        moved += [trait for trait in traits if trait[1] != trait[2]]
    return moved
