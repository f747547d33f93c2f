"""Processes that end in the middle, frozen ones, and a database that is busy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.core.claim import Claimed
from orchestrator.core.customer import Customer
from orchestrator.core.inbox import ConsentChanged
from orchestrator.core.index import Index
from orchestrator.core.quiet_plan import Placed, PlacedQuiet, PlacedTimes, Places, QuietPlan
from orchestrator.core.time.quiet import QuietWindow
from orchestrator.core.view import Switches
from orchestrator.runtime.delivery import deliver_once
from orchestrator.runtime.gates import Gates
from orchestrator.stores.protocol import Arrival, StoreBusy
from tests.runtime.delivery_world import AFTER_THE_LEASE, Machine, Provider, World
from tests.stores.driving import START


@pytest.fixture
def world() -> Any:
    def make(count: int = 1, topic: str = "promotions", step: Any = None, **provider: Any) -> World:
        machine = Machine()
        return World(machine, Provider(machine, **provider), topic, step, count)

    return make


# --- processes that ended in the middle -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "died_after", "sent", "status"),
    [
        ("promotions", 1, 0, "unknown"),
        ("care", 1, 1, "sent"),
        ("orders", 1, 1, "sent"),
        ("orders", 2, 0, "unknown"),
    ],
)
def test_what_may_have_gone_follows_its_class(world: Any, topic: str, died_after: int, sent: int, status: str) -> None:
    w = world(1, topic=topic)
    w.die(died_after)
    w.deliver()
    assert (len(w.provider.given), w.statuses()["u0"]) == (sent, status)
    assert [line[1] for line in w.lines()] == ["message", "outcome" if status == "unknown" else "retried"]


def test_a_process_that_was_frozen_sends_nothing_when_it_wakes(world: Any) -> None:
    w = world(2, width=4, topic="orders")
    begin = w.store.begin_hand_over

    def then_frozen(claimed: Sequence[Claimed], real_at: datetime) -> frozenset[str]:
        ours: frozenset[str] = begin(claimed, real_at)
        w.machine.seconds += 120
        assert len(w.store.claim_messages(START, 500, w.machine.at)) == 2  # the others take over
        return ours

    w.store.begin_hand_over = then_frozen
    w.deliver()
    assert w.provider.given == []
    assert set(w.statuses().values()) == {"queued"}


@pytest.mark.parametrize("error", [OverflowError("too late"), KeyError("x"), RecursionError(), MemoryError("big")])
@pytest.mark.parametrize("where", ["render", "dress"])
def test_a_message_that_finds_a_bug_stops_no_other(world: Any, where: str, error: Exception) -> None:
    w = world(4)
    real = getattr(w.renderer, where)

    def spoiled(row: Any, *rest: Any) -> Any:
        if row.to.startswith("u1@"):
            raise error
        return real(row, *rest)

    setattr(w.renderer, where, spoiled)
    counts = w.deliver()
    assert (counts.failed, sorted(w.provider.names)) == (1, ["u0", "u2", "u3"])
    assert w.lines("suppressed") == [("u1", "suppressed", "render_error")]


def test_a_busy_database_while_a_message_is_rendered_is_no_fault_of_the_message(world: Any) -> None:
    w = world(1)

    def busy(row: Any) -> Any:
        raise StoreBusy("locked")

    w.renderer.render = busy
    with pytest.raises(StoreBusy):
        w.deliver()
    assert w.statuses() == {"u0": "queued"}


def test_what_may_have_gone_goes_again_with_its_key(world: Any) -> None:
    w = world(1, idempotent=True)
    w.die(3)
    w.deliver()
    assert (len(w.provider.given), w.statuses()["u0"]) == (1, "sent")


@pytest.mark.parametrize("idempotent", [False, True])
def test_what_may_have_gone_is_never_said_to_be_unsent(world: Any, idempotent: bool) -> None:
    w = world(1, topic="care", idempotent=idempotent)
    w.die(1)
    w.store.set_switches(Switches(killed_all=True))
    w.deliver()
    assert (len(w.provider.given), w.statuses()["u0"]) == (0, "unknown")


def test_what_went_again_and_was_lost_again_is_unknown(world: Any) -> None:
    w = world(1, topic="orders")
    w.die(1)
    w.provider.default = Answer("unknown")
    w.deliver()
    assert (len(w.provider.given), w.statuses()["u0"]) == (1, "unknown")


def test_a_lost_answer_beside_it_takes_no_doubt_from_what_may_have_gone(world: Any) -> None:
    """Two in one group: one that a process may have sent before it died, and one whose answer is lost just now."""
    w = world(1, width=4, topic="orders")
    w.die(1)
    w.write("u9")
    w.provider.answers["u9"] = [Answer("unknown", "lost"), Answer("accepted")]
    w.deliver()
    assert w.provider.groups[0] == ["u0", "u9"]
    assert set(w.statuses().values()) == {"sent"}
    assert sorted(w.lines("retried")) == [(who, "retried", "unknown_outcome") for who in ("u0", "u9")]


REFUSALS = [
    Answer("rejected", "no"),
    Answer("rejected", "no such mailbox", ("bounce",)),
    Answer("retry", "busy"),
    Answer("retry", "down", down=True),
]


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("idempotent", [False, True])
@pytest.mark.parametrize("died", [False, True])
def test_what_may_have_gone_before_it_was_refused_is_unknown(
    world: Any, refusal: Answer, idempotent: bool, died: bool
) -> None:
    w = world(1, topic="orders", idempotent=idempotent, step={"email": "hello"})
    lost = [] if died else [Answer("unknown", "lost")]
    if died:
        w.die(1)
    w.provider.answers["u0"] = lost + [refusal] * 3_000
    for _ in range(300):
        w.deliver()
        w.machine.seconds += 600
    if refusal.down:  # nobody is given up for what is not about them
        assert w.statuses()["u0"] == "queued"
        [claimed] = w.store.claim_messages(START, 1, w.machine.at)
        assert claimed.uncertain
        return
    assert w.statuses()["u0"] == "unknown"
    assert ("email", "u0@example.com") in w.store.suppressions() or not refusal.receipts
    [told] = [line for line in w.store.drain_journal() if line.type == "outcome"]
    assert (told.data["reason"], told.values["answer"]) == ("unknown_outcome", refusal.reason)


def test_what_may_have_gone_is_unknown_when_its_channel_is_gone(world: Any) -> None:
    w = world(1, topic="orders")
    w.die(1)
    deliver_once(w.store, {}, w.renderer, START, real_at=w.machine.at)
    assert w.statuses()["u0"] == "unknown"


def test_settlements_carry_the_fence_of_the_claim(world: Any) -> None:
    w = world(3, topic="orders")
    w.die(1)
    w.provider.answers |= {"u0": [Answer("rejected", "no")], "u1": [Answer("retry", "busy")]}
    w.deliver()
    assert [settled.fence for settled in w.store.settled] == [2, 2, 2]
    assert [settled.uncertain for settled in w.store.settled] == [False, True, False]


# --- a database that is busy ----------------------------------------------------------------------------------------


def test_what_was_handed_over_is_written_when_the_database_lets_us(world: Any) -> None:
    w = world(4, width=4)
    w.store.busy = 3
    assert w.deliver().handed_over == 4
    assert len(w.machine.slept) == 3
    assert set(w.statuses().values()) == {"sent"}


def test_what_cannot_be_written_is_owed_and_nothing_else_is_sent_meanwhile(world: Any) -> None:
    w = world(8, width=4)
    w.store.busy = 5
    with pytest.raises(StoreBusy):
        w.deliver()
    assert len(w.provider.given) == 4
    w.store.busy = 2
    for _ in range(2):
        with pytest.raises(StoreBusy):
            w.deliver()
    assert len(w.provider.given) == 4
    w.deliver()
    assert sorted(w.statuses().values()) == ["queued"] * 4 + ["sent"] * 4
    assert len(w.provider.given) == 4  # the others are under a claim of the pass that ended early


def test_what_cannot_be_announced_is_not_handed_over(world: Any) -> None:
    w = world(4, width=4)
    w.store.busy_begins = 1
    with pytest.raises(StoreBusy):
        w.deliver()
    assert w.provider.given == []


def test_a_second_try_that_cannot_be_announced_is_not_made(world: Any) -> None:
    w = world(1, topic="orders")
    send = w.provider.send

    def lost(messages: Sequence[Outgoing]) -> Sequence[Answer]:
        w.store.busy_begins = 1
        return [Answer("unknown") for _ in send(messages)]

    w.provider.send = lost
    w.deliver()
    assert (len(w.provider.given), w.statuses()["u0"]) == (1, "unknown")


# --- all of it at random --------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process is no more."""


FATES = {
    "accept": (True, Answer("accepted")),
    "reject": (False, Answer("rejected", "no")),
    "bounce": (False, Answer("rejected", "no such mailbox", ("bounce",))),
    "busy": (False, Answer("retry", "busy")),
    "down": (False, Answer("retry", "down", down=True)),
    "lost": (True, Answer("unknown", "lost")),
    "dropped": (False, Answer("unknown", "lost")),
    "killed after": (True, None),
    "killed before": (False, None),
}
"""What a provider may do with a message: whether it has it, and its answer (None: we did not live to hear it)."""


@settings(max_examples=100)
@given(
    topic=st.sampled_from(["promotions", "care", "orders"]),
    idempotent=st.booleans(),
    width=st.sampled_from([1, 3]),
    fates=st.lists(st.sampled_from(sorted(FATES)), max_size=30),
    stopped_after=st.integers(0, 30),
)
def test_nobody_gets_more_copies_than_the_class_allows_and_the_ledger_tells_no_lies(
    topic: str, idempotent: bool, width: int, fates: list[str], stopped_after: int
) -> None:
    machine = Machine()
    provider = Provider(machine, width, idempotent)
    taken: Counter[str] = Counter()
    unheard: set[str] = set()
    waiting = list(fates)

    def send(messages: Sequence[Outgoing]) -> Sequence[Answer]:
        answers = []
        for message in messages:
            has_it, answer = FATES[waiting.pop(0)] if waiting else FATES["accept"]
            if has_it:
                taken[message.to] = 1 if idempotent else taken[message.to] + 1
            if answer is None:
                unheard.update(message.to for message in messages)
                raise Killed
            answers.append(answer)
        return answers

    provider.send = send  # type: ignore[method-assign]
    w = World(machine, provider, topic, count=4)
    for number in range(400):
        if number == stopped_after:
            w.store.ingest([Arrival("u0", START, ConsentChanged(topic, "email", "out"))])
        try:
            w.deliver()
        except Killed:
            machine.seconds += AFTER_THE_LEASE.total_seconds()
            w.gates = Gates({"email": provider}, machine, machine.sleep)
        machine.seconds += 20 if number < 200 else 600
        if "queued" not in w.statuses().values():
            break
    most = 1 if topic == "promotions" or idempotent else 2
    for name, status in w.statuses().items():
        copies = taken[f"{name}@example.com"]
        assert copies <= most
        match status:
            case "sent":
                assert copies >= 1
            case "unknown":
                pass
            case "rejected" | "suppressed":
                # With a key nothing is written before a hand-over, so nobody knows of one that a process died in.
                assert copies == 0 or (idempotent and f"{name}@example.com" in unheard)
            case _:
                raise AssertionError(status)


# --- a message that nobody can check ----------------------------------------------------------------------------------


class FaultyTimes(PlacedTimes):
    """Rules that fail for one customer, as those of a table that is wrong would."""

    def placed(self, customer: Customer, in_force: Any, own: Any, to: str | None = None) -> Placed:
        if customer.id == "u1":
            raise TypeError("no such calendar")
        return super().placed(customer, in_force, own, to)


class FaultyPlan(QuietPlan):
    def times(self, klass: Any, channel: Any) -> PlacedTimes:
        return FaultyTimes(self.rules, Places())


@pytest.mark.parametrize("width", [1, 4])
def test_a_message_that_cannot_be_checked_stays_and_stops_no_other(world: Any, width: int) -> None:
    w = world(0, width=width)
    rules = (PlacedQuiet("night", (QuietWindow(time(22), time(6)),)),)
    loaded = w.store.index.project
    w.store.deploy(Index(replace(loaded, quiet_plan=QuietPlan(rules, Places()))), START)
    for name in ("u0", "u1", "u2"):
        w.write(name)
    w.store.deploy(Index(replace(loaded, quiet_plan=FaultyPlan(rules, Places()))), START)
    now = START + timedelta(minutes=1)
    assert w.deliver(now=now)[:5] == (2, 0, 0, 0, 1)
    assert w.statuses() == {"u0": "sent", "u1": "queued", "u2": "sent"}
    assert [(customer, reason) for customer, _, reason in w.lines("retried")] == [("u1", "check_failed")]
    assert w.deliver(now=now)[:5] == (0, 0, 0, 0, 0), "not at once again"
    for _ in range(6):
        w.machine.seconds += 1_800
        assert w.deliver(now=now)[:5] == (0, 0, 0, 0, 1)
    assert len(w.lines("retried")) == 2, "the journal hears of it, and not each time"
    w.store.deploy(Index(loaded), START)
    w.machine.seconds += 3_600
    assert w.deliver(now=now)[:5] == (1, 0, 0, 0, 0), "mended, it goes"
    assert w.provider.names == ["u0", "u2", "u1"]
