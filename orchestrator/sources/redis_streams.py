"""Redis Streams: XREADGROUP as one of a group, XACK after our commit, XAUTOCLAIM of what a dead reader left."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from orchestrator.sources.protocol import Record, StreamGone

FIELDS: Final = ("data", "value", "payload", "json")
"""Where an entry may carry its JSON, the first that is there; else the entry's fields are the object."""
IDLE_MS: Final = 30_000
"""After so long what another reader has not marked is taken over: it takes a batch within seconds."""
CLAIM_EVERY_S: Final = 5.0


class RedisStream:
    """One reader of a stream. Raises StreamGone from every call while Redis does not answer."""

    def __init__(self, url: str, key: str, group: str, consumer: str, idle_ms: int = IDLE_MS) -> None:
        import redis

        self.name = key.replace(":", "_")
        self._errors = (redis.RedisError, OSError)
        self._redis: Any = redis.Redis.from_url(url, socket_timeout=30, socket_connect_timeout=5)
        self._key, self._group, self._consumer = key, group, consumer
        self._idle_ms = idle_ms
        self._ready = False
        self._own = True
        """Whether what we were given before, and did not mark, is read first: after a restart or a failure."""
        self._claim_from = "0-0"
        self._claimed_at = -CLAIM_EVERY_S

    def read(self, limit: int, within: float) -> Sequence[Record]:
        """See Stream."""
        try:
            self._prepare()
            if self._own:
                found = self._redis.xreadgroup(self._group, self._consumer, {self._key: "0"}, count=limit)
                records = self._records(_entries(found))
                if records:
                    return records
                self._own = False
            if records := self._left_by_others(limit):
                return records
            block = max(1, int(within * 1000))
            found = self._redis.xreadgroup(self._group, self._consumer, {self._key: ">"}, count=limit, block=block)
            return self._records(_entries(found))
        except self._errors as error:
            self._ready = False
            raise StreamGone(str(error)[:200]) from None

    def commit(self, records: Sequence[Record]) -> None:
        """See Stream."""
        try:
            self._redis.xack(self._key, self._group, *[record.mark for record in records])
        except self._errors as error:
            self._own = True  # they come again, and are known by their ids
            raise StreamGone(str(error)[:200]) from None

    def again(self, records: Sequence[Record]) -> None:
        """See Stream."""
        self._own = True

    def lag(self) -> int | None:
        """Entries that nobody of the group was given, and those that were given and not marked."""
        with suppress(*self._errors):
            for group in self._redis.xinfo_groups(self._key):
                if group["name"] in (self._group, self._group.encode()):
                    return int(group.get("lag") or 0) + int(group["pending"])
        return None

    def close(self) -> None:
        """See Stream. What was given to us and not marked is taken over by others after a while."""
        with suppress(*self._errors):
            pending = self._redis.xpending_range(self._key, self._group, "-", "+", 1, self._consumer)
            if not pending:
                self._redis.xgroup_delconsumer(self._key, self._group, self._consumer)
        self._redis.close()

    def _prepare(self) -> None:
        if self._ready:
            return
        try:
            self._redis.xgroup_create(self._key, self._group, id="0", mkstream=True)
        except self._errors as error:
            if "BUSYGROUP" not in str(error):
                raise
        self._ready = True

    def _left_by_others(self, limit: int) -> list[Record]:
        if time.monotonic() - self._claimed_at < CLAIM_EVERY_S and self._claim_from == "0-0":
            return []
        self._claimed_at = time.monotonic()
        answer = self._redis.xautoclaim(
            self._key, self._group, self._consumer, self._idle_ms, start_id=self._claim_from, count=limit
        )
        start = answer[0]
        self._claim_from = start.decode() if isinstance(start, bytes) else str(start)
        return self._records(answer[1])

    def _records(self, entries: Any) -> list[Record]:
        made = []
        for id, fields in entries:
            named = id.decode() if isinstance(id, bytes) else str(id)
            made.append(Record(f"redis:{self._key}/{named}", _value(fields), _written_at(named), id))
        return made


def _entries(found: Any) -> Any:
    """The entries of an answer about one stream: a list of pairs (RESP2) or a mapping (RESP3)."""
    if not found:
        return []
    if isinstance(found, dict):
        [entries] = found.values()
        return entries[0] if len(entries) == 1 and entries and isinstance(entries[0], list) else entries
    return found[0][1]


def _value(fields: Any) -> bytes:
    """The JSON of an entry; of one that was deleted meanwhile nothing is left."""
    if not fields:
        return b""
    for name in FIELDS:
        value = fields.get(name.encode(), fields.get(name))
        if value is not None:
            return value if isinstance(value, bytes) else str(value).encode()
    import json

    return json.dumps({_text(name): _text(value) for name, value in fields.items()}).encode()


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _written_at(id: str) -> datetime | None:
    """An id begins with the milliseconds of Redis' clock, unless its writer made it."""
    with suppress(ValueError, OverflowError, OSError):
        millis = int(id.partition("-")[0])
        if millis > 10**12:
            return datetime.fromtimestamp(millis / 1000, UTC)
    return None
