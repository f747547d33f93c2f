"""`orchestrator rights`: what it prints, what it follows, what it refuses."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.cli.main import main
from orchestrator.core.inbox import ConsentChanged
from orchestrator.runtime.ingest import ingest_once
from orchestrator.stores.protocol import Store
from orchestrator.wiring.databases import database_at, open_database, upgrade_database
from tests.tasks.installation import deploy_from, write_project


@pytest.fixture
def words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The options that name an installation in which one customer opted out."""
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path)
    upgrade_database(database_at("rights.db"))
    store = open_database(database_at("rights.db"))
    deploy_from(tmp_path, store)
    out(store, "u1")
    store.close()
    return ["--database", "rights.db"]


def out(store: Store, customer: str) -> None:
    ingest_once(store, [(customer, ConsentChanged("news", "email", "out"))], datetime.now(UTC))


def test_what_was_asked_is_printed_and_done_again(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rights", "export", *words]) == 0
    printed = capsys.readouterr().out
    said = json.loads(printed)
    assert (said["right"], said["customer"], said["topic"], said["channel"]) == ("opted_out", "u1", "news", "email")
    assert main(["rights", "export", "--since", "2100-01-01T00:00:00Z", *words]) == 0
    assert capsys.readouterr().out == ""
    (tmp_path / "file.jsonl").write_text(printed.replace("u1", "u2"))
    assert main(["rights", "replay", "file.jsonl", "--json", *words]) == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["lines"], done["opted_out"]) == (1, 1)
    store = open_database(database_at("rights.db"))
    card = store.card("u2")
    store.close()
    assert card is not None and card.customer is not None
    assert card.customer.consents == {("news", "email"): "out"}


def test_whoever_was_erased_is_erased_again(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file.jsonl").write_text('{"at": "2026-03-01T10:00:00Z", "right": "erased", "customer": "u1"}\n')
    assert main(["rights", "replay", "file.jsonl", *words]) == 0
    assert "1 erasure stand" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (["replay"], "takes the FILE to replay"),
        (["replay", "x", "--follow", "y"], "takes the FILE to replay"),
        (["export", "x"], "takes --since INSTANT or --follow FILE"),
        (["export", "--since", "2026-03-01T10:00:00Z", "--follow", "y"], "takes --since INSTANT or --follow FILE"),
        (["export", "--since", "yesterday"], "--since: found 'yesterday'; expected an instant with a zone"),
        (["exprot"], "did you mean export?"),
        (["replay", "nowhere.jsonl"], "nowhere.jsonl: No such file"),
    ],
)
def test_other_words_are_refused(
    words: list[str], given: list[str], why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["rights", *given, *words]) == 2
    assert why in capsys.readouterr().err


def test_the_phase_belongs_to_an_upgrade(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["db", "check", "--phase", "before", *words]) == 2
    assert main(["db", "upgrade", "--phase", "before", *words]) == 0
    assert "is up to date" in capsys.readouterr().out
