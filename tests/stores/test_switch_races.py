"""Operators and the engine throw switches at once, each in a process of its own: no throw is lost."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.core.view import Switches
from orchestrator.stores.migrate import upgrade
from orchestrator.stores.postgres.store import open_store as open_server
from orchestrator.stores.protocol import Store
from orchestrator.stores.sqlite.store import open_store
from tests.servers.postgres import clean_database

EACH = 8


@pytest.fixture(params=["sqlite", "postgres"])
def two(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Store]]:
    """Two processes on one database."""
    if request.param == "sqlite":
        upgrade(tmp_path / "a.db")
        stores = open_store(tmp_path / "a.db", durable=False), open_store(tmp_path / "a.db", durable=False)
        yield stores
        for store in stores:
            store.close()
        return
    with clean_database() as url:
        servers = open_server(url), open_server(url)
        yield servers
        for server in servers:
            server.close()


def test_a_kill_survives_a_pause_of_the_same_moment(two: tuple[Store, Store]) -> None:
    def throw(store: Store, change: Callable[[Switches, str], Switches]) -> None:
        for number in range(EACH):
            name = f"j{number}"

            def slowly(known: Switches, name: str = name) -> Switches:
                time.sleep(0.005)  # between what is read and what is written
                return change(known, name)

            store.change_switches(slowly)

    both = (
        (two[0], lambda known, name: replace(known, killed_journeys=known.killed_journeys | {name})),
        (two[1], lambda known, name: replace(known, paused=known.paused | {name})),
    )
    threads = [threading.Thread(target=throw, args=each) for each in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    names = frozenset(f"j{number}" for number in range(EACH))
    for store in two:
        assert (store.switches().killed_journeys, store.switches().paused) == (names, names)
