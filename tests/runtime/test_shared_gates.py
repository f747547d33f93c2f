"""Rates and circuits that several processes share through their store."""

from __future__ import annotations

from datetime import datetime

import pytest

from orchestrator.channels.protocol import Answer
from orchestrator.core.circuit import FIRST_REST
from orchestrator.runtime.delivery import deliver_once
from orchestrator.runtime.gates import Gates
from orchestrator.runtime.shared_gates import BELIEVED_FOR
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import Quota, StoreBusy
from orchestrator.templating.failure import RenderError
from tests.runtime.delivery_world import Machine, Provider, TroubledStore, World
from tests.stores.driving import START

DOWN = Answer("retry", "535 revoked", down=True)


class SharedStore(MemoryStore):
    """A store in memory that says that others use it, counts what it is asked, and can be away."""

    shared = True  # type: ignore[assignment]
    asked = 0
    away = False

    def take_quota(self, name: str, rate: float, burst: float, want: int, real_at: datetime) -> Quota:
        self.asked += 1
        if self.away:
            raise StoreBusy("away")
        return super().take_quota(name, rate, burst, want, real_at)

    def circuits(self) -> dict[str, object]:  # type: ignore[override]
        if self.away:
            raise StoreBusy("away")
        return dict(super().circuits())

    def change_circuit(self, name, change):  # type: ignore[no-untyped-def]
        if self.away:
            raise StoreBusy("away")
        return super().change_circuit(name, change)


class Processes:
    """Several processes that hand over by one channel."""

    def __init__(self, count: int = 3, rate: float | None = None) -> None:
        self.machine = Machine()
        self.store = SharedStore()
        self.provider = Provider(self.machine, rate=rate)
        self.gates = [self.make() for _ in range(count)]

    def make(self) -> Gates:
        channels = {"email": self.provider}
        return Gates(channels, self.machine, self.machine.sleep, self.store, lambda: self.machine.at)

    def take(self, process: int, count: int) -> int:
        return self.gates[process].gate("email").take(count, self.machine.seconds)

    def note(self, process: int, *answers: Answer) -> None:
        self.gates[process].gate("email").note(answers, self.machine.seconds)

    def room(self, process: int) -> int:
        return self.gates[process].room(500)


def test_the_rate_is_that_of_all_together() -> None:
    them = Processes(rate=100.0)
    gone, began_at = 0, them.machine.seconds
    for step in range(3_000):
        process = step % 3
        gone += them.take(process, min(7, max(them.room(process), 1)))
        them.machine.seconds += 0.01
        assert gone <= 100 + 100 * (them.machine.seconds - began_at) + 1e-6
    assert gone >= 0.9 * 100 * 30


def test_a_process_asks_in_blocks() -> None:
    them = Processes(1, rate=1_000.0)
    began = them.store.asked
    for _ in range(1_000):  # ten seconds, a message every ten milliseconds
        assert them.take(0, 1) == 1
        them.machine.seconds += 0.01
    assert them.store.asked - began <= 30
    them.store.asked = 0
    while them.take(0, 100):
        pass
    them.store.asked = 0
    for _ in range(100):  # a second of looking whether there is room
        them.room(0)
        them.machine.seconds += 0.01
    assert them.store.asked <= 11


def test_tokens_in_hand_are_not_kept_for_long() -> None:
    them = Processes(1, rate=100.0)
    assert them.take(0, 1) == 1
    them.machine.seconds += BELIEVED_FOR
    began_at = them.machine.seconds
    gone = 0
    while them.machine.seconds < began_at + 1:
        gone += them.take(0, 50)
        them.machine.seconds += 0.05
    assert gone <= 200


def test_what_one_process_learns_of_a_provider_the_others_know_a_second_later() -> None:
    them = Processes()
    assert [them.take(process, 5) for process in range(3)] == [5, 5, 5]
    them.note(0, DOWN, DOWN, DOWN)
    assert them.take(0, 5) == 0
    them.machine.seconds += BELIEVED_FOR
    assert [them.room(process) for process in range(3)] == [0, 0, 0]
    assert [them.take(process, 5) for process in range(3)] == [0, 0, 0]
    assert them.gates[2].states()["email"].reason == "535 revoked"
    them.machine.seconds += FIRST_REST - BELIEVED_FOR
    assert sum(them.take(process, 5) for process in range(3)) == 1  # one probe of all
    them.note(0, DOWN)
    them.machine.seconds += 2 * FIRST_REST - 0.1
    assert sum(them.take(process, 5) for process in range(3)) == 0
    them.machine.seconds += 0.1
    [prober] = [process for process in range(3) if them.take(process, 5)]
    them.note(prober, Answer("accepted"))
    assert them.gates[prober].states()["email"].state == "closed"
    them.machine.seconds += BELIEVED_FOR
    assert [them.take(process, 5) for process in range(3)] == [5, 5, 5]


def test_a_process_that_begins_finds_the_circuit_as_it_stands() -> None:
    them = Processes(1)
    them.note(0, DOWN, DOWN, DOWN)
    assert them.make().gate("email").take(5, them.machine.seconds) == 0


def test_failures_of_all_processes_count() -> None:
    them = Processes()
    for process in range(3):
        them.note(process, DOWN)
    assert them.store.circuits()["email"].probe_at is not None  # type: ignore[attr-defined]


def test_a_probe_that_is_never_heard_of_is_followed_by_another() -> None:
    them = Processes()
    them.note(0, DOWN, DOWN, DOWN)
    them.machine.seconds += FIRST_REST
    assert them.take(1, 1) == 1  # and that process dies
    them.machine.seconds += FIRST_REST
    assert them.take(2, 1) == 1


def test_while_the_database_is_away_nothing_goes() -> None:
    them = Processes(1, rate=50.0)
    assert them.take(0, 5) == 5
    them.machine.seconds += 2
    them.store.away = True
    assert them.room(0) == 0
    assert them.take(0, 5) == 0
    them.note(0, DOWN, DOWN, DOWN)  # says so in the log, and raises nothing
    assert them.gates[0].gate("email").come_again(them.machine.seconds) > 0
    assert set(them.gates[0].states()) == {"email"}
    them.store.away = False
    assert them.room(0) > 0
    assert them.take(0, 5) == 5


def test_a_store_of_one_process_is_not_asked() -> None:
    machine = Machine()
    store = SharedStore()
    SharedStore.shared = False  # type: ignore[assignment]
    try:
        gates = Gates({"email": Provider(machine, rate=5.0)}, machine, machine.sleep, store, lambda: machine.at)
    finally:
        SharedStore.shared = True  # type: ignore[assignment]
    assert gates.gate("email").take(9, machine.seconds) == 5
    assert store.asked == 0


# --- groups -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["rejected", "unknown", "retry"])
@pytest.mark.parametrize("idempotent", [True, False])
def test_one_of_a_hundred_harms_nobody_else(outcome: str, idempotent: bool) -> None:
    machine = Machine()
    w = World(machine, Provider(machine, width=100, idempotent=idempotent), "promotions", None, 100)
    assert isinstance(w.store, TroubledStore)
    w.provider.answers["u42"] = [Answer(outcome, "550 no")]  # type: ignore[arg-type]
    counts = w.deliver()
    assert [len(group) for group in w.provider.groups] == [100]
    statuses = w.statuses()
    mine = statuses.pop("u42")
    assert set(statuses.values()) == {"sent"}
    waits = outcome == "retry" or (outcome == "unknown" and idempotent)
    assert mine == ("queued" if waits else outcome)
    assert counts.handed_over == (99 if waits else 100)
    letters = w.store.dead_letters(5)
    assert [(d.message.row.customer_id, d.reason) for d in letters] == ([] if waits else [("u42", "550 no")])


def test_an_adapter_that_loses_count_harms_those_of_its_group_alone() -> None:
    machine = Machine()
    w = World(machine, Provider(machine, width=50), "promotions", None, 100)
    send, groups = w.provider.send, []

    def once_too_short(messages):  # type: ignore[no-untyped-def]
        groups.append(len(messages))
        return send(messages)[: -1 if len(groups) == 1 else None]

    w.provider.send = once_too_short  # type: ignore[method-assign]
    deliver_once(w.store, {"email": w.provider}, w.renderer, START, 500, RenderError, real_at=machine.at, gates=w.gates)
    assert sorted(w.statuses().values()) == ["sent"] * 50 + ["unknown"] * 50
