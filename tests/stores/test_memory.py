"""The memory store signs the contract."""

from __future__ import annotations

from functools import partial

import pytest

from orchestrator.stores.memory import MemoryStore
from tests.stores.conformance import MakeStore, StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def make_store(self) -> MakeStore:
        return partial(MemoryStore, keep_journal=True)
