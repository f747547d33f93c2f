"""`turn_once`: one turn. Load the view, decide, save: the only place where the pure core meets a store."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from orchestrator.core.decide import decide
from orchestrator.stores.protocol import Store

BUDGET = 1_000
"""Customers in one turn."""


class TurnCounts(NamedTuple):
    """What one turn did. `parked`: customers whose decisions raised."""

    customers: int = 0
    transitions: int = 0
    messages: int = 0
    parked: int = 0


def turn_once(store: Store, now: datetime, budget: int = BUDGET) -> TurnCounts:
    """Take what is due for at most `budget` customers. Nothing due: all counts are 0."""
    view = store.load(now, budget)
    if not view.customers:
        return TurnCounts()
    changes = decide(view, now)
    store.save(changes)
    transitions = messages = parked = 0
    for change in changes.customers:
        transitions += len(change.transitions)
        messages += len(change.messages)
        parked += change.parked is not None
    return TurnCounts(len(changes.customers), transitions, messages, parked)
