"""`orchestrator demo`: a season of the shipped example, as somebody who has just installed it sees it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orchestrator.cli import demo as command

SIZE = ("--customers", "300", "--days", "30", "--port", "0", "--exit")


class Ended(NamedTuple):
    code: int
    out: str
    err: str
    folder: Path


def played(folder: Path, *words: str) -> Ended:
    """The command in a process of its own, away from any project."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli.main", "demo", *SIZE, "--keep", str(folder), *words],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=folder.parent,
        env=environment,
        timeout=120,
    )
    return Ended(done.returncode, done.stdout, done.stderr, folder)


@pytest.fixture(scope="module")
def season(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """One run, for machines: the words are on stderr."""
    return played(tmp_path_factory.mktemp("demo") / "kept", "--json")


def rows(season: Ended, query: str) -> list[Any]:
    with closing(sqlite3.connect(season.folder / "demo.db")) as database:
        return database.execute(query).fetchall()


def test_it_ends_well_and_tells_everything(season: Ended) -> None:
    assert season.code == 0, season.err
    for section in ("journeys", "left early, and why", "not sent, and why", "coupons", "tasks for staff", "surveys"):
        assert f"\n{section} " in season.err
    assert "Traceback" not in season.err
    report = season.err[season.err.index("\njourneys ") : season.err.index("one of them, by")]
    assert report.count("\n") <= 60


def test_counts_are_plausible(season: Ended) -> None:
    counts = json.loads(season.out)
    assert counts["customers"] == 300 and counts["events"] > 80 and counts["messages_sent"] > 80
    assert len(counts["entered"]) >= 8
    assert counts["suppressed"]["no_consent"] > 0 and sum(counts["completed"].values()) > 20
    assert counts["failed"] == {} and counts["parked"] == 0
    assert counts["coupons"] and counts["tasks"] and counts["surveys"]["nps_stay"]["answered"] > 0


def test_counts_agree_with_the_tables(season: Ended) -> None:
    counts = json.loads(season.out)
    assert rows(season, "SELECT count(*) FROM customers") == [(300,)]
    sent = rows(
        season,
        "SELECT journey, channel, count(*) FROM messages "
        "WHERE status NOT IN ('queued', 'suppressed', 'cancelled') GROUP BY journey, channel",
    )
    assert {(j, c): n for j, c, n in sent} == {
        (journey, channel): n for journey, by in counts["messages"].items() for channel, n in by.items()
    }
    assert dict(rows(season, "SELECT journey, count(*) FROM enrollments GROUP BY journey")) == counts["entered"]
    running = "SELECT journey, count(*) FROM enrollments WHERE status = 'running' GROUP BY journey"
    assert dict(rows(season, running)) == counts["running"]
    issued = Counter({offer: by.get("coupon", 0) for offer, by in counts["coupons"].items()})
    assert Counter(dict(rows(season, "SELECT offer, count(*) FROM coupons GROUP BY offer"))) == issued
    assert dict(rows(season, "SELECT queue, count(*) FROM tasks GROUP BY queue")) == counts["tasks"]
    past = sum(1 for (id,) in rows(season, "SELECT id FROM events") if "-p" in id or "-h" in id)
    assert past > 20


def test_messages_of_every_kind_lie_on_disk(season: Ended) -> None:
    counts = json.loads(season.out)
    files = [path for path in (season.folder / "outbox").rglob("*.*") if path.suffix in (".eml", ".txt")]
    assert len(files) == counts["files"] > 40
    channels = {channel for by in counts["messages"].values() for channel in by}
    assert {path.parent.name for path in files} == channels
    mail = next(path for path in files if path.suffix == ".eml").read_text(encoding="utf-8", errors="replace")
    assert "Subject:" in mail and "text/html" in mail


def test_it_says_how_to_look_again_and_that_works(season: Ended, cli: Any) -> None:
    (line,) = [line for line in season.err.splitlines() if " why " in line and "--database" in line]
    customer = json.loads(season.out)["customer"]
    words = [word if word != "CUSTOMER" else customer for word in line.split()[1:]]
    told = cli(*words)
    assert told.code == 0 and customer in told.out
    assert told.out.strip() in season.err


def test_the_same_seed_is_the_same_season(season: Ended, tmp_path: Path) -> None:
    again = json.loads(played(tmp_path / "again", "--json").out)
    first = json.loads(season.out)
    for counts in (first, again):
        for name in ("seconds", "outbox", "database"):
            del counts[name]
    assert first == again


def test_refusals_say_what_to_do(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    done = cli("demo", "--keep", tmp_path)
    assert done.code == 2 and "not empty" in done.err
    assert cli("demo", "--customers", "0").code == 2
    assert cli("demo", "--days", "many").code == 2


def test_a_wheel_without_its_example_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, cli: Any) -> None:
    monkeypatch.setattr(command, "CHECKOUT", tmp_path)
    monkeypatch.setattr(command, "PACKAGED", tmp_path)
    done = cli("demo")
    assert done.code == 2 and "example project" in done.err


def test_the_project_of_the_table_of_bookings_is_clean(cli: Any) -> None:
    assert cli("lint", "--project", command.PACKAGE / "demo" / "project", "--json").json == []
