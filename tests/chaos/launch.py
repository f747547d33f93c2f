"""Starts `orchestrator up`, armed to die: `python -m tests.chaos.launch kill POINT COUNT up --port ...`.

At the COUNTth arrival at POINT the process kills itself with SIGKILL, as if the power had gone; with `stop` it freezes
(SIGSTOP) until it is told to go on, as on a machine that is suspended; with `never` it lives. Only calls that do
something count: an empty load, claim or settlement is no commit point.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final, NamedTuple


class Blow(NamedTuple):
    """What befalls a process (kill, stop, never), and at which arrival at which point."""

    how: str
    point: str = "-"
    count: int = 0

    @property
    def words(self) -> list[str]:
        """As arguments of this program."""
        return [self.how, self.point, str(self.count)]


NEVER: Final = Blow("never")
_SIGNALS: Final = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}


class Point(NamedTuple):
    """Before or after a method of a class: where a process can die between two worlds."""

    module: str
    owner: str
    method: str
    after: bool


_STORE: Final = "orchestrator.stores.sqlite.store"
_SMTP: Final = "orchestrator.channels.smtp"
POINTS: Final = {
    "before_ingest": Point(_STORE, "SqliteStore", "ingest", False),
    "after_ingest": Point(_STORE, "SqliteStore", "ingest", True),
    "after_load": Point(_STORE, "SqliteStore", "load", True),
    "after_save": Point(_STORE, "SqliteStore", "save", True),
    "after_claim": Point(_STORE, "SqliteStore", "claim_messages", True),
    "after_begin": Point(_STORE, "SqliteStore", "begin_hand_over", True),
    "in_dialog": Point("orchestrator.channels.smtp_session", "SmtpSession", "_offer", False),
    "after_send": Point(_SMTP, "SmtpChannel", "send", True),
    "after_settle": Point(_STORE, "SqliteStore", "settle_messages", True),
    "after_deploy": Point(_STORE, "SqliteStore", "deploy", True),
    "in_commit": Point("orchestrator.stores.sqlite.database", "Database", "_commit", False),
}


def arm(blow: Blow) -> None:
    """Make the method strike at its `count`th call that does something."""
    point = POINTS[blow.point]
    module = __import__(point.module, fromlist=[point.owner])
    owner = getattr(module, point.owner)
    original: Callable[..., Any] = getattr(owner, point.method)
    left = blow.count
    files = _files()

    def strike(counts: bool) -> None:
        nonlocal left
        left -= counts
        if counts and left == 0:
            with ExitStack() as stack:
                if blow.how == "stop":  # frozen inside a transaction of its own, or of nobody
                    for file in files:
                        stack.enter_context(file._lock)
                os.kill(os.getpid(), _SIGNALS[blow.how])
                time.sleep(0.5)  # the signal may go to another thread, and this one get a little further

    def deadly(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not point.after:
            strike(bool(not args or args[0]))
            return original(self, *args, **kwargs)
        result = original(self, *args, **kwargs)
        strike(did_something(point.method, args, result))
        return result

    setattr(owner, point.method, deadly)


def _files() -> list[Any]:
    """Every database that will be opened."""
    from orchestrator.stores.sqlite.database import Database

    opened: list[Any] = []
    make = Database.__init__

    def made(self: Any, *args: Any, **kwargs: Any) -> None:
        make(self, *args, **kwargs)
        opened.append(self)

    Database.__init__ = made  # type: ignore[method-assign]
    return opened


def did_something(method: str, args: tuple[Any, ...], result: Any) -> bool:
    """Whether a call of a point's method was more than a look."""
    match method:
        case "load":
            return bool(result.customers)
        case "claim_messages" | "begin_hand_over":
            return bool(result)
        case "settle_messages" | "ingest" | "send":
            return bool(args[0])
    return True


def main() -> int:
    """Arm, and be `orchestrator`."""
    from orchestrator.cli.main import main as orchestrator

    how, point, count, *words = sys.argv[1:]
    if how != NEVER.how:
        arm(Blow(how, point, int(count)))
    sys.argv = ["orchestrator", *words]
    return orchestrator()


if __name__ == "__main__":
    sys.exit(main())
