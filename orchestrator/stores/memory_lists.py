"""Lists page by page, in memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from heapq import nlargest
from typing import Any

from orchestrator.core.customer import Customer
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.ledger import Coupon, Task
from orchestrator.core.transition import Transition
from orchestrator.core.view import LoadedMessage
from orchestrator.stores.identity_addresses import normal_addresses
from orchestrator.stores.instants import micros
from orchestrator.stores.memory_record import CustomerRecord
from orchestrator.stores.protocol_lists import (
    NEVER,
    Happened,
    JourneyCounts,
    MessageFilter,
    MessagePage,
    TaskFilter,
    Written,
)


class MemoryLists:
    """A part of the memory store, which has its records."""

    _records: dict[str, CustomerRecord]
    _nobodys: list[LoadedMessage]
    journal: Any

    def profile(self, customer: str) -> Customer | None:
        """One profile."""
        record = self._records.get(customer)
        return None if record is None else record.customer

    def profiles(self, prefix: str, after: str, limit: int) -> Sequence[Customer]:
        """Profiles in the order of their ids."""
        ids = sorted(id for id in self._records if id > after and id.startswith(prefix))
        return [self._records[id].customer for id in ids[:limit]]

    def reached_by(self, kind: str, normal: str, after: str, limit: int) -> tuple[Sequence[Customer], str | None]:
        """Profiles with an address."""
        every = (self._records[id].customer for id in sorted(self._records) if id > after)
        found = [c for c in every if (kind, normal) in normal_addresses(c)]
        return found[:limit], found[limit - 1].id if len(found) > limit else None

    def happened(
        self, customer: str, name: str | None, before: tuple[int, int] | None, limit: int
    ) -> Sequence[Happened]:
        """A customer's past events; those of one instant by their names, and as they joined."""
        record = self._records.get(customer)
        if record is None:
            return []
        events = sorted((event for named in record.history.by_name.values() for event in named), key=lambda e: e.at)
        found = [
            Happened(micros(e.at), seq, e.at, e.name, e.id, e.properties)
            for seq, e in enumerate(events)
            if name in (None, e.name)
        ]
        return [one for one in reversed(found) if before is None or one[:2] < before][:limit]

    def written(self, customer: str, before: tuple[int, int, int] | None, limit: int) -> Sequence[Written]:
        """A customer's journal."""
        if customer not in self._records:
            return []
        lines: list[Transition] = self.journal(customer)
        found = [Written(micros(line.at), line.seq, n, line) for n, line in enumerate(lines)]
        found.sort(key=lambda one: one[:3], reverse=True)
        return [one for one in found if before is None or one[:3] < before][:limit]

    def passages(self, customer: str, before: tuple[int, str] | None, limit: int) -> Sequence[Enrollment]:
        """A customer's enrollments."""
        record = self._records.get(customer)
        found = [] if record is None else [((micros(e.entered_at), e.id), e) for e in record.enrollments.values()]
        found.sort(key=lambda one: one[0], reverse=True)
        return [e for key, e in found if before is None or key < before][:limit]

    def passage(self, customer: str, id: str) -> Enrollment | None:
        """One enrollment."""
        record = self._records.get(customer)
        return None if record is None else record.enrollments.get(id)

    def messages_of(self, customer: str, before: tuple[int, str] | None, limit: int) -> Sequence[LoadedMessage]:
        """A customer's messages."""
        record = self._records.get(customer)
        found = [] if record is None else sorted(record.messages, key=_message_key, reverse=True)
        return [m for m in found if before is None or _message_key(m) < before][:limit]

    def message_page(self, wanted: MessageFilter, before: tuple[int, str] | None, limit: int) -> MessagePage:
        """Messages of everybody."""
        every = [m for record in self._records.values() for m in record.messages] + self._nobodys
        found = [m for m in every if _is_wanted(m, wanted) and (before is None or _message_key(m) < before)]
        page = nlargest(limit, found, key=_message_key)
        return MessagePage(page, _message_key(page[-1]) if len(page) == limit else None)

    def journey_counts(self, journey: str, since: datetime | None, until: datetime | None) -> JourneyCounts:
        """What became of a journey's enrollments (those that are not forgotten) and messages."""

        def within(at: datetime) -> bool:
            return (since is None or at >= since) and (until is None or at < until)

        records = self._records.values()
        passages = [e for r in records for e in r.enrollments.values() if e.journey == journey and within(e.entered_at)]
        messages = [m for r in records for m in r.messages] + self._nobodys
        counts: dict[tuple[str, str], tuple[int, int, int]] = {}
        for message in messages:
            row = message.row
            if row.journey == journey and within(row.at):
                count, opened, clicked = counts.get((row.channel, message.status), (0, 0, 0))
                opened += message.opened_at is not None
                clicked += message.clicked_at is not None
                counts[row.channel, message.status] = (count + 1, opened, clicked)
        return JourneyCounts(Counter((e.status, e.reason or "") for e in passages), counts)

    def coupons_of(self, customer: str) -> Sequence[Coupon]:
        """A customer's coupons."""
        record = self._records.get(customer)
        return () if record is None else tuple(record.coupons.values())

    def tasks_of(self, customer: str) -> Sequence[Task]:
        """A customer's tasks."""
        record = self._records.get(customer)
        return () if record is None else tuple(record.tasks.values())

    def task(self, id: str) -> Task | None:
        """One task."""
        return next((record.tasks[id] for record in self._records.values() if id in record.tasks), None)

    def task_page(self, wanted: TaskFilter, after: tuple[int, str] | None, limit: int) -> Sequence[Task]:
        """Tasks of everybody."""
        every = [task for record in self._records.values() for task in record.tasks.values()]
        found = [task for task in every if _is_of(task, wanted)]
        found.sort(key=_task_key, reverse=wanted.closed)
        return [
            task
            for task in found
            if after is None or (_task_key(task) < after if wanted.closed else _task_key(task) > after)
        ][:limit]

    def assign_task(self, id: str, assignee: str | None) -> Task | None:
        """Give an open task to somebody."""
        for record in self._records.values():
            known = record.tasks.get(id)
            if known is not None and known.closed_at is None:
                record.tasks[id] = known._replace(assignee=assignee)
                return record.tasks[id]
        return None


def _message_key(message: LoadedMessage) -> tuple[int, str]:
    return micros(message.row.at), message.row.id


def _is_wanted(message: LoadedMessage, wanted: MessageFilter) -> bool:
    status, channel, journey, since, until = wanted
    row = message.row
    return (
        status in (None, message.status)
        and channel in (None, row.channel)
        and journey in (None, row.journey)
        and (since is None or row.at >= since)
        and (until is None or row.at < until)
    )


def _task_key(task: Task) -> tuple[int, str]:
    at = task.closed_at if task.closed_at is not None else task.due_at
    return micros(at) if at is not None else NEVER, task.id


def _is_of(task: Task, wanted: TaskFilter) -> bool:
    closed, queue, assignee, due_before = wanted
    return (
        (task.closed_at is not None) == closed
        and queue in (None, task.queue)
        and (assignee is None or (task.assignee or "") == assignee)
        and (due_before is None or (task.due_at is not None and task.due_at < due_before))
    )
