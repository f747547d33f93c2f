"""Stores that seal personal data sign the contract, too, as far as rows of people go: nobody sees a difference.

With HYPOTHESIS_PROFILE=thorough all of it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from orchestrator.stores.postgres.store import open_store as open_postgres
from orchestrator.stores.protocol import Store
from orchestrator.stores.sqlite.store import open_store as open_sqlite
from tests.servers.postgres import clean_database
from tests.stores.conformance import MakeStore, StoreContract
from tests.stores.contract_addressees import AddresseeContract
from tests.stores.contract_consents import ConsentContract, ErasingContract
from tests.stores.contract_dead_letters import DeadLetterContract
from tests.stores.contract_reading import ReadingContract
from tests.stores.contract_sends import SendsContract
from tests.stores.contract_suppressions import SuppressionContract
from tests.stores.sealed_keys import FIRST_KEY
from tests.stores.test_sqlite import empty_file

__all__ = ["empty_file"]


class RowsOfPeople(
    AddresseeContract,
    ConsentContract,
    ErasingContract,
    DeadLetterContract,
    ReadingContract,
    SendsContract,
    SuppressionContract,
):
    """What reads and writes them."""


Contract: type = StoreContract if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else RowsOfPeople


class TestSealedSqliteStore(Contract):  # type: ignore[misc]
    @pytest.fixture
    def make_store(self, tmp_path: Path, empty_file: Path) -> Iterator[MakeStore]:
        opened: list[Store] = []

        def make(salt: str = "0", forced: Any = None, **options: Any) -> Store:
            path = tmp_path / f"{len(opened)}.db"
            shutil.copy(empty_file, path)
            given = {"durable": False, "drains": True, "keys": FIRST_KEY, **options}
            opened.append(open_sqlite(path, salt=salt, forced=forced, **given))
            return opened[-1]

        yield make
        for store in opened:
            store.close()


class TestSealedPostgresStore(Contract):  # type: ignore[misc]
    @pytest.fixture
    def make_store(self) -> Iterator[MakeStore]:
        with ExitStack() as databases:
            opened: list[Store] = []

            def make(salt: str = "0", forced: Any = None, **options: Any) -> Store:
                url = databases.enter_context(clean_database())
                given = {"drains": True, "keys": FIRST_KEY, **options}
                opened.append(open_postgres(url, salt=salt, forced=forced, **given))
                return opened[-1]

            yield make
            for store in opened:
                store.close()
