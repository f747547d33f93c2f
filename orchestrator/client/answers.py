"""What the server's answer to a batch means, and when to try again. Asks no clock and no network."""
# ruff: noqa: TID252

from __future__ import annotations

import json
import random
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, NamedTuple

from .problems import DeliveryError, document_of, problem_of

LONGEST_WAIT: Final = 30.0
LONGEST_ASKED: Final = 600.0
"""Seconds: between tries of our own, and that a server may ask for (Retry-After)."""
_TOO_MUCH: Final = (400, 413, 422)


class Reply(NamedTuple):
    """An answer; `headers` by lower-case name."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Outcome(NamedTuple):
    """`settled`: the batch is through with, whatever became of its items. Else it is tried again after `wait` seconds.
    `told`: for `on_error`."""

    settled: bool
    wait: float = 0.0
    told: tuple[DeliveryError, ...] = ()


class Pace:
    """How many items the next batch has, and how long to wait after a failure."""

    def __init__(self, most: int, draw: random.Random | None = None) -> None:
        self._most = most
        self._draw = draw or random.Random()
        self._failures = 0
        self._told_status = 0
        self.limit = most

    def unreached(self) -> Outcome:
        """There was no answer."""
        return Outcome(False, self._wait(None))

    def judge(self, reply: Reply, items: Sequence[bytes]) -> Outcome:
        """There was one."""
        if 200 <= reply.status < 300:
            self._failures = self._told_status = 0
            self.limit = min(self._most, self.limit * 2)
            return Outcome(True, told=tuple(_refusals(document_of(reply.body), items)))
        if reply.status in _TOO_MUCH:
            return self._unreadable(reply, items)
        problem = problem_of(reply.status, reply.body)
        wait = self._wait(reply.headers.get("retry-after"))
        if reply.status in (408, 425, 429) or reply.status >= 500 or reply.status == self._told_status:
            return Outcome(False, wait)
        self._told_status = reply.status  # an unknown key, a wrong address: told once, and kept until it is mended
        return Outcome(False, wait, (DeliveryError(problem.code, problem.detail, retried=True),))

    def _unreadable(self, reply: Reply, items: Sequence[bytes]) -> Outcome:
        """None of its items was taken: they are named; or something in it spoils it, which halving finds."""
        self._failures = 0
        told = tuple(_refusals(document_of(reply.body), items, all_of_them=True))
        if told and reply.status == 400:
            return Outcome(True, told=told)
        if len(items) > 1:
            self.limit = max(1, len(items) // 2)
            return Outcome(False)
        problem = problem_of(reply.status, reply.body)
        return Outcome(True, told=(DeliveryError(problem.code, problem.detail, tuple(map(item_of, items))),))

    def _wait(self, asked: str | None) -> float:
        self._failures += 1
        own = min(LONGEST_WAIT, 0.25 * (1 << min(self._failures, 12)))
        return max(own * self._draw.uniform(0.5, 1.0), asked_wait(asked))


def asked_wait(header: str | None, now: datetime | None = None) -> float:
    """Seconds that a Retry-After header asks for; 0 where it asks for none."""
    if not header:
        return 0.0
    try:
        seconds = float(header)
    except ValueError:
        try:
            at = parsedate_to_datetime(header)
        except ValueError:
            return 0.0
        at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
        seconds = (at - (now or datetime.now(UTC))).total_seconds()
    return float(max(0.0, min(seconds, LONGEST_ASKED))) if seconds == seconds else 0.0


def _refusals(told: Mapping[str, Any], items: Sequence[bytes], all_of_them: bool = False) -> list[DeliveryError]:
    """The items that the answer names; with `all_of_them` also those that it only counts."""
    errors = told.get("errors")
    if not isinstance(errors, list) or not errors:
        return []
    found: list[DeliveryError] = []
    named = set()
    for one in errors:
        place = one.get("position") if isinstance(one, dict) else None
        if isinstance(place, int) and 0 <= place < len(items):
            named.add(place)
            found.append(DeliveryError(str(one.get("code")), str(one.get("reason")), (item_of(items[place]),)))
    rest = tuple(item_of(data) for place, data in enumerate(items) if place not in named) if all_of_them else ()
    if found and rest:
        found.append(DeliveryError(str(told.get("code")), str(told.get("detail")), rest))
    return found


def item_of(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"unreadable": data[:200].decode("utf-8", "replace")}
