"""Lists page by page, in both databases."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from orchestrator.core.customer import Customer
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.ledger import Coupon, Task
from orchestrator.core.view import LoadedMessage
from orchestrator.stores import insight_rows, list_rows
from orchestrator.stores.database_base import DatabaseBase
from orchestrator.stores.protocol_lists import Happened, JourneyCounts, MessageFilter, MessagePage, TaskFilter, Written


class DatabaseLists(DatabaseBase):
    """The part of the store that lists."""

    def profile(self, customer: str) -> Customer | None:
        """One profile."""
        with self.db.read() as c:
            return list_rows.profile(self.run_on(c), self.db.sealer, customer)

    def profiles(self, prefix: str, after: str, limit: int) -> Sequence[Customer]:
        """Profiles in the order of their ids."""
        with self.db.read() as c:
            return list_rows.profiles(self.run_on(c), self.db.sealer, prefix, after, limit)

    def reached_by(self, kind: str, normal: str, after: str, limit: int) -> tuple[Sequence[Customer], str | None]:
        """Profiles with an address."""
        with self.db.read() as c:
            return list_rows.reached_by(self.run_on(c), self.db.sealer, kind, normal, after, limit)

    def happened(
        self, customer: str, name: str | None, before: tuple[int, int] | None, limit: int
    ) -> Sequence[Happened]:
        """A customer's past events."""
        with self.db.read() as c:
            place = list_rows.place_of(self.run_on(c), customer)
            if place is None:
                return []
            return list_rows.happened(self.run_on(c), self.db.sealer, place, name, before, limit)

    def written(self, customer: str, before: tuple[int, int, int] | None, limit: int) -> Sequence[Written]:
        """A customer's journal."""
        with self.db.read() as c:
            place = list_rows.place_of(self.run_on(c), customer)
            if place is None:
                return []
            return list_rows.written(self.run_on(c), self.db.sealer, place, customer, before, limit)

    def passages(self, customer: str, before: tuple[int, str] | None, limit: int) -> Sequence[Enrollment]:
        """A customer's enrollments."""
        with self.db.read() as c:
            place = list_rows.place_of(self.run_on(c), customer)
            if place is None:
                return []
            return list_rows.passages(self.run_on(c), self.db.sealer, place, customer, before, limit)

    def passage(self, customer: str, id: str) -> Enrollment | None:
        """One enrollment."""
        with self.db.read() as c:
            place = list_rows.place_of(self.run_on(c), customer)
            return None if place is None else list_rows.passage(self.run_on(c), self.db.sealer, place, customer, id)

    def messages_of(self, customer: str, before: tuple[int, str] | None, limit: int) -> Sequence[LoadedMessage]:
        """A customer's messages."""
        with self.db.read() as c:
            place = list_rows.place_of(self.run_on(c), customer)
            return [] if place is None else list_rows.messages_of(self.run_on(c), self.db.sealer, place, before, limit)

    def message_page(self, wanted: MessageFilter, before: tuple[int, str] | None, limit: int) -> MessagePage:
        """Messages of everybody."""
        with self.db.read() as c:
            return list_rows.message_page(self.run_on(c), self.db.sealer, wanted, before, limit)

    def journey_counts(self, journey: str, since: datetime | None, until: datetime | None) -> JourneyCounts:
        """What became of a journey's enrollments and messages."""
        with self.db.read() as c:
            return insight_rows.journey_counts(self.run_on(c), journey, since, until)

    def coupons_of(self, customer: str) -> Sequence[Coupon]:
        """A customer's coupons."""
        with self.db.read() as c:
            place = list_rows.place_of(self.run_on(c), customer)
            return [] if place is None else list_rows.coupons_of(self.run_on(c), place)

    def tasks_of(self, customer: str) -> Sequence[Task]:
        """A customer's tasks."""
        with self.db.read() as c:
            place = list_rows.place_of(self.run_on(c), customer)
            return [] if place is None else list_rows.tasks_of(self.run_on(c), self.db.sealer, place)

    def task(self, id: str) -> Task | None:
        """One task."""
        with self.db.read() as c:
            return list_rows.task(self.run_on(c), self.db.sealer, id)

    def task_page(self, wanted: TaskFilter, after: tuple[int, str] | None, limit: int) -> Sequence[Task]:
        """Tasks of everybody."""
        with self.db.read() as c:
            return list_rows.task_page(self.run_on(c), self.db.sealer, wanted, after, limit)

    def assign_task(self, id: str, assignee: str | None) -> Task | None:
        """Give an open task to somebody."""
        with self.db.write() as c:
            return list_rows.assign_task(self.run_on(c), self.db.sealer, id, assignee, self.row_lock)
