"""What events added up to for two customers who turned out to be one."""

from __future__ import annotations

from orchestrator.core.accumulators import NOTHING_COMPUTED, Computed, united, value_of
from orchestrator.core.customer import Customer
from orchestrator.core.index import gathered_mark
from orchestrator.core.project import Project
from orchestrator.core.scores import united as united_points


def unite_gathered(customer: Customer, source: Customer, target: Customer, project: Project) -> None:
    """Give `customer`, which is the target with the source in it, what both had: points and computed attributes.

    What was kept under another definition is worked out anew, by the next turn, from the joined history.
    """
    customer.scores = {
        name: points
        for name, spec in project.scores.items()
        if (points := united_points(spec, target.scores.get(name), source.scores.get(name))) is not None
    }
    if not project.accumulators and not project.scores:
        return
    mark = gathered_mark(project)
    if source.computed.mark != mark or target.computed.mark != mark:
        customer.computed = NOTHING_COMPUTED
        return
    states = {}
    for name, of in project.accumulators.items():
        both = (target.computed, source.computed)
        halves = [known.states[name][1] if name in known.states else None for known in both]
        state = united(of, *halves)
        if state is not None:
            states[name] = (of.mark, state)
            customer.attributes[name] = value_of(of, state)
    customer.computed = Computed(mark, states)
