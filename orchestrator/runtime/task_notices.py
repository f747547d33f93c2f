"""Staff hear in their chats of tasks that were opened, and of those that are overdue: a few lines at a time.

A turn is saved once, by one process, which tells of it within some seconds: nobody is told twice. A process that is
killed in between takes what it had not told along; the task itself stands in the database and on the pages. A notice
holds the task's title, queue, due time and assignee, and a link to the customer's page; nothing else of the customer.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final, NamedTuple, Protocol
from urllib.parse import quote

from orchestrator.core.changes import Changes
from orchestrator.core.project import Project
from orchestrator.stores.protocol import Store, StoreBusy

MOST_WAITING: Final = 1_000
"""Tasks of one chat that wait to be told; of more, the number alone is told."""
MOST_LINES: Final = 10
"""Tasks that are named in one notice."""
LONGEST_TITLE: Final = 160
NOTICE_EVERY: Final = 15.0
"""Seconds between two notices to one chat in the long run, over all processes."""
AT_ONCE: Final = 2
MOST_TRIES: Final = 5

log = logging.getLogger(__name__)


class ChatWriter(Protocol):
    """A chat: see channels.chat_notices.ChatNotices."""

    def write(self, id: str, text: str) -> str | None:
        """One notice. None: it was taken; else why not. Never raises."""


class TaskTold(NamedTuple):
    """What happened to a task (`opened`, `overdue`). The title of an overdue one is looked up when it is told."""

    what: str
    queue: str
    task_id: str
    customer: str
    step: str | None
    title: str | None = None
    due_at: datetime | None = None
    assignee: str | None = None


class TaskNotices:
    """What one process has to tell, by chat. Safe for several threads."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[TaskTold]] = {}
        self._more: dict[str, int] = {}
        self._tries: dict[str, int] = {}
        self._unknown: set[str] = set()
        self._lock = threading.Lock()
        self._seen: tuple[Project, Mapping[str, tuple[str, ...]]] | None = None

    def decided(self, changes: Changes, project: Project) -> None:
        """A turn was saved. Where no queue is told of, nothing is looked at."""
        seen = self._seen
        if seen is None or seen[0] is not project:
            told = {queue.id: queue.told for queue in project.queues.values() if queue.told}
            seen = self._seen = (project, told)
        if not seen[1] and not any(queue.escalations for queue in project.queues.values()):
            return
        for change in changes.customers:
            for task in change.tasks:
                if task.closed_at is None:
                    self._add(seen[1].get(task.queue, ()), TaskTold("opened", task.queue, task.id, task.customer_id,
                              task.step, task.title, task.due_at, task.assignee))  # fmt: skip
            for event in change.events:
                if event.name == "task_escalated":
                    self._add(_more_told(event.properties), escalated(change.customer_id, event.properties))
                elif event.name == "task_overdue":
                    about = event.properties
                    queue, step, assignee = (str(about.get(name) or "") for name in ("queue", "step", "assignee"))
                    task_id = str(about.get("task") or "")
                    self._add(seen[1].get(queue, ()), TaskTold("overdue", queue, task_id, change.customer_id,
                              step or None, assignee=assignee or None))  # fmt: skip

    def tell(
        self,
        store: Store,
        chats: Mapping[str, ChatWriter],
        customer_url: Callable[[str], str],
        brand: str,
        real_at: datetime,
    ) -> int:
        """Tell what waits, one notice a chat at most. Returns how many were taken. Raises StoreBusy."""
        done = 0
        with self._lock:
            names = [name for name, waiting in self._waiting.items() if waiting]
        for name in names:
            chat = chats.get(name)
            if chat is None:
                self._give_up(name, "ORCHESTRATOR_STAFF_CHATS names no such chat")
            elif store.take_quota(f"notices:{name}", 1 / NOTICE_EVERY, AT_ONCE, 1, real_at).granted:
                done += self._write(store, name, chat, customer_url, brand)
        return done

    def _add(self, chats: Sequence[str], told: TaskTold) -> None:
        with self._lock:
            for name in chats:
                waiting = self._waiting.setdefault(name, deque())
                if len(waiting) < MOST_WAITING:
                    waiting.append(told)
                else:
                    self._more[name] = self._more.get(name, 0) + 1

    def _write(self, store: Store, name: str, chat: ChatWriter, customer_url: Callable[[str], str], brand: str) -> int:
        with self._lock:
            waiting = self._waiting[name]
            named = [waiting.popleft() for _ in range(min(MOST_LINES, len(waiting)))]
        try:
            titled = [_titled(store, told) for told in named]
        except StoreBusy:
            with self._lock:
                waiting.extendleft(reversed(named))
            raise
        with self._lock:
            more, self._more[name] = len(waiting) + self._more.get(name, 0), 0
            left = list(waiting)
            if more:  # what is told as a number is told
                waiting.clear()
        lines = [line_of(told, customer_url) for told in titled]
        text = "\n".join([f"[{brand}] tasks", *lines, *([f"... and {more:,} more"] if more else [])])
        refused = chat.write(_id(name, named), text)
        if refused is None:
            self._tries.pop(name, None)
            return 1
        self._tries[name] = self._tries.get(name, 0) + 1
        if self._tries[name] >= MOST_TRIES:
            self._give_up(name, refused)
            return 0
        log.warning("the chat '%s' was not told of tasks, and is tried again: %s", name, refused)
        with self._lock:
            self._waiting[name].extendleft(reversed([*named, *left]))
            self._more[name] += more - len(left)
        return 0

    def _give_up(self, name: str, why: str) -> None:
        with self._lock:
            count = len(self._waiting.pop(name, ())) + self._more.pop(name, 0)
            self._tries.pop(name, None)
        if name not in self._unknown:
            self._unknown.add(name)
            log.error("the chat '%s' is not told of %d tasks: %s", name, count, why)


def escalated(customer: str, about: Mapping[str, Any]) -> TaskTold:
    """What a chat hears of a task that is open still, so long after it was due."""
    queue, step, assignee = (str(about.get(name) or "") for name in ("queue", "step", "assignee"))
    return TaskTold("overdue", queue, str(about.get("task") or ""), customer, step or None, assignee=assignee or None)


def _more_told(about: Mapping[str, Any]) -> tuple[str, ...]:
    """The chat that a queue's escalation names; an address is none."""
    chat = about.get("notify")
    return (chat,) if isinstance(chat, str) and "@" not in chat else ()


def line_of(told: TaskTold, customer_url: Callable[[str], str]) -> str:
    """One task in two lines: what is to be done, and where the customer is found."""
    title = " ".join((told.title or "a task").split())
    title = title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…"
    about = [told.queue]
    if told.due_at is not None:
        about.append(f"due {told.due_at:%Y-%m-%d %H:%M} UTC")
    if told.assignee:
        about.append(f"for {told.assignee}")
    return f"{told.what}: {title} ({', '.join(about)})\n{customer_url(told.customer)}"


def customer_pages(base_url: str) -> Callable[[str], str]:
    """Where the page of a customer answers."""
    return lambda customer: f"{base_url.rstrip('/')}/customers/{quote(customer, safe='', errors='replace')}"


def _titled(store: Store, told: TaskTold) -> TaskTold:
    if told.title is not None:
        return told
    task = store.open_task(told.customer, told.step)
    return told if task is None or task.id != told.task_id else told._replace(title=task.title, due_at=task.due_at)


def _id(name: str, named: Sequence[TaskTold]) -> str:
    """The same for the same notice, on every try."""
    parts = [name, *(f"{told.what}:{told.task_id}" for told in named)]
    return "notice-" + blake2b("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()[:24]
