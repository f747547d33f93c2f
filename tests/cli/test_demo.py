"""`orchestrator demo`: the shipped bookings through the shipped reminders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_demo_tells_what_happened_to_all_and_to_one(cli: Any, away: Path) -> None:
    done = cli("demo", "--rows", "120")
    assert done.code == 0 and done.err == ""
    assert "120 bookings and what became of them" in done.out
    assert "email day_before" in done.out and "left early" in done.out
    assert "because event.booking_id was 'H" in done.out
    assert list(away.iterdir()) == [], "nothing is left behind"


def test_kept_files_can_be_asked_about(cli: Any, away: Path) -> None:
    done = cli("demo", "--rows", "60", "--keep", "kept", "--json")
    assert {path.name for path in Path("kept").iterdir()} == {"bookings.csv.gz", "run.jsonl"}
    assert done.json["summary"]["entered"] == {"booking_reminders": 60}
    (command,) = [line.strip() for line in done.err.splitlines() if " why " in line and "--journal" in line]
    told = cli(*command.split()[1:])
    assert told.code == 0 and "Reminders before a stay" in told.out


def test_the_demo_project_is_clean(cli: Any) -> None:
    from orchestrator.cli.demo import PROJECT

    assert cli("lint", "--project", PROJECT, "--json").json == []


def test_the_seed_decides(cli: Any, away: Path) -> None:
    first, again, other = (cli("demo", "--rows", "30", "--json", "--seed", seed).json for seed in ("1", "1", "2"))
    assert first == again != other


def test_bad_numbers(cli: Any) -> None:
    assert cli("demo", "--rows", "0").code == 2
    assert cli("demo", "--rows", "many").code == 2
