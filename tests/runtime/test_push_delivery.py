"""From the row of a push message to its devices, and back: the same devices at every try, and those gone forgotten."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.channels.protocol import Answer
from orchestrator.core.inbox import Identified
from orchestrator.runtime.ingest import Incoming
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import Store
from orchestrator.stores.sqlite.store import open_store
from tests.runtime.test_delivery import START, Provider, World
from tests.small_projects import project_of

PUSH = (
    "title: 'Hello {{ customer.plan }}'\nbody: Your table is ready\ndata: {n: '{{ entry.n | default(0) }}'}\nttl: 2h\n"
)
DEVICES = [{"kind": "fcm", "token": "t1"}, {"kind": "fcm", "token": "t2"}]
ONE, TWO = "fcm:1ba62ac7acdc", "fcm:" + "0" * 12


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made = (
        MemoryStore("7") if request.param == "memory" else open_store(tmp_path / "push.db", durable=False, drains=True)
    )
    yield made
    made.close()


@pytest.fixture
def world(store: Store, tmp_path: Path) -> World:
    rules = {"topic": "orders", "enter": {"event": "go", "reentry": "always", "overlap": "parallel"}}
    project = project_of(
        tmp_path,
        {"j": {**rules, "steps": [{"push": "hello"}]}},
        project={"channels": {"push": {}}},
        templates={"push/hello.yaml": PUSH},
    )
    provider = Provider()
    made = World(store, project, START, channels={"push": provider})
    made.provider = provider
    made.happen("u1", Identified({"plan": "gold", "devices": DEVICES}, silent=True))
    made.run(START)
    return made


def tokens(world: World, number: int = -1) -> list[str]:
    provider = world.provider.given[number].provider
    assert provider is not None
    return [device["token"] for device in provider["devices"]]


def test_the_adapter_is_told_fields_and_devices(world: World) -> None:
    world.go(n=7)
    assert world.at() == [("u1", "message", "push_1", None)]
    [out] = world.provider.given
    assert (out.subject, out.text) == ("Hello gold", "Your table is ready")
    assert out.provider == {"data": {"n": "7"}, "ttl": "2h", "devices": DEVICES}
    assert "t1" not in out.to and out.to.startswith("fcm:")


def test_every_try_goes_to_the_devices_of_the_first(world: World) -> None:
    world.provider.answers = [Answer("retry", "busy")]
    world.go()
    world.at()
    world.happen("u1", Identified({"add_device": {"kind": "fcm", "token": "t3"}}), 1)
    world.happen("u1", Identified({"remove_devices": [ONE]}), 1)
    world.at(60)
    assert tokens(world, 0) == ["t1", "t2"]
    assert tokens(world, 1) == ["t2"]  # not the new one; and not the one that was taken out


def test_a_device_that_is_gone_is_forgotten(world: World) -> None:
    world.provider.answers = [Answer("accepted", gone=(ONE,))]
    world.go()
    assert world.at() == [("u1", "message", "push_1", None)]
    world.go(minutes=1)
    world.at(1)
    assert tokens(world) == ["t2"]


def test_when_all_are_gone_nobody_is_there(world: World) -> None:
    world.go()
    world.at()
    both = tuple(world.provider.given[0].to.split(" "))
    world.provider.answers = [Answer("rejected", "gone", ("bounce",), gone=both)]
    world.go(minutes=1)
    assert ("u1", "outcome", "push_1", "provider_rejected") in world.at(1)
    world.go(minutes=2)
    assert world.at(2) == [("u1", "suppressed", "push_1", "no_address")]
    world.happen("u1", Identified({"add_device": {"kind": "fcm", "token": "t9"}}), 3)
    world.go(minutes=4)
    assert world.at(4) == [("u1", "message", "push_1", None)]
    assert tokens(world) == ["t9"]


def test_traits_that_are_no_device_are_refused_one_by_one(world: World) -> None:
    from orchestrator.runtime.ingest import Told, ingest_once

    items: list[Any] = [
        Told("u1", Identified({"add_device": {"kind": "fcm"}})),
        Told("u1", Identified({"remove_devices": ["t1"]})),
        Incoming("u1", "go", {}),
    ]
    counts = ingest_once(world.store, items, START)
    assert [position for position, _ in counts.refused] == [0, 1]
    assert counts.accepted == 1
