"""A few connections that calls share: taken for one call, given back, and thrown away when the server ended them."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from typing import Any, Final

import psycopg

from orchestrator.stores.protocol import StoreBusy

WAITS_FOR: Final = 5.0
"""Seconds that a call waits for a connection while all of them are taken."""


class Connections:
    """At most so many connections, made as they are needed; the one used last is given first.

    No thread of its own and nothing that a forked process could take over by mistake: a child begins with none.
    """

    def __init__(self, connect: Callable[[], psycopg.Connection[tuple[Any, ...]]], most: int) -> None:
        self._connect = connect
        self._most = most
        self._idle: list[psycopg.Connection[tuple[Any, ...]]] = []
        self._taken = 0
        self._changed = threading.Condition()
        self._process = os.getpid()
        self._closed = False

    def take(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection of one's own until `give`. Raises StoreBusy when all are taken, and psycopg's errors."""
        if os.getpid() != self._process:
            self._begin_again()
        until = time.monotonic() + WAITS_FOR
        with self._changed:
            while self._taken >= self._most:
                if not self._changed.wait(until - time.monotonic()):
                    raise StoreBusy(f"all {self._most} connections to the database are busy; it is tried again")
            self._taken += 1
            found = self._idle.pop() if self._idle else None
        try:
            if found is not None and alive(found):
                return found
            if found is not None:  # the server ended it, and most probably the others, too
                found.close()
                self.drop()
            return self._connect()
        except BaseException:
            with self._changed:
                self._taken -= 1
                self._changed.notify()
            raise

    def give(self, c: psycopg.Connection[tuple[Any, ...]]) -> None:
        """Give back what `take` gave."""
        with self._changed:
            self._taken -= 1
            if not c.closed and not self._closed:
                self._idle.append(c)
            self._changed.notify()
        if self._closed:
            c.close()

    def drop(self) -> None:
        """Close those that nobody uses."""
        with self._changed:
            idle, self._idle = self._idle, []
        for c in idle:
            c.close()

    def close(self) -> None:
        """Close all, as soon as they are given back."""
        self._closed = True
        self.drop()

    def _begin_again(self) -> None:
        """In a forked process: the connections are the parent's, and so may be whoever held the lock."""
        self._changed = threading.Condition()
        self._forgotten = self._idle  # never closed here: that would end the parent's sessions
        self._idle = []
        self._taken = 0
        self._process = os.getpid()


def alive(c: psycopg.Connection[Any]) -> bool:
    """Whether a connection that waits for no answer still has its server: one that is gone has said so, or hung up."""
    if c.closed:
        return False
    poll = select.poll()
    poll.register(c.fileno(), select.POLLIN | select.POLLHUP | select.POLLERR)
    if not poll.poll(0):
        return True
    try:
        c.pgconn.consume_input()  # a notice, or the server's last words
        return c.pgconn.status == psycopg.pq.ConnStatus.OK and not _said_goodbye(c)
    except psycopg.Error:
        return False


def _said_goodbye(c: psycopg.Connection[Any]) -> bool:
    poll = select.poll()
    poll.register(c.fileno(), select.POLLIN | select.POLLHUP)
    return bool(poll.poll(0))
