"""A killed import goes on, no row twice and none lost; its memory does not grow with its table."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.in_full import IN_FULL

ROWS = 3_000
KILLED = """
import os, signal, sys
from orchestrator.cli import import_rows
from orchestrator.runtime import imports
imports.BATCH = import_rows.BATCH = 400
at, where = int(sys.argv[1]), sys.argv[2]
whole, count = import_rows.mark_done, [0]

def mark(store, name, rows):
    if where == "before":
        count[0] += 1
    if count[0] >= at and where == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    whole(store, name, rows)

batches = import_rows.TableImport._usable
def usable(self, batch, rejects):
    if where == "after":
        count[0] += 1
        if count[0] > at:
            os.kill(os.getpid(), signal.SIGKILL)
    return batches(self, batch, rejects)

import_rows.mark_done, import_rows.TableImport._usable = mark, usable
from orchestrator.cli.main import main
sys.exit(main(["import", "events", "e.csv"]))
"""


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ORCHESTRATOR_")]:
        monkeypatch.delenv(name)


def child(code: str, *words: str) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).resolve().parents[2])
    return subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": root}
    )


def test_a_killed_import_takes_each_row_once(cli: Any, project: Path) -> None:
    assert cli("deploy", "--yes").code == 0
    lines = [f"2026-01-0{n % 9 + 1},c{n % 70},order_placed,{n}" for n in range(1, ROWS + 1)]
    lines[5] = "soon,c5,order_placed,6"  # cannot be used, in a batch that is killed
    lines[2_000] = "soon,c5,order_placed,2001"
    Path("e.csv").write_text("at,customer,event,total\n" + "\n".join(lines) + "\n")
    for at, where in ((1, "before"), (2, "before"), (1, "after"), *([(3, "after"), (4, "before")] if IN_FULL else [])):
        done = child(KILLED, str(at), where)
        assert done.returncode == -signal.SIGKILL, done.stderr
    last = cli("import", "events", "e.csv", "--json")
    assert last.code == 0 and last.json["skipped"] > 0
    with sqlite3.connect(".orchestrator/orchestrator.db") as c:
        found = Counter(json.loads(text)["total"] for (text,) in c.execute("SELECT properties FROM events"))
    c.close()
    expected = {str(n) for n in range(1, ROWS + 1)} - {"6", "2001"}
    assert set(found) == expected and set(found.values()) == {1}
    rejects = [json.loads(line)["row"] for line in Path("e.csv.rejects.jsonl").read_text().splitlines()]
    assert rejects == [6, 2001]


MEASURED = """
import sys
from orchestrator.cli.main import main
code = main(["import", "events", sys.argv[1], "--json"])
with open("/proc/self/status") as lines:  # since this program was loaded: ru_maxrss would count who started it, too
    [peak] = [line.split()[1] for line in lines if line.startswith("VmHWM")]
print("peak", int(peak) // 1024)
sys.exit(code)
"""


def peak_of(path: str) -> int:
    done = child(MEASURED, path)
    assert done.returncode == 0, done.stderr
    return int(done.stdout.rpartition("peak ")[2])


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_memory_does_not_grow_with_the_table(cli: Any, project: Path, ending: str) -> None:
    """Peak memory of a table eight times as long; in the long form one of a gigabyte, in the same few megabytes."""
    import polars

    assert cli("deploy", "--yes").code == 0
    peaks = []
    for rows in (4_000, 10_000_000 if IN_FULL and ending == "csv" else 32_000):
        number = polars.int_range(rows, eager=True).alias("i")
        frame = polars.LazyFrame([number]).select(
            at=polars.lit("2026-01-03T10:00:00Z"),
            customer=polars.format("c{}", polars.col("i") % 500),
            event=polars.lit("order_placed"),
            total=polars.col("i") * 0.25,
            note=polars.format("{}{}", polars.lit("a note that takes room " * 3), polars.col("i") * 7919 % 1_000_003),
        )
        path = f"{rows}.{ending}"
        if ending == "csv":
            frame.sink_csv(path)
        else:
            frame.sink_parquet(path)
        peaks.append(peak_of(path))
    assert peaks[1] < peaks[0] + 40, peaks
    assert peaks[1] < 300
