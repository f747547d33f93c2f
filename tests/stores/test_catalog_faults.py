"""Catalogs in trouble: a process that is killed while it tells a change, and a change while another is being told."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from orchestrator.runtime.catalogs import spread_once
from orchestrator.stores import catalog_waves
from orchestrator.stores.postgres.store import open_store
from orchestrator.stores.protocol_catalogs import Edit
from orchestrator.stores.sqlite import catalogs as sqlite_catalogs
from tests.servers.postgres import clean_database
from tests.stores.contract_catalogs import catalogs_of, tell, told
from tests.stores.driving import START, arrive, create, event, later, turns
from tests.stores.sqlite_files import opened


def test_a_process_that_is_killed_in_the_middle_of_a_wave_tells_everybody_once(path: Path) -> None:
    customers = [f"u{number}" for number in range(6)]
    with opened(path) as store:
        store.deploy(catalogs_of(), START)
        create(store, *customers)
        for customer in customers:
            arrive(store, customer, event("viewed", later(1), sku="A"), later(1))
        turns(store, later(1))
        tell(store, later(1))
        store.change_catalog("products", [Edit("A", {"price": 10}, merge=True)], later(2))
    statuses = []
    for _ in range(2):  # the first dies within its transaction, the second one step later
        child = os.fork()
        if not child:
            _tell_and_die(path, len(statuses))
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    assert statuses == [-signal.SIGKILL] * 2
    with opened(path) as store:
        store.deploy(catalogs_of(), later(2))
        tell(store, later(2))
        assert sorted(told(store)) == [(customer, "A", "price_drop 100 10") for customer in customers]


def _tell_and_die(path: Path, after: int) -> None:
    """In a process of its own: put two items, and die with the transaction open, or after it."""
    try:
        put = sqlite_catalogs.put_items

        def dying(c: Any, rows: Any) -> None:
            put(c, rows)
            if not after:
                os.kill(os.getpid(), signal.SIGKILL)

        sqlite_catalogs.put_items = dying
        with opened(path) as store:
            store.deploy(catalogs_of(), later(2))
            spread_once(store, later(2), 2)
            os.kill(os.getpid(), signal.SIGKILL)
    finally:
        os._exit(1)


def test_a_change_while_another_one_is_being_told_is_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """On PostgreSQL both go on at once. Whoever tells has read how the row is, and the row changes behind it."""
    with clean_database() as url:
        store, other = open_store(url, salt="0", drains=True), open_store(url, salt="0")
        try:
            store.deploy(catalogs_of(), START)
            other.deploy(catalogs_of(), START)
            create(store, "u1")
            arrive(store, "u1", event("viewed", later(1), sku="A"), later(1))
            turns(store, later(1))
            tell(store, later(1))
            store.change_catalog("products", [Edit("A", {"price": 80}, merge=True)], later(2))
            waves, beside = catalog_waves.waves_of, list[Thread]()

            def meanwhile(*given: Any) -> Any:
                if not beside:
                    edit = Edit("A", {"price": 40}, merge=True)
                    beside.append(Thread(target=lambda: other.change_catalog("products", [edit], later(2))))
                    beside[0].start()
                    beside[0].join(0.3)
                return waves(*given)

            monkeypatch.setattr(catalog_waves, "waves_of", meanwhile)
            tell(store, later(2))
            beside[0].join()
            tell(store, later(3))
            assert told(store) == [("u1", "A", "price_drop 100 40"), ("u1", "A", "price_drop 80 40")]
        finally:
            store.close()
            other.close()
