"""Buckets of tokens and circuits of channels: rows that all processes share, each locked for a moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final

from orchestrator.core.bucket import Bucket, drawn
from orchestrator.core.circuit import CLOSED, CircuitRecord
from orchestrator.stores.instants import micros
from orchestrator.stores.postgres.base import PostgresBase
from orchestrator.stores.protocol import Quota

_SECOND: Final = 1_000_000
BUCKET: Final = "SELECT tokens, filled_at FROM rates WHERE name = %s FOR UPDATE"
_NEW_BUCKET: Final = """
INSERT INTO rates (name, tokens, filled_at) VALUES (%s, %s, %s) ON CONFLICT (name) DO NOTHING
"""
_FILL: Final = "UPDATE rates SET tokens = %s, filled_at = %s WHERE name = %s"
_COLUMNS: Final = "failures, rest_for, probe_at, prober, reason"
_CIRCUITS: Final = f"SELECT name, {_COLUMNS} FROM circuits"
CIRCUIT: Final = f"SELECT {_COLUMNS} FROM circuits WHERE name = %s FOR UPDATE"
_NEW_CIRCUIT: Final = """
INSERT INTO circuits (name, failures, rest_for) VALUES (%s, 0, 0) ON CONFLICT (name) DO NOTHING
"""
_CHANGE: Final = """
UPDATE circuits SET failures = %s, rest_for = %s, probe_at = %s, prober = %s, reason = %s WHERE name = %s
"""


class PostgresChannels(PostgresBase):
    """The part of the store that the gates of channels ask."""

    @property
    def shared(self) -> bool:
        """Any number of processes hand over from one database."""
        return True

    def take_quota(self, name: str, rate: float, burst: float, want: int, real_at: datetime) -> Quota:
        """Take tokens."""
        at = micros(real_at)
        with self.db.write() as c:
            found = c.execute(BUCKET, (name,)).fetchone()
            if found is None:
                c.execute(_NEW_BUCKET, (name, max(burst, 1.0), at))
                found = c.execute(BUCKET, (name,)).fetchone()
                assert found is not None
            known = Bucket(found[0], found[1] / _SECOND)
            bucket, granted = drawn(known, rate, burst, want, at / _SECOND)
            c.execute(_FILL, (bucket.tokens, round(bucket.filled_at * _SECOND), name))
        return Quota(granted, int(bucket.tokens))

    def circuits(self) -> Mapping[str, CircuitRecord]:
        """The circuits that are not as new."""
        with self.db.read() as c:
            found = {name: _record(*columns) for name, *columns in c.execute(_CIRCUITS).fetchall()}
        return {name: record for name, record in found.items() if record != CLOSED}

    def change_circuit(self, name: str, change: Callable[[CircuitRecord], CircuitRecord]) -> CircuitRecord:
        """Change a circuit, whose row is kept: a row that is not there could not be locked."""
        with self.db.write() as c:
            found = c.execute(CIRCUIT, (name,)).fetchone()
            if found is None:
                c.execute(_NEW_CIRCUIT, (name,))
                found = c.execute(CIRCUIT, (name,)).fetchone()
                assert found is not None
            before = _record(*found)
            record = change(before)
            if record != before:
                c.execute(_CHANGE, (*_columns(record), name))
        return record


def _record(
    failures: int, rest_for: int, probe_at: int | None, prober: str | None, reason: str | None
) -> CircuitRecord:
    return CircuitRecord(failures, rest_for / _SECOND, None if probe_at is None else probe_at / _SECOND, prober, reason)


def _columns(record: CircuitRecord) -> tuple[Any, ...]:
    failures, rest, probe_at, prober, reason = record
    at = None if probe_at is None else round(probe_at * _SECOND)
    return failures, round(rest * _SECOND), at, prober, reason
