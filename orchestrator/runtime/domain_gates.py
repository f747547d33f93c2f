"""Bounds on mail to the mailboxes of one operator: what is over waits in the queue, and holds up nobody else.

They stand before a channel's own gate. All processes take from the same rows of the database, as with a provider's rate
and quota. Transactional messages are counted, and never wait. A process keeps what it took and could not use for some
seconds, for the next message to the same operator.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Final

from orchestrator.channels.daily_plan import DailyPlan, Ramp
from orchestrator.channels.gate import ProviderGate
from orchestrator.core.domain_limits import DomainLimit
from orchestrator.core.index import Index
from orchestrator.core.ledger import Message
from orchestrator.stores.protocol import Store

MAIL_TO: Final = "email@"
"""Before the names of limits, where gates and quotas of all kinds stand together."""
KEPT_FOR: Final = 10.0
"""Seconds for which a place that was not used is kept."""

MakeGate = Callable[[str, float | None, DailyPlan | None], ProviderGate]


class DomainGates:
    """The gates of the live project's limits. Safe for several threads. Instants are real seconds."""

    def __init__(self, store: Store, make: MakeGate) -> None:
        self._store = store
        self._make = make
        self._index: Index | None = None
        self._gates: dict[DomainLimit, ProviderGate] = {}
        self._by_domain: Mapping[str, DomainLimit] = {}
        self._kept: dict[DomainLimit, list[float]] = {}
        self._lock = threading.Lock()

    def wait(self, row: Message, now: float) -> float | None:
        """None: the message may go, and has its place; else in how many seconds it shall try again."""
        limit = self._limit(row)
        if limit is None:
            return None
        kept = self._kept.get(limit)
        with self._lock:
            while kept:
                if now - kept.pop() < KEPT_FOR:
                    return None
        gate = self._gates[limit]
        if gate.take(1, now) or row.klass == "transactional":
            return None
        return gate.come_again(now)

    def give_back(self, row: Message, now: float) -> None:
        """A message that had its place does not go now."""
        limit = self._limit(row)
        if limit is not None:
            with self._lock:
                self._kept.setdefault(limit, []).append(now)

    def _limit(self, row: Message) -> DomainLimit | None:
        if row.channel != "email":
            return None
        if self._store.index is not self._index:
            self._read()
        return self._by_domain.get(row.to.rpartition("@")[2].lower())

    def _read(self) -> None:
        with self._lock:
            self._index = index = self._store.index
            limits = index.project.domain_limits
            self._gates = {
                limit: self._gates.get(limit) or self._make(MAIL_TO + limit.name, limit.rate, plan_of_limit(limit))
                for limit in limits
            }
            self._kept.clear()
            self._by_domain = {domain: limit for limit in limits for domain in limit.domains}


def plan_of_limit(limit: DomainLimit) -> DailyPlan | None:
    """Its bound of a day; None: there is none."""
    if limit.daily is None and limit.ramp is None:
        return None
    return DailyPlan(limit.daily, None if limit.ramp is None else Ramp(*limit.ramp))
