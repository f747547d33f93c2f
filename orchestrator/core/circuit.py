"""A channel's circuit as a value: while the provider or our account is out of order, only a probe goes now and then.

closed      messages go
open        nothing goes until the rest is over
half_open   one message goes, as a probe; what becomes of it closes the circuit, or opens it again for twice as long

Instants are real seconds of whatever clock the caller counts by; several processes count by one.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple, TypeAlias

FAILURES: Final = 3
"""Answers in a row that say `down` after which the circuit opens."""
FIRST_REST: Final = 15.0
LONGEST_REST: Final = 300.0
"""Real seconds."""

State: TypeAlias = Literal["closed", "open", "half_open"]


class CircuitState(NamedTuple):
    """What people are shown: the state, why it is not closed, and the seconds until the next probe."""

    state: State
    reason: str | None = None
    probe_in: float = 0.0


class CircuitRecord(NamedTuple):
    """`probe_at`: when the next probe may go; None: the circuit is closed. `prober`: whose probe is under way."""

    failures: int = 0
    rest: float = 0.0
    probe_at: float | None = None
    prober: str | None = None
    reason: str | None = None


CLOSED: Final = CircuitRecord()


def state_of(record: CircuitRecord, now: float) -> CircuitState:
    """How it stands."""
    if record.probe_at is None:
        return CircuitState("closed")
    if now < record.probe_at:
        return CircuitState("open", record.reason, record.probe_at - now)
    return CircuitState("half_open", record.reason)


def probed(record: CircuitRecord, now: float, prober: str) -> CircuitRecord:
    """A probe goes, if one may: the others wait until it is noted, or for a rest."""
    if record.probe_at is None or now < record.probe_at:
        return record
    return record._replace(probe_at=now + record.rest, prober=prober)


def worked(record: CircuitRecord) -> CircuitRecord:
    """The provider is there."""
    return CLOSED


def failed(record: CircuitRecord, reason: str, count: int, now: float, prober: str) -> CircuitRecord:
    """`count` messages of `prober` found the provider out of order. Those that were sent before the circuit opened do
    not prolong its rest."""
    failures = record.failures + count
    if record.probe_at is None:
        if failures < FAILURES:
            return record._replace(failures=failures, reason=reason)
        return CircuitRecord(failures, FIRST_REST, now + FIRST_REST, None, reason)
    if record.prober != prober:
        return record._replace(failures=failures, reason=reason)
    rest = min(record.rest * 2, LONGEST_REST)
    return CircuitRecord(failures, rest, now + rest, None, reason)
