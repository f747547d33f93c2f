"""Commands that only look, beside a process that writes for long."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from orchestrator.cli.main import main
from orchestrator.core.index import Index
from orchestrator.stores.sqlite.store import open_store
from tests.small_projects import project_of
from tests.stores.driving import START, WRITES, arrive, create, event, turns


@pytest.mark.parametrize(
    "words", [["why", "u1"], ["customer", "show", "u1"], ["why", "u1", "writes", "--json"]], ids=" ".join
)
def test_who_only_looks_is_not_stopped(tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "shop.db"
    store = open_store(file, salt="7")
    store.deploy(Index(project_of(tmp_path, {"writes": WRITES}).project), START)
    create(store, "u1")
    arrive(store, "u1", event(order="1"))
    turns(store, START)
    store.close()
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        code = main(["--project", str(tmp_path), "--database", f"sqlite:///{file}", *words])
    printed = capsys.readouterr()
    assert code == 0, printed.err
    assert "hello" in printed.out or "writes" in printed.out
