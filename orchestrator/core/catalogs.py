"""Catalogs whose rows change: what a change of a row means, and whom it concerns (the language reference, section 2).

A catalog that project.yaml says is kept as rows has columns that tell the price and the stock. Whoever did something
with an item (viewed it, put it into a basket) is found by an `Interest`: an event, the property that names the item,
and for how long it counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from orchestrator.records import dataclass

Row: TypeAlias = Mapping[str, Any]
ChangeKind: TypeAlias = Literal["price_drop", "back_in_stock", "changed", "added", "removed"]
CHANGE_KINDS: Final[tuple[ChangeKind, ...]] = ("price_drop", "back_in_stock", "changed", "added", "removed")
LONGEST_VALUE: Final = 200
"""Characters of a key, and of a value by which people are found."""
MOST_VALUES: Final = 100
"""Values that one event may tell: the items of an order."""
IN_STOCK: Final = frozenset({"in stock", "in_stock", "instock", "available", "yes", "true", "backorder", "preorder"})
"""Words of product feeds for what can be had."""


@dataclass(frozen=True, slots=True)
class Interest:
    """Who did something with an item: customers with an `event` whose `property` (a path; lists are looked into) is the
    value of the row's `field` (None: its key), at most `within` ago."""

    event: str
    property: str
    within: timedelta
    field: str | None = None


@dataclass(frozen=True, slots=True)
class RowCatalog:
    """A catalog that is kept as rows of the database. `columns` are those of its file, by the kind of what stands in
    them (`number`, `text`, `truth`, `any`); `fold`: changes of one item within this time are one."""

    name: str
    key: str
    columns: Mapping[str, str]
    price: str = "price"
    stock: str = "stock"
    fold: timedelta = timedelta(0)
    viewed: Interest | None = None
    """How a customer looks at an item."""
    bought: Interest | None = None
    """How a customer buys one."""


class Viewed(NamedTuple):
    """That a customer's event told of a value: (event, property path, value)."""

    event: str
    property: str
    value: str


def value_text(value: object) -> str | None:
    """How a key, or another value by which people are found, is written; None for what is none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, float):
        value = int(value) if value == value and value.is_integer() and abs(value) < 2**53 else value
    if isinstance(value, (str, int, float)):
        text = str(value)
        return text if text and len(text) <= LONGEST_VALUE else None
    return None


def values_at(properties: Mapping[str, Any], path: str) -> list[str]:
    """The values at a dotted path, as texts, each once; what is in lists is looked at one by one."""
    found: dict[str, None] = {}
    for value in _walk(properties, path.split(".")):
        text = value_text(value)
        if text is not None:
            found[text] = None
            if len(found) >= MOST_VALUES:
                break
    return list(found)


def _walk(value: object, path: list[str]) -> Iterator[object]:
    if isinstance(value, (list, tuple)):
        for one in value:
            yield from _walk(one, path)
    elif not path:
        yield value
    elif isinstance(value, Mapping):
        yield from _walk(value.get(path[0]), path[1:])


def is_in_stock(value: object) -> bool | None:
    """Whether something can be had, by a number, a truth value or a word; None: nobody knows."""
    if value is None:
        return None
    if isinstance(value, str):
        return value.strip().lower() in IN_STOCK
    if isinstance(value, (bool, int, float)):
        return value > 0
    return None


def dropped_by(before: object, after: object) -> float:
    """The share by which a price fell; 0 where it did not."""
    if not (_is_amount(before) and _is_amount(after)) or before <= 0 or after >= before:  # type: ignore[operator]
        return 0.0
    return (before - after) / before  # type: ignore[operator,no-any-return]


def _is_amount(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value == value


def is_change(
    kind: str, rule: RowCatalog, before: Row | None, after: Row | None, by: float = 0.0, fields: tuple[str, ...] = ()
) -> bool:
    """Whether a row's change is of a kind. `by`: the least share of a drop; `fields`: only a change of one of these."""
    if before is None or after is None:
        return (kind == "added" and before is None and after is not None) or (
            kind == "removed" and after is None and before is not None
        )
    if kind == "price_drop":
        drop = dropped_by(before.get(rule.price), after.get(rule.price))
        return drop > 0 and drop >= by - 1e-9
    if kind == "back_in_stock":
        return is_in_stock(before.get(rule.stock)) is False and is_in_stock(after.get(rule.stock)) is True
    if kind == "changed":
        names = fields or tuple({**before, **after})
        return any(before.get(name) != after.get(name) for name in names)
    return False
