"""What events added up to for two customers who turned out to be one, and for one who turned out to be two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from orchestrator.core.accumulators import NOTHING_COMPUTED, Accumulator, Computed, united, value_of
from orchestrator.core.customer import Customer
from orchestrator.core.index import gathered_mark
from orchestrator.core.project import Project
from orchestrator.core.scores import Points, brought, without
from orchestrator.core.scores import united as united_points


def unite_gathered(customer: Customer, source: Customer, target: Customer, project: Project) -> None:
    """Give `customer`, which is the target with the source in it, what both had: points and computed attributes.

    What either of them kept under another definition is worked out anew, by the next turn, from the joined history;
    all else stays, because it knows of events that the history has forgotten.
    """
    customer.scores = {
        name: points
        for name, spec in project.scores.items()
        if (points := united_points(spec, target.scores.get(name), source.scores.get(name))) is not None
    }
    if not project.accumulators and not project.scores:
        return
    mark = gathered_mark(project)
    states = {}
    for name, of in project.accumulators.items():
        if not all(_is_known(of, one, mark) for one in (target, source)):
            continue
        both = (target.computed, source.computed)
        halves = [known.states[name][1] if name in known.states else None for known in both]
        state = united(of, *halves)
        if state is not None:
            states[name] = (of.mark, state)
            customer.attributes[name] = value_of(of, state)
    whole = all(one.fresh or one.computed.mark == mark for one in (target, source))
    customer.computed = Computed(mark, states) if whole else Computed("", states) if states else NOTHING_COMPUTED


def _is_known(of: Accumulator, one: Customer, mark: str) -> bool:
    """Whether what is kept of this attribute is all that there was: of whom nothing was taken yet, nothing is."""
    held = one.computed.states.get(of.name)
    return one.fresh or one.computed.mark == mark or (held is not None and held[0] == of.mark)


Brought = Mapping[str, tuple[float, datetime]]


def brought_points(target: Customer, both: Customer, project: Project) -> Brought:
    """By score, what the source of a merge brought to the target's points, and as of when."""
    found = {
        name: brought(spec, target.scores.get(name), both.scores.get(name)) for name, spec in project.scores.items()
    }
    return {name: one for name, one in found.items() if one is not None}


def take_back(customer: Customer, given: Mapping[str, Sequence[Any]], project: Project) -> None:
    """A merge is undone: the target loses what the source brought to its points."""
    customer.scores = {name: _without(points, given.get(name), name, project)
                       for name, points in customer.scores.items()}  # fmt: skip


def _without(points: Points, given: Sequence[Any] | None, name: str, project: Project) -> Points:
    spec = project.scores.get(name)
    return points if given is None or spec is None else without(spec, points, given[0], given[1])
