"""One process that has imported everything and forks the processes of a round: they begin in no time.

`python -m tests.chaos.nursery` reads a line of JSON for each process to begin and answers with its id.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from select import select
from typing import Any, Final, NoReturn

from tests.chaos.striking import Strike, arm, poison, scale

ROOT: Final = Path(__file__).resolve().parents[2]
_PR_SET_PDEATHSIG: Final = 1
_MODULES: Final = (
    "celery.app.amqp", "celery.apps.beat", "celery.bin.celery", "celery.concurrency.prefork", "kombu.transport.redis",
    "uvicorn.lifespan.on", "uvicorn.protocols.http.auto", "orchestrator.channels.smtp", "orchestrator.cli.beat",
    "orchestrator.cli.deploy", "orchestrator.cli.serve", "orchestrator.cli.worker", "orchestrator.http.app",
    "orchestrator.stores.migrate", "orchestrator.stores.postgres.store", "orchestrator.tasks.consumer",
    "orchestrator.tasks.sending", "orchestrator.tasks.soft_end", "orchestrator.wiring.remote",
    "orchestrator.wiring.worker",
)  # fmt: skip


class Nursery:
    """The process that begins others."""

    def __init__(self) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.chaos.nursery"],
            cwd=ROOT,
            env={**environment, "REMAP_SIGTERM": "SIGQUIT", "PYDANTIC_DISABLE_PLUGINS": "__all__"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=_die_with_parent,
        )

    def begin(self, words: Sequence[str], environment: dict[str, str], folder: Path, strikes: Sequence[Strike]) -> int:
        """Begin `orchestrator WORDS`, armed; what it says goes to `folder`/log. Returns its id, and its group's."""
        asked = {"words": [*words], "environment": environment, "folder": str(folder), "strikes": [*strikes]}
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def close(self) -> None:
        """No more processes; those that were begun are somebody else's affair."""
        self._process.kill()
        self._process.communicate()


def begun(pid: int) -> bool:
    """Whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


def _die_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _be(asked: dict[str, Any]) -> NoReturn:
    """What a forked process does."""
    code = 3
    try:
        os.setsid()
        _die_with_parent()
        folder = Path(asked["folder"])
        log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for target, source in ((0, nothing), (1, log), (2, log)):
            os.dup2(source, target)
        os.chdir(folder)
        os.environ.update(asked["environment"])
        for strike in asked["strikes"]:
            arm(Strike(*strike), folder)
        from orchestrator.cli.main import main

        code = main(asked["words"])
    finally:
        os._exit(code)


def _import_everything() -> None:
    for name in _MODULES:
        import_module(name)


def main() -> None:
    """Fork what is asked for, until nobody asks any more."""
    _import_everything()
    scale()
    poison()
    waiting = b""
    while True:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        ready, _, _ = select([0], [], [], 0.2)
        if not ready:
            continue
        read = os.read(0, 65_536)
        if not read:
            return
        *lines, waiting = (waiting + read).split(b"\n")
        for line in lines:
            pid = os.fork()
            if pid == 0:
                _be(json.loads(line))
            os.write(1, b"%d\n" % pid)


if __name__ == "__main__":
    main()
