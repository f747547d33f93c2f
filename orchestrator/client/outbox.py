"""What was accepted and is not taken by the server yet, in the order in which it came."""

from __future__ import annotations

from collections import deque
from typing import Protocol


class OutboxFull(Exception):
    """There is no room for one more item."""


class Outbox(Protocol):
    """Used under one lock, by one sender: `take`, then `done` with what was taken, or `take` again."""

    @property
    def count(self) -> int:
        """Items that wait."""
        ...

    @property
    def size(self) -> int:
        """Their bytes."""
        ...

    @property
    def lasting(self) -> bool:
        """Whether they are there after this process has died."""
        ...

    def put(self, data: bytes) -> None:
        """Add an item (one line). Raises OutboxFull."""
        ...

    def take(self, most: int, most_bytes: int) -> list[bytes]:
        """The first ones, at least one where there is any; they stay until `done`."""
        ...

    def done(self, items: list[bytes]) -> None:
        """Forget what was taken last."""
        ...

    def adopt(self) -> int:
        """Take over what dead processes left; how many items."""
        ...

    def after_fork(self) -> None:
        """In a child: what the parent has is the parent's."""
        ...

    def close(self) -> None:
        """Let go of files."""
        ...


class MemoryOutbox:
    """In memory, bounded; gone with the process."""

    lasting = False

    def __init__(self, most: int, most_bytes: int) -> None:
        self._most = most
        self._most_bytes = most_bytes
        self._items: deque[bytes] = deque()
        self.size = 0

    @property
    def count(self) -> int:
        """Items that wait."""
        return len(self._items)

    def put(self, data: bytes) -> None:
        """Add an item."""
        if len(self._items) >= self._most or self.size + len(data) > self._most_bytes:
            raise OutboxFull(f"{len(self._items):,} items ({self.size:,} bytes) wait already")
        self._items.append(data)
        self.size += len(data)

    def take(self, most: int, most_bytes: int) -> list[bytes]:
        """The first ones."""
        taken: list[bytes] = []
        size = 0
        for data in self._items:
            size += len(data) + 1
            if taken and (len(taken) >= most or size > most_bytes):
                break
            taken.append(data)
        return taken

    def done(self, items: list[bytes]) -> None:
        """Forget them."""
        for _ in items:
            self.size -= len(self._items.popleft())

    def adopt(self) -> int:
        """There is nothing to take over."""
        return 0

    def after_fork(self) -> None:
        """The parent sends what it has."""
        self._items = deque()
        self.size = 0

    def close(self) -> None:
        """There is nothing to let go of."""
