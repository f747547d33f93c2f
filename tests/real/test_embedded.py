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
from typing import Any

import pytest

from orchestrator.testing.simulation import NOT_PRINTED
from tests.chaos.mailbox import free_port
from tests.in_full import IN_FULL
from tests.real.test_retail import MAPPING, orders_of, write_rows

ROWS = 8_000 if IN_FULL else 1_500
"""Of the bookings: all of them take minutes; `python -m benchmarks.embedded` replays them all."""
EVERY = 1 if IN_FULL else 36
"""Every so many of the shop's customers; `make real` takes all of them, which needs some minutes."""
PATIENCE = 3_600 if IN_FULL else 300
"""Seconds for one command."""


@pytest.mark.real
@pytest.mark.slow
def test_bookings_on_sqlite_are_those_in_memory(shared_data: Path, repository_root: Path, tmp_path: Path) -> None:
    table = tmp_path / "bookings.csv"
    with gzip.open(shared_data / "hotel_bookings.csv.gz", "rt", encoding="utf-8") as source:
        table.write_text("".join(line for line, _ in zip(source, range(ROWS + 1))), encoding="utf-8")
    project = tmp_path / "reminders"
    shutil.copytree(repository_root / "benchmarks" / "reminders", project)
    assert _compare(project, table, repository_root / "benchmarks" / "hotel.mapping.yaml") == ROWS


@pytest.mark.real
@pytest.mark.slow
def test_orders_on_sqlite_are_those_in_memory(shared_data: Path, repository_root: Path, tmp_path: Path) -> None:
    """Through all shipped journeys at once: coupons and their budget, holdouts, quiet hours, caps, segments, stages."""
    orders = orders_of(shared_data / "online_retail.parquet")
    chosen = {customer: orders[customer] for customer in sorted(orders)[::EVERY]}
    write_rows(chosen, tmp_path / "orders.jsonl")
    (tmp_path / "orders.mapping.yaml").write_text(MAPPING)
    for folder in ("journeys", "templates"):
        shutil.copytree(repository_root / folder, tmp_path / "shop" / folder)
    assert _compare(tmp_path / "shop", tmp_path / "orders.jsonl", tmp_path / "orders.mapping.yaml") == len(chosen)


def _compare(project: Path, table: Path, mapping: Path) -> int:
    """Replay a table in memory and on SQLite, and compare every kind of line. Returns how many customers there are."""
    words = [sys.executable, "-m", "orchestrator.cli.main", "--project", str(project)]
    lines = _run([*words, "simulate", "--events", str(table), "--mapping", str(mapping), "--json"])
    memory = Counter(map(_kind, map(json.loads, lines.splitlines())))
    database = project / "replay.db"
    where = ["--database", f"sqlite:///{database}", "--port", str(free_port())]
    _run([*words, "up", *where, "--replay", str(table), "--mapping", str(mapping), "--exit-when-done"])
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as c:
        found = c.execute("select type, journey, step, key, data from transitions").fetchall()
        kept = Counter(
            _kind({"type": t, "journey": j, "step": s, "key": k, **json.loads(d)}) for t, j, s, k, d in found
        )
        sent = c.execute("select count(*) from messages where status = 'sent'").fetchone()[0]
        customers: int = c.execute("select count(*) from customers").fetchone()[0]
    for kind in [kind for kind in kept if kind[0] in NOT_PRINTED]:
        del kept[kind]
    assert kept == memory
    assert sent == sum(count for kind, count in memory.items() if kind[0] == "message")
    return customers


def _kind(line: dict[str, Any]) -> tuple[str, ...]:
    """What is counted of a line: all but its instant and its texts."""
    return tuple(str(line.get(name)) for name in ("type", "journey", "step", "key", "reason", "template", "code"))


def _run(words: list[str]) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE, env={**os.environ, "COLUMNS": "100"})
    assert done.returncode == 0, done.stderr
    return done.stdout
