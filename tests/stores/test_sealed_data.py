"""What a sealed database holds: nothing of a person that anybody could read without the keys; and how keys change."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.data_keys import data_keys
from orchestrator.core.inbox import Event, Occurred
from orchestrator.definitions.journey_tests import load_journey_tests
from orchestrator.definitions.load import LoadedProject
from orchestrator.definitions.scenario_items import Scenario
from orchestrator.definitions.yaml_loader import load_document
from orchestrator.errors import UsageError
from orchestrator.settings import read_settings
from orchestrator.stores.erasure_certificates import digest_of
from orchestrator.stores.postgres.base import run_on as on_postgres
from orchestrator.stores.postgres.database import connected
from orchestrator.stores.postgres.store import open_store as open_postgres
from orchestrator.stores.protocol import Arrival, RefusedItem, Store
from orchestrator.stores.records import enrollment_state, state_of
from orchestrator.stores.rotating import Rotated, Rotation
from orchestrator.stores.schema import METADATA
from orchestrator.stores.sealing import PLAIN, Unopened, ring_of
from orchestrator.stores.sqlite.base import run_on as on_sqlite
from orchestrator.stores.sqlite.store import open_store as open_sqlite
from orchestrator.testing.scenario_run import simulate_scenario
from tests.servers.postgres import clean_database
from tests.shipped import ROOT, shipped_project
from tests.stores.driving import START, WRITES, arrive, create, event, index_of, later, turns
from tests.stores.sealed_keys import entry, keys

WHO = "c-17"
EMAIL, PHONE, NAME = "xiomara.quill@example.com", "+351912345678", "Xiomara"
SECRETS = (EMAIL, PHONE, NAME)
CONTENT = f'{{"name": "{NAME}", "email": "{EMAIL}"}}'
LIVE = frozenset({"abandoned_basket", "welcome"})
Lines = list[dict[str, Any]]
OpenStore = Callable[[str | None, Mapping[str, str | bool]], Store]
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)


def scenario() -> tuple[LoadedProject, Scenario]:
    """A shipped journey that writes e-mails and an SMS, to somebody whose name stands in no other text."""
    text = (ROOT / "journeys" / "tests" / "abandoned_basket.yaml").read_text()
    person = f"attributes: {{first_name: {NAME}}}, email: {EMAIL}"
    text = text.replace("email: ana@example.com", person).replace("id: ana", f"id: {WHO}")
    [test, *_], _ = load_journey_tests(load_document("abandoned_basket.yaml", text), ROOT)
    return shipped_project().require_valid(), test.scenario


def run(open_store: OpenStore | None) -> Lines:
    lines: Lines = []
    project, found = scenario()
    simulate_scenario(project, found, lines.append, only=LIVE, open_store=open_store)
    return lines


def live_a_life(place: OneFile | OneDatabase, *ids: str) -> Lines:
    """A journey, and what else writes of a person; returns the journal."""
    opened: list[Store] = []

    def opens(salt: str | None, forced: Mapping[str, str | bool]) -> Store:
        opened.append(place.open(*ids, salt=salt or "0", forced=forced))
        return opened[0]

    try:
        lines = run(opens)
    finally:
        for store in opened:
            store.close()
    store = place.open(*ids)
    store.suppress([("email", EMAIL, "bounced"), ("sms", PHONE, "bounced")], NOW)
    store.soften(f"email:{EMAIL}", NOW, timedelta(days=7))
    store.keep_refused([RefusedItem(NOW, "http", f"'{EMAIL}' is wrong", CONTENT)])
    store.keep_reply(f"https://example.com/{EMAIL}", 200, {"name": NAME}, NOW + timedelta(days=1))
    store.close()
    return lines


def found_in(raw: str) -> list[str]:
    return [secret for secret in SECRETS if re.search(re.escape(secret), raw, re.IGNORECASE)]


@pytest.fixture(scope="module")
def in_memory() -> Lines:
    return run(None)


class OneFile:
    """A SQLite file, opened with keys of these ids."""

    shared, run_on = False, staticmethod(on_sqlite)

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, *ids: str, **options: Any) -> Any:
        options = {"salt": "0", **options}
        return open_sqlite(self.path, **options, durable=False, drains=True, keys=keys(*ids) if ids else None)

    def raw(self) -> str:
        return "\n".join(file.read_bytes().decode("latin-1") for file in self.path.parent.glob(f"{self.path.name}*"))


class OneDatabase:
    """A PostgreSQL database, opened with keys of these ids."""

    shared, run_on = True, staticmethod(on_postgres)

    def __init__(self, url: str) -> None:
        self.url = url

    def open(self, *ids: str, **options: Any) -> Any:
        options = {"salt": "0", **options}
        return open_postgres(self.url, **options, drains=True, keys=keys(*ids) if ids else None)

    def raw(self) -> str:
        """Every table, as a dump has it."""
        with connected(self.url) as c:
            dump = []
            for table in METADATA.tables:
                with c.cursor().copy(f"COPY {table} TO STDOUT".encode()) as copy:
                    dump += [bytes(chunk).decode() for chunk in copy]
        return "\n".join(dump)


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OneFile | OneDatabase]:
    if request.param == "sqlite":
        yield OneFile(tmp_path / "a.db")
        return
    with clean_database() as url:
        yield OneDatabase(url)


def rotated(place: OneFile | OneDatabase, *ids: str) -> Rotated:
    """A rotation to the first of these keys."""
    store = place.open(*ids)

    @contextmanager
    def inside(opening: Any) -> Iterator[Any]:
        with opening() as c:
            yield place.run_on(c)

    try:
        return Rotation(
            lambda: inside(store.db.read), lambda: inside(store.db.write), store.db.sealer,
            shipped_project().project.personal, place.shared,
        ).run()  # fmt: skip
    finally:
        store.close()


def told(place: OneFile | OneDatabase, *ids: str) -> tuple[Any, ...]:
    """All that people are shown of the person and of lists."""
    store = place.open(*ids)
    try:
        card = store.card(WHO)
        rights = [right[2:] for right in store.rights(None, 0, 100)]
        refused = [item[2:] for item in store.refused(10)]
        soft = store.soften(f"email:{EMAIL}", NOW - timedelta(days=15_000), timedelta(days=7))  # too old to add to it
        lists = sorted(store.suppressed(("", "", ""), 100)), dict(store.suppressions())
        return (
            card._replace(customer=None, enrollments=()), state_of(card.customer, PLAIN, frozenset()),
            [enrollment_state(passage, PLAIN) for passage in card.enrollments], store.journal(WHO),
            store.consent_log(WHO), rights, refused, soft, lists, store.addressee("sms", PHONE),
        )  # fmt: skip
    finally:
        store.close()


def test_a_sealed_database_says_nothing_of_anybody(place: OneFile | OneDatabase, in_memory: Lines) -> None:
    assert live_a_life(place, "k1") == in_memory
    assert found_in(place.raw()) == []
    store = place.open("k1")
    card = store.card(WHO)
    assert card is not None and card.customer.email == EMAIL and card.customer.attributes["first_name"] == NAME
    assert {message.row.to for message in card.messages} == {EMAIL, PHONE}
    assert store.addressee("sms", PHONE) == WHO
    assert store.suppressions()["email", EMAIL] == {"bounced"}
    assert store.cached_reply(f"https://example.com/{EMAIL}", NOW) == (200, {"name": NAME})
    certificate = store.erase(WHO, NOW, NOW, "test")
    assert certificate is not None and set(certificate.suppressed) >= {"email", "sms"}
    assert certificate.tables["refused"] == {"deleted": 1} and certificate.tables["replies"] == {"deleted": 1}
    assert certificate.digest == digest_of(certificate.as_dict())
    assert store.suppressions()["email", EMAIL] >= {"bounced", "suppressed"}
    store.close()
    with pytest.raises(UsageError, match="ORCHESTRATOR_DATA_KEYS is not set"):
        place.open()
    with pytest.raises(Unopened, match="sealed with the key 'k1'"):
        place.open("k2")


def test_keys_come_change_and_go(place: OneFile | OneDatabase) -> None:
    live_a_life(place)
    assert sorted(found_in(place.raw())) == sorted(SECRETS), "nothing is sealed yet"
    before = told(place)
    assert told(place, "k1") == before, "what is plain is read, too"
    assert rotated(place, "k1").needed == {"k1"}
    assert told(place, "k1") == before
    assert found_in(place.raw()) == []
    done = rotated(place, "k2", "k1")
    assert done.renewed and not done.closed and not done.held and done.needed == {"k2"}
    assert told(place, "k2") == before
    assert not rotated(place, "k2").renewed, "nothing is left to do"
    done = rotated(place, "plain", "k2")
    assert not done.closed and done.needed == frozenset()
    assert told(place) == before
    assert sorted(found_in(place.raw())) == sorted(SECRETS)


def test_a_missing_key_is_told_by_table_and_stops_nobody_else(place: OneFile | OneDatabase) -> None:
    live_a_life(place, "k1")
    store = place.open("k2", "k1")
    store.deploy(index_of({}), NOW)
    store.ingest([Arrival("other", NOW, Occurred(Event("hello", NOW, {}, "m1")), "m1")])
    renew_lookup_key(place, store)
    store.close()
    store = place.open("k2")
    store.deploy(index_of({}), NOW)
    store.ingest([Arrival(WHO, NOW, Occurred(Event("hello", NOW, {}, "m2")), "m2")])
    view = store.load(NOW, 10)
    assert [record.customer.id for record in view.customers] == ["other"]
    store.abandon()
    [parked] = store.overview().parked
    assert (parked.customer, parked.reason) == (WHO, "sealed") and "'k1'" in parked.detail
    assert "'k1'" in store.refused(1)[0].content
    with pytest.raises(Unopened):
        store.card(WHO)
    store.close()
    done = rotated(place, "k2")
    assert done.closed["k1", "messages"] >= 2 and done.closed["k1", "customers"] == 1 and "k1" in done.needed
    done = rotated(place, "k2", "k1")
    assert not done.closed and done.needed == {"k2"}
    store = place.open("k2")
    store.deploy(index_of({}), NOW)
    assert store.take_up("sealed", 10, NOW) == [WHO]
    assert WHO in {record.customer.id for record in store.load(NOW, 10).customers}
    store.abandon()
    store.close()


def test_a_message_that_no_key_opens_waits_and_lets_others_go(place: OneFile | OneDatabase) -> None:
    store = place.open("k1", "k2")
    store.deploy(index_of({"writes": WRITES}), START)
    write_to(store, "first")
    store.close()
    store = place.open("k2", "k1")
    store.deploy(index_of({"writes": WRITES}), START)
    write_to(store, "second")
    renew_lookup_key(place, store)
    store.close()
    store = place.open("k2")
    store.deploy(index_of({"writes": WRITES}), START)
    assert [claimed.row.customer_id for claimed in store.claim_messages(later(1), 10)] == ["second"]
    again = store.claim_messages(later(5), 10, real_at=later(5))
    assert [claimed.row.customer_id for claimed in again] == ["second"], "whose lease ran out"
    store.close()
    store = place.open("k2", "k1")
    store.deploy(index_of({"writes": WRITES}), START)
    found = store.claim_messages(later(20), 10, real_at=later(20))
    assert "first" in [claimed.row.customer_id for claimed in found]
    store.close()


def write_to(store: Any, customer: str) -> None:
    create(store, customer, email=f"{customer}@example.com")
    arrive(store, customer, event("go", order=customer), message_id=customer)
    turns(store, START)


def renew_lookup_key(place: OneFile | OneDatabase, store: Any) -> None:
    """As at the end of a rotation that left the other rows as they are."""
    with store.db.write() as c:
        run, ring = place.run_on(c), store.db.sealer
        [kept] = run("SELECT value FROM meta WHERE name = 'lookup_key'").fetchone()
        value = ring.seal("meta.lookup_key", ring.open("meta.lookup_key", kept))
        run("UPDATE meta SET value = ? WHERE name = 'lookup_key'", value)


def test_a_value_opens_only_where_it_was_sealed(place: OneFile | OneDatabase) -> None:
    live_a_life(place, "k1")
    store = place.open("k1")
    with store.db.write() as c:
        run = place.run_on(c)
        [(first, _), (second, row)] = run("SELECT id, row FROM messages ORDER BY id LIMIT 2").fetchall()
        run("UPDATE messages SET row = ? WHERE id = ?", row, first)
    assert store.ledger(second) is not None
    with pytest.raises(Unopened, match="moved from another row"):
        store.ledger(first)
    store.close()
    assert rotated(place, "k2", "k1").closed == {("", "messages"): 1}


VALUES = st.text(st.characters(exclude_categories=()), max_size=400)


@settings(max_examples=100, deadline=None)
@given(VALUES, VALUES, VALUES)
def test_what_is_sealed_opens_and_what_is_marked_is_found(text: str, context: str, value: str) -> None:
    context = context.encode("utf-8", "replace").decode()
    kept: list[str] = []

    def keep(sealed: str) -> str:
        kept.append(sealed)
        return sealed

    ring = ring_of(keys("k1"), None, keep)
    sealed = ring.seal(context, text)
    assert ring.open(context, sealed) == text and sealed != ring.seal(context, text)
    with pytest.raises(Unopened):
        ring.open(context + "x", sealed)
    later = ring_of(keys("k2", "k1"), kept[0], lambda sealed: sealed)
    assert later.open(context, sealed) == text and later.seal(context, text).startswith("~1k2.")
    assert later.mark(value) == ring.mark(value) and ring.mark(value) in later.marks(value)
    assert ring.unmark(ring.mark(value)) == value or ring.mark(value).startswith("~#")
    assert len(ring.mark(value)) <= 400


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "entry 1"),
        ("k1", "entry 1"),
        ("k1:abc", "not base64 of 32 bytes"),
        (f"{entry('k1')} {entry('k1')}", "stands twice"),
        (f"{entry('k1')} plain", "stands first"),
        ("plain", "needs the keys"),
    ],
)
def test_keys_that_cannot_be_used_are_refused_and_never_shown(
    text: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=says) as told:
        data_keys(text)
    assert not any(word.partition(":")[2] and word.partition(":")[2] in str(told.value) for word in text.split())
    if text:
        monkeypatch.setenv("ORCHESTRATOR_DATA_KEYS", text)
        with pytest.raises(UsageError, match=f"ORCHESTRATOR_DATA_KEYS cannot be used: .*{says}"):
            read_settings()
