"""What messages cost, and the breaker of money."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.circuit import CLOSED
from orchestrator.core.index import Index
from orchestrator.definitions.load import LoadedProject, load_project
from orchestrator.runtime.alarms import find_troubles
from orchestrator.runtime.delivery import LOOKED_AT_EVERY, deliver_once
from orchestrator.runtime.gates import Gates
from orchestrator.runtime.rendering import LedgerRenderer
from orchestrator.runtime.spending import BELIEVED_FOR, SPENDING, WHOLE, Tariff, added, lift, paused_for, tariffs_of
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.migrate import upgrade
from orchestrator.stores.postgres.store import open_store as open_server
from orchestrator.stores.protocol import Store
from orchestrator.stores.sqlite.store import open_store
from orchestrator.templating.failure import RenderError
from tests.channels.contract import outgoing
from tests.runtime.delivery_world import Machine, Provider
from tests.servers.postgres import clean_database
from tests.small_projects import PROJECT, project_files, project_of, write_files
from tests.stores.driving import START, arrive, create, event, turns

COSTS = {
    "channels": {"email": {"from": "Harbour <hello@example.com>", "cost": {"amount": 2}}},
    "settings": {"spend_limit": {"amount": 10, "per": "1m"}},
}


def loaded_with(folder: Path, topic: str = "promotions", **more: Any) -> LoadedProject:
    journey = {
        "topic": topic,
        "enter": {"event": "go", "key": "event.order", "reentry": "always"},
        "steps": [{"email": "hello"}],
    }
    orders = {**journey, "topic": "orders", "enter": {"event": "bought"}}
    return project_of(folder, {"j": journey, "o": orders}, project={**PROJECT, **COSTS, **more})


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def opening(request: Any, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """Opens one database again and again, as processes do."""
    index = Index(loaded_with(tmp_path / "p").project)
    stores: list[Store] = []

    def first_or_next(make: Callable[[], Store]) -> Callable[[], Store]:
        def one() -> Store:
            stores.append(make())
            if len(stores) == 1:
                stores[0].deploy(index, START)
            else:
                stores[-1].adopt(index)
            return stores[-1]

        return one

    if request.param == "memory":
        store = MemoryStore()
        store.deploy(index, START)
        yield lambda: store
    elif request.param == "sqlite":
        upgrade(tmp_path / "a.db")
        yield first_or_next(lambda: open_store(tmp_path / "a.db", durable=False))
    else:
        with clean_database() as url:
            yield first_or_next(lambda: open_server(url))
            for store in stores:
                store.close()
        return
    for store in stores:
        store.close()


class Shop:
    """Processes that hand over mails at two euros each, of which ten euros a minute may be spent."""

    def __init__(self, folder: Path, opening: Callable[[], Store], processes: int = 1) -> None:
        loaded = loaded_with(folder)
        self.machine = Machine()
        self.provider = Provider(self.machine, width=2)
        self.stores = [opening() for _ in range(processes)]
        self.gates = [
            Gates({"email": self.provider}, self.machine, self.machine.sleep, store, lambda: self.machine.at)
            for store in self.stores
        ]
        self.renderer = LedgerRenderer(loaded.templates, loaded.project, "https://example.com", b"tests")
        self.counted: dict[str, int] = {}

    def write(self, name: str, *customers: str) -> None:
        for customer in customers:
            create(self.stores[0], customer, email=f"{customer}@example.com",
                   consents={"promotions": {"email": "in"}})  # fmt: skip
            arrive(self.stores[0], customer, event(name, id=f"{name}{customer}", order="1"))
        turns(self.stores[0], START)

    def deliver(self, process: int = 0, klass: str | None = None) -> int:
        done = deliver_once(
            self.stores[process], {"email": self.provider}, self.renderer, START, 500, RenderError,
            real_at=self.machine.at, klass=klass, gates=self.gates[process], counted=self._heard,
        )  # fmt: skip
        return done.handed_over

    def _heard(self, counts: Any) -> None:
        for name, count in counts.items():
            self.counted[name] = self.counted.get(name, 0) + count


def test_past_the_limit_all_but_transactional_waits_and_goes_on_after_the_window(
    opening: Callable[[], Store], tmp_path: Path
) -> None:
    shop = Shop(tmp_path / "q", opening)
    shop.write("go", *(f"u{n}" for n in range(20)))
    shop.deliver(klass="promotional")
    # Ten euros are five mails; the pair in which the limit is passed has gone already.
    assert len(shop.provider.given) == 6
    assert shop.counted["spend:email:EUR"] == 12_000_000
    shop.write("bought", "v1")
    assert shop.deliver(klass="transactional") == 1, "who waits for a receipt is not made to"
    assert shop.deliver(klass="promotional") == 0
    state = shop.gates[0].states()[SPENDING]
    assert state.state == "open" and "more than 10.00 EUR was spent within 1 minute" in (state.reason or "")
    [trouble] = [t for name, t in find_troubles(
        shop.stores[0], shop.gates[0].states(), START, shop.machine.at).items() if name == "spend:limit"]  # fmt: skip
    assert "lift --spend" in trouble.then
    shop.machine.seconds += 61
    assert shop.deliver() == 6, "all classes in one pass wait alike"
    assert shop.gates[0].states()[SPENDING].state == "open"


def test_an_operator_lifts_it(opening: Callable[[], Store], tmp_path: Path) -> None:
    shop = Shop(tmp_path / "q", opening)
    shop.write("go", *(f"u{n}" for n in range(20)))
    shop.deliver()
    assert lift(shop.stores[0]) and not lift(shop.stores[0])
    shop.machine.seconds += LOOKED_AT_EVERY
    assert shop.deliver(klass="promotional") == 6


def test_what_one_process_spends_the_others_know_a_second_later(opening: Callable[[], Store], tmp_path: Path) -> None:
    shop = Shop(tmp_path / "q", opening, processes=2)
    shop.write("go", *(f"u{n}" for n in range(40)))
    assert shop.gates[1].waits_for_money() == 0
    shop.deliver(0)
    shop.machine.seconds += BELIEVED_FOR
    assert shop.gates[1].waits_for_money() > 0
    assert shop.deliver(1, "promotional") == 0 and len(shop.provider.given) == 6


@given(st.lists(st.tuples(st.integers(1, WHOLE), st.floats(0, 40)), min_size=1, max_size=40))
@settings(max_examples=200)
def test_in_no_window_more_is_spent_than_the_limit_and_what_trips_it(steps: list[tuple[int, float]]) -> None:
    record, now, spent = CLOSED, 1_000.0, 0
    began = -now
    for parts, pause in steps:
        now += pause
        if paused_for(record, now):
            assert spent > WHOLE
            continue
        if now - began >= 60 or (record.probe_at is not None):
            began, spent = now, 0
        spent += parts
        record = added(record, parts, now, 60.0, "too much")
        assert (paused_for(record, now) > 0) == (spent > WHOLE)


# --- what messages cost -----------------------------------------------------------------------------------------------


def test_a_cost_by_segment_and_country(tmp_path: Path) -> None:
    cost = {"amount": 0.07, "currency": "EUR", "per": "segment", "countries": {"CN": 0.045, "PT": 0.03}}
    loaded = project_of(tmp_path, {}, project={**PROJECT, "channels": {"sms": {"from": "Harbour", "cost": cost}}})
    tariff = tariffs_of(loaded.project)["sms"]
    assert tariff == Tariff(0.07, "EUR", True, {"CN": 0.045, "PT": 0.03})
    short, long = "x" * 160, "x" * 161
    assert tariff.cost(outgoing(channel="sms", to="+351912345678", text=short)) == pytest.approx(0.03)
    assert tariff.cost(outgoing(channel="sms", to="+491711234567", text=long)) == pytest.approx(0.14)
    assert tariff.cost(outgoing(channel="sms", to="+8613800000000", text=long)) == pytest.approx(0.135)  # 70, 67, 67
    assert tariff.cost(outgoing(channel="sms", to="+491711234567", text="您" * 71)) == pytest.approx(0.14)
    assert tariff.cost(outgoing(channel="sms", to="no number", text=short)) == pytest.approx(0.07)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"channels": {"email": {"cost": {"amount": 1, "currency": "USD"}}}}, "this cost is in USD"),
        ({"settings": {"spend_limit": {"amount": 0, "per": "1m"}}}, "amount"),
        ({"settings": {"spend_limit": {"amount": 5, "per": "0m"}}}, "over no time"),
        ({"channels": {"email": {"cost": {"amount": 1, "countries": {"china": 1}}}}}, "two capital letters"),
        ({"settings": {"approval": {"above": 100, "by": 1}}}, "by"),
    ],
)
def test_what_could_not_be_counted_is_an_error(more: dict[str, Any], words: str, tmp_path: Path) -> None:
    write_files(tmp_path, project_files({}, project={**COSTS, **more}))
    said = json.dumps([problem.message for problem in load_project(tmp_path).errors])
    assert words in said, said


def test_a_project_without_costs_has_no_breaker(tmp_path: Path) -> None:
    store = MemoryStore()
    store.deploy(Index(project_of(tmp_path, {}).project), START)
    machine = Machine()
    gates = Gates({"email": Provider(machine)}, machine, machine.sleep, store, lambda: machine.at)
    assert gates.waits_for_money() == 0 and SPENDING not in gates.states()
    assert tariffs_of(store.index.project) == {}
