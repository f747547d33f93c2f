"""Staff hear of tasks in their chats."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.index import Index
from orchestrator.runtime.task_notices import MOST_TRIES, NOTICE_EVERY, TaskNotices, customer_pages
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import StoreBusy
from tests.small_projects import project_of
from tests.stores.driving import START, arrive, create, event

PAGES = customer_pages("https://journeys.example.com/")


class Chat:
    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []
        self.refuses: str | None = None

    def write(self, id: str, text: str) -> str | None:
        self.told.append((id, text))
        return self.refuses


class Desk:
    """A journey that opens a task, and a chat that hears of it."""

    def __init__(self, folder: Path, notify: Any = "care") -> None:
        task = {"queue": "desk", "title": "Call {{ customer.plan }}", "due": "1h", "wait": True}
        journey = {"topic": "care", "enter": {"event": "go", "reentry": "always"}, "steps": [{"task": task}]}
        queue = {"members": ["ana", "li"], **({"notify": notify} if notify else {})}
        self.store = MemoryStore()
        self.store.deploy(Index(project_of(folder, {"j": journey}, project={"queues": {"desk": queue}}).project), START)
        self.notices = TaskNotices()
        self.chat = Chat()

    def come(self, *customers: str, plan: str = "Ana\nB.") -> None:
        for customer in customers:
            create(self.store, customer, plan=plan)
        for customer in customers:
            arrive(self.store, customer, event(id=f"go{customer}"))
        self.turn(START)

    def turn(self, now: datetime) -> None:
        while turn_once(self.store, now, saved=lambda c: self.notices.decided(c, self.store.index.project)).customers:
            pass

    def tell(self, at: datetime = START, **chats: Chat) -> int:
        return self.notices.tell(self.store, chats or {"care": self.chat}, PAGES, "Harbour", at)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_task_that_was_opened_is_told_once(desk: Desk) -> None:
    desk.come("u/1@x")
    assert desk.tell() == 1
    [(id, text)] = desk.chat.told
    assert text == (
        "[Harbour] tasks\nopened: Call Ana B. (desk, due 2026-03-02 11:00 UTC, for ana)\n"
        "https://journeys.example.com/customers/u%2F1%40x"
    )
    assert id.startswith("notice-")
    assert desk.tell(START + timedelta(hours=1)) == 0


def test_one_that_is_overdue_is_told_with_its_title(desk: Desk) -> None:
    desk.come("u1")
    desk.tell()
    desk.turn(START + timedelta(hours=2))
    assert desk.tell(START + timedelta(hours=2)) == 1
    assert "overdue: Call Ana B. (desk, due 2026-03-02 11:00 UTC, for ana)" in desk.chat.told[1][1]


def test_many_are_told_together_and_chats_are_not_flooded(desk: Desk) -> None:
    desk.come(*(f"u{n}" for n in range(50)))
    assert desk.tell() == 1
    [(_, text)] = desk.chat.told
    assert text.count("opened: ") == 10 and text.endswith("... and 40 more")
    told = 0
    for second in range(120):
        desk.come(f"v{second}")
        told += desk.tell(START + timedelta(seconds=second))
    assert told <= 120 / NOTICE_EVERY + 2


def test_a_chat_that_is_away_holds_up_nothing_and_is_tried_again_under_the_same_id(desk: Desk) -> None:
    desk.come("u1")
    desk.chat.refuses = "503"
    desk.tell()
    desk.chat.refuses = None
    assert desk.tell(START + timedelta(seconds=60)) == 1
    assert desk.chat.told[0] == desk.chat.told[1]


def test_while_the_database_is_away_nothing_is_forgotten(desk: Desk) -> None:
    customers = [f"u{n}" for n in range(12)]
    desk.come(*customers)
    desk.tell()
    desk.turn(START + timedelta(hours=2))
    look_up = desk.store.open_task

    def away(*_: Any) -> Any:
        raise StoreBusy("locked")

    desk.store.open_task = away  # type: ignore[method-assign]
    with pytest.raises(StoreBusy):
        desk.tell(START + timedelta(hours=2))
    desk.store.open_task = look_up  # type: ignore[method-assign]
    assert desk.tell(START + timedelta(hours=3)) == 1
    text = desk.chat.told[-1][1]
    assert text.count("overdue: Call Ana B.") == 10 and text.endswith("... and 2 more")


def test_it_is_given_up_in_the_end(desk: Desk) -> None:
    desk.come("u1")
    desk.chat.refuses = "404"
    for minute in range(20):
        desk.tell(START + timedelta(minutes=minute))
    assert len(desk.chat.told) == MOST_TRIES


def test_a_chat_without_settings_is_no_error(desk: Desk, caplog: Any) -> None:
    desk.come("u1")
    assert desk.tell(other=desk.chat) == 0 and not desk.chat.told
    assert "ORCHESTRATOR_STAFF_CHATS names no such chat" in caplog.text


def test_a_queue_that_names_no_chat_costs_nothing(tmp_path: Path) -> None:
    desk = Desk(tmp_path, notify=None)
    desk.come("u1")
    assert desk.tell() == 0 and not desk.chat.told
