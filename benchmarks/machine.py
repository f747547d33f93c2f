"""The machine that a figure was taken on: what it is, how busy it was, and the CPU that processes took."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from tests.servers.postgres import PostgresServer, new_server

_TICK: Final = os.sysconf("SC_CLK_TCK")
PRODUCTION: Final = {
    "shared_buffers": "1GB",
    "max_connections": "100",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "15min",
    "autovacuum_naptime": "1min",
    "wal_compression": "on",
}
"""Like a small server of production; fsync, full_page_writes and synchronous_commit stay on, as they are by default."""


def described() -> dict[str, Any]:
    """Hardware, versions, the date, and how busy the machine was a moment ago."""
    names = [line.split(":", 1)[1].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    return {
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
        "cpu": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": load(),
    }


def load() -> float:
    """Processes that wanted to run, on average of the last minute."""
    return round(os.getloadavg()[0], 1)


def cpu_of(roots: Sequence[int]) -> float:
    """Seconds of CPU that these processes took, with all that they started, whether it still runs or was waited for."""
    parents, taken = {}, {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = path.read_text()
        except OSError:  # it ended meanwhile
            continue
        fields = text[text.rindex(")") + 2 :].split()
        parents[int(path.parent.name)] = int(fields[1])
        taken[int(path.parent.name)] = sum(map(int, fields[11:15]))
    return sum(taken[pid] for pid in taken if _descends(pid, set(roots), parents)) / _TICK


def resident(pid: int) -> float:
    """MiB of memory that a process has to itself (Pss: what it shares is counted in parts)."""
    for line in _lines(f"/proc/{pid}/smaps_rollup"):
        if line.startswith("Pss:"):
            return int(line.split()[1]) / 1024
    return 0.0


def children(pid: int) -> list[int]:
    """Processes that a process started itself."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return list(map(int, found))


@contextmanager
def production_postgres() -> Iterator[PostgresServer]:
    """A server of one's own with `PRODUCTION`, durable."""
    server = new_server(durable=True, **PRODUCTION)
    try:
        yield server.start()
    finally:
        server.remove()


def until(true: Any, seconds: float, what: str) -> float:
    """Wait until something holds; returns when it did, by time.monotonic(). Ends the program when it does not."""
    last = time.monotonic() + seconds
    while not true():
        if time.monotonic() > last:
            raise SystemExit(f"it took longer than {seconds:.0f} s: {what}")
        time.sleep(0.2)  # to look costs something, too
    return time.monotonic()


def _descends(pid: int, roots: set[int], parents: dict[int, int]) -> bool:
    while pid not in roots:
        if pid not in parents or pid <= 1:
            return False
        pid = parents[pid]
    return True


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
