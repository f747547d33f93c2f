"""`orchestrator up` as a process that is killed in the middle of requests, and what its database holds."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

ROOT: Final = Path(__file__).resolve().parents[2]
KEY: Final = "a-write-key"


class Site:
    """One installation on a SQLite file. Use it with `with`."""

    def __init__(self, folder: Path, port: int) -> None:
        self.port = port
        self.kills = 0
        self._folder = folder
        self._database = folder / "site.db"
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._over = False
        (folder / "journeys").mkdir()
        (folder / "journeys" / "project.yaml").write_text("topics: {care: {class: service}}\n")

    def __enter__(self) -> Site:
        self._start()
        try:
            self.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._over = True
            if self._process is not None:
                self._process.terminate()
                try:
                    self._process.wait(20)
                except subprocess.TimeoutExpired:
                    self._process.kill()
                    self._process.wait()

    def strike(self) -> None:
        """kill -9, and a new process."""
        with self._lock:
            if self._over or self._process is None:
                return
            self._process.kill()
            self._process.wait()
            self.kills += 1
            self._start()

    def _start(self) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
        kept |= {
            "ORCHESTRATOR_DATABASE_URL": f"sqlite:///{self._database}",
            "ORCHESTRATOR_WRITE_KEYS": KEY,
            "PYTHONPATH": str(ROOT),
        }
        words = [sys.executable, "-m", "orchestrator.cli.main", "--project", str(self._folder), "up"]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*words, "--port", str(self.port)], env=kept, stdout=log, stderr=log)

    def wait_ready(self, within: float = 150.0) -> None:
        end = time.monotonic() + within
        while time.monotonic() < end:
            try:
                with urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=1):
                    return
            except (URLError, OSError):
                time.sleep(0.05)
        raise AssertionError((self._folder / "log").read_text(errors="replace")[-3_000:])

    def wait_decided(self, within: float = 240.0) -> None:
        """Until every item of the inbox joined its customer's past."""
        end = time.monotonic() + within
        while self._count("SELECT count(*) FROM inbox"):
            assert time.monotonic() < end, "the inbox is not empty yet"
            time.sleep(0.1)

    def events(self, name: str) -> Counter[str]:
        """How often each number was taken, of an event of this name."""
        sql = "SELECT json_extract(properties, '$.n'), count(*) FROM events WHERE name = ? GROUP BY 1"
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as c:
            return Counter({str(n): count for n, count in c.execute(sql, (name,))})

    def customers(self, prefix: str) -> int:
        """How many customers have ids that begin so."""
        return self._count(f"SELECT count(*) FROM customers WHERE external_id LIKE '{prefix}%'")

    def _count(self, sql: str) -> int:
        with closing(sqlite3.connect(f"file:{self._database}?mode=ro", uri=True)) as c:
            return int(c.execute(sql).fetchone()[0])
