"""The memory store's shared quantities: coupons, entry limits, message totals, task queues."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date, datetime

from orchestrator.core.changes import TakeFromPools
from orchestrator.core.ledger import Task
from orchestrator.core.project import Offer, Project
from orchestrator.core.time.zones import local
from orchestrator.core.view import CouponPool, Pools


class MemoryPools:
    """Counters since the store began; `pools` turns them into what a turn may take."""

    def __init__(self) -> None:
        self._serials: Counter[str] = Counter()
        self._issued: Counter[str] = Counter()
        self._issued_on: Counter[tuple[str, date]] = Counter()
        self._budget: defaultdict[str, float] = defaultdict(float)
        self._imported: defaultdict[str, list[str]] = defaultdict(list)
        self._known_codes: defaultdict[str, set[str]] = defaultdict(set)
        self._entries_on: Counter[tuple[str, date]] = Counter()
        self._messages: Counter[str] = Counter()
        self._queue_turns: Counter[str] = Counter()
        self._open_tasks: Counter[tuple[str, str]] = Counter()

    def import_codes(self, offer: str, codes: Sequence[str]) -> int:
        """Add codes to an offer's imported pool, each one once for ever. Returns how many were new."""
        known = self._known_codes[offer]
        new = [code for code in dict.fromkeys(codes) if code not in known]
        known.update(new)
        self._imported[offer].extend(new)
        return len(new)

    def all_codes(self) -> list[tuple[str, str, bool]]:
        """Imported codes with their offers, and whether they were given."""
        return [
            (offer, code, code not in free)
            for offer in sorted(self._known_codes)
            for free in [set(self._imported[offer])]
            for code in sorted(self._known_codes[offer])
        ]

    def left(self, offer: Offer, limit: int) -> int:
        """How many codes an offer can still give, counted up to `limit`."""
        if offer.limits.total is not None:
            limit = min(limit, offer.limits.total - self._issued[offer.id])
        return max(0, min(limit, len(self._imported[offer.id])) if offer.imported else limit)

    def pools(self, project: Project, now: datetime) -> Pools:
        """What one turn may take."""
        today = local(now, project.timezone).date()
        coupons = {}
        for offer in project.offers.values():
            limits = offer.limits
            coupons[offer.id] = CouponPool(
                next_serial=self._serials[offer.id],
                left=None if limits.total is None else limits.total - self._issued[offer.id],
                left_today=None if limits.per_day is None else limits.per_day - self._issued_on[offer.id, today],
                budget_left=None if limits.budget is None else limits.budget - self._budget[offer.id],
                codes=tuple(self._imported[offer.id]) if offer.imported else (),
            )
        entries, messages = {}, {}
        for journey in project.journeys.values():
            if journey.limits.entries_per_day is not None:
                entries[journey.id] = journey.limits.entries_per_day - self._entries_on[journey.id, today]
            if journey.limits.messages_total is not None:
                messages[journey.id] = journey.limits.messages_total - self._messages[journey.id]
        return Pools(coupons, entries, messages, dict(self._queue_turns), dict(self._open_tasks))

    def take(self, taken: TakeFromPools, project: Project, now: datetime) -> None:
        """Count what a customer's decisions took."""
        today = local(now, project.timezone).date()
        for offer_id, code, money in taken.coupons:
            self._issued[offer_id] += 1
            self._issued_on[offer_id, today] += 1
            self._budget[offer_id] += money
            if project.offers[offer_id].imported:
                self._imported[offer_id].remove(code)
            else:
                self._serials[offer_id] += 1
        for journey in taken.entries:
            self._entries_on[journey, today] += 1
        self._messages.update(taken.messages)
        self._queue_turns.update(taken.queues)

    def release(self, offer_id: str, money: float) -> None:
        """A code was taken back: total and budget have room again (the code itself is never given to another)."""
        self._issued[offer_id] -= 1
        self._budget[offer_id] -= money

    def task_changed(self, before: Task | None, after: Task) -> None:
        """Count open tasks by assignee."""
        if before is not None and before.assignee is not None and before.closed_at is None:
            self._open_tasks[before.queue, before.assignee] -= 1
        if after.assignee is not None and after.closed_at is None:
            self._open_tasks[after.queue, after.assignee] += 1
