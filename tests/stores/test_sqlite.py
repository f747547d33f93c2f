"""The SQLite store signs the contract, and keeps what it promises beyond it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.stores.sqlite.store import SqliteStore, open_store
from tests.stores.conformance import MakeStore, StoreContract


@pytest.fixture(scope="session")
def empty_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with tables and nothing in them: making them takes longer than most tests."""
    from orchestrator.stores.migrate import upgrade

    path = tmp_path_factory.mktemp("sqlite") / "empty.db"
    upgrade(path)
    return path


@pytest.fixture
def make_store(tmp_path: Path, empty_file: Path) -> Iterator[MakeStore]:
    opened: list[SqliteStore] = []

    def make(salt: str = "0", forced: Any = None, **options: Any) -> SqliteStore:
        path = tmp_path / f"{len(opened)}.db"
        shutil.copy(empty_file, path)
        opened.append(open_store(path, salt=salt, forced=forced, **{"durable": False, "drains": True, **options}))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


class TestSqliteStore(StoreContract):
    @pytest.fixture
    def make_store(self, make_store: MakeStore) -> MakeStore:
        return make_store
