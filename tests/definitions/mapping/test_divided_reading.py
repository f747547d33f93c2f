"""A table that two processes read is the table that one reads, whatever becomes of the second one."""

from __future__ import annotations

import os
from multiprocessing import active_children
from pathlib import Path

import pytest

from orchestrator.definitions import divided_reading
from orchestrator.definitions.event_tables import ReplayTable, replay_events
from orchestrator.definitions.mapping import TableMapping
from orchestrator.errors import ProjectInvalid
from tests.definitions.mapping.test_replay import mapping_of, written

MAPPING = """\
customer: row.who
profile: {email: "row.who ~ '@example.com'"}
events:
  - {event: seen, at: row.day, properties: {place: row.place | int}}
  - {event: left, at: row.day, when: row.place != '3', properties: {n: row.n}}
"""
needs_fork = pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="processes are forked on Linux only")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Two hundred rows of thirty customers on nine days; some cannot be used, and two are no CSV."""
    rows = [f"u{n * 7 % 30},2026-03-0{n * 5 % 9 + 1},{n % 4}" for n in range(200)]
    rows[10], rows[31], rows[32] = "u1,never,2", "u2,2026-03-01", "u3,2026-03-01,many,1"
    path = tmp_path / "visits.csv"
    path.write_text("\n".join(["who,day,place", *rows, ""]))
    return path


def both(table: Path, mapping: TableMapping, monkeypatch: pytest.MonkeyPatch) -> tuple[ReplayTable, ReplayTable]:
    """(by one process, by two)"""
    alone = replay_events(table, mapping)
    monkeypatch.setattr(divided_reading, "LEAST_BYTES", 0)
    # Tests that ran before in this process may have left threads behind, such as those of servers.
    monkeypatch.setattr("threading.active_count", lambda: 1)
    assert divided_reading.may_divide(table, packed=False)
    return alone, replay_events(table, mapping)


@needs_fork
def test_two_processes_find_what_one_finds(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone, divided = both(table, mapping_of(MAPPING), monkeypatch)
    assert written(divided) == written(alone)
    assert len(alone) > 300
    assert (divided.rows, divided.customers) == (alone.rows, alone.customers)
    assert divided.rejects == alone.rejects
    assert [rejected.row for rejected in alone.rejects.first] == [11, 32, 33]
    assert active_children() == []


@needs_fork
def test_a_second_process_that_dies_is_made_up_for(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(divided_reading, "_send", lambda make, writer: os._exit(1))
    alone, divided = both(table, mapping_of(MAPPING), monkeypatch)
    assert written(divided) == written(alone)
    assert divided.rejects == alone.rejects
    assert active_children() == []


@needs_fork
def test_a_mistake_in_the_mapping_ends_both(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(divided_reading, "LEAST_BYTES", 0)
    with pytest.raises(ProjectInvalid, match="no column"):
        replay_events(table, mapping_of(MAPPING.replace("row.who", "row.whom")))
    assert active_children() == []
