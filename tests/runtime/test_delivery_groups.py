"""Delivery in groups: who goes together, who is left out, and how long after the claim."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.core.inbox import ConsentChanged
from orchestrator.core.view import Switches
from orchestrator.runtime.delivery import DeliveryCounts, deliver_once
from orchestrator.runtime.gates import FIRST_PACE, HAND_OVER_WITHIN
from orchestrator.stores.protocol import Arrival
from orchestrator.templating.failure import RenderError
from tests.runtime.delivery_world import Machine, Provider, World
from tests.stores.driving import START


@pytest.fixture
def world() -> Any:
    def make(count: int = 1, topic: str = "promotions", step: Any = None, **provider: Any) -> World:
        machine = Machine()
        return World(machine, Provider(machine, **provider), topic, step, count)

    return make


# --- groups ---------------------------------------------------------------------------------------------------------


def test_messages_go_in_groups_of_the_channels_width(world: Any) -> None:
    w = world(10, width=4)
    assert w.deliver() == DeliveryCounts(handed_over=10)
    assert [len(group) for group in w.provider.groups] == [4, 4, 2]
    assert set(w.statuses().values()) == {"sent"}
    assert w.deliver() == DeliveryCounts()


def test_what_is_handed_over_has_its_unsubscribe_link_and_date(world: Any) -> None:
    w = world(1)
    w.deliver()
    [out] = w.provider.given
    assert out.unsubscribe_url == f"https://example.com/u/{out.id}"
    assert out.at == START


def test_transactional_mail_has_no_unsubscribe_link(world: Any) -> None:
    w = world(1, topic="orders")
    w.deliver()
    assert w.provider.given[0].unsubscribe_url is None


def test_a_group_holds_no_address_twice_so_that_a_bounce_stops_the_second(world: Any) -> None:
    w = world(0, width=10)
    for number in range(3):
        w.write(f"u{number}", email="shared@example.com")
    w.write("other")
    w.provider.answers["shared"] = [Answer("rejected", "no such mailbox", ("bounce",))]
    assert w.deliver() == DeliveryCounts(handed_over=2, suppressed=2)
    assert w.provider.names.count("shared") == 1
    assert w.statuses() == {"u0": "rejected", "u1": "suppressed", "u2": "suppressed", "other": "sent"}


def test_one_bad_message_of_a_group_concerns_no_other(world: Any) -> None:
    w = world(8, width=8)
    w.provider.answers |= {
        "u1": [Answer("rejected", "no")], "u2": [Answer("unknown", "lost")], "u3": [Answer("retry", "busy")],
    }  # fmt: skip
    assert w.deliver() == DeliveryCounts(handed_over=7, retried=1)
    assert w.statuses() == {
        **{f"u{n}": "sent" for n in range(8)}, "u1": "rejected", "u2": "unknown", "u3": "queued",
    }  # fmt: skip


def test_a_switch_binds_the_groups_that_have_not_gone(world: Any) -> None:
    w = world(8, width=4)
    send = w.provider.send

    def then_killed(messages: Sequence[Outgoing]) -> Sequence[Answer]:
        w.store.set_switches(Switches(killed_all=True))
        return send(messages)

    w.provider.send = then_killed
    assert w.deliver() == DeliveryCounts(handed_over=4, suppressed=4)


def test_what_somebody_else_claimed_meanwhile_is_left_to_them(world: Any) -> None:
    w = world(4, width=4)
    w.store.rival = 2
    assert w.deliver().handed_over == 2
    assert w.provider.names == ["u2", "u3"]
    assert list(w.statuses().values()) == ["queued", "queued", "sent", "sent"]


def test_a_channel_that_is_not_configured_reaches_nobody(world: Any) -> None:
    w = world(1)
    counts = deliver_once(w.store, {}, w.renderer, START, render_errors=RenderError)
    assert counts == DeliveryCounts(suppressed=1)
    assert w.lines() == [("u0", "suppressed", "no_address")]


@pytest.mark.parametrize("answers", [[], [Answer("accepted")] * 3])
def test_an_adapter_that_breaks_its_contract_leaves_unknown_outcomes(world: Any, answers: list[Answer]) -> None:
    w = world(2, width=2)
    w.provider.send = lambda messages: answers
    w.deliver()
    assert set(w.statuses().values()) == {"unknown"}

    def raises(messages: Sequence[Outgoing]) -> Sequence[Answer]:
        raise RuntimeError("a bug")

    w.write("u9")
    w.provider.send = raises
    w.deliver()
    assert w.statuses()["u9"] == "unknown"


# --- two seconds ----------------------------------------------------------------------------------------------------


def test_nothing_is_handed_over_two_seconds_after_its_claim(world: Any) -> None:
    w = world(12, width=4)
    w.provider.takes = 1.1
    first = w.deliver()
    assert first == DeliveryCounts(handed_over=8, retried=4)
    w.store.ingest([Arrival(f"u{n}", START, ConsentChanged("promotions", "email", "out")) for n in range(12)])
    assert w.deliver() == DeliveryCounts(suppressed=4)
    assert len(w.provider.given) == 8


def test_a_pass_claims_no_more_than_it_can_hand_over_in_time(world: Any) -> None:
    w = world(400, width=4)
    assert w.gates.room(500) == int(HAND_OVER_WITHIN / 2 / FIRST_PACE)
    w.provider.takes = 0.4
    given_back = 0
    for _ in range(80):
        given_back += w.deliver().retried
    assert len(w.provider.given) == 400
    assert given_back <= 100  # of the first pass, and few after it
    assert 5 <= w.gates.room(500) <= 25  # ten a second
