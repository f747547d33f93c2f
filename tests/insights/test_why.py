"""Stories: passages apart, refusals counted, clocks going back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.core.customer import Customer
from orchestrator.core.program import Journey
from orchestrator.insights.local_time import local_time_of
from orchestrator.insights.why import story_text, tell

LISBON = ZoneInfo("Europe/Lisbon")


def line(at: str, kind: str, journey: str | None = "j", key: str | None = "u", **data: Any) -> dict[str, Any]:
    where = {"journey": journey, "version": "v"} if journey else {}
    return {"at": at, "type": kind, "customer": "u", **where, **({"key": key} if key and journey else {}), **data}


def test_two_passages_and_the_door() -> None:
    lines = [
        line("2026-03-01T10:00:00Z", "entered", trigger="event", key="a"),
        *(line(f"2026-03-01T1{n}:00:00Z", "refused", reason="paused", key="a") for n in range(1, 4)),
        line("2026-03-02T10:00:00Z", "completed", key="a"),
        line("2026-03-03T10:00:30Z", "entered", trigger="event", key="b"),
        {**line("2026-03-03T10:00:00Z", "completed", key="b"), "customer": "somebody else"},
        line("2026-03-04T10:00:00Z", "segment", journey=None, name="s", edge="entered"),
    ]
    assert story_text(tell(lines, "u", LISBON), {"j": "The journey"}) == (
        "u, in the local time of Europe/Lisbon\n"
        "\n"
        "j: The journey\n"
        "  1st passage, key a\n"
        "  Sun 2026-03-01 10:00 +00:00     entered (trigger: event)\n"
        "  Mon 2026-03-02 10:00 +00:00     came to the end\n"
        "  at the door\n"
        "  Sun 2026-03-01 11:00 +00:00     was not let in: the journey was paused (paused)\n"
        "                                  and 2 more times, the last on Sun 2026-03-01 13:00 +00:00\n"
        "  2nd passage, key b\n"
        "  Tue 2026-03-03 10:00:30 +00:00  entered (trigger: event)\n"
        "\n"
        "in no journey\n"
        "  Wed 2026-03-04 10:00 +00:00     came into the segment 's'"
    )


def test_the_offset_tells_the_two_hours_apart_when_clocks_go_back() -> None:
    lines = [line(f"2026-10-25T0{hour}:30:00Z", "branched", branch=str(hour), step="c") for hour in (0, 1)]
    text = story_text(tell([line("2026-10-24T00:00:00Z", "entered", trigger="event"), *lines], "u", LISBON), {})
    assert "Sun 2026-10-25 01:30 +01:00  took branch 0" in text
    assert "Sun 2026-10-25 01:30 +00:00  took branch 1" in text


def test_one_journey_only() -> None:
    lines = [line("2026-03-01T10:00:00Z", "entered", journey=name, trigger="event") for name in ("j", "k")]
    assert [chapter.journey for chapter in tell(lines, "u", LISBON, "k").chapters] == ["k"]
    assert tell(lines, "u", LISBON, "x").chapters == ()


def test_a_steps_own_id_does_not_hide_that_it_is_a_coupon(journey_of: Callable[[str], Journey]) -> None:
    text = "enter: {event: e1}\nsteps: [{coupon: {offer: o1, as: c}, id: gift}, {email: m, id: coupon_9}]\n"
    journeys = {"j": journey_of(text)}
    at = "2026-03-01T10:00:00Z"
    lines = [
        line(at, "entered", trigger="event"),
        line(at, "suppressed", step="gift", channel="email", reason="no_address"),
        line(at, "suppressed", step="coupon_9", channel="email", reason="no_address"),
    ]
    _, gift, mail = tell(lines, "u", LISBON, journeys=journeys).chapters[0].passages[0].told
    assert gift.text == "got no coupon at gift, as no e-mail could carry it: no address is known (no_address)"
    assert mail.text == "got no e-mail at coupon_9: no address is known (no_address)"


def test_the_link_of_today_is_told_exactly_and_that_of_another_time_so_that_it_is_true() -> None:
    at = "2026-03-01T10:00:00Z"
    waits = [line(at, "waiting", step="w", until=at, values={"zone": link}) for link in ("country", "phone")]
    customer = Customer("u", datetime(2026, 1, 1, tzinfo=UTC))
    customer.country = "CN"
    told = [one.text for one in tell(waits, "u", local_time_of(customer, LISBON)).chapters[0].passages[0].told]
    assert told[0].endswith("18:00 +08:00 at w (the time zone of the customer's country)")
    assert told[1].endswith("(the time zone of the phone number's country; the project's, where that has several)")
    assert local_time_of(None, LISBON).whose == "the project's time zone"
