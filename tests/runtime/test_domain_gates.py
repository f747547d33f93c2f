"""Bounds on mail by the receiver's domain, over all processes: never more, nobody else held up, nothing lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.domain_limits import DomainLimit
from orchestrator.core.index import Index
from orchestrator.core.ledger import Message
from orchestrator.definitions.load import load_project
from orchestrator.runtime.alarms import safety_troubles
from orchestrator.runtime.daily_quota import RELEASED_OVER
from orchestrator.runtime.delivery import deliver_once
from orchestrator.runtime.domain_gates import KEPT_FOR
from orchestrator.runtime.gates import Gates
from orchestrator.runtime.rendering import LedgerRenderer
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.migrate import upgrade
from orchestrator.stores.postgres.store import open_store as open_server
from orchestrator.stores.protocol import Store
from orchestrator.stores.sqlite.store import open_store
from orchestrator.templating.failure import RenderError
from orchestrator.wiring.checks_safety import examine_safety
from tests.runtime.delivery_world import Machine, Provider
from tests.servers.postgres import clean_database
from tests.small_projects import PROJECT, project_files, project_of, write_files
from tests.stores.driving import START, WRITES, arrive, create, event, turns


def with_domains(**domains: Any) -> dict[str, Any]:
    email = PROJECT["channels"]["email"]
    return {"channels": {"email": {**email, "domains": {k.replace("_", "."): v for k, v in domains.items()}}}}


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def make(request: Any, tmp_path: Path) -> Iterator[Callable[..., tuple[Store, Store, Any]]]:
    """One database as two processes see it, with a project of these limits."""
    opened: list[Store] = []

    def both(open_one: Callable[[], Store], **domains: Any) -> tuple[Store, Store, Any]:
        journeys = {"j": WRITES, "ads": {**WRITES, "topic": "promotions"}}
        project = project_of(tmp_path / "p", journeys, project=with_domains(**domains))
        opened.append(open_one())
        opened[0].deploy(Index(project.project), START)
        if not isinstance(opened[0], MemoryStore):
            opened.append(open_one())
            opened[1].adopt(Index(project.project))
        return opened[0], opened[-1], project

    if request.param == "memory":
        yield lambda **domains: both(MemoryStore, **domains)
        return
    if request.param == "sqlite":
        upgrade(tmp_path / "a.db")
        yield lambda **domains: both(lambda: open_store(tmp_path / "a.db", durable=False), **domains)
    else:
        with clean_database() as url:
            yield lambda **domains: both(lambda: open_server(url), **domains)
            for store in opened:
                store.close()
            return
    for store in opened:
        store.close()


def gates_of(store: Store, machine: Machine) -> Gates:
    return Gates({"email": Provider(machine)}, machine, machine.sleep, store, lambda: machine.at)


def message(store: Store, to: str, klass: str = "promotional") -> Message:
    at = START
    return Message(
        "m", "u1", "e", "j", "v", "k", "s", 1, "email", "promotions", klass, "t", "h", None, to, {}, at, at, 1
    )  # type: ignore[arg-type]  # fmt: skip


def test_a_group_is_counted_as_one_by_all_processes_and_others_go_on(make: Any) -> None:
    one, two, _ = make(microsoft="10/day", gmail_com="3/day")
    machine = Machine()
    gates = [gates_of(store, machine).domains for store in (one, two)]
    assert gates[0] is not None and gates[1] is not None
    names = ["outlook.com", "Hotmail.com", "live.com", "msn.com"]
    gone = sum(gates[n % 2].wait(message(one, f"u{n}@{names[n % 4]}"), machine.seconds) is None for n in range(40))
    assert gone == 10
    assert gates[1].wait(message(one, "u@gmail.com"), machine.seconds) is None
    assert gates[1].wait(message(one, "u@example.com"), machine.seconds) is None
    assert gates[1].wait(message(one, "u@live.com", "transactional"), machine.seconds) is None
    wait = gates[1].wait(message(one, "u@live.com"), machine.seconds)
    midnight = (datetime(2026, 3, 3, tzinfo=START.tzinfo) - machine.at).total_seconds()
    assert wait is not None and midnight <= wait <= midnight + RELEASED_OVER.total_seconds()
    [trouble] = safety_troubles(one, machine.at)
    assert trouble.name == "quota:email@microsoft" and "channels: email: domains" in trouble.then
    words = [finding.words for finding in examine_safety(one, one.index.project, START, machine.at)]
    assert "mail to microsoft: 10 of 10 today" in words


def test_a_rate_spreads_what_waits(make: Any) -> None:
    one, _, _ = make(gmail_com="2/s")
    machine = Machine()
    gates = gates_of(one, machine).domains
    assert gates is not None
    waits = [gates.wait(message(one, "u@gmail.com"), machine.seconds) for _ in range(6)]
    assert waits[:2] == [None, None]
    later_ones = [wait for wait in waits if wait is not None]
    assert len(later_ones) == 4 and later_ones == sorted(later_ones) and len(set(later_ones)) == 4
    machine.seconds += 1
    assert gates.wait(message(one, "u@gmail.com"), machine.seconds) is None


def test_what_was_not_used_is_for_the_next(make: Any) -> None:
    one, _, _ = make(gmail_com="1/day")
    machine = Machine()
    gates = gates_of(one, machine).domains
    assert gates is not None
    for seconds, goes in ((0.0, True), (0.0, True), (KEPT_FOR + 1, False)):
        machine.seconds += seconds
        assert (gates.wait(message(one, "u@gmail.com"), machine.seconds) is None) is goes
        gates.give_back(message(one, "u@gmail.com"), machine.seconds) if goes else None


def test_messages_over_it_stay_queued_and_hold_up_nobody(make: Any) -> None:
    store, _, project = make(gmail_com="2/day")
    machine, people = Machine(), [f"g{n}" for n in range(6)]
    for name in people:
        create(store, name, email=f"{name}@gmail.com")
    create(store, "x")
    for name in [*people, "x"]:
        arrive(store, name, event(order=name))
    turns(store, START)
    provider = Provider(machine)
    gates = Gates({"email": provider}, machine, machine.sleep, store, lambda: machine.at)
    renderer = LedgerRenderer(project.templates, project.project, "https://example.com", b"tests")

    def deliver(klass: str) -> None:
        deliver_once(
            store, {"email": provider}, renderer, START, 500, RenderError, real_at=machine.at, gates=gates, klass=klass
        )  # fmt: skip

    deliver("promotional")
    assert sorted(name[0] for name in provider.names) == ["g", "g", "x"]
    deliver("promotional")
    assert len(provider.names) == 3, "they come again when there is room"
    deliver("transactional")
    assert len(provider.names) == 10, "transactional ones never wait"
    machine.seconds += (datetime(2026, 3, 3, tzinfo=START.tzinfo) - machine.at).total_seconds() + 1_801
    deliver("promotional")
    assert len(provider.names) == 12 and len(set(provider.names)) == 7
    statuses = [found.status for found in store.latest_messages(99)]
    assert statuses.count("sent") == 12 and statuses.count("queued") == 2


def test_a_ramp_warms_a_domain_up(tmp_path: Path) -> None:
    bound = {"limits": "3000/day", "ramp": "100:2026-03-01:x1.5"}
    given = with_domains(qq=bound, gmail_com={"limits": "600/min, 9/day"})
    qq, gmail = project_of(tmp_path, {"j": WRITES}, project=given).project.domain_limits
    ramp = (100, date(2026, 3, 1), 1.5)
    assert qq == DomainLimit("qq", frozenset({"qq.com", "foxmail.com", "vip.qq.com"}), None, 3000, ramp)
    assert gmail == DomainLimit("gmail.com", frozenset({"gmail.com"}), 10.0, 9)


@pytest.mark.parametrize(
    ("domains", "said"),
    [
        ({"gmail.com": "many"}, "'many' is no bound"),
        ({"gmail.com": "5/day, 6/day"}, "'6/day' is no bound, or the second of its kind"),
        ({"gmail.com": "0/s"}, "'0/s' is no bound"),
        ({"gmail.com": {}}, "'gmail.com' says no bound"),
        ({"gmail.com": {"ramp": "5"}}, "'5' is no ramp"),
        ({"microsft": "5/s"}, "'microsft' is no domain"),
        ({"google": "5/s", "gmail.com": "6/s"}, "gmail.com stands in 'google' and in 'gmail.com'"),
    ],
)
def test_what_is_no_bound(tmp_path: Path, domains: dict[str, Any], said: str) -> None:
    email = {**PROJECT["channels"]["email"], "domains": domains}
    files = project_files({"j": WRITES}, project={"channels": {"email": email}})
    found = load_project(write_files(tmp_path, files))
    assert not found.ok and any(said in problem.message for problem in found.problems), found.problems
