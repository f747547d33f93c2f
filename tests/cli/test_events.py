"""`orchestrator events violations`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from orchestrator.cli.main import main
from orchestrator.stores.protocol_sources import ViolationCount
from orchestrator.stores.sqlite.store import open_store

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)


def filled(path: Path) -> list[str]:
    store = open_store(path, durable=False)
    store.keep_violations(
        [
            ViolationCount("http", "go", "colour", "unknown_property", 4_000, AT, AT, ("'red'",)),
            ViolationCount("sources/shop", "went", "", "unknown_event", 2, AT, AT),
        ]
    )
    store.close()
    return ["events", "violations", "--database", f"sqlite:///{path}", "--project", str(path.parent)]


def test_violations_are_listed_and_cleared(tmp_path: Path, capsys: Any) -> None:
    words = filled(tmp_path / "a.db")
    assert main(words) == 0
    out = capsys.readouterr().out
    assert "4,000  unknown_property  go.colour" in out and "such as 'red'" in out and "went" in out
    assert main([*words, "--json", "--event", "went"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["count"] == 2 and found["violations"][0]["first_at"] == "2026-03-02T10:00:00+00:00"
    assert main([*words, "--clear"]) == 0
    capsys.readouterr()
    assert main(words) == 0
    assert "everything that came fits" in capsys.readouterr().out
