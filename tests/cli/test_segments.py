"""`orchestrator segments`, and the imports of lists and uploads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.main import main
from tests.small_projects import project_files, write_files

SEGMENTS: dict[str, Any] = {
    "vips": {"list": True},
    "golden": {"where": "customer.plan == 'gold'"},
    "spelled": {"where": "customer.plan | lower == 'gold'"},
}
JOURNEYS: dict[str, Any] = {
    "fair": {"enter": {"upload": "leads", "reentry": "always", "key": "entry.badge"}, "steps": [{"wait": "1h"}]}
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    write_files(tmp_path, project_files(JOURNEYS, segments=SEGMENTS))
    monkeypatch.chdir(tmp_path)
    assert main(["db", "upgrade"]) == 0
    assert main(["deploy", "--yes"]) == 0
    (tmp_path / "people.csv").write_text("id,plan\nu1,gold\nu2,GOLD\nu3,lead\n")
    assert main(["import", "customers", "people.csv"]) == 0
    return tmp_path


def turned() -> None:
    """The turns that an engine would take."""
    from orchestrator.runtime.turns import turn_once
    from orchestrator.wiring.installation import installation

    with installation(Path(), None, None) as place:
        place.adopt()
        while turn_once(place.store, place.journey_now()).customers:
            pass


def told(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert main([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_segments_are_listed_shown_and_checked(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    turned()
    sizes = {row["name"]: row["size"] for row in told(capsys, "segments", "list")}
    assert sizes == {"golden": 1, "spelled": 2, "vips": 0}
    members = told(capsys, "segments", "members", "spelled")
    assert [row["customer"] for row in members["members"]] and members["next"] is None
    shown = told(capsys, "segments", "show", "spelled")
    assert [part["text"] for part in shown["evaluated"]] == ["customer.plan | lower == 'gold'"]
    checked = told(capsys, "segments", "check", "--shards", "1024")
    assert (checked["customers"], checked["differences"]) == (3, [])
    assert told(capsys, "segments", "build")["shards"] == 0


def test_a_condition_is_previewed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    turned()
    found = told(capsys, "segments", "preview", "customer.plan != 'gold'", "--seconds", "5")
    assert (found["members"], found["exact"], found["customers"]) == (2, True, 3)
    assert sorted(found["sample"]) == ["u2", "u3"]
    assert told(capsys, "segments", "preview", "golden", "--file", "--seconds", "5")["members"] == 1
    assert main(["segments", "preview", "customer.plam == 'gold'"]) == 2
    assert "plan" in capsys.readouterr().err
    assert main(["segments", "preview", "customer.plan == 'gold'", "--seconds", "nan"]) == 2
    assert main(["segments", "members", "golden", "--limit", str(10**30)]) == 0
    capsys.readouterr()
    assert main(["segments", "members", "goldem"]) == 2
    assert "golden" in capsys.readouterr().err


def test_lists_and_uploads_are_imported(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "vips.csv").write_text("customer\nu1\nu4\n")
    done = told(capsys, "import", "list", "vips", "vips.csv")
    assert (done["taken"], done["created"], done["rejected"]) == (2, 1, 0)
    turned()
    (project / "others.csv").write_text("id\nu2\n")
    assert told(capsys, "import", "list", "vips", "others.csv", "--replace")["left"] == 2
    turned()
    assert [row["customer"] for row in told(capsys, "segments", "members", "vips")["members"]] == ["u2"]
    assert told(capsys, "import", "list", "vips", "others.csv", "--remove")["taken"] == 1
    turned()
    assert told(capsys, "segments", "show", "vips")["size"] == 0
    (project / "headless.csv").write_text("u2\nu1\n")  # it names nobody: nobody leaves
    assert main(["import", "list", "vips", "headless.csv", "--replace"]) == 2
    assert "--remove" in capsys.readouterr().err
    (project / "leads.csv").write_text("customer,badge\nu1,7\nu1,8\n")
    assert told(capsys, "import", "upload", "leads", "leads.csv")["taken"] == 2
    assert told(capsys, "import", "upload", "leads", "leads.csv")["taken"] == 0
    assert main(["import", "list", "golden", "vips.csv"]) == 2
    assert main(["import", "upload", "lead", "leads.csv"]) == 2
