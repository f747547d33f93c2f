"""A SQLite store in a file, for tests that look inside or open it again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.stores.sqlite.store import SqliteStore
from tests.stores.driving import START, index_of
from tests.stores.sqlite_files import opened


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file is."""
    return tmp_path / "store.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    """The store in it, with a small project."""
    with opened(path) as store:
        store.deploy(index_of(), START)
        yield store
