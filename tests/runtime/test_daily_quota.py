"""Quotas of a day over all processes: never more, and nothing lost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.channels.daily_plan import DailyPlan, PlannedChannel, Ramp
from orchestrator.channels.failover import FailoverChannel, Provider
from orchestrator.channels.protocol import Answer
from orchestrator.core.index import Index
from orchestrator.runtime.alarms import safety_troubles
from orchestrator.runtime.daily_quota import RELEASED_OVER, day_of
from orchestrator.runtime.gates import Gates
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.migrate import upgrade
from orchestrator.stores.postgres.store import open_store as open_server
from orchestrator.stores.protocol import Store, StoreBusy
from orchestrator.stores.sqlite.store import open_store
from tests.runtime.delivery_world import Machine, World
from tests.runtime.delivery_world import Provider as Fake
from tests.servers.postgres import clean_database
from tests.small_projects import project_of

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Day:
    """Real time of several processes."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def clock(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.seconds - 1_000)


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def processes(request: Any, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Opens one database again and again, as processes do."""
    project = project_of(tmp_path / "p", {}).project
    if request.param == "memory":
        store = MemoryStore()
        store.deploy(Index(project), NOON)
        yield lambda: store
        return
    opened: list[Store] = []

    def opening(make: Callable[[], Store]) -> Callable[[], Store]:
        def once_more() -> Store:
            opened.append(make())
            if len(opened) == 1:
                opened[0].deploy(Index(project), NOON)
            else:
                opened[-1].adopt(Index(project))
            return opened[-1]

        return once_more

    if request.param == "sqlite":
        upgrade(tmp_path / "a.db")
        yield opening(lambda: open_store(tmp_path / "a.db", durable=False))
    else:
        with clean_database() as url:
            yield opening(lambda: open_server(url))
            for store in opened:
                store.close()
            return
    for store in opened:
        store.close()


def gates_of(store: Store, day: Day, plan: DailyPlan) -> Gates:
    channel = PlannedChannel(Fake(Machine()), plan)
    return Gates({"email": channel}, day.clock, store=store, real_now=day.now)


def test_two_processes_together_never_pass_it_and_go_on_the_next_day(processes: Callable[[], Store]) -> None:
    day = Day()
    both = [gates_of(processes(), day, DailyPlan(1_000)) for _ in range(2)]
    gone = [0, 0]
    for step in range(600):
        gone[step % 2] += both[step % 2].gate("email").take(7, day.seconds)
        assert sum(gone) <= 1_000
        day.seconds += 1
    assert sum(gone) == 1_000, "what one process asked for in advance, it hands over itself"
    assert all(gates.room(500) == 0 for gates in both)
    wait = both[0].gate("email").come_again(day.seconds)
    midnight = (datetime(2026, 3, 3, tzinfo=UTC) - day.now()).total_seconds()
    assert midnight <= wait <= midnight + RELEASED_OVER.total_seconds()
    day.seconds += midnight
    assert both[1].room(500) > 0 and both[1].gate("email").take(7, day.seconds) == 7


def test_threads_of_two_processes_at_once(processes: Callable[[], Store]) -> None:
    day = Day()
    both = [gates_of(processes(), day, DailyPlan(300)) for _ in range(2)]
    gone: list[int] = []

    def take(gates: Gates) -> None:
        gone.extend(gates.gate("email").take(5, day.seconds) for _ in range(40))

    threads = [threading.Thread(target=take, args=(gates,)) for gates in both for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(gone) == 300


def test_a_process_that_starts_again_has_what_is_left(processes: Callable[[], Store]) -> None:
    day = Day()
    store = processes()
    assert gates_of(store, day, DailyPlan(50)).gate("email").take(40, day.seconds) == 40
    assert gates_of(store, day, DailyPlan(50)).gate("email").take(40, day.seconds) == 10


def test_people_are_told_that_it_is_used_up_until_the_day_is_over(processes: Callable[[], Store]) -> None:
    day, store = Day(), processes()
    gates = gates_of(store, day, DailyPlan(5))
    gates.gate("email").take(4, day.seconds)
    assert not list(safety_troubles(store, day.now()))
    gates.gate("email").take(4, day.seconds)
    gates.room(10)
    [trouble] = safety_troubles(store, day.now())
    assert trouble.name == "quota:email" and "today's quota of email, 5, is used up" in trouble.what
    assert not list(safety_troubles(store, day.now() + timedelta(days=1)))


def test_before_its_ramp_begins_a_provider_gets_nothing(processes: Callable[[], Store]) -> None:
    day, store = Day(), processes()
    gates = gates_of(store, day, DailyPlan(None, Ramp(10, date(2026, 3, 3), 2.0)))
    assert gates.gate("email").take(5, day.seconds) == 0 and gates.room(5) == 0
    assert "has not begun" in next(iter(safety_troubles(store, day.now()))).what
    day.seconds += 86_400
    assert gates.gate("email").take(50, day.seconds) == 10
    day.seconds += 86_400
    assert gates.gate("email").take(50, day.seconds) == 20


@given(
    st.sampled_from(["UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Apia", "America/Sao_Paulo", "Africa/Cairo"]),
    st.datetimes(datetime(2009, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),
)
@settings(max_examples=200)
def test_every_instant_lies_in_its_day(zone: str, at: datetime) -> None:
    found = day_of(DailyPlan(5), at, ZoneInfo(zone))
    assert found.starts_at <= at < found.ends_at
    assert found.name == at.astimezone(ZoneInfo(zone)).date().isoformat()
    assert timedelta(hours=22) <= found.ends_at - found.starts_at <= timedelta(hours=50)


def test_rows_wait_in_the_queue_and_the_second_provider_takes_what_is_over() -> None:
    machine = Machine()
    w = World(machine, Fake(machine, width=5), "promotions", None, 30)
    warming, other = Fake(machine, width=5), Fake(machine, width=5)
    w.provider = FailoverChannel(  # type: ignore[assignment]
        [Provider("new", PlannedChannel(warming, DailyPlan(12))), Provider("old", PlannedChannel(other, DailyPlan(8)))]
    )
    w.gates = Gates({"email": w.provider}, machine, machine.sleep, w.store, lambda: machine.at)
    for _ in range(20):
        w.deliver()
        machine.seconds += 1
    assert (len(warming.given), len(other.given)) == (12, 8)
    assert sorted(w.statuses().values()) == ["queued"] * 10 + ["sent"] * 20
    assert w.gates.states()["email/new"].state == "closed"
    machine.seconds += 86_400 + RELEASED_OVER.total_seconds()
    for _ in range(5):
        w.deliver()
        machine.seconds += 1
    assert set(w.statuses().values()) == {"sent"}


def test_while_the_quota_cannot_be_asked_rows_wait_a_moment_and_not_a_day() -> None:
    machine = Machine()
    w = World(machine, Fake(machine, width=5), "promotions", None, 10)
    planned = Fake(machine, width=5)
    w.provider = PlannedChannel(planned, DailyPlan(100))  # type: ignore[assignment]
    w.gates = Gates({"email": w.provider}, machine, machine.sleep, w.store, lambda: machine.at)
    ask = w.store.take_quota

    def away(*_: Any) -> Any:
        raise StoreBusy("locked")

    for call in (lambda: w.gates.room(5), lambda: w.gates.gate("email").take(5, machine.seconds), w.deliver):
        w.store.take_quota = away  # type: ignore[method-assign]
        call()  # type: ignore[no-untyped-call]
        assert w.gates.gate("email").come_again(machine.seconds) <= 2.0
        w.store.take_quota = ask  # type: ignore[method-assign]
    for _ in range(10):
        machine.seconds += 2
        w.deliver()
    assert len(planned.given) == 10


def test_what_each_provider_said_is_counted() -> None:
    machine = Machine()
    w = World(machine, Fake(machine), "promotions", None, 3)
    first, second = Fake(machine), Fake(machine)
    first.default = Answer("retry", "down", down=True)
    w.provider = FailoverChannel([Provider("a", first), Provider("b", second)])  # type: ignore[assignment]
    w.gates = Gates({"email": w.provider}, machine, machine.sleep, w.store, lambda: machine.at)
    w.deliver()
    assert dict(w.gates.counted()) == {}, "the pass has told it"
    from orchestrator.runtime.delivery import deliver_once
    from orchestrator.templating.failure import RenderError

    w.write("v1")
    heard: dict[str, int] = {}
    deliver_once(
        w.store, {"email": w.provider}, w.renderer, NOON, 10, RenderError, real_at=machine.at, gates=w.gates,
        counted=heard.update,
    )  # fmt: skip
    assert heard["provider:email/b:accepted"] == 1 and heard["sends:email:accepted"] == 1
    assert w.gates.states()["email/a"].state == "open" and w.gates.states()["email"].state == "closed"
