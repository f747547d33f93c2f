"""Ids of steps: the author's own, else `<verb>_<n>` (the language reference, section 3)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from orchestrator.definitions.compiler.flow import StepNode


def assign_ids(nodes: Iterable[StepNode], *, below_exit: bool = False) -> dict[StepNode, str]:
    """The id of each step, given in the order of the file, depth first.

    Without an id of its own a step is the n-th with its verb, counted from 1 over all steps given, those with ids
    included; below an exit's `do` the name begins with `exit_`. Ids may repeat: see `duplicates`.
    """
    counted: Counter[str] = Counter()
    ids: dict[StepNode, str] = {}
    for node in nodes:
        counted[node.verb] += 1
        default = f"{'exit_' if below_exit else ''}{node.verb}_{counted[node.verb]}"
        ids[node] = node.explicit_id if node.explicit_id is not None else default
    return ids


def duplicates(ids: dict[StepNode, str]) -> list[tuple[StepNode, StepNode]]:
    """Pairs of steps with one id: the later, and the one that has the id first. `ids` in the order of the file."""
    first: dict[str, StepNode] = {}
    found = []
    for node, step_id in ids.items():
        holder = first.setdefault(step_id, node)
        if holder is not node:
            found.append((node, holder))
    return found
