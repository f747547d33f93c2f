"""Tills at once, and tills that are killed: a code is redeemed once, ten are ten, and no budget is exceeded.

Each store is a process's own; what is asked for at once is asked from threads, and from processes of their own.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from threading import Barrier, Thread

import pytest

from orchestrator.core.till import SCALE, Basket
from orchestrator.runtime.till import redeem, rollback
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.protocol import Arrival, Settlement, Store
from tests.in_full import IN_FULL
from tests.servers.postgres import clean_database
from tests.stores.driving import START, create, event, later, turns
from tests.stores.till_offers import INDEX
from tests.stores.till_process import opened

CLAIMS = 1_000
TILLS = 8


@pytest.fixture(params=["postgresql", "sqlite"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database that is empty."""
    if request.param == "sqlite":
        yield str(tmp_path / "till.db")
        return
    with clean_database() as url:
        yield url


@pytest.fixture
def stores(place: str) -> Iterator[Callable[[int], Sequence[Store]]]:
    """So many processes on it (threads of one process where a file has only one)."""
    with ExitStack() as stack:

        def make(count: int) -> Sequence[Store]:
            made = [opened(place)]
            stack.callback(made[0].close)
            made[0].deploy(INDEX, START)
            for _ in range(count - 1 if place.startswith("postgresql") else 0):
                made.append(opened(place))
                stack.callback(made[-1].close)
                made[-1].adopt(INDEX)
            return made

        yield make


def at_once(*calls: Callable[[], None]) -> None:
    """Call them from threads that begin together. Raises what one of them raises."""
    barrier, raised = Barrier(len(calls)), []

    def begin(call: Callable[[], None]) -> None:
        barrier.wait()
        try:
            call()
        except BaseException as error:
            raised.append(error)

    threads = [Thread(target=begin, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if raised:
        raise raised[0]


def give(store: Store, name: str, count: int) -> list[str]:
    """Codes that customers are given by the event."""
    store.ingest([Arrival(f"c{n}", START, event(name, order="1", id=f"{name}-{n}")) for n in range(count)])
    turns(store, START)
    offer = {"go": "ten", "more": "many", "spend": "money", "send": "sent"}[name]
    return [coupon.code for coupon in store.coupons_of_offer(offer, None, "", count)]


def basket(order: str, total: int = 100) -> Basket:
    return Basket(order, Decimal(total), "EUR")


def test_a_thousand_customers_and_ten_codes(stores: Callable[[int], Sequence[Store]]) -> None:
    """By turns of several processes."""
    workers = stores(4)
    workers[0].ingest([Arrival(f"u{n}", START, event(order="1", id=f"e{n}")) for n in range(CLAIMS)])

    def work(store: Store) -> None:
        idle = 0
        while idle < 3:
            idle = 0 if turn_once(store, START, 50).customers else idle + 1

    at_once(*[lambda store=store: work(store) for store in workers])  # type: ignore[misc]
    codes = [coupon.code for coupon in workers[0].coupons_of_offer("ten", None, "", 100)]
    assert len(codes) == len(set(codes)) == 10


def test_a_thousand_tills_and_a_code_for_ten(stores: Callable[[int], Sequence[Store]]) -> None:
    processes = stores(3)
    answers: list[str | None] = []

    def claim(till: int) -> None:
        store = processes[till % len(processes)]
        orders = [basket(f"{till}-{n}") for n in range(CLAIMS // TILLS)]
        answers.extend(redeem(store, "ALL10", order, later(1), later(1)).reason for order in orders)

    at_once(*[lambda till=till: claim(till) for till in range(TILLS)])  # type: ignore[misc]
    assert Counter(answers) == {None: 10, "exhausted": CLAIMS - 10}
    assert processes[0].offer_figures("all").redemptions == 10


def test_of_two_tills_one_wins(stores: Callable[[int], Sequence[Store]]) -> None:
    """Every code by two orders, each of which comes twice."""
    processes = stores(2)
    codes = give(processes[0], "more", 2_000 if IN_FULL else 200)
    told: dict[str, list[tuple[str, str | None]]] = {code: [] for code in codes}

    def till(number: int) -> None:
        store = processes[number % len(processes)]
        for code in codes:
            order = f"{code}-{number % 2}"
            told[code].append((order, redeem(store, code, basket(order), later(1), later(1)).reason))

    at_once(*[lambda number=number: till(number) for number in range(4)])  # type: ignore[misc]
    for code, answers in told.items():
        winners = {order for order, reason in answers if reason is None}
        assert len(winners) == 1, (code, answers)
        assert {reason for order, reason in answers if order in winners} == {None}
        assert {reason for order, reason in answers if order not in winners} == {"redeemed"}
    turns(processes[0], later(1))
    statuses = Counter(coupon.status for coupon in processes[0].coupons_of_offer("many", None, "", 10_000))
    assert statuses == {"redeemed": len(codes)}


def test_what_is_taken_back_while_a_till_redeems_it(stores: Callable[[int], Sequence[Store]]) -> None:
    """Either the till comes first, and what the code took of the offer's limit is used; or it is told `released`."""
    processes = stores(2)
    create(processes[0], *(f"c{n}" for n in range(60)))
    give(processes[0], "send", 60)
    claimed = processes[-1].claim_messages(START, 100)
    codes = {coupon.id: coupon.code for coupon in processes[0].coupons_of_offer("sent", None, "", 100)}
    reasons: list[str | None] = []

    def till() -> None:
        for n, message in enumerate(claimed):
            code = codes[str(message.row.coupon)]
            reasons.append(redeem(processes[0], code, basket(f"o{n}"), START, START).reason)

    def deliver() -> None:
        for message in claimed:
            row = message.row
            settled = Settlement(row.id, row.customer_id, "suppressed", release_coupon=row.coupon, fence=message.fence)
            processes[-1].settle_messages([settled], START)

    at_once(till, deliver)
    redeemed = reasons.count(None)
    assert len(claimed) == 60 and Counter(reasons) == Counter({None: redeemed, "released": 60 - redeemed})
    for again in "23":
        more = [event("send", order=again, id=f"again-{again}-{n}") for n in range(60)]
        processes[0].ingest([Arrival(f"c{n}", START, one) for n, one in enumerate(more)])
        turns(processes[0], later(1))
    statuses = Counter(coupon.status for coupon in processes[0].coupons_of_offer("sent", None, "", 1_000))
    assert statuses["redeemed"] == redeemed and statuses["released"] == 60 - redeemed
    given = redeemed + statuses["issued"]
    assert 90 <= given <= 100, "no code beyond the limit, however they met; and nearly all others come back"


def test_an_order_never_redeems_two_codes_of_an_offer(stores: Callable[[int], Sequence[Store]]) -> None:
    processes = stores(2)
    codes = give(processes[0], "more", 100)
    reasons: list[str | None] = []

    def till(number: int) -> None:
        for n in range(50):
            wanted = basket(f"order {n}")
            reasons.append(
                redeem(processes[number % len(processes)], codes[2 * n + number], wanted, START, START).reason
            )

    at_once(lambda: till(0), lambda: till(1))
    assert Counter(reasons) == {None: 50, "order_used": 50}
    assert processes[0].offer_figures("many").redemptions == 50


def test_a_budget_is_never_exceeded_and_comes_back(stores: Callable[[int], Sequence[Store]]) -> None:
    processes = stores(3)
    codes = give(processes[0], "spend", 60)
    draw = random.Random(7)
    parts = [codes[n::6] for n in range(6)]

    def till(number: int) -> None:
        store = processes[number % len(processes)]
        for n, code in enumerate(parts[number]):
            order = basket(f"{number}-{n}", draw.choice((50, 100, 130)))
            if redeem(store, code, order, later(1), later(1)).reason is None and n % 3 == 0:
                rollback(store, code, order, later(1), later(1))

    at_once(*[lambda number=number: till(number) for number in range(6)])  # type: ignore[misc]
    spent = processes[0].offer_figures("money").discounts.get("EUR", 0)
    assert 80 * SCALE < spent <= 100 * SCALE


def test_tills_that_are_killed_leave_nothing_half_done(place: str, stores: Callable[[int], Sequence[Store]]) -> None:
    """What a till said is done is done; what it did not say is either done whole or not at all."""
    [store] = stores(1)
    codes = give(store, "more", 60)
    draw = random.Random(11)
    said: dict[str, str] = {}
    for number in range(6 if IN_FULL else 2):
        draw.shuffle(codes)
        command = [sys.executable, "-m", "tests.stores.till_process", place, f"till{number}", *codes, "ALL10*5"]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdin is not None and process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.stdin.write("go\n")
            process.stdin.flush()
            left = draw.randint(5, 25)
            for line in process.stdout:
                words = line.split()
                if len(words) == 3 and words[2] == "done":
                    assert words[0] not in said or words[0] == "ALL10", "redeemed twice"
                    said[words[0]] = words[1]
                left -= 1
                if left == 0:
                    process.kill()
                    break
    done = {r.code: r.order_id for r in store.redemptions_of("many", None, "", 1_000)}
    assert {code: order for code, order in said.items() if code != "ALL10"}.items() <= done.items()
    for code in codes:
        answer = redeem(store, code, basket(f"last-{code}"), later(1), later(1))
        assert answer.reason == ("redeemed" if code in done else None), code
    turns(store, later(1))
    redeemed = {c.code: c.order_id for c in store.coupons_of_offer("many", "redeemed", "", 1_000)}
    assert redeemed == {code: done.get(code, f"last-{code}") for code in codes}, "the stories tell the same"
