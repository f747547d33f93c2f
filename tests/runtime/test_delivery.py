"""From the queued row to the provider: what the claim checks again, and what each answer of a provider leads to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.core.inbox import ConsentChanged, Identified, Receipt
from orchestrator.core.view import Switches
from orchestrator.runtime.ingest import Incoming
from orchestrator.stores.memory import MemoryStore
from tests.small_projects import project_of
from tests.world import Engine, Happening

START = datetime.fromisoformat("2026-03-02T10:00:00+00:00")


class Provider:
    """Answers as it is told, and remembers what it was given."""

    idempotent = False
    width = 1
    rate: float | None = None

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.given: list[Outgoing] = []

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        """One answer each: the next that was told, else accepted."""
        self.given.extend(messages)
        return [self.answers.pop(0) if self.answers else Answer("accepted") for _ in messages]

    def close(self) -> None:
        """Nothing is held."""


class World(Engine):
    """An engine with one provider for everything, and short words for what happens."""

    provider: Provider

    def happen(self, customer: str, what: Any, minutes: float = 0) -> None:
        self.arrive([Happening(START + timedelta(minutes=minutes), customer, what)])

    def go(self, customer: str = "u1", minutes: float = 0, **properties: Any) -> None:
        self.happen(customer, Incoming(customer, "go", properties), minutes)

    def decide(self, minutes: float = 0) -> None:
        """Turns only: nothing is handed over."""
        while self.turn(self.store, START + timedelta(minutes=minutes)):
            pass

    def at(self, minutes: float = 0) -> list[tuple[Any, ...]]:
        """Run everything, and what was recorded meanwhile: (customer, type, step, reason or status)."""
        seen = len(self.lines())
        self.run(START + timedelta(minutes=minutes))
        return [
            (line["customer"], line["type"], line.get("step"), line.get("reason", line.get("status")))
            for line in sorted(self.lines()[seen:], key=lambda line: line["at"])
            if line["type"] not in ("entered", "completed", "waiting")
        ]


@pytest.fixture
def world(tmp_path: Path) -> Any:
    def make(steps: Sequence[Mapping[str, Any]] = ({"email": "hello"},), parts: Any = None, **journey: Any) -> World:
        provider = Provider()
        channels = dict.fromkeys(("email", "sms"), provider)
        rules = {"topic": "promotions", "enter": {"event": "go", "reentry": "always", "key": "event.order"}, **journey}
        project = project_of(tmp_path, {"j": {**rules, "steps": list(steps)}}, **(parts or {}))
        made = World(MemoryStore("7"), project, START, channels=channels)
        made.provider = provider
        both = {"email": "in", "sms": "in"}
        for customer in ("u1", "u2"):
            traits = {
                "email": "shared@example.com", "phone": "+351912345678", "timezone": "UTC",
                "consents": {"promotions": both},
            }  # fmt: skip
            made.happen(customer, Identified(traits, silent=True))
        made.run(START)
        return made

    return make


COUPON = {
    "offers": {"ten": {"discount": {"percent": 10}, "codes": {"prefix": "T", "length": 6}, "limits": {"total": 1}}}
}
CARRIES = [{"coupon": {"offer": "ten", "as": "coupon"}}, {"email": "code"}]


# --- between row and hand-over ------------------------------------------------------


def test_a_message_is_handed_over_with_its_key_texts_and_sender(world: Any) -> None:
    w = world()
    w.go()
    assert w.at() == [("u1", "message", "email_1", None)]
    [out] = w.provider.given
    assert (out.channel, out.to, out.subject) == ("email", "shared@example.com", "Hello")
    assert out.sender == "Harbour <hello@example.com>"
    assert out.id.endswith(".email_1.1")
    assert "Hello" in out.text
    assert w.at(5) == []


def test_the_sender_of_a_text_message_is_a_name(world: Any) -> None:
    w = world([{"sms": "hello"}])
    w.go()
    w.at()
    assert [(out.channel, out.to, out.sender) for out in w.provider.given] == [("sms", "+351912345678", "Harbour")]


def test_an_opt_out_between_row_and_hand_over_stops_it(world: Any) -> None:
    w = world()
    w.go()
    w.decide()
    w.happen("u1", ConsentChanged("promotions", "email", "out"))
    assert w.at() == [("u1", "suppressed", "email_1", "opted_out")]
    assert w.provider.given == []


def test_an_opt_out_by_traits_stops_it_likewise(world: Any) -> None:
    w = world()
    w.go()
    w.decide()
    w.happen("u1", Identified({"consents": {"promotions": {"email": "out"}}}))
    assert w.at() == [("u1", "suppressed", "email_1", "opted_out")]


@pytest.mark.parametrize(
    ("switches", "reason"),
    [
        (Switches(killed_all=True), "killed"),
        (Switches(killed_channels=frozenset({"email"})), "killed"),
        (Switches(killed_journeys=frozenset({"j"})), "killed"),
        (Switches(stopped=frozenset({"j"})), "stopped"),
    ],
)
def test_a_switch_thrown_between_row_and_hand_over_cancels_it(world: Any, switches: Switches, reason: str) -> None:
    w = world()
    w.go()
    w.decide()
    w.store.set_switches(switches)
    assert w.at() == [("u1", "suppressed", "email_1", reason)]
    w.store.set_switches(Switches())
    assert w.at(5) == []


@pytest.mark.parametrize(
    "switches", [Switches(killed_channels=frozenset({"sms"})), Switches(killed_journeys=frozenset({"x"}))]
)
def test_another_kill_switch_does_not(world: Any, switches: Switches) -> None:
    w = world()
    w.store.set_switches(switches)
    w.go()
    assert w.at() == [("u1", "message", "email_1", None)]


def test_a_pause_freezes_what_is_queued_until_it_ends(world: Any) -> None:
    w = world()
    w.go()
    w.decide()
    w.store.set_switches(Switches(paused=frozenset({"j"})))
    assert w.at() == []
    assert w.at(600) == []
    w.store.set_switches(Switches())
    assert w.at(601) == [("u1", "message", "email_1", None)]


def test_what_expires_during_a_pause_is_not_sent(world: Any) -> None:
    w = world([{"email": {"template": "hello", "valid_for": "1h"}}])
    w.go()
    w.decide()
    w.store.set_switches(Switches(paused=frozenset({"j"})))
    w.at()
    w.store.set_switches(Switches())
    assert w.at(61) == [("u1", "suppressed", "email_1", "expired")]


def test_an_exit_between_row_and_hand_over_stops_it(world: Any) -> None:
    w = world([{"email": "hello"}, {"wait": "1h"}], exit={"event": "stop"})
    w.go()
    w.decide()
    w.happen("u1", Incoming("u1", "stop", {}))
    told = w.at()
    assert ("u1", "suppressed", "email_1", "exited") in told
    assert w.provider.given == []


def test_a_stopped_enrollments_message_says_so(world: Any) -> None:
    w = world([{"email": "hello"}, {"wait": "1h"}])
    w.go()
    w.decide()
    w.store.operate("j", "stop", START)
    assert sorted(w.at()) == [("u1", "exited", "wait_1", "stopped"), ("u1", "suppressed", "email_1", "stopped")]


@pytest.mark.parametrize("more", [[], [{"exit": "done"}]])
def test_a_message_before_the_end_of_its_journey_is_sent(world: Any, more: Any) -> None:
    w = world([{"email": "hello"}, *more])
    w.go()
    assert ("u1", "message", "email_1", None) in w.at()


def test_an_exits_own_message_is_sent_after_the_exit(world: Any) -> None:
    rule = {"event": "stop", "do": [{"email": "second"}]}
    w = world([{"email": "hello"}, {"wait": "1h"}], exit=rule)
    w.go()
    w.decide()
    w.happen("u1", Incoming("u1", "stop", {}))
    w.at()
    assert [out.subject for out in w.provider.given] == ["Second"]


def test_a_message_still_queued_when_quiet_hours_begin_is_held_until_they_end(world: Any) -> None:
    quiet = {"project": {"quiet_hours": {"from": "11:00", "to": "12:00"}, "settings": {"smear": "0s"}}}
    w = world(parts=quiet)
    w.go()
    w.decide()
    assert w.at(60) == [("u1", "held", "email_1", "quiet_hours")]
    assert w.at(119) == []
    assert w.at(120) == [("u1", "message", "email_1", None)]


@pytest.mark.parametrize("on_quiet", ["skip", "exit"])
def test_one_that_may_not_be_held_is_not_sent(world: Any, on_quiet: str) -> None:
    quiet = {"project": {"quiet_hours": {"from": "11:00", "to": "12:00"}}}
    w = world([{"email": {"template": "hello", "on_quiet": on_quiet}}], quiet)
    w.go()
    w.decide()
    assert w.at(60) == [("u1", "suppressed", "email_1", "quiet_hours")]


def test_a_message_that_was_late_beyond_the_quiet_hours_goes_at_once(world: Any) -> None:
    w = world(parts={"project": {"quiet_hours": {"from": "11:00", "to": "12:00"}}})
    w.go()
    w.decide()
    assert w.at(130) == [("u1", "message", "email_1", None)]


# --- answers ------------------------------------------------------


def test_a_bounce_stops_the_second_message_to_the_same_address(world: Any) -> None:
    w = world()
    w.provider.answers = [Answer("accepted", None, ("bounce",))]
    w.go("u1")
    w.go("u2")
    assert w.at() == [
        ("u1", "message", "email_1", None),
        ("u1", "outcome", "email_1", "bounced"),
        ("u2", "suppressed", "email_1", "bounced"),
    ]
    w.go("u1", 1, order="again")
    assert w.at(1) == [("u1", "suppressed", "email_1", "bounced")]


def test_a_bounce_stops_transactional_messages_and_no_other_channel(world: Any) -> None:
    steps = [{"email": {"template": "hello", "topic": "orders"}}, {"sms": "hello"}]
    w = world(steps)
    w.happen("u1", Receipt("bounce", "email", None))
    w.at()
    w.provider.answers = [Answer("accepted", None, ("bounce",))]
    w.go("u1")
    w.at()
    w.go("u1", 1, order="again")
    assert w.at(1) == [("u1", "suppressed", "email_1", "bounced"), ("u1", "message", "sms_1", None)]


def test_a_complaint_stops_all_but_transactional_messages(world: Any) -> None:
    steps = [
        {"email": "hello"},
        {"email": {"template": "hello", "topic": "care"}},
        {"email": {"template": "hello", "topic": "orders"}},
    ]
    w = world(steps)
    w.provider.answers = [Answer("accepted", None, ("complaint",))]
    w.go()
    assert w.at() == [
        ("u1", "message", "email_1", None),
        ("u1", "outcome", "email_1", "complained"),
        ("u1", "suppressed", "email_2", "complained"),
        ("u1", "message", "email_3", None),
    ]


def test_a_rejected_message_gives_back_its_slot_and_its_coupon(world: Any) -> None:
    parts = {**COUPON, "project": {"caps": [{"max": 1, "per": "1d"}]}}
    w = world(CARRIES, parts)
    w.provider.answers = [Answer("rejected", "no such template")]
    w.go()
    told = w.at()
    assert [(kind, reason) for _, kind, _, reason in told] == [
        ("coupon", None), ("message", None), ("outcome", "provider_rejected"), ("released", None),
    ]  # fmt: skip
    w.go("u1", 1, order="again")
    told = w.at(1)
    assert [kind for _, kind, _, _ in told] == ["coupon", "message"]
    assert [coupon.status for coupon in w.store.card("u1").coupons] == ["released", "issued"]


def test_a_suppressed_message_gives_back_its_slot_and_its_coupon(world: Any) -> None:
    parts = {**COUPON, "project": {"caps": [{"max": 1, "per": "1d"}]}}
    w = world(CARRIES, parts)
    w.go()
    w.decide()
    w.store.set_switches(Switches(killed_all=True))
    assert [kind for _, kind, _, _ in w.at()] == ["coupon", "suppressed", "released"]
    w.store.set_switches(Switches())
    w.go("u1", 1, order="again")
    assert [kind for _, kind, _, _ in w.at(1)] == ["coupon", "message"]


def test_a_lost_answer_settles_a_promotional_message_and_keeps_slot_and_coupon(world: Any) -> None:
    parts = {**COUPON, "project": {"caps": [{"max": 1, "per": "1d"}]}}
    w = world(CARRIES, parts)
    w.provider.answers = [Answer("unknown")]
    w.go()
    assert ("u1", "outcome", "email_1", "unknown_outcome") in w.at()
    assert len(w.provider.given) == 1
    assert [coupon.status for coupon in w.store.card("u1").coupons] == ["issued"]
    w.go("u1", 1, order="again")
    assert ("u1", "suppressed", "email_1", "capped") in w.at(1)


@pytest.mark.parametrize("topic", ["care", "orders"])
@pytest.mark.parametrize(("second", "ends"), [(Answer("accepted"), None), (Answer("unknown"), "unknown_outcome")])
def test_a_lost_answer_sends_other_messages_once_more(world: Any, topic: str, second: Answer, ends: str | None) -> None:
    w = world([{"email": {"template": "hello", "topic": topic}}])
    w.provider.answers = [Answer("unknown"), second]
    w.go()
    told = w.at()
    assert len(w.provider.given) == 2
    assert w.provider.given[0].id == w.provider.given[1].id
    assert [reason for _, kind, _, reason in told if kind == "outcome"] == ([ends] if ends else [])


def test_a_template_that_cannot_be_filled_stops_that_message_only(world: Any) -> None:
    w = world([{"email": "named"}, {"email": "hello"}])
    w.go()
    assert w.at() == [("u1", "suppressed", "email_1", "render_error"), ("u1", "message", "email_2", None)]
    assert [out.subject for out in w.provider.given] == ["Hello"]


@pytest.mark.parametrize(
    ("answers", "status"), [(["rejected", "accepted"], "issued"), (["rejected", "rejected"], "released")]
)
def test_a_coupon_on_two_channels_is_taken_back_when_neither_went(world: Any, answers: Any, status: str) -> None:
    steps = [CARRIES[0], {"send": {"all_of": [{"email": "code"}, {"sms": "code"}]}}]
    templates = {
        "email/code.html": "---\nsubject: A code\n---\n<p>{{ coupon.code }}</p>\n",
        "sms/code.txt": "{{ coupon.code }}\n",
    }
    w = world(steps, {**COUPON, "templates": templates})
    w.provider.answers = [Answer(answer) for answer in answers]
    w.go()
    w.at()
    assert [coupon.status for coupon in w.store.card("u1").coupons] == [status]


def test_an_error_on_the_second_channel_does_not_send_the_first_again(world: Any) -> None:
    templates = {"email/hello.html": "---\nsubject: Hello\n---\n<p>Hello</p>\n", "sms/bad.txt": "{{ entry.x.y + 1 }}\n"}
    schema = {"customer": {}, "events": {"go": {"x": {"type": "object"}}}}
    w = world([{"send": {"all_of": [{"email": "hello"}, {"sms": "bad"}]}}], {"templates": templates, "schema": schema},
              enter={"event": "go"})  # fmt: skip
    w.go(x={"y": "text"})
    w.at()
    w.store.operate("j", "resume", START + timedelta(minutes=5))
    w.at(5)
    assert [out.subject for out in w.provider.given] == ["Hello"]


def test_a_topic_that_is_gone_binds_what_is_queued(world: Any, tmp_path: Path) -> None:
    from orchestrator.core.index import Index

    w = world()
    w.go()
    w.decide()
    w.happen("u1", ConsentChanged("promotions", "email", "out"))
    topics = {"care": {"class": "service"}}
    newer = project_of(tmp_path / "newer", {"k": {"enter": {"event": "go"}, "steps": []}}, project={"topics": topics})
    w.store.deploy(Index(newer.project), START)
    assert ("u1", "suppressed", "email_1", "opted_out") in w.at()


# --- throttles ------------------------------------------------------


def test_a_throttle_lets_so_many_through_and_the_rest_in_their_turn(world: Any) -> None:
    w = world(throttle={"max": 2, "per": "1h"})
    for number in range(5):
        w.go("u1", 0, order=str(number))
    assert len(w.at()) == 2
    assert w.at(59) == []
    assert len(w.at(60)) == 2
    assert len(w.at(120)) == 1


def test_what_waits_for_a_throttle_may_expire(world: Any) -> None:
    w = world([{"email": {"template": "hello", "valid_for": "30m"}}], throttle={"max": 1, "per": "1h"})
    for number in range(3):
        w.go("u1", 0, order=str(number))
    assert [kind for _, kind, _, _ in w.at()] == ["message"]
    assert w.at(60) == [("u1", "suppressed", "email_1", "expired")] * 2
