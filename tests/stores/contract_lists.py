"""The lists of the API, as tests: every page follows the one before, whatever the order of what came."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from orchestrator.core.inbox import Identified, TaskClosed
from orchestrator.stores.protocol import Arrival, Store
from orchestrator.stores.protocol_lists import MessageFilter, TaskFilter
from tests.stores.driving import START, event, index_of, later, turns

_JOURNEYS: dict[str, Any] = {
    "writes": {
        "topic": "orders",
        "enter": {"event": "go", "key": "event.order", "reentry": "always"},
        "steps": [{"email": "hello"}, {"wait": "1h"}],
    },
    "calls": {
        "enter": {"event": "ask", "key": "event.order", "reentry": "always", "overlap": "parallel"},
        "steps": [
            {
                "if": "entry.due",
                "then": [{"task": {"queue": "desk", "title": "Call", "due": "1d"}}],
                "else": [{"task": {"queue": "night", "title": "Ring"}}],
            }
        ],
    },
}


def _filled(store: Store) -> None:
    store.deploy(index_of(_JOURNEYS, project={"queues": {"desk": {"members": ["kim", "lee"]}, "night": {}}}), START)
    for number, customer in enumerate(("a/b", "ana", "anb", "Z", "周")):
        traits = Identified({"email": f"Ana.{number}@Example.com", "phone": f"+35191234567{number}"}, silent=True)
        store.ingest([Arrival(customer, START, traits, f"t{customer}")])
        for place in range(3):
            did = event(at=later(place), order=f"o{place}")
            asked = event("ask", at=later(place), order=f"o{place}", due=place > 0)
            store.ingest([Arrival(customer, later(place), did, f"{customer}{place}"),
                          Arrival(customer, later(place), asked, f"{customer}a{place}")])  # fmt: skip
    turns(store, later(5))


def _paged(page: Callable[[Any, int], Any], key: Callable[[Any], Any], limit: int = 2) -> list[Any]:
    """Everything, by pages of so many."""
    found: list[Any] = []
    after = None
    while True:
        rows = page(after, limit)
        found += rows
        if len(rows) < limit:
            return found
        after = key(rows[-1])


class ListContract:
    """Tests of pages."""

    def test_profiles_in_the_order_of_their_ids(self, store: Store) -> None:
        _filled(store)
        found = _paged(lambda after, limit: store.profiles("", after or "", limit), lambda c: c.id)
        assert [c.id for c in found] == ["Z", "a/b", "ana", "anb", "周"]
        assert [c.id for c in store.profiles("an", "", 10)] == ["ana", "anb"]
        assert [c.id for c in store.profiles("an", "ana", 10)] == ["anb"]
        assert [c.id for c in store.profiles("周", "", 10)] == ["周"] and store.profiles("%", "", 10) == []
        profile = store.profile("ana")
        assert profile is not None and profile.email == "Ana.1@Example.com" and store.profile("nobody") is None

    def test_profiles_by_their_addresses(self, store: Store) -> None:
        _filled(store)
        [found], end = store.reached_by("email", "ana.1@example.com", "", 10)
        assert (found.id, end) == ("ana", None)
        [found], _ = store.reached_by("phone", "+351912345672", "", 10)
        assert found.id == "anb"
        assert store.reached_by("email", "ana.1@example.com", "ana", 10) == ([], None)
        assert store.reached_by("email", "nobody@example.com", "", 10) == ([], None)

    def test_the_past_the_latest_first(self, store: Store) -> None:
        _filled(store)
        found = _paged(lambda before, limit: store.happened("ana", None, before, limit), lambda one: one[:2])
        assert len(found) == len({one.id for one in found}) == 6
        assert [one.at for one in found] == sorted((one.at for one in found), reverse=True)
        named = _paged(lambda before, limit: store.happened("ana", "go", before, limit), lambda one: one[:2])
        assert [one.properties["order"] for one in named] == ["o2", "o1", "o0"]
        assert list(store.happened("nobody", None, None, 10)) == []

    def test_the_journal_the_latest_first(self, store: Store) -> None:
        _filled(store)
        found = _paged(lambda before, limit: store.written("ana", before, limit), lambda one: one[:3])
        assert [one.line for one in found] == list(reversed(store.journal("ana")))
        assert list(store.written("nobody", None, 10)) == []

    def test_passages_the_latest_first(self, store: Store) -> None:
        from orchestrator.stores.instants import micros

        _filled(store)
        found = _paged(
            lambda before, limit: store.passages("ana", before, limit), lambda e: (micros(e.entered_at), e.id)
        )
        waiting = [e for e in found if e.journey == "writes"]
        assert [e.key for e in waiting] == ["o2", "o1", "o0"] and waiting[0].customer_id == "ana"
        one = store.passage("ana", waiting[1].id)
        assert one is not None and one.key == "o1"
        assert store.passage("anb", waiting[1].id) is None and store.passage("nobody", "x") is None

    def test_messages_by_what_they_are(self, store: Store) -> None:
        from orchestrator.stores.instants import micros

        _filled(store)
        mine = _paged(
            lambda before, limit: store.messages_of("ana", before, limit), lambda m: (micros(m.row.at), m.row.id)
        )
        assert len(mine) == len({m.row.id for m in mine}) == 3

        def every(wanted: MessageFilter) -> list[str]:
            found, key = [], None
            while True:
                page = store.message_page(wanted, key, 4)
                found += [m.row.id for m in page.messages]
                key = page.key
                if key is None:
                    assert len(found) == len(set(found))
                    return found

        rows = [m.row for m in store.latest_messages(100)]
        latest = [row.id for row in rows]
        assert every(MessageFilter()) == latest and len(latest) == 15
        assert every(MessageFilter("queued", "email", "writes")) == latest
        for nothing in (MessageFilter("sent"), MessageFilter(None, "sms"), MessageFilter(None, None, "x")):
            assert every(nothing) == []
        at = rows[7].at
        assert every(MessageFilter(since=at)) == [row.id for row in rows if row.at >= at]
        assert every(MessageFilter(until=at)) == [row.id for row in rows if row.at < at]
        assert every(MessageFilter("queued", since=at, until=at + timedelta(microseconds=1))) == [
            row.id for row in rows if row.at == at
        ]

    def test_a_journey_is_counted(self, store: Store) -> None:
        _filled(store)
        counts = store.journey_counts("writes", None, None)
        assert counts.enrollments == {("running", ""): 15} and counts.messages == {("email", "queued"): (15, 0, 0)}
        some = store.journey_counts("writes", later(1), later(2))
        assert some.enrollments == {("running", ""): 5} and some.messages == {("email", "queued"): (5, 0, 0)}
        assert store.journey_counts("nothing", None, None) == ({}, {})

    def test_tasks_by_what_they_are(self, store: Store) -> None:
        from orchestrator.stores.instants import micros
        from orchestrator.stores.protocol_lists import NEVER

        _filled(store)

        def key(task: Any) -> tuple[int, str]:
            at = task.closed_at or task.due_at
            return (NEVER if at is None else micros(at)), task.id

        def every(**wanted: Any) -> list[Any]:
            return _paged(lambda after, limit: store.task_page(TaskFilter(**wanted), after, limit), key)

        found = every()
        assert len(found) == len({task.id for task in found}) == 15
        assert [task.queue for task in found] == ["desk"] * 10 + ["night"] * 5
        assert every(queue="night") == found[10:] and every(queue="none") == [] == every(closed=True)
        assert every(due_before=later(days=2)) == found[:10] and every(due_before=START) == []
        kims = every(assignee="kim")
        assert kims == [task for task in found if task.assignee == "kim"] and 0 < len(kims) < 10
        first = found[0]
        assert store.task(first.id) == first and store.task("nothing") is None
        assert store.assign_task("nothing", "kim") is None
        given = store.assign_task(first.id, "max")
        assert given == first._replace(assignee="max") == store.task(first.id)
        assert every(assignee="max") == [given] and given in store.tasks_of(first.customer_id)
        assert store.assign_task(first.id, None) == first._replace(assignee=None)
        assert first.id in [task.id for task in every(assignee="")]
        store.ingest([Arrival(first.customer_id, later(6), TaskClosed(first.id, "reached", "kim"), "closing")])
        turns(store, later(7))
        [closed] = every(closed=True)
        assert (closed.id, closed.outcome) == (first.id, "reached") and len(every()) == 14
        assert store.assign_task(first.id, "max") is None

    def test_of_nobody_there_is_nothing(self, store: Store) -> None:
        assert list(store.coupons_of("x")) == list(store.tasks_of("x")) == []
        assert list(store.messages_of("x", None, 9)) == list(store.passages("x", None, 9)) == []
