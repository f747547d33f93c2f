"""`orchestrator customer merge, unmerge, duplicates`, and identifiers in `customer show`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.cli.main import main
from orchestrator.core.inbox import Identified
from orchestrator.runtime.ingest import ingest_once
from orchestrator.runtime.turns import turn_once
from orchestrator.wiring.databases import database_at, open_database, upgrade_database
from tests.tasks.installation import deploy_from, write_project


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The options that name an installation with three customers, of whom two share an address."""
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path)
    upgrade_database(database_at("people.db"))
    store = open_database(database_at("people.db"))
    deploy_from(tmp_path, store)
    now = datetime.now(UTC)
    people = [("u1", "ana@example.com"), ("=u2", "Ana@example.com"), ("u3", "bob@example.com")]
    ingest_once(store, [(id, Identified({"email": email}, silent=True)) for id, email in people], now)
    turn_once(store, now)
    store.close()
    return ["--database", "people.db"]


def test_two_become_one_and_two_again(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["customer", "merge", "u3", "u1", "--yes", "--json", *words]) == 0
    assert json.loads(capsys.readouterr().out) == {"outcome": "merged", "customer": "u1", "source": "u3"}
    assert main(["customer", "show", "u3", *words]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("u1,") and "external   u3" in shown and "email      bob@example.com" in shown
    assert "merged     u3, " in shown
    assert main(["customer", "merge", "u3", "u1", "--yes", *words]) == 2
    assert "one customer already" in capsys.readouterr().err
    assert main(["customer", "unmerge", "u3", *words]) == 0
    assert main(["customer", "unmerge", "u3", *words]) == 2
    assert "no merge of 'u3' is remembered" in capsys.readouterr().err
    assert main(["customer", "show", "u3", "--json", *words]) == 0
    assert json.loads(capsys.readouterr().out)["identifiers"] == [["external", "u3"]]


def test_who_may_be_one_person(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["customer", "duplicates", *words]) == 0
    assert capsys.readouterr().out == "why,value,customers\nemail,ana@example.com,'=u2 u1\n"
    assert main(["customer", "duplicates", "--json", *words]) == 0
    assert json.loads(capsys.readouterr().out) == [
        {"why": "email", "value": "ana@example.com", "customers": ["=u2", "u1"]}
    ]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (["merge", "u1"], "FROM INTO"),
        (["merge", "u9", "u1", "--yes"], "no customer 'u9'"),
        (["show"], "say whom"),
        (["show", "u1", "u2"], "takes one id"),
        (["duplicates", "u1"], "takes no id"),
        (["show", "u1", "--yes"], "--yes belongs to"),
    ],
)
def test_what_is_refused(words: list[str], said: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["customer", *said, *words]) == 2
    assert why in capsys.readouterr().err
