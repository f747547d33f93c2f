"""What follows from what providers say: at once, once, and for the right person."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.channels.hooks.protocol import Part, Told
from orchestrator.core.changes import STOPPED
from orchestrator.core.consent import EVERY_TOPIC
from orchestrator.core.inbox import Identified
from orchestrator.core.suppression import hashed_entry
from orchestrator.runtime.hooks import take_told
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import StoreBusy
from tests.http.installation import START, TOPICS, Installation, installation
from tests.small_projects import project_of

PHONE = "+351912345678"


@pytest.fixture
def site() -> Installation:
    """Ana got a mail and a text."""
    site = installation()
    known = {"email": "ana@example.com", "phone": PHONE, "consents": {"promotions": {"email": "in", "sms": "in"}}}
    ingest(site, "ana", Identified(known, silent=True))
    event(site, "ana", "bought", order="1")
    return site


def ingest(site: Installation, customer: str, body: Any) -> None:
    from orchestrator.runtime.ingest import ingest_once

    ingest_once(site.store, [(customer, body)], site.now)
    site.run()


def event(site: Installation, customer: str, name: str, **properties: Any) -> None:
    from orchestrator.runtime.ingest import Incoming, ingest_once

    ingest_once(site.store, [Incoming(customer, name, properties)], site.now)
    site.run()


def text_of(site: Installation) -> str:
    """The id of the text message."""
    [id] = [row.id for row in site.messages("ana") if row.channel == "sms"]
    return id


def happened(site: Installation, customer: str = "ana") -> list[tuple[str, dict[str, Any]]]:
    """Events of a customer that providers brought about."""
    site.run()
    record = site.store._records[customer]  # type: ignore[attr-defined]
    return [
        (event.name, dict(event.properties))
        for name in ("sms_received", "message_delivered", "message_failed")
        for event in record.history.events(name)
    ]


def take(site: Installation, *told: Told) -> Any:
    return take_told(site.store, "twilio", told, site.now)


def reply(text: str, id: str = "r1", address: str = PHONE) -> Told:
    return Told("reply", "sms", id, address=address, text=text)


def test_a_delivery_becomes_an_event_of_the_messages_customer_once(site: Installation) -> None:
    told = Told("delivered", "sms", "SM1:delivered", text_of(site), PHONE)
    assert take(site, told).news
    assert not take(site, told).news
    delivered = [properties for name, properties in happened(site) if name == "message_delivered"]
    assert [p["step"] for p in delivered] == ["sms_1"]
    assert site.store.counted()["hooks:twilio:delivered"] == 2


def test_a_stop_is_obeyed_before_any_turn_and_for_numbers_that_nobody_has(site: Installation) -> None:
    take(site, reply("STOP"), reply("退订", "r2", "+8613800000000"))
    assert site.store.suppressions()["sms", PHONE] == {STOPPED}
    assert site.store.suppressions()["sms", "+8613800000000"] == {STOPPED}


def test_a_reply_is_an_event_of_whoever_was_written_to_last(site: Installation) -> None:
    ingest(site, "ben", Identified({"phone": PHONE}, silent=True))
    take(site, reply("Yes please"))
    [properties] = [p for name, p in happened(site) if name == "sms_received"]
    assert properties.items() >= {"text": "Yes please", "keyword": "YES", "step": "sms_1"}.items()
    event(site, "ben", "bought", order="2")
    take(site, reply("Me too", "r2"))
    assert [p["text"] for name, p in happened(site, "ben") if name == "sms_received"] == ["Me too"]


def test_start_takes_a_stop_back_and_nothing_else_and_never_twice(site: Installation) -> None:
    take(site, reply("STOP"))
    site.store.suppress([("sms", PHONE, "bounced")], START)
    take(site, reply("START", "r2"))
    assert site.store.suppressions()["sms", PHONE] == {"bounced"}
    take(site, reply("STOP", "r3"))
    take(site, reply("START", "r2"))  # the old one again
    assert site.store.suppressions()["sms", PHONE] == {"bounced", STOPPED}


@pytest.mark.parametrize(("words", "stopped"), [(["START", "STOP"], True), (["STOP", "START"], False)])
def test_of_several_replies_at_once_the_last_one_counts(site: Installation, words: list[str], stopped: bool) -> None:
    take(site, *[reply(word, f"r{n}") for n, word in enumerate(words)])
    assert (STOPPED in site.store.suppressions().get(("sms", PHONE), frozenset())) is stopped


def test_consents_stay_as_they_were(site: Installation) -> None:
    before = dict(site.consents("ana"))
    take(site, reply("STOP"), reply("START", "r2"))
    site.run()
    assert site.consents("ana") == before


def test_whoever_asks_for_help_is_named_once(site: Installation) -> None:
    told = reply("帮助")
    assert take(site, told).helps == (("sms", PHONE),)
    assert take(site, told).helps == ()


@pytest.mark.parametrize(("kind", "cause"), [("bounce", "bounced"), ("complaint", "complained")])
def test_addresses_that_are_gone_or_complain_are_suppressed_at_once(site: Installation, kind: Any, cause: str) -> None:
    take(site, Told(kind, "sms", "SM1", text_of(site), PHONE, reason="30005"))
    assert site.store.suppressions()["sms", PHONE] == {cause}
    assert ("message_failed", cause) in [(name, p.get("reason")) for name, p in happened(site)]


def test_soft_bounces_add_up_and_a_delivery_forgets_them(site: Installation) -> None:
    def soft(number: int) -> None:
        site.now += timedelta(minutes=1)
        take(site, Told("soft_bounce", "sms", f"s{number}", text_of(site), PHONE))

    for number in range(3):
        soft(number)
    take(site, Told("delivered", "sms", "d", text_of(site), PHONE))
    for number in range(3, 6):
        soft(number)
    assert ("sms", PHONE) not in site.store.suppressions()
    for number in range(6, 9):
        soft(number)
    assert site.store.suppressions()["sms", PHONE] == {"bounced"}


def test_one_soft_bounce_said_many_times_is_one(site: Installation) -> None:
    for _ in range(20):
        site.now += timedelta(minutes=1)
        take(site, Told("soft_bounce", "sms", "s1", text_of(site), PHONE))
    assert ("sms", PHONE) not in site.store.suppressions()


def test_messages_that_are_not_ours_are_kept_and_their_bounces_believed(site: Installation) -> None:
    drawn = take(site, Told("bounce", "sms", "x", "somebody.elses.1", "+351910000000", reason="no such number"))
    assert drawn.counts == {"bounce": 1, "unknown_message": 1}
    assert not drawn.news
    [kept] = site.store.refused(10)
    assert (kept.source, kept.reason) == ("hooks/twilio", "unknown_message")
    assert "somebody.elses.1" in kept.content
    assert site.store.suppressions()["sms", "+351910000000"] == {"bounced"}


def test_an_unsubscription_is_the_topics_where_the_message_is_known(site: Installation) -> None:
    event(site, "ana", "go", order="3")
    [mail] = [row for row in site.messages("ana") if row.journey == "greets"]
    take(site, Told("unsubscribe", "email", "u1", mail.id, "ana@example.com"))
    site.run()
    assert site.consents("ana")["promotions", "email"] == "out"
    assert ("email", "ana@example.com") not in site.store.suppressions()
    take(site, Told("unsubscribe", "email", "u2", None, "ana@example.com"))
    assert site.store.suppressions()["email", "ana@example.com"] == {"opted_out"}
    take(site, Told("unsubscribe", "sms", "u3", None, PHONE))
    assert site.store.suppressions()["sms", PHONE] == {STOPPED}


def test_a_message_of_another_channel_is_not_what_it_is_about(site: Installation) -> None:
    [mail] = [row.id for row in site.messages("ana") if row.channel == "email"]
    drawn = take(site, Told("bounce", "sms", "x", mail, "+351910000000"))
    assert drawn.counts["unknown_message"] == 1
    assert ("email", "ana@example.com") not in site.store.suppressions()


def chosen(site: Installation) -> list[tuple[str, str, str, str]]:
    site.run()
    log = site.store.consent_log("ana")
    return [(c.topic, c.channel, c.state, c.source) for c in log if c.topic == EVERY_TOPIC]


def test_the_ledger_hears_of_whoever_wants_nothing_at_all(site: Installation) -> None:
    """The suppression list forgets a STOP that was taken back, so that nobody could prove that it was obeyed."""
    event(site, "ana", "bought", order="2")
    [mail, *_] = [row for row in site.messages("ana") if row.channel == "email"]
    said_at = site.now
    site.now += timedelta(minutes=1)
    take(site, reply("STOP", "r1")._replace(at=said_at))
    take(site, reply("STOP", "r1")._replace(at=said_at), reply("a question", "r2"))
    take(site, reply("START", "r3"))
    take(site, Told("unsubscribe", "sms", "u1", None, PHONE))
    assert mail.klass == "transactional"
    take(site, Told("unsubscribe", "email", "u2", mail.id, "ana@example.com"))
    take(site, reply("STOP", "r4", "+13105550100"))  # of nobody whom we know
    assert chosen(site) == [
        (EVERY_TOPIC, "sms", "out", "sms"),
        (EVERY_TOPIC, "sms", "in", "sms"),
        (EVERY_TOPIC, "sms", "out", "sms"),
        (EVERY_TOPIC, "email", "out", ""),
    ]
    first = next(c for c in site.store.consent_log("ana") if c.topic == EVERY_TOPIC)
    assert (first.at, first.noted_at) == (said_at, said_at + timedelta(minutes=1))
    assert first.proof is not None
    assert first.proof["text"] == "STOP"
    assert site.consents("ana").get((EVERY_TOPIC, "sms")) is None, "what binds is the address"


# --- in any order, again and again, while the database comes and goes -------------------------------------------------

_SAID = st.lists(st.tuples(st.sampled_from(["STOP", "START"]), st.booleans()), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=_SAID, data=st.data())
def test_the_newest_choice_stands_in_whatever_order_they_arrive(said: list[Any], data: st.DataObject) -> None:
    site = installation()
    known = {"email": "ana@example.com", "phone": PHONE, "consents": {"promotions": {"email": "in", "sms": "in"}}}
    ingest(site, "ana", Identified(known, silent=True))
    event(site, "ana", "bought", order="1")
    address = data.draw(st.sampled_from([PHONE, "+13105550100"]))  # of somebody, and of nobody
    told = [
        reply(word, f"r{n}", address)._replace(at=site.now + timedelta(seconds=n)) for n, (word, _) in enumerate(said)
    ]
    site.now += timedelta(hours=1)
    again = [one for one, (_, twice) in zip(told, said, strict=True) if twice]
    order = data.draw(st.permutations([*told, *again]))
    for at, one in enumerate(order):
        together = data.draw(st.booleans())
        take(site, *(order[at : at + 2] if together else [one]))
        site.now += timedelta(seconds=1)
    stopped = STOPPED in site.store.suppressions().get(("sms", address), frozenset())
    assert stopped is (said[-1][0] == "STOP"), [one.text for one in order]


def test_a_start_without_an_instant_that_comes_again_lifts_nothing_of_anybody(site: Installation) -> None:
    stranger = "+13105550100"
    for word, id in (("STOP", "r1"), ("START", "r2"), ("STOP", "r3"), ("START", "r2"), ("STOP", "r1")):
        take(site, reply(word, id, stranger))
        site.now += timedelta(minutes=1)
    assert site.store.suppressions()["sms", stranger] == {STOPPED}
    take(site, reply("START", "r4", stranger))
    take(site, reply("STOP", "r3", stranger))
    assert ("sms", stranger) not in site.store.suppressions()


def test_a_stranger_who_asks_for_help_twice_in_one_breath_is_answered_once(site: Installation) -> None:
    told = reply("HELP", "r1", "+13105550100")
    assert take(site, told).helps == (("sms", "+13105550100"),)
    assert take(site, told).helps == ()


class Flaky:
    """A store that is away at one call, once."""

    def __init__(self, store: Any, at: int) -> None:
        self._store = store
        self.left = at

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not callable(found):
            return found

        def call(*args: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left == 0:
                raise StoreBusy("away")
            return found(*args, **options)

        return call


@pytest.mark.parametrize("first_stop", [False, True])
def test_nothing_is_lost_wherever_the_database_goes_away(first_stop: bool) -> None:
    calls = 1
    while True:
        site = installation()
        known = {"email": "ana@example.com", "phone": PHONE, "consents": {"promotions": {"email": "in", "sms": "in"}}}
        ingest(site, "ana", Identified(known, silent=True))
        event(site, "ana", "bought", order="1")
        site.store.suppress([("sms", PHONE, STOPPED)], site.now)
        text, stranger = text_of(site), "+13105550100"
        softs = [Told("soft_bounce", "sms", f"s{n}", text, PHONE, at=site.now - timedelta(minutes=n)) for n in range(2)]
        words = ("STOP", "START") if first_stop else ("START", "STOP")
        told = [*softs, reply(words[0], "r1"), reply(words[1], "r2", stranger), reply("HELP", "r3", stranger)]
        flaky: Any = Flaky(site.store, calls)
        helps: tuple[tuple[str, str], ...] = ()
        for _ in range(3):  # the provider says it until it is taken, and once more
            try:
                drawn = take_told(flaky, "twilio", told, site.now)
            except StoreBusy:
                continue
            helps += drawn.helps
        assert 1 <= len(helps) <= 2, calls  # twice where the id could not be kept, and the provider says it once more
        assert (STOPPED in site.store.suppressions().get(("sms", PHONE), frozenset())) is first_stop, calls
        assert (STOPPED in site.store.suppressions().get(("sms", stranger), frozenset())) is not first_stop, calls
        assert 1.0 <= softness(site) <= 3.0, calls
        assert "bounced" not in site.store.suppressions().get(("sms", PHONE), frozenset()), calls
        assert [p["text"] for name, p in happened(site) if name == "sms_received"] == [words[0]], calls
        if flaky.left > 0:
            assert calls > 5
            return
        calls += 1


def softness(site: Installation) -> float:
    """The weight of the soft bounces of Ana's number a week later: half of what it was."""
    name = "".join(hashed_entry(site.store.salt, "sms", PHONE)).removeprefix("#")
    return 2 * (site.store.soften(name, site.now + timedelta(days=7), timedelta(days=7)) - 1.0)


def test_what_is_written_in_wechat_lets_in_and_stops_like_a_text(tmp_path: Path) -> None:
    openid = "o6_bmjTTeEuTE-x1"
    journeys = {
        "tells": {"topic": "orders", "enter": {"event": "bought"}, "steps": [{"wechat": "hello"}]},
        "books": {
            "topic": "orders",
            "enter": {"inbound": {"channel": "wechat", "keyword": "预订"}},
            "steps": [{"set": {"customer.asked": "{{ entry.text }}"}}],
        },
    }
    templates = {"wechat/hello.txt": "您的订单已发货"}
    project = {"topics": TOPICS, "channels": {"wechat": {}}}
    loaded = project_of(tmp_path, journeys, templates=templates, project=project)
    site = Installation(MemoryStore(keep_journal=True), loaded)
    ingest(site, "li", Identified({"wechat_openid": openid}, silent=True))
    event(site, "li", "bought")
    written = Told("reply", "wechat", "m1", address=openid, text="预订")
    assert take_told(site.store, "wechat", [written], site.now).news
    site.run()
    card = site.store.card("li")
    assert card is not None and card.customer is not None
    assert card.customer.attributes["asked"] == "预订"
    take_told(site.store, "wechat", [Told("reply", "wechat", "m2", address=openid, text="退订")], site.now)
    assert site.store.suppressions()["wechat", openid] == {STOPPED}
    take_told(site.store, "wechat", [Told("reply", "wechat", "m3", address=openid, text="恢复")], site.now)
    take_told(site.store, "wechat", [Told("unsubscribe", "wechat", "m4", address=openid)], site.now)
    assert site.store.suppressions()["wechat", openid] == {"opted_out"}, "who unfollows may still get a receipt"


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_long_text_is_read_as_a_whole_in_whatever_order_its_parts_come(data: st.DataObject) -> None:
    site = installation()
    known = {"email": "ana@example.com", "phone": PHONE, "consents": {"promotions": {"email": "in", "sms": "in"}}}
    ingest(site, "ana", Identified(known, silent=True))
    event(site, "ana", "bought", order="1")
    texts = ["I would love to come, and I cannot ", "STOP", " smiling about it"]
    parts = [reply(text, f"p{n}")._replace(part=Part("7", n, 3)) for n, text in enumerate(texts, 1)]
    order = data.draw(st.permutations(parts)) + data.draw(st.lists(st.sampled_from(parts), max_size=2))
    for one in order:
        take(site, one)
        site.now += timedelta(seconds=1)
    assert ("sms", PHONE) not in site.store.suppressions()
    assert [p["text"] for name, p in happened(site) if name == "sms_received"] == ["".join(texts)]


def test_a_stop_in_two_parts_stops(site: Installation) -> None:
    take(site, reply("please stop ", "p1")._replace(part=Part("7", 1, 2)))
    assert ("sms", PHONE) not in site.store.suppressions()
    take(site, reply("texting me", "p2")._replace(part=Part("7", 2, 2)))
    assert site.store.suppressions()["sms", PHONE] == {STOPPED}
