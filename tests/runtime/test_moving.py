"""A deploy that moves people, by processes that know of it and by those that do not yet, and killed in the middle."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.core.inbox import Identified
from orchestrator.core.index import Index
from orchestrator.definitions.load import LoadedProject, load_project
from orchestrator.runtime.deployment import Watch, deploy, revive, snapshot_of
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.runtime.turns import UNKNOWN_VERSION, turn_once
from orchestrator.stores.postgres.store import open_store as open_server
from orchestrator.stores.protocol import Snapshot, Store
from orchestrator.stores.sqlite.store import open_store
from tests.servers.postgres import clean_database

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
OLD = "journey: hello\nenter: {event: ordered}\nsteps:\n  - {id: rest, wait: 3d}\n"
NEW = "journey: hello\nenter: {event: ordered}\nmigrate: {map: {rest: nap}}\nsteps:\n  - {id: nap, wait: 2d}\n"
PEOPLE = [f"u{number:03}" for number in range(60)]


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """What opens one database again and again, as processes do."""
    if request.param == "sqlite":
        yield lambda: open_store(tmp_path / "x.db", durable=False, drains=True)
        return
    with clean_database() as url:
        yield lambda: open_server(url, drains=True)


def files(root: Path, journey: str) -> LoadedProject:
    (root / "journeys").mkdir(parents=True, exist_ok=True)
    (root / "journeys" / "schema.yaml").write_text("events: {ordered: {}}\n")
    (root / "journeys" / "hello.yaml").write_text(journey)
    return load_project(root).require_valid()


def everybody_waits(store: Store, root: Path) -> Watch:
    """In the old version, in a process that runs it."""
    deploy(store, files(root, OLD), NOW, snapshot_of(root), NOW)
    items = [item for name in PEOPLE for item in ((name, Identified({}, silent=True)), Incoming(name, "ordered", {}))]
    ingest_once(store, items, NOW)
    while turn_once(store, NOW).customers:
        pass
    store.drain_journal()
    return Watch(store, lambda loaded: None, snapshot_of(root).digest)


def steps(store: Store) -> dict[str, int]:
    return {step: count for (_, _, step), count in store.standing().items()}


def test_who_hears_of_a_deploy_is_decided_by_it(database: Callable[[], Store], tmp_path: Path) -> None:
    """Also by a process that has not looked for deploys since."""
    ours = database()
    watch = everybody_waits(ours, tmp_path / "p")
    theirs = database()
    revive(theirs)
    deploy(theirs, files(tmp_path / "p", NEW), NOW, snapshot_of(tmp_path / "p"), NOW)
    while turn_once(ours, NOW, 10, live=watch).customers:
        pass
    assert steps(ours) == {"nap": len(PEOPLE)}
    moved = [line.customer for line in ours.drain_journal() if line.type == "migrated"]
    assert sorted(moved) == PEOPLE
    ours.close()
    theirs.close()


def test_who_hears_of_a_deploy_that_cannot_be_read_here_is_left_to_others(
    database: Callable[[], Store], tmp_path: Path
) -> None:
    ours = database()
    watch = everybody_waits(ours, tmp_path / "p")
    theirs = database()
    theirs.adopt(ours.index)
    unreadable = Snapshot("9" * 64, {"journeys/hello.yaml": b"journey: hello\nlater: yes\n"})
    theirs.deploy(Index(files(tmp_path / "q", NEW).project), NOW, unreadable)
    while turn_once(ours, NOW, 10, live=watch).customers:
        pass
    assert steps(ours) == {"rest": len(PEOPLE)} and watch.broken
    assert {parked.reason for parked in ours.overview().parked} == {UNKNOWN_VERSION}
    theirs.take_up(UNKNOWN_VERSION, 1_000, NOW)
    while turn_once(theirs, NOW).customers:
        pass
    assert steps(theirs) == {"nap": len(PEOPLE)}
    ours.close()
    theirs.close()


def test_a_process_that_dies_in_the_middle_leaves_nobody_half_way(
    database: Callable[[], Store], tmp_path: Path
) -> None:
    """Each turn moves some; what a dead process had claimed is moved by the next one, once."""
    root = tmp_path / "p"
    store = database()
    everybody_waits(store, root)
    loaded = files(root, NEW)
    deploy(store, loaded, NOW, snapshot_of(root), NOW)
    moved: list[str] = []
    for _ in range(100):
        counts = turn_once(store, NOW, 7)
        moved += [line.customer for line in store.drain_journal() if line.type == "migrated"]
        assert sum(steps(store).values()) == len(PEOPLE)
        if not counts.customers:
            break
        store.load(NOW, 7)  # claimed, and then no more is heard of it
        store.abandon()
        store.close()
        store = database()
        revive(store)
        store.adopt(Index(loaded.project))
    assert sorted(moved) == PEOPLE and steps(store) == {"nap": len(PEOPLE)}
    store.close()
