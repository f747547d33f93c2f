"""`turn_once`: one turn. Load the view, decide, save: the only place where the pure core meets a store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from orchestrator.core.changes import Changes
from orchestrator.core.decide import decide
from orchestrator.core.view import View
from orchestrator.stores.protocol import SaveRefused, Store

BUDGET = 1_000
"""Customers in one turn."""


class TurnCounts(NamedTuple):
    """What one turn did. `parked`: customers whose decisions raised."""

    customers: int = 0
    transitions: int = 0
    messages: int = 0
    parked: int = 0


def turn_once(store: Store, now: datetime, budget: int = BUDGET) -> TurnCounts:
    """Take what is due for at most `budget` customers. Nothing due: all counts are 0.

    When the store will not keep what was decided, the customers are decided in halves, down to the one it is about,
    who is parked.
    """
    view = store.load(now, budget)
    if not view.customers:
        return TurnCounts()
    try:
        return _decided(store, view, now)
    except SaveRefused as refused:
        return _in_halves(store, now, [record.customer.id for record in view.customers], str(refused))


def _decided(store: Store, view: View, now: datetime) -> TurnCounts:
    """Decide and save. Whatever else happens, the claim is over afterwards."""
    try:
        changes = decide(view, now)
    except BaseException:
        store.abandon()
        raise
    store.save(changes)
    return _counted(changes)


def _in_halves(store: Store, now: datetime, customers: Sequence[str], why: str) -> TurnCounts:
    if len(customers) == 1:
        store.park(customers[0], "exception", why, now)
        return TurnCounts(1, parked=1)
    counts = TurnCounts()
    middle = len(customers) // 2
    for half in (customers[:middle], customers[middle:]):
        view = store.load(now, len(half), half)
        if not view.customers:
            continue
        try:
            done = _decided(store, view, now)
        except SaveRefused as refused:
            done = _in_halves(store, now, [record.customer.id for record in view.customers], str(refused))
        counts = TurnCounts(*map(sum, zip(counts, done, strict=True)))
    return counts


def _counted(changes: Changes) -> TurnCounts:
    transitions = messages = parked = 0
    for change in changes.customers:
        transitions += len(change.transitions)
        messages += len(change.messages)
        parked += change.parked is not None
    return TurnCounts(len(changes.customers), transitions, messages, parked)
