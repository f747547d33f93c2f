"""Starts `orchestrator up`, armed to die: `python -m tests.chaos.launch POINT COUNT up --port ...`.

At the COUNTth arrival at POINT the process kills itself with SIGKILL, as if the power had gone; at `none` never.
Only calls that do something count: an empty load, claim or settlement is no commit point.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any, Final, NamedTuple


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
    "after_send": Point(_SMTP, "SmtpChannel", "send", True),
    "after_settle": Point(_STORE, "SqliteStore", "settle_messages", True),
    "after_deploy": Point(_STORE, "SqliteStore", "deploy", True),
    "in_commit": Point("orchestrator.stores.sqlite.database", "Database", "_commit", False),
}


def arm(point: Point, count: int) -> None:
    """Make the method deadly at its `count`th call that does something."""
    module = __import__(point.module, fromlist=[point.owner])
    owner = getattr(module, point.owner)
    original: Callable[..., Any] = getattr(owner, point.method)
    left = count

    def deadly(self: Any, *args: Any, **kwargs: Any) -> Any:
        nonlocal left
        if not point.after:
            left -= bool(not args or args[0])
            if left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(self, *args, **kwargs)
        result = original(self, *args, **kwargs)
        left -= _did_something(point.method, args, result)
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, point.method, deadly)


def _did_something(method: str, args: tuple[Any, ...], result: Any) -> bool:
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

    name, count, *words = sys.argv[1:]
    if name != "none":
        arm(POINTS[name], int(count))
    sys.argv = ["orchestrator", *words]
    return orchestrator()


if __name__ == "__main__":
    sys.exit(main())
