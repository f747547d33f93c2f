"""Merges while turns, claims, settlements, opt-outs and ingest go on, each on connections of its own; and processes
that die in between. Whatever the order: nothing is lost, nothing is done twice, and nothing belongs to nobody.

Short here; TEST_IN_FULL=1 takes thousands.
"""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from orchestrator.core.inbox import ConsentChanged
from orchestrator.runtime.linking import link_once
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.postgres.store import open_store as open_postgres
from orchestrator.stores.protocol import Arrival, Settlement, Store, StoreBusy
from orchestrator.stores.protocol_identity import Link
from orchestrator.stores.schema import METADATA
from orchestrator.stores.sqlite.store import open_store as open_sqlite
from tests.in_full import IN_FULL
from tests.servers.postgres import clean_database
from tests.stores.driving import START, WRITES, arrive, create, event, index_of, later, turns
from tests.stores.postgres_stores import in_threads

PAIRS: Final = 500 if IN_FULL else 12
EVENTS: Final = 6
MakeStores = Callable[[int], list[Any]]
INDEX: Final = {"writes": {**WRITES, "topic": "promotions"}}


@pytest.fixture(params=["postgres", "sqlite"])
def stores(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[MakeStores]:
    """So many processes on one database; on SQLite, threads of one."""
    with ExitStack() as stack:

        def make(count: int) -> list[Any]:
            made: list[Any]
            if request.param == "sqlite":
                made = [open_sqlite(tmp_path / "races.db", salt="0", durable=False)] * count
            else:
                url = stack.enter_context(clean_database())
                made = [open_postgres(url, salt="0") for _ in range(count)]
            for store in dict.fromkeys(made):
                stack.callback(store.close)
            index = index_of(INDEX)
            made[0].deploy(index, START)
            for store in made[1:]:
                store.adopt(index)
            return made

        yield make


def test_merges_against_everything_else(stores: MakeStores) -> None:
    merging, turning, bringing, sending = stores(4)
    pairs = [(f"a{n}", f"u{n}") for n in range(PAIRS)]
    for pair in pairs:
        create(merging, *pair, consents={"promotions": {"email": "in"}})
    over = threading.Event()
    sent: list[str] = []

    def merge() -> None:
        try:
            for source, target in pairs:
                assert patiently(merging.merge, source, target, later(1), "ana").outcome == "merged"
        finally:
            over.set()

    def bring() -> None:
        draw = random.Random(7)
        for n in range(EVENTS):
            for pair in draw.sample(pairs, len(pairs)):
                whose = pair[n % 2]
                arrival = Arrival(whose, later(1), event(order=f"{whose}{n}", id=f"{whose}-{n}"), f"{whose}-{n}")
                patiently(bringing.ingest, [arrival])
                if n == EVENTS // 2:
                    out = ConsentChanged("promotions", "email", "out")
                    patiently(bringing.ingest, [Arrival(pair[0], later(1), out)])

    def turn() -> None:
        while not over.is_set():
            patiently(turn_once, turning, later(1), budget=7)

    def send() -> None:
        while not over.is_set():
            sent.extend(hand_over(sending))

    in_threads(merge, bring, turn, send)
    for _ in range(3):
        turns(merging, later(2))
        sent.extend(hand_over(sending))
    assert len(sent) == len(set(sent)), "no message is handed over twice"
    assert not list(orphans(merging))
    ids = [row[0] for row in select(merging, "SELECT id FROM events WHERE name = 'go'")]
    assert sorted(ids) == sorted({f"{pair[n % 2]}-{n}" for pair in pairs for n in range(EVENTS)}), "each once"
    assert select(merging, "SELECT count(*) FROM inbox") == [(0,)]
    assert select(merging, "SELECT count(*) FROM customers") == [(PAIRS,)]
    for _, target in pairs:
        card = merging.card(target)
        assert card is not None and card.customer is not None
        assert card.customer.consents["promotions", "email"] == "out"
    on_its_way = "SELECT 1 FROM outbox AS o WHERE o.shard = m.shard AND o.customer = m.customer AND o.id = m.id"
    queued = f"SELECT count(*) FROM messages AS m WHERE m.status = 'queued' AND NOT EXISTS ({on_its_way})"
    assert select(merging, queued) == [(0,)]
    status = dict(select(merging, "SELECT id, status FROM messages"))
    assert {status[id] for id in sent} <= {"sent"}


def test_nothing_is_claimed_after_an_opt_out_that_names_the_source(stores: MakeStores) -> None:
    merging, bringing, sending = stores(3)
    pairs = [(f"a{n}", f"u{n}") for n in range(PAIRS)]
    for source, target in pairs:
        create(merging, source, target, consents={"promotions": {"email": "in"}})
        arrive(merging, target, event(order="1", id=f"{target}-1"))
    turns(merging, later(1))

    def merge() -> None:
        for source, target in pairs:
            patiently(merging.merge, source, target, later(1), "ana")

    def opt_out_and_claim() -> None:
        for source, target in pairs:
            out = ConsentChanged("promotions", "email", "out")
            patiently(bringing.ingest, [Arrival(source, later(1), out)])
            if merging.resolve(source) == target:
                customer = sending.card(target).customer
                assert customer.consents["promotions", "email"] == "out", "before any turn"

    in_threads(merge, opt_out_and_claim)
    assert {c.customer.consents["promotions", "email"] for c in sending.claim_messages(later(2), 9_999)} == {"out"}


def test_two_merges_of_one_customer_at_once(stores: MakeStores) -> None:
    one, other = stores(2)
    triples = [(f"a{n}", f"b{n}", f"c{n}") for n in range(PAIRS)]
    for triple in triples:
        create(one, *triple)
    in_threads(
        lambda: [patiently(one.merge, a, b, later(1), "ana") for a, b, _ in triples],
        lambda: [patiently(other.merge, b, c, later(1), "li") for _, b, c in triples],
    )
    assert {one.resolve(id) for triple in triples for id in triple} == {c for _, _, c in triples}
    assert not list(orphans(one))


def test_an_id_with_which_a_customer_is_just_being_created(stores: MakeStores) -> None:
    """Whichever comes first, the two are one in the end."""
    linking, bringing = stores(2)
    if linking is bringing:
        pytest.skip("SQLite has one writer at a time")
    create(linking, "u1")
    seen = Arrival("a1", later(1), event(order="1", id="e1"), "e1")
    linking.ingest([], [Link("anonymous", "a1", "u1", later(1))])
    with linking_while(bringing, linking, lambda: bringing.ingest([seen], (), {"a1"})) as done:
        pass
    assert [joined.outcome for joined in done] == ["merged"]
    linking.ingest([], [Link("anonymous", "a2", "u1", later(1))])
    [link] = linking.links(9)
    other = Arrival("a2", later(1), event(order="2", id="e2"), "e2")
    busy: list[Any] = []

    def bring() -> None:
        try:
            bringing.ingest([other], (), {"a2"})
        except StoreBusy as error:
            busy.append(error)

    thread = threading.Thread(target=bring)
    with linking.db.write(apart=True):
        assert linking.settle_link(link, later(1)).outcome == "added"
        thread.start()
        until_somebody_waits(linking)
    thread.join()
    assert busy and bringing.ingest([other], (), {"a2"}).accepted == 1, "it is sent again"
    turns(linking, later(2))
    assert select(linking, "SELECT count(*) FROM customers") == [(1,)]
    assert sorted(row[0] for row in select(linking, "SELECT id FROM events WHERE name = 'go'")) == ["e1", "e2"]
    assert not list(orphans(linking))


def test_an_opt_out_and_an_erasure_do_not_wait_for_each_other(stores: MakeStores) -> None:
    erasing, bringing = stores(2)
    people = [f"u{n}" for n in range(PAIRS)]
    create(erasing, *people, consents={"promotions": {"email": "in"}})
    failed: list[StoreBusy] = []

    def once(act: Callable[[], Any]) -> None:
        try:
            act()
        except StoreBusy as error:
            failed.append(error)

    def opt_out(person: str) -> None:
        once(lambda: bringing.ingest([Arrival(person, later(1), ConsentChanged("promotions", "email", "out"))]))

    for person in people:
        in_threads(
            lambda: once(lambda: erasing.erase(person, later(1), later(1), "ana")),  # noqa: B023
            lambda: opt_out(person),  # noqa: B023
        )
    assert failed == []


@contextmanager
def linking_while(holder: Any, linker: Any, act: Callable[[], Any]) -> Iterator[list[Any]]:
    """Settles the link that waits while somebody holds what an act wrote."""
    done: list[Any] = []
    [link] = linker.links(9)
    thread = threading.Thread(target=lambda: done.append(linker.settle_link(link, later(1))))
    with holder.db.write(apart=True):
        act()
        thread.start()
        until_somebody_waits(linker)
    thread.join()
    yield done


def until_somebody_waits(store: Any) -> None:
    """For a lock of the database."""
    for _ in range(1_000):
        if select(store, "SELECT count(*) FROM pg_locks WHERE NOT granted") != [(0,)]:
            return
        time.sleep(0.01)
    raise AssertionError("nobody waits")


@pytest.mark.parametrize("after", [0, 3_000, 9_000] if not IN_FULL else range(0, 40_000, 1_000))
def test_a_process_that_dies_leaves_all_or_nothing(tmp_path: Path, after: int) -> None:
    """Killed right after the ingest (0), or so many steps of the database into the merge."""
    place = tmp_path / "killed.db"
    with store_in(place) as store:
        store.deploy(index_of(), START)
        create(store, "u1")
        arrive(store, "u1", event(order="1"))
        turns(store, START)
    done = subprocess.run([sys.executable, "-c", DIES, str(place), str(after)], timeout=60)
    assert done.returncode == -9
    with store_in(place) as store:
        store.adopt(index_of())
        waiting = list(store.links(10))
        assert (store.resolve("a1") == "u1") is (not waiting), "merged, or still to be done"
        link_once(store, later(5))
        assert store.resolve("a1") == "u1" and not store.links(10)
        turns(store, later(5))
        assert len(select(store, "SELECT id FROM events WHERE name = 'go'")) == 2
        assert not list(orphans(store))


DIES: Final = """
import os, sys
from pathlib import Path
from orchestrator.stores.protocol import Arrival
from orchestrator.stores.protocol_identity import Link
from orchestrator.stores.sqlite.store import open_store
from orchestrator.runtime.linking import link_once
from tests.stores.driving import event, index_of, later
store = open_store(Path(sys.argv[1]), salt="0")
store.adopt(index_of())
store.ingest([Arrival("a1", later(1), event(order="2", id="e2"))], [Link("anonymous", "a1", "u1", later(1))], {"a1"})
after = int(sys.argv[2])
if after:
    with store.db.write() as c:
        c.set_progress_handler(lambda: os.kill(os.getpid(), 9), after)
    link_once(store, later(2))
os.kill(os.getpid(), 9)
"""


@contextmanager
def store_in(path: Path) -> Iterator[Any]:
    store = open_sqlite(path, salt="0")
    try:
        yield store
    finally:
        store.close()


def patiently(act: Callable[..., Any], *given: Any, **named: Any) -> Any:
    """Again, while the database is busy, as every caller does."""
    for _ in range(200):
        try:
            return act(*given, **named)
        except StoreBusy:
            continue
    raise AssertionError("the database was busy for ever")


def hand_over(store: Store) -> list[str]:
    """Claim and hand over whatever may go. Returns what was."""
    claimed = patiently(store.claim_messages, later(2), 5)
    going = [c for c in claimed if c.customer.consents.get(("promotions", "email")) == "in"]
    ours = patiently(store.begin_hand_over, going, later(2)) if going else frozenset()
    settled = [
        Settlement(c.row.id, c.row.customer_id, "sent" if c.row.id in ours else "suppressed", fence=c.fence)
        for c in claimed
        if c.row.id in ours or c not in going
    ]
    patiently(store.settle_messages, settled, later(2))
    return list(ours)


def select(store: Any, sql: str) -> list[tuple[Any, ...]]:
    with store.db.read() as c:
        return [tuple(row) for row in c.execute(sql).fetchall()]


def orphans(store: Any) -> Iterator[tuple[str, int]]:
    """Tables with rows of somebody who is not there."""
    for table in METADATA.sorted_tables:
        if {"shard", "customer"} <= set(table.columns.keys()) and table.name != "erasures":
            [(count,)] = select(
                store,
                f'SELECT count(*) FROM "{table.name}" AS t WHERE t.customer IS NOT NULL AND NOT EXISTS '
                "(SELECT 1 FROM customers AS c WHERE c.shard = t.shard AND c.id = t.customer)",
            )
            if count:
                yield table.name, count
