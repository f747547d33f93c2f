"""Deployments: the same files have the same digest, older versions come back after a restart, others are adopted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.index import Index
from orchestrator.definitions.load import LoadedProject, load_project
from orchestrator.errors import UsageError
from orchestrator.runtime import deployment
from orchestrator.runtime.delivery import deliver_once
from orchestrator.runtime.deployment import (
    Watch,
    deploy,
    digest_of,
    load_snapshot,
    renderer_of,
    revive,
    snapshot_of,
)
from orchestrator.runtime.engine_lock import EngineLock
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.runtime.rendering import LedgerRenderer
from orchestrator.runtime.turns import UNKNOWN_VERSION, turn_once
from orchestrator.stores.postgres.store import open_store as open_server
from orchestrator.stores.protocol import Snapshot, Store
from orchestrator.stores.sqlite.store import open_store
from orchestrator.templating.failure import RenderError
from orchestrator.testing.sink import SinkChannel
from tests.servers.postgres import clean_database

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
SECOND_MAIL = NOW + timedelta(days=3)


def write(root: Path, words: str) -> LoadedProject:
    files = {
        "journeys/project.yaml": "topics: {orders: {class: transactional}}\n",
        "journeys/schema.yaml": "events: {ordered: {}}\n",
        "journeys/hello.yaml": f"journey: hello\ntitle: {words}\ntopic: orders\nenter: {{event: ordered}}\n"
        "steps:\n  - email: first\n  - wait: 3d\n  - email: second\n",
        "templates/email/first.txt": f"---\nsubject: first, {words}\n---\nhello\n",
        "templates/email/second.txt": f"---\nsubject: second, {words}\n---\nhello\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return load_project(root).require_valid()


def live(store: Store, root: Path, words: str) -> LoadedProject:
    loaded = write(root, words)
    deploy(store, loaded, NOW, snapshot_of(root), NOW)
    return loaded


names = st.text("abc/._-é", min_size=1, max_size=6)


@given(first=st.dictionaries(names, st.binary(max_size=6)), second=st.dictionaries(names, st.binary(max_size=6)))
def test_a_digest_is_that_of_names_and_contents(first: dict[str, bytes], second: dict[str, bytes]) -> None:
    assert (digest_of(first) == digest_of(second)) == (first == second)
    assert digest_of(dict(reversed(list(first.items())))) == digest_of(first)


def test_a_snapshot_compiles_to_the_same_versions(tmp_path: Path) -> None:
    loaded = write(tmp_path, "one")
    snapshot = snapshot_of(tmp_path)
    again = load_snapshot(snapshot).require_valid()
    assert again.project.journeys["hello"].version == loaded.project.journeys["hello"].version
    assert {v.content_hash for v in again.templates.variants()} == {v.content_hash for v in loaded.templates.variants()}


@pytest.mark.parametrize("path", ["../evil", "/etc/evil", "journeys/../../evil", "elsewhere/x"])
def test_a_snapshot_writes_nowhere_else(path: str) -> None:
    with pytest.raises(UsageError, match="damaged"):
        load_snapshot(Snapshot("0" * 64, {path: b"x"}))


def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "one")
    monkeypatch.setattr(deployment, "LARGEST_SNAPSHOT", 100)
    with pytest.raises(UsageError, match="too large to deploy"):
        snapshot_of(tmp_path)


def test_who_entered_an_older_version_goes_on_in_it_after_a_restart(tmp_path: Path) -> None:
    root, file = tmp_path / "p", tmp_path / "x.db"
    store = open_store(file, durable=False)
    live(store, root, "old")
    ingest_once(store, [("ana", _mail("ana")), Incoming("ana", "ordered", {})], NOW)
    while turn_once(store, NOW).customers:
        pass
    live(store, root, "new")
    old = store.card("ana").enrollments[0].version  # type: ignore[union-attr]
    store.close()

    store = open_store(file, durable=False)
    loaded = load_project(root).require_valid()
    revived = revive(store, snapshot_of(root))
    assert [one.project.journeys["hello"].version for one in revived.older] == [old]
    assert not deploy(store, loaded, NOW, snapshot_of(root), NOW), "the same files are no news"
    while turn_once(store, SECOND_MAIL).customers:
        pass
    renderer = renderer_of(revived, loaded, "https://example.com", b"tests")
    channels = {"email": SinkChannel()}
    deliver_once(store, channels, renderer, SECOND_MAIL, render_errors=RenderError)
    messages = store.card("ana").messages  # type: ignore[union-attr]
    assert [(m.row.template, m.row.version, m.status) for m in messages] == [
        ("first", old, "sent"),
        ("second", old, "sent"),
    ]
    assert renderer.render(messages[0].row).subject == "first, old", "a row pins the template it was decided with"
    assert renderer.render(messages[1].row).subject == "second, new", "templates are those last deployed"
    store.close()


def _mail(name: str) -> object:
    from orchestrator.core.inbox import Identified

    return Identified({"email": f"{name}@example.com"})


def test_what_another_process_deploys_is_adopted(tmp_path: Path) -> None:
    ours = open_store(tmp_path / "x.db", durable=False)
    live(ours, tmp_path / "p", "one")
    adopted: list[LoadedProject] = []
    watch = Watch(ours, adopted.append, snapshot_of(tmp_path / "p").digest)
    assert not watch.once(NOW)
    theirs = open_store(tmp_path / "x.db", durable=False)
    revive(theirs)
    later = write(tmp_path / "p", "two")
    deploy(theirs, later, NOW, snapshot_of(tmp_path / "p"), NOW + timedelta(seconds=1))
    assert watch.once(NOW) and not watch.once(NOW)
    assert ours.index.project.journeys["hello"].version == later.project.journeys["hello"].version
    assert len(adopted) == 1
    ours.close()
    theirs.close()


def test_a_deploy_is_adopted_whose_process_died_in_the_middle(tmp_path: Path) -> None:
    """It was committed, and the command that did it said nothing more; run again, it finds nothing to do."""
    ours = open_store(tmp_path / "x.db", durable=False)
    live(ours, tmp_path / "p", "one")
    watch = Watch(ours, lambda loaded: None, snapshot_of(tmp_path / "p").digest)
    assert not watch.once(NOW)
    theirs = open_store(tmp_path / "x.db", durable=False)
    later = write(tmp_path / "p", "two")
    theirs.deploy(Index(later.project), NOW, snapshot_of(tmp_path / "p"))
    assert watch.once(NOW) and not watch.once(NOW)
    assert ours.index.project.journeys["hello"].version == later.project.journeys["hello"].version
    ours.close()
    theirs.close()


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Store]]:
    """What opens one database again and again, as processes do."""
    if request.param == "sqlite":
        yield lambda: open_store(tmp_path / "x.db", durable=False)
        return
    with clean_database() as url:
        yield lambda: open_server(url)


ENDS = "journey: hello\ntopic: orders\nenter: {event: ordered}\nsteps:\n  - email: first\n"


def _queued_by_a_deploy_that_was_rolled_back(database: Callable[[], Store], root: Path) -> LoadedProject:
    """A mail is on its way that pins the template of a deploy that was replaced; its enrollment has ended. The journey
    is the same in both."""
    (root / "journeys").mkdir(parents=True)
    store = database()
    for words in ("one", "two"):
        write(root, words)
        (root / "journeys" / "hello.yaml").write_text(ENDS)
        deploy(store, load_project(root).require_valid(), NOW, snapshot_of(root), NOW)
    ingest_once(store, [("ana", _mail("ana")), Incoming("ana", "ordered", {})], NOW)
    while turn_once(store, NOW).customers:
        pass
    write(root, "one")
    (root / "journeys" / "hello.yaml").write_text(ENDS)
    first = load_project(root).require_valid()
    assert deploy(store, first, SECOND_MAIL, snapshot_of(root), SECOND_MAIL), "a rollback is news"
    store.close()
    return first


def _subject(store: Store, renderer: LedgerRenderer) -> str | None:
    [message] = store.card("ana").messages  # type: ignore[union-attr]
    assert message.status == "queued"
    return renderer.render(message.row).subject


def test_a_mail_on_its_way_outlives_the_deploy_that_it_was_decided_by(
    database: Callable[[], Store], tmp_path: Path
) -> None:
    first = _queued_by_a_deploy_that_was_rolled_back(database, tmp_path / "p")
    store = database()
    renderer = renderer_of(revive(store, snapshot_of(tmp_path / "p")), first, "https://example.com", b"tests")
    assert _subject(store, renderer) == "first, two"
    channels = {"email": SinkChannel()}
    store.know(first.project.journeys.values())
    deploy(store, first, SECOND_MAIL, snapshot_of(tmp_path / "p"), SECOND_MAIL)
    deliver_once(store, channels, renderer, SECOND_MAIL, render_errors=RenderError)
    assert store.card("ana").messages[0].status == "sent"  # type: ignore[union-attr]
    assert [kept.digest for kept in store.snapshots()] == [snapshot_of(tmp_path / "p").digest], "nobody needs it now"
    store.close()


def test_a_template_is_looked_for_at_once_and_once(database: Callable[[], Store], tmp_path: Path) -> None:
    """However short ago this process looked for something else: the mail has no second chance."""
    first = _queued_by_a_deploy_that_was_rolled_back(database, tmp_path / "p")
    store = database()
    renderer = LedgerRenderer(first.templates, first.project, "https://example.com", b"tests")
    watch = Watch(
        store, lambda loaded: None, snapshot_of(tmp_path / "p").digest, lambda loaded: renderer.keep(loaded.templates)
    )
    asked: list[str] = []
    renderer.learn = lambda: asked.append("missing")
    for _ in range(2):
        with pytest.raises(RenderError, match="not there any more"):
            _subject(store, renderer)
    assert asked == ["missing"]
    renderer = LedgerRenderer(first.templates, first.project, "https://example.com", b"tests")
    renderer.learn = lambda: watch.learn(at_once=True)
    watch._read_at = monotonic()
    assert not watch.learn()
    assert _subject(store, renderer) == "first, two"
    store.close()


def test_an_older_worker_learns_of_a_version_that_it_never_saw(tmp_path: Path) -> None:
    """Deployed and replaced by others while this process did not look; somebody is in it."""
    ours = open_store(tmp_path / "x.db", durable=False)
    live(ours, tmp_path / "p", "one")
    learned: list[LoadedProject] = []
    watch = Watch(ours, lambda loaded: None, snapshot_of(tmp_path / "p").digest, learned.append)
    _entered_elsewhere(tmp_path)
    later = write(tmp_path / "p", "three")
    theirs = open_store(tmp_path / "x.db", durable=False)
    deploy(theirs, later, NOW, snapshot_of(tmp_path / "p"), NOW)
    theirs.close()
    while turn_once(ours, SECOND_MAIL, learn=watch.learn).customers:
        pass
    assert len(learned) == 2 and not watch.learn(), "each one once"
    assert ours.overview().parked == []
    assert [m.row.template for m in ours.card("ana").messages] == ["first", "second"]  # type: ignore[union-attr]
    ours.close()


def test_who_is_in_a_version_that_cannot_be_run_here_is_left_alone_and_shown(tmp_path: Path) -> None:
    ours = open_store(tmp_path / "x.db", durable=False)
    live(ours, tmp_path / "p", "one")
    _entered_elsewhere(tmp_path)
    ingest_once(ours, [("ben", _mail("ben")), Incoming("ben", "ordered", {})], NOW)
    while turn_once(ours, SECOND_MAIL).customers:
        pass
    [parked] = ours.overview().parked
    assert (parked.customer, parked.reason) == ("ana", UNKNOWN_VERSION) and "of hello cannot be run" in parked.detail
    assert [m.row.template for m in ours.card("ben").messages] == ["first"]  # type: ignore[union-attr]
    assert [t.type for t in ours.journal("ana")].count("failed") == 0, "nothing was decided about ana"

    newer = open_store(tmp_path / "x.db", durable=False)
    revived = revive(newer)
    assert revived.live is not None
    newer.adopt(Index(revived.live.project))
    assert newer.take_up(UNKNOWN_VERSION, 10, SECOND_MAIL) == ["ana"]
    while turn_once(newer, SECOND_MAIL).customers:
        pass
    assert [m.row.template for m in newer.card("ana").messages] == ["first", "second"]  # type: ignore[union-attr]
    ours.close()
    newer.close()


def _entered_elsewhere(root: Path) -> None:
    """Ana enters a second version, by a process that knows it."""
    store = open_store(root / "x.db", durable=False)
    revive(store)
    live(store, root / "p", "two")
    ingest_once(store, [("ana", _mail("ana")), Incoming("ana", "ordered", {})], NOW)
    while turn_once(store, NOW).customers:
        pass
    store.close()


def test_one_engine_a_file(tmp_path: Path) -> None:
    first, second = EngineLock(tmp_path / "x.db"), EngineLock(tmp_path / "x.db")
    assert second.holder() is None
    first.acquire("http://localhost:8000", NOW)
    assert "http://localhost:8000, since 2026-03-01T10:00:00Z" in str(second.holder())
    with pytest.raises(UsageError, match=r"another engine runs.*http://localhost:8000"):
        second.acquire("", NOW)
    first.release()
    second.acquire("", NOW)
    second.release()
