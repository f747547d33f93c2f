"""The contract of the consent ledger and of erasing a person."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from orchestrator.core.inbox import ConsentChanged, Identified
from orchestrator.core.suppression import hashed_entry
from orchestrator.runtime.bounces import note_soft_bounce
from orchestrator.stores.erasure_certificates import digest_of, hash_of
from orchestrator.stores.naming import mentions, names
from orchestrator.stores.protocol import Arrival, RefusedItem, Settlement, Store
from orchestrator.stores.schema import METADATA
from tests.stores.driving import START, WAITS_AN_HOUR, WRITES, arrive, create, event, index_of, later, turns

EVERYTHING = {
    "writes": {**WRITES, "steps": [{"coupon": {"offer": "vip", "as": "coupon"}}, {"email": "hello"}]},
    "waits": WAITS_AN_HOUR,
    "calls": {
        "enter": {"event": "go", "key": "event.order", "reentry": "always"},
        "steps": [{"task": {"queue": "care", "title": "Call {{ customer.email }}"}}],
    },
    "asks": {
        "enter": {"event": "go", "key": "event.order", "reentry": "always"},
        "steps": [{"webhook": {"url": "https://example.com/{{ customer.id }}"}}],
    },
}
PARTS = {
    "project": {"queues": {"care": {"members": ["ana"]}}},
    "offers": {"vip": {"discount": {"percent": 10}, "codes": {"prefix": "VIP", "length": 6}}},
}
PROOF = {"ip": "203.0.113.7", "url": "https://example.com/form"}


def choose(store: Store, state: str, minutes: float = 0, **more: object) -> None:
    """A person chooses about promotions by email, and it is taken."""
    choice = ConsentChanged("promotions", "email", state, **more)  # type: ignore[arg-type]
    arrive(store, "u1", choice, later(minutes))
    turns(store, later(minutes))


class ConsentContract:
    """Tests of what is remembered of choices."""

    def test_a_choice_leaves_a_row_with_what_proves_it(self, store: Store) -> None:
        choose(store, "in", 1, source="form", wording="Yes, news please", proof=PROOF, expires_at=later(days=180))
        choose(store, "out", 2, source="page")
        first, second = store.consent_log("u1")
        assert (first.state, first.source, first.wording, first.proof) == ("in", "form", "Yes, news please", PROOF)
        assert (first.at, first.noted_at, first.expires_at) == (later(1), later(1), later(days=180))
        assert (second.state, second.source, second.wording, second.proof, second.refused) == (
            "out", "page", None, None, None,
        )  # fmt: skip
        assert store.consent_log("nobody") == () or store.consent_log("nobody") == []

    def test_instants_of_choices_come_back(self, store: Store) -> None:
        choose(store, "in", 1, expires_at=later(days=10))
        customer = _customer(store)
        assert customer.consents == {("promotions", "email"): "in"}
        assert customer.consent_dates == {("promotions", "email"): later(days=10)}
        choose(store, "in", 2)
        assert _customer(store).consent_dates == {}
        arrive(store, "u1", ConsentChanged("promotions", "email", "out"), later(3))
        assert _customer(store).consents == {("promotions", "email"): "out"}, "before any turn"
        assert _customer(store).consent_dates == {("promotions", "email"): later(3)}
        turns(store, later(4))
        assert _customer(store).consent_dates == {("promotions", "email"): later(3)}

    def test_an_end_leaves_a_row_and_is_told_once(self, store: Store) -> None:
        hears = {"enter": {"event": "consent_changed", "where": "event.state == 'expired'"}, "steps": [{"wait": "1h"}]}
        store.deploy(index_of({"hears": hears}), START)
        choose(store, "in", 1, source="implied", expires_at=later(days=10))
        assert store.next_due_at() == later(days=10)
        turns(store, later(days=10))
        assert _customer(store).consents == {("promotions", "email"): "expired"}
        assert _customer(store).consent_dates == {("promotions", "email"): later(days=10)}
        *_, row = store.consent_log("u1")
        assert (row.state, row.at, row.noted_at) == ("expired", later(days=10), later(days=10))
        assert store.overview().enrollments == {("hears", "running"): 1}
        turns(store, later(days=11))
        assert len(store.consent_log("u1")) == 2

    def test_a_choice_that_is_out_before_its_end_stays_so(self, store: Store) -> None:
        choose(store, "in", 1, expires_at=later(days=10))
        choose(store, "out", 2)
        assert store.next_due_at() is None
        turns(store, later(days=10))
        assert _customer(store).consents == {("promotions", "email"): "out"}

    def test_traits_open_nothing_that_is_out(self, store: Store) -> None:
        choose(store, "out", 1)
        for number, said in enumerate(["in", {"state": "in", "at": START, "source": "form"}], 2):
            arrive(store, "u1", Identified({"consents": {"promotions": {"email": said}}}), later(number))
            turns(store, later(number))
        assert _customer(store).consents == {("promotions", "email"): "out"}
        assert [row.refused for row in store.consent_log("u1")] == [None, "opted_out", "opted_out"]
        choose(store, "in", 9, source="page")
        assert _customer(store).consents == {("promotions", "email"): "in"}

    def test_an_imported_opt_out_stands_at_once_and_leaves_a_row(self, store: Store) -> None:
        choose(store, "in", 1)
        arrive(store, "u1", Identified({"consents": {"promotions": {"email": "out"}}}, silent=True), later(2))
        assert _customer(store).consents == {("promotions", "email"): "out"}, "before any turn"
        turns(store, later(2))
        assert [(row.state, row.source) for row in store.consent_log("u1")] == [("in", ""), ("out", "import")]

    def test_an_opt_out_outlives_a_turn_that_is_under_way(self, store: Store) -> None:
        choose(store, "in", 1)
        arrive(store, "u1", ConsentChanged("promotions", "sms", "in", expires_at=later(days=1)), later(2))
        arrive(store, "u1", ConsentChanged("promotions", "email", "out"), later(3))
        turns(store, later(3))
        customer = _customer(store)
        assert customer.consents == {("promotions", "email"): "out", ("promotions", "sms"): "in"}
        assert customer.consent_dates == {
            ("promotions", "email"): later(3), ("promotions", "sms"): later(days=1),
        }  # fmt: skip


class ErasingContract:
    """Tests of what is left of a person, and of what is not."""

    def test_nothing_names_the_person_any_more(self, store: Store) -> None:
        _live(store)
        certificate = store.erase("u1", later(10), later(10), "operator")
        assert certificate is not None
        assert store.card("u1") is None
        assert store.journal("u1") == []
        assert store.consent_log("u1") in ([], ())
        assert store.message("u1", "email", None) is None and store.open_task("u1", None) is None
        everything = [
            *store.latest_messages(100), store.overview(), *store.refused(100), *store.rights(None, 0, 100),
            *store.drain_journal(), certificate,
        ]  # fmt: skip
        text = json.dumps([repr(one) for one in everything], ensure_ascii=False)
        for word in ("u1", "u1@example.com", "+351912345678", "Mary", "203.0.113.7"):
            assert re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is None, (word, text)

    def test_what_happened_is_still_counted(self, store: Store) -> None:
        _live(store)
        before = store.overview()
        assert before.messages == {("email", "sent"): 1, ("email", "queued"): 1}
        store.erase("u1", later(10), later(10), "operator")
        after = store.overview()
        assert after.messages == {("email", "sent"): 1, ("email", "suppressed"): 1}
        assert (after.customers, after.inbox, after.queued, after.requests) == (1, 0, 0, 0)
        assert after.enrollments == {} and after.tasks_open == {}
        assert sorted(m.status for m in store.latest_messages(10)) == ["sent", "suppressed"]

    def test_others_are_left_alone(self, store: Store) -> None:
        _live(store)
        before = store.card("u2")
        store.erase("u1", later(10), later(10), "operator")
        after = store.card("u2")
        assert before is not None and after is not None and before.customer is not None and after.customer is not None
        assert after.customer.email == before.customer.email == "mary-u1@example.com"
        assert len(store.consent_log("u2")) == 2
        assert [item.content for item in store.refused(10)] == ['{"userId":"mary-u11"}']

    def test_nothing_of_theirs_is_claimed_or_decided(self, store: Store) -> None:
        _live(store)
        [claimed] = store.claim_messages(later(9), 10)
        store.erase("u1", later(10), later(10), "operator")
        assert store.begin_hand_over([claimed], later(10)) == frozenset()
        store.settle_messages([Settlement(claimed.row.id, "u1", "sent", fence=claimed.fence)], later(10))
        assert list(store.claim_messages(later(20), 10)) == [] and list(store.claim_requests(later(20), 10)) == []
        assert turns(store, later(days=2)) == 0
        assert store.next_due_at() is None
        assert store.retain(later(days=2), 100) >= 0

    def test_the_id_is_not_taken_again_for_a_while(self, store: Store) -> None:
        _live(store)
        store.erase("u1", later(10), later(10), "operator")
        late = [Arrival("u1", later(11), event(order="late"), "late-1"), Arrival("u3", later(11), event(order="x"))]
        done = store.ingest(late)
        assert (done.accepted, done.dropped) == (1, 1)
        assert store.card("u1") is None and store.card("u3") is not None
        store.lay_history("u1", [event(at=later(5)).event])
        assert store.card("u1") is None
        dedupe = store.index.project.settings.dedupe
        afterwards = later(10) + dedupe + timedelta(seconds=1)
        assert store.ingest([Arrival("u1", afterwards, event(order="new", at=afterwards))]).accepted == 1

    def test_the_addresses_stay_suppressed_and_nobody_can_read_them(self, store: Store) -> None:
        _live(store)
        store.suppress([("email", "u1@example.com", "complained")], later(9))
        store.erase("u1", later(10), later(10), "operator")
        list_ = store.suppressions()
        assert list_["email", "u1@example.com"] == {"complained", "suppressed"}
        assert list_["sms", "+351912345678"] == list_["whatsapp", "+351912345678"] == {"suppressed"}
        kept = {(entry.channel, entry.address) for entry in store.suppressed(("", "", ""), 10)}
        assert kept == {
            hashed_entry(store.salt, "email", "u1@example.com"), hashed_entry(store.salt, "sms", "+351912345678"),
            hashed_entry(store.salt, "whatsapp", "+351912345678"),
        }  # fmt: skip

    def test_certificates_are_a_chain(self, store: Store) -> None:
        _live(store)
        first = store.erase("u1", later(10), later(10), "operator")
        second = store.erase("u2", later(11), later(11), "another")
        assert first is not None and second is not None
        assert (first.previous, second.previous) == (None, first.digest)
        assert first.customer == hash_of(store.salt, "u1")
        assert first.tables["customers"] == {"deleted": 1} and first.tables["messages"] == {"anonymised": 2}
        for certificate in (first, second):
            told = certificate.as_dict()
            assert digest_of(told) == told["digest"]
            assert digest_of({**told, "erased_by": "nobody"}) != told["digest"]

    def test_no_row_of_any_table_names_the_person(self, store: Store) -> None:
        """Whatever was written down of them, by whomever, in whatever notation."""
        _live(store)
        _leave_traces(store)
        store.erase("u1", later(10), later(10), "operator")
        for table, row in _everything_in(store):
            assert not mentions("u1", NAMED)(row.replace(OTHERS, "")), (table, row)
        kept = {item.content for item in store.refused(50)}
        assert {'{"userId":"mary-u11"}', OTHERS} <= kept, "and nobody else's went along"

    def test_the_rights_tell_of_it_and_a_backup_forgets_again(self, store: Store) -> None:
        _live(store)
        store.erase("u1", later(10), later(10), "operator")
        told = [right for right in store.rights(None, 0, 100) if right.kind == "erased"]
        assert [right.customer for right in told] == [f"erased:{hash_of(store.salt, 'u1')}"]
        unknown, known = hash_of(store.salt, "u9"), hash_of(store.salt, "u2")
        theirs = {unknown: later(20), known: later(20)}
        assert store.erased(theirs, later(20), later(20)) == {known: "u2"}
        assert store.ingest([Arrival("u9", later(21), event(order="x"))]).dropped == 1

    def test_who_came_after_an_erasure_need_not_be_erased_again(self, store: Store) -> None:
        create(store, "u1", "u2", at=later(5))
        hashes = {id: hash_of(store.salt, id) for id in ("u1", "u2", "u3")}
        store.erase("u1", later(10), later(10), "operator")
        back = later(10) + store.index.project.settings.dedupe * 2
        create(store, "u1", at=back)

        def again(**at: datetime) -> set[str]:
            return set(store.erased({hashes[id]: when for id, when in at.items()}, back, back).values())

        assert again(u1=later(10), u2=later(4), u3=later(4)) == set(), "an erasure that stands, and one of before"
        assert again(u2=later(6)) == {"u2"} and again(u1=back) == {"u1"}
        assert store.ingest([Arrival("u3", back, event(order="x"))]).accepted == 1, "it is long ago"
        told = {right.customer: right.at for right in store.rights(None, 0, 100) if right.kind == "erased"}
        assert told[f"erased:{hashes['u3']}"] == later(4)
        assert back not in told.values()

    def test_whoever_is_not_there_cannot_be_erased(self, store: Store) -> None:
        assert store.erase("nobody", later(10), later(10), "operator") is None


NAMED = names(["u1"], "u1@example.com", "+351912345678", None)
OTHERS = '{"userId":"u7","properties":{"model":"u1","lines":["u1"]}}'


def _leave_traces(store: Store) -> None:
    """Rows that belong to nobody, and tell of u1."""
    told = [
        '{"user_id": "u1"}',
        "to=u1%40example.com",
        '{"phone": "00351 912 345 678"}',
        '{"email": "U1+x@example.com"}',
    ]
    store.keep_refused([RefusedItem(later(4), "hooks/x", "unreadable", content) for content in (*told, OTHERS)])
    for detail in ("u1", "email u1@example.com: complained", "whatsapp +351912345678: opted_out", "nobody"):
        store.audit(later(4), "operator", "suppress", detail)
    note_soft_bounce(store, "email", "u1@example.com", later(4))
    store.suppress([("whatsapp", "+351912345678", "opted_out"), ("email", "u1@example.com", "complained")], later(4))
    store.keep_reply("https://example.com/customers/u1", 200, {"name": "Mary"}, later(days=1))
    if (database := getattr(store, "db", None)) is not None:
        with database.write() as c:
            suspects = '[[0], ["u1", "u2"]]' if hasattr(c, "pgconn") else '["u1", "u2"]'
            c.execute(f"INSERT INTO attempts (begun_at, customers, tries) VALUES (0, '{suspects}', 0)")
            c.execute("INSERT INTO fanout (name, at, body, cursor, reached, done) VALUES ('f', 0, '{}', 'u1', 1, 1)")


def _everything_in(store: Store) -> Iterator[tuple[str, str]]:
    """Every row of every table as text, where the store has tables; sealed texts opened as far as they are found."""
    database = getattr(store, "db", None)
    if database is None:
        parts = {name: getattr(store, name) for name in ("_audit", "_soft", "_suppressions", "_rights", "_refused")}
        yield from (
            (name, repr(one)) for name, part in parts.items() for one in (part.items() if name == "_soft" else part)
        )
        return
    with database.read() as c:
        for table in METADATA.sorted_tables:
            found = c.execute(f'SELECT * FROM "{table.name}"')
            names = [column[0] for column in found.description]  # PostgreSQL has some that the schema does not share
            for row in found.fetchall():
                yield table.name, " ".join(f"{name}={value}" for name, value in zip(names, row, strict=True))


def _customer(store: Store):  # type: ignore[no-untyped-def]
    card = store.card("u1")
    assert card is not None and card.customer is not None
    return card.customer


def _live(store: Store) -> None:
    """Two people to whom everything happens that leaves rows."""
    store.deploy(index_of(EVERYTHING, **PARTS), START)
    create(store, "u1", first_name="Mary")
    create(store, "u2", email="mary-u1@example.com", phone="+351900000000")
    arrive(store, "u1", event(order="u1-1"))
    turns(store, START)
    [sent] = [claimed for claimed in store.claim_messages(START, 10) if claimed.row.customer_id == "u1"]
    store.settle_messages([Settlement(sent.row.id, "u1", "sent", fence=sent.fence)], START)
    choose(store, "out", 1, source="page", proof=PROOF)
    choose(store, "in", 2, source="page", proof=PROOF)
    arrive(store, "u1", event(order="u1-2", at=later(3)), later(3))
    turns(store, later(3))
    store.keep_refused([RefusedItem(later(4), "track", "no name", '{"userId":"u1","email":"U1@example.com"}')])
    store.keep_refused([RefusedItem(later(4), "track", "no name", '{"userId":"mary-u11"}')])
    arrive(store, "u1", event(order="u1-3", at=later(5)), later(5))
