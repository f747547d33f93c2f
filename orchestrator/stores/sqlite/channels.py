"""Buckets of tokens and circuits of channels, as rows: what outlives a process, and what several share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from orchestrator.core.bucket import Bucket, drawn
from orchestrator.core.circuit import CLOSED, CircuitRecord
from orchestrator.stores.instants import micros
from orchestrator.stores.protocol import Quota
from orchestrator.stores.sqlite.base import SqliteBase

_SECOND: Final = 1_000_000
_BUCKET: Final = "SELECT tokens, filled_at FROM rates WHERE name = ?"
_FILL: Final = """
INSERT INTO rates (name, tokens, filled_at) VALUES (?, ?, ?)
ON CONFLICT (name) DO UPDATE SET tokens = excluded.tokens, filled_at = excluded.filled_at
"""
_COLUMNS: Final = "failures, rest_for, probe_at, prober, reason"
_CIRCUITS: Final = f"SELECT name, {_COLUMNS} FROM circuits"
_CIRCUIT: Final = f"SELECT {_COLUMNS} FROM circuits WHERE name = ?"
_CHANGE: Final = f"""
INSERT INTO circuits (name, {_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO UPDATE
SET failures = excluded.failures, rest_for = excluded.rest_for, probe_at = excluded.probe_at,
    prober = excluded.prober, reason = excluded.reason
"""
_AS_NEW: Final = "DELETE FROM circuits WHERE name = ?"


class SqliteChannels(SqliteBase):
    """The part of the store that the gates of channels ask."""

    @property
    def shared(self) -> bool:
        """One process hands over from a file."""
        return False

    def take_quota(self, name: str, rate: float, burst: float, want: int, real_at: datetime) -> Quota:
        """Take tokens."""
        with self.db.write() as c:
            found = c.execute(_BUCKET, (name,)).fetchone()
            known = Bucket(found[0], found[1] / _SECOND) if found is not None else None
            bucket, granted = drawn(known, rate, burst, want, micros(real_at) / _SECOND)
            c.execute(_FILL, (name, bucket.tokens, round(bucket.filled_at * _SECOND)))
        return Quota(granted, int(bucket.tokens))

    def circuits(self) -> Mapping[str, CircuitRecord]:
        """The circuits that are not as new."""
        with self.db.read() as c:
            return {name: record_of(*columns) for name, *columns in c.execute(_CIRCUITS)}

    def change_circuit(self, name: str, change: Callable[[CircuitRecord], CircuitRecord]) -> CircuitRecord:
        """Change a circuit."""
        with self.db.write() as c:
            found = c.execute(_CIRCUIT, (name,)).fetchone()
            before = record_of(*found) if found is not None else CLOSED
            record = change(before)
            if record == CLOSED:
                c.execute(_AS_NEW, (name,))
            elif record != before:
                c.execute(_CHANGE, (name, *columns_of(record)))
        return record


def record_of(
    failures: int, rest_for: int, probe_at: int | None, prober: str | None, reason: str | None
) -> CircuitRecord:
    """A circuit from its row."""
    return CircuitRecord(failures, rest_for / _SECOND, None if probe_at is None else probe_at / _SECOND, prober, reason)


def columns_of(record: CircuitRecord) -> tuple[Any, ...]:
    """The row of a circuit."""
    failures, rest, probe_at, prober, reason = record
    at = None if probe_at is None else round(probe_at * _SECOND)
    return failures, round(rest * _SECOND), at, prober, reason
