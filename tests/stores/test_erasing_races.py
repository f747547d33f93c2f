"""People are erased on PostgreSQL while their messages are sent again and claimed, each side on connections of its own.

Whatever the order: nothing waits for ever, no message of nobody's stays in the queue, and deliveries go on.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Final

import psycopg
import pytest

from orchestrator.stores.postgres.store import PostgresStore, open_store
from orchestrator.stores.protocol import Settlement
from tests.servers.postgres import clean_database
from tests.stores.driving import START, WRITES, arrive, create, event, index_of, later, turns
from tests.stores.postgres_stores import in_threads

PEOPLE: Final = 24
OF_NOBODY: Final = """
SELECT count(*) FROM outbox AS o LEFT JOIN customers AS c ON c.shard = o.shard AND c.id = o.customer WHERE c.id IS NULL
"""


@pytest.fixture
def stores() -> Iterator[Callable[[int], list[PostgresStore]]]:
    """So many processes on one database."""
    with ExitStack() as stack:

        def make(count: int) -> list[PostgresStore]:
            url = stack.enter_context(clean_database())
            made = [open_store(url, salt="0") for _ in range(count)]
            for store in made:
                stack.callback(store.close)
            index = index_of({"writes": {**WRITES, "topic": "promotions"}})
            made[0].deploy(index, START)
            for store in made[1:]:
                store.adopt(index)
            return made

        yield make


def queue(store: PostgresStore, *people: str) -> None:
    """A few messages for each."""
    create(store, *people)
    for person in people:
        for n in range(3):
            arrive(store, person, event(order=str(n), id=f"{person}-{n}"))
    turns(store, START)


def fail(store: PostgresStore) -> list[str]:
    """All that wait come to a bad end."""
    claimed = store.claim_messages(START, 1_000)
    store.settle_messages([Settlement(c.row.id, c.row.customer_id, "unknown", fence=c.fence) for c in claimed], START)
    return [c.row.id for c in claimed]


def of_nobody(store: PostgresStore) -> int:
    with psycopg.connect(store.db.url) as c:
        row = c.execute(OF_NOBODY.encode()).fetchone()
    return int(row[0]) if row else 0


def test_what_is_sent_again_while_its_person_is_erased_is_nobodys_message(
    stores: Callable[[int], list[PostgresStore]],
) -> None:
    erasing, retrying = stores(2)
    people = [f"r{n}" for n in range(PEOPLE)]
    queue(erasing, *people)
    ids = fail(erasing)
    random.Random(3).shuffle(ids)

    def erase() -> None:
        for person in people:
            erasing.erase(person, later(1), later(1), "operator")

    in_threads(erase, lambda: [retrying.retry_message(id, later(1)) for id in ids])
    assert of_nobody(erasing) == 0
    assert list(erasing.claim_messages(later(2), 1_000)) == []
    assert {status for _, status in erasing.overview().messages} <= {"unknown", "suppressed"}


def test_erasing_and_claiming_do_not_wait_for_each_other_for_ever(stores: Callable[[int], list[PostgresStore]]) -> None:
    erasing, claiming = stores(2)
    people = [f"c{n}" for n in range(PEOPLE)]
    queue(erasing, *people)
    over = threading.Event()

    def erase() -> None:
        try:
            for person in people:
                assert erasing.erase(person, later(1), later(1), "operator") is not None
        finally:
            over.set()

    def claim() -> None:
        real = later(1)
        while not over.is_set():
            real += 2 * (later(1) - START)  # every lease has run out
            claiming.claim_messages(later(1), 7, real)

    in_threads(erase, claim)
    assert of_nobody(erasing) == 0


def test_a_message_of_nobodys_holds_up_no_other(stores: Callable[[int], list[PostgresStore]]) -> None:
    """However it came there: it goes off the queue, and is counted as what it is."""
    [store] = stores(1)
    queue(store, "u1", "u2")
    with psycopg.connect(store.db.url) as c:
        c.execute("DELETE FROM customers WHERE external_id = 'u1'")
    assert {claim.row.customer_id for claim in store.claim_messages(START, 4)} <= {"u2"}
    claimed = store.claim_messages(START, 10)
    assert {claim.row.customer_id for claim in claimed} <= {"u2"}
    assert of_nobody(store) == 0
    assert store.overview().messages == {("email", "queued"): 3, ("email", "suppressed"): 3}
