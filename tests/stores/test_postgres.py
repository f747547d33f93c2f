"""The PostgreSQL store signs the contract: as processes that share the work use it, and as a simulation does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from orchestrator.stores.postgres.store import PostgresStore, open_store
from tests.in_full import IN_FULL
from tests.servers.postgres import clean_database
from tests.stores.conformance import ContractOfTurns, MakeStore, StoreContract


@pytest.fixture
def make_store() -> Iterator[MakeStore]:
    with ExitStack() as databases:
        opened: list[PostgresStore] = []

        def make(salt: str = "0", forced: Any = None, **options: Any) -> PostgresStore:
            url = databases.enter_context(clean_database())
            opened.append(open_store(url, salt=salt, forced=forced, **{"drains": True, **options}))
            return opened[-1]

        yield make
        for store in opened:
            store.close()


class TestPostgresStore(StoreContract):
    @pytest.fixture
    def make_store(self, make_store: MakeStore) -> MakeStore:
        return make_store


class TestPostgresStoreOfASimulation(StoreContract if IN_FULL else ContractOfTurns):
    """Only turns are taken in another way than by processes that share the work."""

    @pytest.fixture
    def make_store(self, make_store: MakeStore) -> MakeStore:
        return lambda *args, **options: make_store(*args, **{"durable": False, **options})
