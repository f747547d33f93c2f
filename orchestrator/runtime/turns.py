"""`turn_once`: one turn. Load the view, decide, save: the only place where the pure core meets a store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from orchestrator.core.changes import Changes
from orchestrator.core.decide import decide
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.inbox import Deployed
from orchestrator.core.view import View
from orchestrator.runtime.tracing import span
from orchestrator.stores.protocol import SaveRefused, Store

BUDGET = 1_000
"""Customers in one turn."""
UNKNOWN_VERSION: Final = "unknown_version"
"""Why a customer is left alone who is in a version of a journey that this process cannot run."""


class TurnCounts(NamedTuple):
    """What one turn did. `parked`: customers whose decisions raised; then the messages of each class, and requests."""

    customers: int = 0
    transitions: int = 0
    messages: int = 0
    parked: int = 0
    transactional: int = 0
    service: int = 0
    promotional: int = 0
    requests: int = 0


class Live(Protocol):
    """Whether this process runs what is live (runtime.deployment.Watch)."""

    def is_current(self) -> bool:
        """Whether what runs here is what was deployed last. Changes nothing."""

    def catch_up(self) -> bool:
        """Adopt what was deployed last. Whether that runs here now."""


def turn_once(
    store: Store,
    now: datetime,
    budget: int = BUDGET,
    *,
    shards: Sequence[int] | None = None,
    learn: Callable[[], bool] = lambda: False,
    saved: Callable[[Changes], None] = lambda changes: None,
    live: Live | None = None,
) -> TurnCounts:
    """Take what is due for at most `budget` customers (of these shards). Nothing due: all counts are 0.

    When the store will not keep what was decided, the customers are decided in halves, down to the one it is about,
    who is parked. Who is in a version that this process does not know is left alone, unless `learn` says that it has
    found versions that are new to it: an older process beside newer ones must not judge what it cannot read. `saved`
    hears of what was written. Whoever hears of a deploy is decided by that deploy or a later one, as `live` knows:
    what it moves would be left where it is.
    """
    view = _load(store, now, budget, shards)
    if not view.customers:
        return TurnCounts()
    try:
        strangers, catch_up = _strangers(view), learn
        told = [] if live is None or strangers else _told_of_a_deploy(view)
        if live is not None and told and not live.is_current():
            strangers, catch_up = told, live.catch_up
    except BaseException:  # a claim that stayed open would be in the way of all that this thread asks from now on
        store.abandon()
        raise
    if strangers:
        store.abandon()
        if catch_up():
            return turn_once(store, now, budget, shards=shards, saved=saved)
        for customer, detail in strangers:
            store.park(customer, UNKNOWN_VERSION, detail, now)
        return TurnCounts(len(strangers))
    try:
        return _decided(store, view, now, saved)
    except SaveRefused as refused:
        return _in_halves(store, now, [record.customer.id for record in view.customers], str(refused), saved)


def _load(store: Store, now: datetime, budget: int, shards: Sequence[int] | None) -> View:
    return store.load(now, budget) if shards is None else store.load(now, budget, shards=shards)


def _strangers(view: View) -> list[tuple[str, str]]:
    """Customers who are in a version that is not in the view, and which it is."""
    versions, found = view.versions, []
    for record in view.customers:
        for e in record.enrollments:
            if isinstance(e, Enrollment) and (e.journey, e.version) not in versions:  # else decide parks it
                detail = f"version {e.version[:12]} of {e.journey} cannot be run by this process; it is tried again"
                found.append((record.customer.id, detail))
                break
    return found


def _told_of_a_deploy(view: View) -> list[tuple[str, str]]:
    """Customers who hear of a deploy, and why they would be left alone."""
    detail = "what was deployed cannot be run by this process; it is tried again"
    told = [record.customer.id for record in view.customers if any(type(i.body) is Deployed for i in record.inbox)]
    return [(customer, detail) for customer in told]


def _decided(store: Store, view: View, now: datetime, saved: Callable[[Changes], None]) -> TurnCounts:
    """Decide and save. Whatever else happens, the claim is over afterwards."""
    with span("turn", customers=len(view.customers)) as said:
        try:
            changes = decide(view, now)
        except BaseException:
            store.abandon()
            raise
        store.save(changes)
        saved(changes)
        counts = _counted(changes)
        said("messages", counts.messages)
        said("parked", counts.parked)
    return counts


def _in_halves(
    store: Store, now: datetime, customers: Sequence[str], why: str, saved: Callable[[Changes], None]
) -> TurnCounts:
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
            done = _decided(store, view, now, saved)
        except SaveRefused as refused:
            done = _in_halves(store, now, [record.customer.id for record in view.customers], str(refused), saved)
        counts = TurnCounts(*map(sum, zip(counts, done, strict=True)))
    return counts


def _counted(changes: Changes) -> TurnCounts:
    transitions = messages = parked = requests = 0
    classes: Counter[str] = Counter()
    for change in changes.customers:
        transitions += len(change.transitions)
        messages += len(change.messages)
        for message in change.messages:
            classes[message.klass] += 1
        requests += len(change.requests)
        parked += change.parked is not None
    by_class = (classes["transactional"], classes["service"], classes["promotional"])
    return TurnCounts(len(changes.customers), transitions, messages, parked, *by_class, requests)
