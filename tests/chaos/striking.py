"""How processes of a production round die, freeze or lose their database: at the nth arrival at a named point.

Every blow is struck so many times among all processes that are armed with it (a worker's children each count for
themselves), and each strike is written down before it falls, so that a round can say what it hit.
"""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.chaos.launch import Point, did_something

LEASE: Final = 4.0
"""Real seconds of a lease in these rounds, in which the time-outs around it are as much shorter; 60 in production."""
MAIL_TIMEOUT: Final = 2
"""Seconds for one mail; 30 in production."""
POISON: Final = "poison"
DEADLY: Final = "deadly"
"""Customers whose decisions raise; kill the process that takes them."""
STRUCK: Final = "struck"
"""The file of strikes in a round's folder."""


class Strike(NamedTuple):
    """A blow that awaits a process: what befalls it (kill, stop, cut off from the database) at the `count`th arrival at
    `point`; `times`: so often among all that are armed with it."""

    how: str
    point: str
    count: int = 1
    times: int = 1


_STORE: Final = "orchestrator.stores.postgres.store"
_DATABASE: Final = "orchestrator.stores.postgres.database"
POINTS: Final = {
    "before_commit": Point(_DATABASE, "", "commit", False),
    "after_commit": Point(_DATABASE, "", "commit", True),
    "before_ingest": Point(_STORE, "PostgresStore", "ingest", False),
    "after_ingest": Point(_STORE, "PostgresStore", "ingest", True),
    "after_load": Point(_STORE, "PostgresStore", "load", True),
    "after_save": Point(_STORE, "PostgresStore", "save", True),
    "after_claim": Point(_STORE, "PostgresStore", "claim_messages", True),
    "after_begin": Point(_STORE, "PostgresStore", "begin_hand_over", True),
    "in_dialog": Point("orchestrator.channels.smtp_session", "SmtpSession", "_offer", False),
    "after_send": Point("orchestrator.channels.smtp", "SmtpChannel", "send", True),
    "after_settle": Point(_STORE, "PostgresStore", "settle_messages", True),
    "after_deploy": Point(_STORE, "PostgresStore", "deploy", True),
}
OF_WORKERS: Final = (
    "before_commit", "after_commit", "after_load", "after_save", "after_claim", "after_begin", "in_dialog",
    "after_send", "after_settle",
)  # fmt: skip
OF_APIS: Final = ("before_commit", "after_commit", "before_ingest", "after_ingest")
WINDOWS: Final = frozenset(POINTS) - {"before_ingest", "before_commit", "after_commit"}
"""Points that surely lie between two worlds: something is done in one, and not known yet in the other. A commit may be
that of a look that found nothing."""


def scale() -> None:
    """Make leases and what depends on them so short that a round of seconds sees them run out."""
    from orchestrator.core import circuit
    from orchestrator.runtime import retrying
    from orchestrator.stores.postgres import database, outbox, requests

    outbox.LEASE = requests.LEASE = timedelta(seconds=LEASE)  # type: ignore[misc]
    retrying.FIRST_RETRY = timedelta(seconds=1)  # type: ignore[misc]
    circuit.FIRST_REST = 0.5  # type: ignore[misc]
    database.SETTINGS["idle_in_transaction_session_timeout"] = "2500ms"


def poison() -> None:
    """Nobody can decide for two kinds of customers: one raises, the other ends the process."""
    from orchestrator.core import decide as decisions
    from orchestrator.runtime import turns

    take_due, decide = decisions._take_due, decisions.decide

    def raising(turn: Any, record: Any) -> Any:
        if record.customer.id.startswith(POISON):
            raise RuntimeError("this customer's step always raises")
        return take_due(turn, record)

    def ending(view: Any, now: Any) -> Any:
        if any(record.customer.id.startswith(DEADLY) for record in view.customers):
            os.kill(os.getpid(), signal.SIGKILL)
        return decide(view, now)

    decisions._take_due = raising
    turns.decide = ending  # type: ignore[attr-defined]


def arm(strike: Strike, folder: Path) -> None:
    """Make the point strike."""
    point = POINTS[strike.point]
    module = __import__(point.module, fromlist=["-"])
    owner = getattr(module, point.owner) if point.owner else module
    original: Callable[..., Any] = getattr(owner, point.method)
    left = strike.count

    def falls(counts: bool) -> bool:
        nonlocal left
        left -= counts
        return counts and left <= 0 and _taken(strike, folder)

    def struck(*args: Any, **kwargs: Any) -> Any:
        asked = args[1:] if point.owner else args
        if not point.after:
            if falls(bool(not asked or asked[0])):
                _fall(strike.how, args)
            return original(*args, **kwargs)
        result = original(*args, **kwargs)
        if falls(did_something(point.method, asked, result)):
            _fall(strike.how, args)
            if strike.how == "cut":
                import psycopg

                raise psycopg.OperationalError("server closed the connection unexpectedly")
        return result

    setattr(owner, point.method, struck)


def _taken(strike: Strike, folder: Path) -> bool:
    """Whether one of the strikes is left; it is written down then."""
    for n in range(strike.times):
        name = folder / f"{strike.how}-{strike.point}-{n}"
        with suppress(FileExistsError):
            os.close(os.open(name, os.O_CREAT | os.O_EXCL))
            with (folder / STRUCK).open("a") as file:
                file.write(f"{strike.how} {strike.point} {os.getpid()}\n")
            return True
    return False


def _fall(how: str, args: tuple[Any, ...]) -> None:
    if how == "cut":  # of a commit alone: its first argument is the connection
        wire = socket.socket(fileno=os.dup(args[0].fileno()))
        with suppress(OSError):
            wire.shutdown(socket.SHUT_RDWR)
        wire.close()
        return
    os.kill(os.getpid(), signal.SIGKILL if how == "kill" else signal.SIGSTOP)
    time.sleep(0.5)  # the signal may go to another thread, and this one get a little further
