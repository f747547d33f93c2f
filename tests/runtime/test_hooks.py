"""What follows from what providers say: at once, once, and for the right person."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from orchestrator.channels.hooks.protocol import Told
from orchestrator.core.changes import STOPPED
from orchestrator.core.inbox import Identified
from orchestrator.runtime.hooks import take_told
from tests.http.installation import START, Installation, installation

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
