"""All bookings through `orchestrator up --replay` on SQLite, in a process of its own: seconds, memory, messages."""

from __future__ import annotations

import json
import resource
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

HERE = Path(__file__).resolve().parent


def run(table: Path) -> dict[str, Any]:
    """Returns the figures of one replay."""
    with TemporaryDirectory(prefix="embedded-") as name:
        folder = Path(name)
        shutil.copytree(HERE / "reminders", folder / "reminders")
        database = folder / "replay.db"
        words = [sys.executable, "-m", "orchestrator.cli.main", "--project", str(folder / "reminders"), "up"]
        words += ["--database", f"sqlite:///{database}", "--port", str(_free_port()), "--replay", str(table)]
        words += ["--mapping", str(HERE / "hotel.mapping.yaml"), "--exit-when-done"]
        started = time.perf_counter()
        done = subprocess.run(words, capture_output=True, text=True)
        seconds = time.perf_counter() - started
        if done.returncode != 0:
            raise SystemExit(f"the replay failed:\n{done.stderr}")
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as c:
            [messages] = c.execute("select count(*) from messages where status = 'sent'").fetchone()
            [transitions] = c.execute("select count(*) from transitions").fetchone()
        return {
            "seconds": seconds,
            "cpu_seconds": used.ru_utime + used.ru_stime,
            "mib": used.ru_maxrss / 1024,
            "messages": messages,
            "transitions": transitions,
            "database_mib": database.stat().st_size / 1024 / 1024,
        }


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


if __name__ == "__main__":
    print(json.dumps(run(Path(sys.argv[1]))))
