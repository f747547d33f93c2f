"""The month's proof: sound books prove clean, and books that were doctored do not, each in its own way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.consent import EVERY_TOPIC, Choice
from orchestrator.core.customer import Customer
from orchestrator.core.inbox import ConsentChanged, Identified, Receipt
from orchestrator.core.ledger import Message
from orchestrator.core.sends import Contact, CustomerSends
from orchestrator.insights.proof import KINDS, Proof, Prover, Reached
from orchestrator.insights.proof_page import proof_page
from orchestrator.insights.proof_text import proof_data, proof_text
from orchestrator.runtime.delivery import deliver_once
from orchestrator.runtime.ingest import Incoming
from orchestrator.runtime.proving import prove
from orchestrator.runtime.rendering import LedgerRenderer
from orchestrator.runtime.settlements import line_of_row
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import Settlement
from tests.small_projects import project_of
from tests.stores.driving import turns
from tests.world import Engine, Happening, exactly

SINCE, UNTIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)
START = datetime(2026, 3, 2, 10, tzinfo=UTC)
JOURNEY: Mapping[str, Any] = {
    "topic": "promotions",
    "enter": {"event": "go", "key": "event.order", "reentry": "always"},
    "steps": [
        {"sms": "hello"},
        {"email": {"template": "hello", "topic": "care"}},
        {"email": {"template": "second", "topic": "orders"}},
    ],
}
RULES = {
    "timezone": "Europe/Lisbon",
    "country": "PT",
    "quiet_hours": {"from": "21:00", "to": "08:00"},
    "caps": [{"max": 2, "per": "1d", "class": "promotional"}],
    "compliance": ["us", "eu"],
}


def go(at: datetime, customer: str, order: int) -> Happening:
    return Happening(at, customer, Incoming(customer, "go", {"order": str(order)}, at))


def person(customer: str, at: datetime = START - timedelta(hours=1), **traits: Any) -> Happening:
    known = {
        "email": f"{customer}@example.com",
        "phone": "+351912345678",
        "consents": {"promotions": {"sms": "in", "email": "in"}},
        **traits,
    }
    return Happening(at, customer, Identified(known, silent=True))


def lived(tmp_path: Path) -> MemoryStore:
    """A month in which a few people get what they may, at all hours."""
    store = MemoryStore(keep_journal=True)
    engine = Engine(store, project_of(tmp_path, {"j": JOURNEY}, project=RULES), START - timedelta(hours=2))
    happenings = [
        person("ana"),
        person("bob", phone="+13055550123", timezone="America/New_York"),
        person("eve", consents={}),
        *(go(START + timedelta(hours=7 * n), customer, n) for n in range(30) for customer in ("ana", "bob", "eve")),
        Happening(START + timedelta(days=3), "ana", ConsentChanged("promotions", "sms", "out", source="page")),
        Happening(START + timedelta(days=5), "bob", ConsentChanged("care", "email", "out", source="page")),
    ]
    exactly(engine, sorted(happenings, key=lambda h: h.at), START + timedelta(days=20))
    return store


def test_the_books_of_the_engine_prove_clean(tmp_path: Path) -> None:
    store = lived(tmp_path)
    proof = prove(store, SINCE, UNTIL)
    assert proof.violations == dict.fromkeys(KINDS, 0)
    assert proof.people == 3
    assert proof.packs == ("us", "eu")
    by_class = {
        klass: sum(n for r, n in proof.contacts.items() if r.klass == klass)
        for klass in ("promotional", "service", "transactional")
    }
    assert by_class["transactional"] == 90
    assert 0 < by_class["promotional"] < 60
    assert {r.basis for r in proof.contacts if r.klass == "promotional"} == {"opt_in"}
    reasons = {reason for reason, _ in proof.withheld}
    assert {"opted_out", "capped", "no_consent"} <= reasons
    assert (proof.opt_outs, proof.latency_p50, proof.latency_max) == (2, 0, 0)
    assert sum(proof.sent.values()) == sum(proof.contacts.values())


def hand_over(store: MemoryStore, at: datetime) -> int:
    """Everything leaves, whatever the claim would say."""
    claimed = store.claim_messages(at, 10)
    for row in [one.row for one in claimed]:
        line = line_of_row(row, at, "message", {"channel": row.channel})
        store.settle_messages([Settlement(row.id, row.customer_id, "sent", [line], handed_over=True)], at)
    return len(claimed)


def test_an_engine_that_is_behind_proves_clean_and_one_that_does_not_ask_again_does_not(tmp_path: Path) -> None:
    """Messages are decided; everything opts out; then they are handed over, with the claim's checks and without."""
    loaded = project_of(tmp_path, {"j": JOURNEY}, project=RULES)
    out_at, handed_at = START + timedelta(minutes=1), START + timedelta(minutes=31)
    for careful in (True, False):
        store = MemoryStore(keep_journal=True)
        engine = Engine(store, loaded, START - timedelta(hours=2))
        happenings = [person("ana"), go(START, "ana", 1)]
        engine.arrive(happenings)
        turns(store, START)  # decided, and not handed over
        closing = [ConsentChanged("promotions", "sms", "out"), ConsentChanged("care", "email", "out")]
        engine.arrive([Happening(out_at, "ana", body) for body in closing])
        if careful:
            renderer = LedgerRenderer(loaded.templates, loaded.project, "https://example.com", b"tests")
            deliver_once(store, engine.channels, renderer, handed_at)
        else:
            assert hand_over(store, handed_at) == 3
        turns(store, START + timedelta(hours=9))  # the turn that takes the opt-outs is late
        proof = prove(store, SINCE, UNTIL)
        assert proof.told_late == 0, "they were told at once"
        if careful:
            assert (proof.broken, proof.opt_outs, proof.latency_max) == (0, 2, 0)
            assert sum(proof.contacts.values()) == 1
        else:
            assert proof.violations == only("after_opt_out", 2)
            assert (proof.opt_outs, proof.latency_p50, proof.latency_max) == (2, 1800, 1800)
        assert [(row.at, row.noted_at) for row in store.consent_log("ana") if row.state == "out"] == [
            (out_at, out_at)
        ] * 2


# --- STOP, START, and nothing at all ----------------------------------------------------------------------------------


def replied(text: str, at: datetime) -> Happening:
    return Happening(at, "ana", Receipt("reply", "sms", None, text))


def test_a_stop_that_was_taken_back_is_proved_all_the_same(tmp_path: Path) -> None:
    """The suppression list has forgotten it; the ledger has not."""
    store = MemoryStore(keep_journal=True)
    engine = Engine(store, project_of(tmp_path, {"j": JOURNEY}, project=RULES), START - timedelta(hours=2))
    stopped_at, started_at = START + timedelta(hours=1), START + timedelta(hours=5)
    for happening in (
        person("ana"),
        go(START, "ana", 1),
        replied("STOP", stopped_at),
        go(START + timedelta(hours=3), "ana", 2),  # nobody looks at the list here
        replied("Start", started_at),
        go(START + timedelta(hours=26), "ana", 3),
    ):
        engine.arrive([happening])
        turns(store, happening.at)
        hand_over(store, happening.at)
    rows = [row for row in store.consent_log("ana") if row.topic == EVERY_TOPIC]
    assert [(row.channel, row.state, row.source, row.at) for row in rows] == [
        ("sms", "out", "sms", stopped_at), ("sms", "in", "sms", started_at),
    ]  # fmt: skip
    proof = prove(store, SINCE, UNTIL)
    assert proof.violations == only("after_opt_out")
    assert [found.handed_at for found in proof.shown] == [START + timedelta(hours=3)]
    assert (proof.opt_outs, proof.latency_max) == (1, 7200)


def test_another_month_is_another_proof(tmp_path: Path) -> None:
    proof = prove(lived(tmp_path), UNTIL, UNTIL + timedelta(days=30))
    assert (proof.people, proof.contacts, proof.opt_outs, proof.broken) == (0, {}, 0, 0)


# --- doctored books ---------------------------------------------------------------------------------------------------


def customer(**fields: Any) -> Customer:
    made = Customer("u1", SINCE)
    made.phone, made.email = "+351912345678", "u1@example.com"
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def contact(at: datetime, handed_at: datetime | None = None, status: str = "sent", **fields: Any) -> Contact:
    known: dict[str, Any] = {
        "channel": "sms", "topic": "promotions", "klass": "promotional", "to": "+351912345678", "zone": "Europe/Lisbon",
        **fields,
    }  # fmt: skip
    number = int(at.timestamp())
    row = Message(
        f"e.s.{number}", "u1", "e", "j", "v", "u1", "s", 1, known["channel"], known["topic"], known["klass"], "hello",
        "h", None, known["to"], {}, at, at, number, zone=known["zone"], fixed_zone=known.get("fixed_zone"),
    )  # fmt: skip
    return Contact(row, handed_at or at, status)


def choice(state: str, at: datetime, noted_at: datetime | None = None, **more: Any) -> Choice:
    return Choice("promotions", "sms", state, at, noted_at or at, **{"source": "page", **more})


OPTED_IN = choice("in", SINCE)
PROMOTIONS = ("promotions", "sms")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return project_of(tmp_path_factory.mktemp("p"), {"j": JOURNEY}, project=RULES).project


def proved(project: Any, *sends: CustomerSends, causes: Mapping[tuple[str, str], Any] | None = None) -> Proof:
    prover = Prover(project, lambda row, _: (causes or {}).get((row.channel, row.to), ()), SINCE, UNTIL)
    for one in sends:
        prover.add(one)
    return prover.proof()


def only(kind: str, number: int = 1) -> dict[str, int]:
    return {**dict.fromkeys(KINDS, 0), kind: number}


NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)


def test_a_sound_contact_breaks_nothing(project: Any) -> None:
    proof = proved(project, CustomerSends(customer(), (contact(NOON),), (), (OPTED_IN,)))
    assert proof.broken == 0
    assert proof.contacts == {Reached("promotions", "sms", "promotional", "opt_in", "page"): 1}


@pytest.mark.parametrize(
    ("who", "sent"),
    [
        (customer(), contact(NOON, NOON.replace(hour=21))),  # decided at noon, handed over at night
        (customer(), contact(NOON.replace(hour=7, minute=59))),
        (customer(), contact(NOON.replace(hour=8, minute=30))),  # Portugal has two zones, and the Azores still sleep
        (
            customer(phone="+13055550123", timezone="America/New_York"),
            contact(datetime(2026, 3, 10, 0, 30, tzinfo=UTC), zone="America/New_York", to="+13055550123"),
        ),
        (customer(timezone="Asia/Shanghai"), contact(NOON.replace(hour=14), zone="Asia/Shanghai")),
        (customer(phone="+12125550123"), contact(NOON.replace(hour=17), to="+12125550123")),  # Hawaii still sleeps
    ],
)
def test_quiet_hours(project: Any, who: Customer, sent: Contact) -> None:
    proof = proved(project, CustomerSends(who, (sent,), (), (OPTED_IN,)))
    assert proof.violations == only("quiet_hours")
    assert proof.shown[0].message == sent.row.id


def test_transactional_messages_keep_no_quiet_hours(project: Any) -> None:
    night = contact(NOON.replace(hour=3), klass="transactional", topic="orders", channel="email", to="u1@example.com")
    assert proved(project, CustomerSends(customer(), (night,))).broken == 0


def test_caps_slide(project: Any) -> None:
    hours = [
        0,
        2,
        23,
        24,
        26,
        48,
    ]  # 23: the third in a day; at 24 and 26 two are left; at 48 that of 24 no longer counts
    sends = tuple(contact(NOON.replace(hour=10) + timedelta(hours=h)) for h in hours)
    proof = proved(project, CustomerSends(customer(), sends, (), (OPTED_IN,)))
    assert proof.violations == only("caps", 3)
    assert proved(project, CustomerSends(customer(), sends[:2], (), (OPTED_IN,))).broken == 0


def test_a_cap_looks_back_before_the_month(project: Any) -> None:
    before = tuple(contact(SINCE - timedelta(hours=h)) for h in (4, 5))
    first = contact(SINCE + timedelta(hours=9))
    proof = proved(project, CustomerSends(customer(), (*before, first), (), (choice("in", SINCE - timedelta(days=9)),)))
    assert proof.violations == only("caps")
    assert sum(proof.contacts.values()) == 1


def test_unsent_messages_take_no_slot(project: Any) -> None:
    sends = tuple(contact(NOON + timedelta(minutes=n), status="rejected" if n else "sent") for n in range(4))
    assert proved(project, CustomerSends(customer(), sends, (), (OPTED_IN,))).broken == 0


@pytest.mark.parametrize("klass", ["promotional", "service"])
def test_after_an_opt_out(project: Any, klass: str) -> None:
    out = choice("out", NOON)
    late = contact(NOON + timedelta(seconds=90), klass=klass)
    proof = proved(project, CustomerSends(customer(), (late,), (), (OPTED_IN, out)))
    assert proof.violations == only("after_opt_out")
    assert (proof.opt_outs, proof.latency_p50, proof.latency_max) == (1, 90, 90)


def test_two_seconds_of_grace_count_as_latency(project: Any) -> None:
    out = choice("out", NOON)
    under_way = contact(NOON - timedelta(seconds=1), NOON + timedelta(seconds=2), klass="service")
    proof = proved(project, CustomerSends(customer(), (under_way,), (), (OPTED_IN, out)))
    assert (proof.broken, proof.latency_max) == (0, 2)


def test_whoever_opts_in_again_is_written_to_again(project: Any) -> None:
    choices = (OPTED_IN, choice("out", NOON - timedelta(days=2)), choice("in", NOON - timedelta(days=1)))
    proof = proved(project, CustomerSends(customer(), (contact(NOON),), (), choices))
    assert (proof.broken, proof.latency_max) == (0, 0)


def test_an_opt_out_that_was_told_late_counts_from_then(project: Any) -> None:
    out = choice("out", NOON - timedelta(days=3), NOON + timedelta(hours=1), source="import")
    proof = proved(project, CustomerSends(customer(), (contact(NOON),), (), (OPTED_IN, out)))
    assert (proof.broken, proof.told_late) == (0, 1)
    after = contact(NOON + timedelta(hours=2))
    assert proved(project, CustomerSends(customer(), (after,), (), (OPTED_IN, out))).violations == only("after_opt_out")


@pytest.mark.parametrize(
    ("today", "choices"),
    [
        ({}, ()),
        ({PROMOTIONS: "pending"}, (choice("pending", SINCE),)),
        ({PROMOTIONS: "in"}, (choice("in", NOON + timedelta(hours=1)),)),
        ({PROMOTIONS: "in"}, (choice("in", UNTIL + timedelta(days=3)),)),  # the next month's opt-in
        ({PROMOTIONS: "in"}, (choice("in", SINCE, expires_at=NOON - timedelta(minutes=1)),)),
        ({PROMOTIONS: "in"}, (choice("pending", SINCE), choice("in", NOON + timedelta(hours=1), source="confirm"))),
    ],
)
def test_without_consent(project: Any, today: Mapping[Any, str], choices: tuple[Choice, ...]) -> None:
    """The profile is what these choices have made of it by today, which proves nothing about then."""
    sends = CustomerSends(customer(consents=dict(today)), (contact(NOON),), (), choices)
    assert proved(project, sends).violations == only("without_consent")


_CHANGES = st.lists(
    st.tuples(st.integers(0, 30 * 24), st.sampled_from(["in", "out"]), st.integers(0, 30), st.booleans()), max_size=6
)


@settings(max_examples=150, deadline=None)
@given(_CHANGES, st.integers(0, 30 * 24 * 60))
def test_consent_is_what_was_last_chosen_before(project: Any, changes: list[Any], minute: int) -> None:
    """Against a plain reading of the ledger: who had opted in when a message left, and who had opted out."""
    changes = sorted(changes, key=lambda change: change[0])
    choices = tuple(
        choice(state, SINCE + timedelta(hours=hour), expires_at=SINCE + timedelta(hours=hour + days) if ends else None)
        for hour, state, days, ends in changes
    )
    at = SINCE + timedelta(minutes=minute, seconds=30)
    known = [one for one in choices if one.at < at]
    opted_out = bool(known) and known[-1].state == "out"
    ins = list(takewhile(lambda one: one.state == "in", reversed(known)))
    # What has an end cuts nothing short.
    consented = any(one.expires_at is None or at < one.expires_at for one in ins)
    today = {PROMOTIONS: choices[-1].state} if choices else {}
    found = proved(project, CustomerSends(customer(consents=today), (contact(at),), (), choices)).violations
    assert found["after_opt_out"] == opted_out
    assert found["without_consent"] == (not opted_out and not consented)


def test_consent_older_than_the_ledger_and_consent_with_an_end(project: Any) -> None:
    old = customer(consents={("promotions", "sms"): "in"})
    assert proved(project, CustomerSends(old, (contact(NOON),))).broken == 0
    ends = choice("in", SINCE, expires_at=NOON + timedelta(days=1))
    proof = proved(project, CustomerSends(customer(), (contact(NOON),), (), (ends,)))
    assert [reached.basis for reached in proof.contacts] == ["implied"]


@pytest.mark.parametrize(
    ("cause", "klass", "number"),
    [
        ("bounced", "transactional", 1),
        ("stopped", "transactional", 1),
        ("complained", "transactional", 0),
        ("complained", "service", 1),
        ("opted_out", "promotional", 1),
    ],
)
def test_the_suppression_list(project: Any, cause: str, klass: str, number: int) -> None:
    causes = {("sms", "+351912345678"): [(cause, NOON - timedelta(hours=1))]}
    sends = CustomerSends(customer(), (contact(NOON, klass=klass),), (), (OPTED_IN,))
    assert proved(project, sends, causes=causes).violations == only("suppressed", number)
    since_then = {("sms", "+351912345678"): [(cause, NOON + timedelta(hours=1))]}
    assert proved(project, sends, causes=since_then).broken == 0


def told_all(state: str, at: datetime, noted_at: datetime | None = None, **more: Any) -> Choice:
    return choice(state, at, noted_at, **{"source": "sms", **more})._replace(topic=EVERY_TOPIC)


MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("klass", "choices", "number"),
    [
        ("transactional", (told_all("out", NOON - MINUTE),), 1),
        ("service", (told_all("out", NOON - MINUTE),), 1),
        ("transactional", (told_all("out", NOON - MINUTE, source="page"),), 0),
        ("service", (told_all("out", NOON - MINUTE, source="page"),), 1),
        ("service", (told_all("out", NOON - 3 * MINUTE), told_all("in", NOON - MINUTE)), 0),
        # The START was said later, and told first.
        ("service", (told_all("in", NOON - 2 * MINUTE), told_all("out", NOON - 3 * MINUTE, NOON - MINUTE)), 0),
        # It was told after the message had left.
        ("service", (told_all("out", NOON - MINUTE, NOON + MINUTE),), 0),
        # What was chosen on a page since; what somebody else says that was chosen.
        ("promotional", (told_all("out", NOON - 3 * MINUTE), choice("in", NOON - MINUTE)), 0),
        ("promotional", (told_all("out", NOON - 3 * MINUTE), choice("in", NOON - MINUTE, source="api")), 1),
    ],
)
def test_nothing_at_all_on_a_channel(project: Any, klass: str, choices: tuple[Choice, ...], number: int) -> None:
    sends = CustomerSends(customer(), (contact(NOON, klass=klass),), (), (OPTED_IN, *choices))
    assert proved(project, sends).violations == only("after_opt_out", number)
    other = CustomerSends(
        customer(), (contact(NOON, klass="service", channel="email", to="u@example.com"),), (), choices
    )
    assert proved(project, other).violations["after_opt_out"] == 0, "another channel is another choice"


def test_one_click_is_one_opt_out_however_many_topics_it_ends(project: Any) -> None:
    topics = ("promotions", "care", "news", EVERY_TOPIC)
    outs = tuple(choice("out", NOON)._replace(topic=topic) for topic in topics)
    sms = choice("out", NOON)._replace(channel="email")
    again = choice("out", NOON + timedelta(days=1))
    last = contact(NOON - timedelta(seconds=2), NOON + timedelta(seconds=1), klass="service", topic="care")
    proof = proved(project, CustomerSends(customer(), (last,), (), (OPTED_IN, *outs, sms, again)))
    assert (proof.opt_outs, proof.latency_max, proof.broken) == (3, 1, 0)


# --- how it is told ---------------------------------------------------------------------------------------------------


def doctored(project: Any) -> Proof:
    who = customer(id="<b>&u1")
    sends = (contact(NOON.replace(hour=3)), contact(NOON, status="bounced"))
    return proved(project, CustomerSends(who, sends, (), (OPTED_IN, choice("out", NOON))))


def test_text_and_data(project: Any) -> None:
    proof = doctored(project)
    text = proof_text(proof, "2026-03")
    assert "1 violation was found." in text
    assert "sms: 2 handed over, 1 (50.00%) bounced" in text
    data = proof_data(proof)
    assert data["violations"] == only("quiet_hours")
    assert data["contacts"] == [
        {
            "topic": "promotions",
            "channel": "sms",
            "klass": "promotional",
            "basis": "opt_in",
            "source": "page",
            "count": 2,
        }
    ]
    assert data["found"][0]["kind"] == "quiet_hours"


@pytest.mark.parametrize(("language", "words"), [("en", "1 violation was found."), ("zh", "发现 1 项违规。")])
def test_the_page_is_plain_and_escaped(project: Any, language: str, words: str) -> None:
    page = proof_page(doctored(project), "2026-03", "Harbour <&> Co", language)
    assert words in page
    assert "<script" not in page
    assert "http" not in page.lower().replace("http-equiv", "")
    assert "Harbour &lt;&amp;&gt; Co" in page
    assert "@media print" in page
    assert page.count("<table") == page.count("</table>")


def test_an_empty_month_has_a_page(project: Any) -> None:
    page = proof_page(proved(project), "2026-03", "", "en")
    assert "No violation was found." in page
