"""What `doctor` looks at where several processes share the work: the broker, the processes, the server's settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, Literal

from orchestrator.records import dataclass
from orchestrator.settings import without_password
from orchestrator.stores.protocol import Store
from orchestrator.wiring.broker import broker_fault, waiting_in
from orchestrator.wiring.processes import living

_NEEDED: Final = {
    "worker": "start one: `orchestrator worker`. Until then nothing is decided and nothing is sent",
    "beat": "start one: `orchestrator beat`. Without it nothing happens by time alone",
    "api": "start one where events are to be taken: `orchestrator serve`",
}
_CALLED: Final = {"worker": "worker", "beat": "beat", "api": "API process"}
_MOST: Final[Mapping[str, tuple[int, str]]] = {
    "statement_timeout": (30_000, "30s"),
    "lock_timeout": (2_000, "2s"),
    "idle_in_transaction_session_timeout": (5_000, "5s"),
}
"""Limits of a turn's session, in milliseconds: by them the server ends the transaction of a worker that froze."""

State = Literal["ok", "note", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `wrong` makes the exit code 1, `note` is worth knowing; `hint`: what to do."""

    name: str
    state: State
    words: str
    hint: str | None = None


def examine_broker(url: str) -> Iterator[Finding]:
    """Whether the broker answers, and what waits in it."""
    fault = broker_fault(url)
    if fault is not None:
        hint = "start it, or correct ORCHESTRATOR_BROKER_URL; events are taken meanwhile, and nothing is lost"
        yield Finding("broker", "wrong", fault, hint)
        return
    lanes = {lane: count for lane, count in waiting_in(url).items() if count}
    shown = ", ".join(f"{count} for {lane}" for lane, count in lanes.items()) or "no nudge waits"
    yield Finding("broker", "ok", f"{without_password(url)} answers; {shown}")


def examine_processes(store: Store, real_at: datetime, expected: bool) -> Iterator[Finding]:
    """Which processes gave a sign of life in the last minute. `expected`: there is a broker, so there should be."""
    for kind, count in living(store, real_at).items():
        many = "es" if kind == "api" else "s"
        if count:
            yield Finding("processes", "ok", f"{count} {_CALLED[kind]}{many if count > 1 else ''} in the last minute")
        elif expected:
            state: State = "note" if kind == "api" else "wrong"
            words = f"no {_CALLED[kind]} gave a sign of life in the last minute"
            yield Finding("processes", state, words, _NEEDED[kind])


def examine_server(store: Store) -> Iterator[Finding]:
    """The limits under which turns run on PostgreSQL."""
    database: Any = getattr(store, "db", None)
    connection = database.hold()
    try:
        found = {name: _milliseconds(connection, name) for name in _MOST}
    finally:
        database.release(False)
    wrong = [name for name, value in found.items() if not 0 < value <= _MOST[name][0]]
    for name in wrong:
        hint = f"set it to {_MOST[name][1]}: ALTER ROLE ... SET {name} = '{_MOST[name][1]}'"
        words = f"{name} is {found[name]} ms in a turn's session, so that a process that froze holds up the others"
        yield Finding("server", "wrong", words, hint)
    if not wrong:
        yield Finding("server", "ok", "it ends the turn of a process that froze")


def _milliseconds(connection: Any, name: str) -> int:
    return int(connection.execute("SELECT setting FROM pg_settings WHERE name = %s", (name,)).fetchone()[0])
