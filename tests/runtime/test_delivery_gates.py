"""Rates, circuits and retries in real time."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from orchestrator.channels.protocol import Answer
from orchestrator.core.inbox import ConsentChanged, Identified
from orchestrator.runtime.delivery import DeliveryCounts, deliver_once
from orchestrator.runtime.gates import Gates
from orchestrator.stores.protocol import Arrival
from orchestrator.templating.failure import RenderError
from tests.runtime.delivery_world import Machine, Provider, World
from tests.stores.driving import START, event, turns


@pytest.fixture
def world() -> Any:
    def make(count: int = 1, topic: str = "promotions", step: Any = None, **provider: Any) -> World:
        machine = Machine()
        return World(machine, Provider(machine, **provider), topic, step, count)

    return make


# --- rates ----------------------------------------------------------------------------------------------------------


def test_a_rate_is_kept_in_real_time(world: Any) -> None:
    w = world(100, rate=10.0)
    for second in range(8):
        w.deliver()
        assert len(w.provider.given) <= 10 * (second + 1) + 1
        w.machine.seconds += 1
    assert len(w.provider.given) >= 70


def test_no_tokens_no_claims(world: Any) -> None:
    w = world(100, rate=10.0)
    assert w.deliver().handed_over == 10
    assert w.deliver() == DeliveryCounts()
    assert len(w.store.claim_messages(START, 500)) == 90  # they are all in the queue still


# --- circuits -------------------------------------------------------------------------------------------------------


def test_a_revoked_password_burns_nothing_and_costs_a_probe_now_and_then(world: Any) -> None:
    w = world(40, width=4)
    w.provider.default = Answer("retry", "535 revoked", down=True)
    for _ in range(6 * 360):
        w.deliver()
        w.machine.seconds += 10
    tries = len(w.provider.given)
    assert tries < 150  # six hours, a probe every five minutes
    assert set(w.statuses().values()) == {"queued"}
    assert w.gates.states()["email"].reason == "535 revoked"
    w.provider.default = Answer("accepted")
    for _ in range(60):
        w.deliver()
        w.machine.seconds += 10
    assert set(w.statuses().values()) == {"sent"}
    assert w.gates.states()["email"].state == "closed"
    assert len(w.provider.given) == tries + 40


def test_a_channel_that_is_down_holds_up_no_other(world: Any) -> None:
    w = world(20, width=4, step={"send": {"all_of": [{"email": "hello"}, {"sms": "hello"}]}}, topic="orders")
    for number in range(20):
        w.store.ingest([Arrival(f"p{number}", START, Identified({"phone": f"+35191234{number:04}"}, silent=True))])
        w.store.ingest([Arrival(f"p{number}", START, event(id=f"p{number}", order="1"))])
    turns(w.store, START)
    w.provider.default = Answer("retry", "down", down=True)
    texts = Provider(w.machine)
    channels = {"email": w.provider, "sms": texts}
    gates = Gates(channels, w.machine, w.machine.sleep)
    for _ in range(20):
        deliver_once(w.store, channels, w.renderer, START, 10, RenderError, real_at=w.machine.at, gates=gates)
        w.machine.seconds += 0.1
    assert len(texts.given) == 20
    assert len(w.provider.given) <= 8


# --- retries --------------------------------------------------------------------------------------------------------


def test_a_message_refused_for_now_is_tried_again_with_longer_and_longer_pauses(world: Any) -> None:
    w = world(1)
    w.provider.default = Answer("retry", "450 busy")
    tried = []
    for _ in range(6 * 3600 + 1_000):
        if w.deliver().retried:
            tried.append(w.machine.seconds)
        w.machine.seconds += 4
        if w.statuses()["u0"] != "queued":
            break
    pauses = [later - earlier for earlier, later in pairwise(tried)]
    assert 30 <= pauses[0] <= 42 and all(pause <= 1800 * 1.25 + 4 for pause in pauses)
    assert len(w.provider.given) < 70
    assert w.statuses()["u0"] == "rejected"
    assert w.machine.seconds - tried[0] >= 24 * 3600 - 4
    assert w.lines() == [("u0", "retried", "provider_busy"), ("u0", "message", None),
                         ("u0", "outcome", "provider_rejected")]  # fmt: skip


@pytest.mark.parametrize(
    ("after", "least", "most"),
    [(120.0, 120, 150), (-5.0, 1, 1.25), (0.0, 1, 1.25), (1e9, 3600, 4500), (float("nan"), 30, 37.5), (None, 30, 37.5)],
)
def test_what_the_provider_asks_for_binds_within_bounds(world: Any, after: float, least: float, most: float) -> None:
    w = world(1)
    w.provider.answers["u0"] = [Answer("retry", "busy", after=after)]
    w.deliver()
    began_at = w.machine.seconds
    while not w.deliver().handed_over:
        w.machine.seconds += 0.05
    assert least <= w.machine.seconds - began_at <= most + 0.1


def test_a_message_that_runs_out_meanwhile_is_expired(world: Any) -> None:
    w = world(1, step={"email": {"template": "hello", "valid_for": "1h"}})
    w.provider.default = Answer("retry", "busy")
    w.deliver()
    w.machine.seconds += 7200
    assert w.deliver(now=START + timedelta(hours=2)) == DeliveryCounts(suppressed=1)
    assert w.lines() == [("u0", "retried", "provider_busy"), ("u0", "suppressed", "expired")]


def test_an_opt_out_between_two_tries_stops_the_second(world: Any) -> None:
    w = world(1)
    w.provider.answers["u0"] = [Answer("retry", "busy")]
    w.deliver()
    w.store.ingest([Arrival("u0", START, ConsentChanged("promotions", "email", "out"))])
    w.machine.seconds += 60
    assert w.deliver() == DeliveryCounts(suppressed=1)
    assert w.statuses()["u0"] == "suppressed"


def test_a_lost_answer_of_a_provider_with_keys_is_asked_for_again(world: Any) -> None:
    w = world(1, idempotent=True)
    w.provider.answers["u0"] = [Answer("unknown", "lost")] * 3
    for _ in range(400):
        w.deliver()
        w.machine.seconds += 1
    assert w.statuses()["u0"] == "sent"
    assert len({out.id for out in w.provider.given}) == 1 and len(w.provider.given) == 4


def test_a_lost_answer_of_a_provider_with_keys_is_unknown_after_a_day(world: Any) -> None:
    w = world(1, idempotent=True)
    w.provider.default = Answer("unknown", "lost")
    for _ in range(120):
        w.deliver()
        w.machine.seconds += 900
    assert w.statuses()["u0"] == "unknown"


def test_lost_then_refused_for_now_goes_once_more_at_most(world: Any) -> None:
    w = world(1, topic="orders")
    w.provider.answers["u0"] = [Answer("unknown"), Answer("retry", "busy"), Answer("unknown"), Answer("accepted")]
    for _ in range(100):
        w.deliver()
        w.machine.seconds += 1
    assert len(w.provider.given) == 3  # twice it may have arrived
    assert w.statuses()["u0"] == "unknown"
