"""The same real events through `orchestrator up --replay` on SQLite: exactly what the simulator in memory counts."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.chaos.mailbox import free_port

ROWS = 4_000
"""Of the bookings: all of them take minutes; `python -m benchmarks.embedded` replays them all."""


@pytest.mark.real
@pytest.mark.slow
def test_bookings_on_sqlite_are_those_in_memory(shared_data: Path, repository_root: Path, tmp_path: Path) -> None:
    table = tmp_path / "bookings.csv"
    with gzip.open(shared_data / "hotel_bookings.csv.gz", "rt", encoding="utf-8") as source:
        table.write_text("".join(line for line, _ in zip(source, range(ROWS + 1))), encoding="utf-8")
    project = tmp_path / "reminders"
    shutil.copytree(repository_root / "benchmarks" / "reminders", project)
    mapping = repository_root / "benchmarks" / "hotel.mapping.yaml"
    words = [sys.executable, "-m", "orchestrator.cli.main", "--project", str(project)]

    lines = _run([*words, "simulate", "--events", str(table), "--mapping", str(mapping), "--json"])
    memory = Counter(json.loads(line)["type"] for line in lines.splitlines())
    database = tmp_path / "replay.db"
    where = ["--database", f"sqlite:///{database}", "--port", str(free_port())]
    _run([*words, "up", *where, "--replay", str(table), "--mapping", str(mapping), "--exit-when-done"])

    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as c:
        kept = Counter(dict(c.execute("select type, count(*) from transitions group by type")))
        sent = c.execute("select count(*) from messages where status = 'sent'").fetchone()[0]
        customers = c.execute("select count(*) from customers").fetchone()[0]
    assert kept == memory
    assert (sent, customers) == (memory["message"], ROWS)


def _run(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=300, env={**os.environ, "COLUMNS": "100"})
    assert done.returncode == 0, done.stderr
    return done.stdout
