"""Who kills the process: found among the shards of the turn that never ended, by halves, while others go on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.core.decide import decide
from orchestrator.stores.postgres import suspects
from orchestrator.stores.postgres.store import PostgresStore, open_store
from orchestrator.stores.protocol import StoreBusy
from tests.servers.postgres import clean_database
from tests.stores.driving import START, arrive, event, index_of, later, turns, types
from tests.stores.postgres_stores import FILES, cut_off, execute, killed, opened, rows_in

NAMES = [f"u{n:02}" for n in range(16)]
ONE_SHARD = 7


@pytest.fixture
def url() -> Iterator[str]:
    with clean_database() as url:
        yield url


def restarted(url: str) -> PostgresStore:
    store = open_store(url, drains=True)
    store.deploy(index_of(), START, FILES)
    return store


def in_one_shard(url: str) -> None:
    """Customers whom their ids would spread live in one shard, so that shards are not what parts them."""
    for table in ("customers", "identifiers", "inbox"):
        execute(url, f"UPDATE {table} SET shard = {ONE_SHARD}")


def play(url: str, poison: str) -> tuple[int, set[str]]:
    """Turns until nothing is due; the process dies whenever it is to decide for the poison. Returns how often, and for
    whom else it decided."""
    store = restarted(url)
    deaths, decided = 0, set[str]()
    for _ in range(100):
        view = store.load(START, 10)
        names = {record.customer.id for record in view.customers}
        if not names:
            break
        if poison in names:
            killed(store)
            deaths += 1
            store = restarted(url)
        else:
            store.save(decide(view, START))
            decided |= names
    store.close()
    return deaths, decided


@pytest.mark.parametrize("poison", ["u00", "u07", "u15"])
@pytest.mark.parametrize("together", [False, True])
def test_who_kills_the_process_is_found_and_parked_and_the_others_go_on(url: str, poison: str, together: bool) -> None:
    with opened(url) as store:
        for name in NAMES:
            arrive(store, name, event(order=name))
    if together:
        in_one_shard(url)
    deaths, decided = play(url, poison)
    assert decided == {*NAMES} - {poison}
    assert deaths <= 5 + 3, "halved five times at most, and three times alone"
    with opened(url) as store:
        [parked] = store.overview().parked
        assert (parked.customer, parked.reason, parked.waiting) == (poison, "exception", 1)
        assert "ended 3 times" in parked.detail
        assert rows_in(url, "attempts") == 0
        store.operate("waits", "resume", later(1))
        store.drain_journal()
        turns(store, later(1))
        assert (poison, "entered") in types(store)


def test_suspects_and_others_take_turns(url: str) -> None:
    with opened(url) as store:
        for name in NAMES[:4]:
            arrive(store, name, event(order=name))
        store.load(START, 4)
        killed(store)
    with opened(url) as store:
        for name in NAMES[4:]:
            arrive(store, name, event(order=name))
        suspected = {shard for (shard,) in execute(url, "SELECT shard FROM customers WHERE external_id < 'u04'")}
        taken: list[set[str]] = []
        while view := store.load(START, 6).customers:
            taken.append({record.customer.id for record in view})
            assert len(taken) < 20
            store.save(decide(store.load(START, 6, sorted(taken[-1])), START))
        assert set().union(*taken) == {*NAMES}
        first = next(n for n, names in enumerate(taken) if names & {*NAMES[:4]})
        assert len(taken) > 1 and first <= 1
        assert suspected
    assert rows_in(url, "attempts") == 0


def test_a_turn_that_others_are_in_is_not_suspected(url: str) -> None:
    with opened(url) as store, opened(url) as other:
        for name in NAMES:
            arrive(store, name, event(order=name))
        view = store.load(START, 3)
        assert rows_in(url, "attempts") == 1
        while found := other.load(START, 100).customers:
            other.save(decide(other.load(START, 100, [record.customer.id for record in found]), START))
        assert rows_in(url, "attempts") == 1
        store.save(decide(view, START))
        turns(store, START)
        assert rows_in(url, "attempts") == 0
        assert rows_in(url, "enrollments") == 16


def test_a_process_that_only_lost_the_database_is_not_suspected(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with opened(url) as store:
        for name in NAMES:
            arrive(store, name, event(order=name))
        view = store.load(START, 100)
        cut_off(store)
        with pytest.raises(StoreBusy):
            store.save(decide(view, START))
        assert rows_in(url, "attempts") == 0
        monkeypatch.setattr(suspects, "take_apart", lambda *_: pytest.fail("nobody died"))
        assert turns(store, START) == 16


def test_a_turn_is_written_down_before_its_decisions_and_gone_after(url: str) -> None:
    with opened(url) as store:
        arrive(store, "u1", event(order="1"))
        view = store.load(START, 10)
        [[text]] = execute(url, "SELECT customers FROM attempts")
        assert text == f"[[{execute(url, 'SELECT shard FROM inbox')[0][0]}], null]"
        store.save(decide(view, START))
        assert rows_in(url, "attempts") == 0
        arrive(store, "u1", event(order="2"))
        store.load(START, 10)
        store.abandon()
        assert rows_in(url, "attempts") == 0
