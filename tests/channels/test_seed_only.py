"""Test mode: nothing leaves but to seed addresses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.channels.failover import failover_of
from orchestrator.channels.null import NullChannel
from orchestrator.channels.seed_only import REASON, SeedOnlyCaller, SeedOnlyChannel
from orchestrator.core.ledger import Request
from orchestrator.settings import read_settings
from orchestrator.wiring.alerting import ways_of
from orchestrator.wiring.outside import CHANNELS, caller_of, reached, unguarded
from tests.channels.contract import Adapter, ChannelContract, outgoing

SEEDS = ("ana@example.com", "+351912345678")


class TestContract(ChannelContract):
    @pytest.fixture
    def adapter(self) -> Adapter:
        return Adapter(SeedOnlyChannel(NullChannel(), SEEDS), hostile=False)

    def test_hostile_values_raise_nothing_and_harm_no_other_message(self, adapter: Adapter) -> None:
        answers = adapter.channel.send([outgoing("1", to="ana@example.com\r\nBcc: eve@example.com"), outgoing("2")])
        assert [answer.outcome for answer in answers] == ["rejected", "accepted"]


def test_everybody_else_is_rejected_with_a_reason() -> None:
    inner = NullChannel()
    channel = SeedOnlyChannel(inner, SEEDS)
    people = ["ana@example.com", "eve@example.com", "ANA@example.com ", "+351 912 345 678", "+351912345679", ""]
    answers = channel.send([outgoing(str(n), to=to) for n, to in enumerate(people)])
    assert [answer.outcome for answer in answers] == [
        "accepted",
        "rejected",
        "accepted",
        "accepted",
        "rejected",
        "rejected",
    ]
    assert answers[1].reason == REASON and inner.taken == 3


def test_no_channel_gets_round_it(tmp_path: Path) -> None:
    settings = read_settings(test_mode="seeds", seeds="ana@example.com", smtp_url="null: null:", sms_url="console:")
    found = reached(settings, tmp_path)
    assert set(found) == set(CHANNELS)
    for to in found.values():
        assert to.channel.send([outgoing("1", to="eve@example.com")])[0].reason == REASON
    assert failover_of(found["email"].channel) is not None, "its gates are found behind the guard"
    assert found["push"].channel is found["wechat"].channel, "one adapter has one guard, and one gate"


def test_without_seeds_nothing_leaves_at_all(tmp_path: Path) -> None:
    found = reached(read_settings(test_mode="seeds", smtp_url="null:"), tmp_path)
    assert found["email"].channel.send([outgoing("1")])[0].outcome == "rejected"


def test_webhooks_are_not_called_and_fetches_are() -> None:
    called: list[Any] = []

    class Caller:
        def call(self, request: Any) -> tuple[int, None, None]:
            called.append(request.kind)
            return 200, None, None

    at = datetime(2026, 3, 2, tzinfo=UTC)
    for kind, status in (("webhook", 204), ("fetch", 200)):
        request = Request("r", "u", "e", "s", 1, kind, "GET", "https://x.example", {}, None, timedelta(1), None, at)  # type: ignore[arg-type]
        assert SeedOnlyCaller(Caller()).call(request)[0] == status
    assert called == ["fetch"]
    assert isinstance(caller_of(read_settings(test_mode="seeds")), SeedOnlyCaller)


def test_staff_are_told_all_the_same(tmp_path: Path) -> None:
    settings = read_settings(test_mode="seeds", smtp_url="null:", alert_mail="ops@example.com")
    mail, caller = reached(settings, tmp_path)["email"], caller_of(settings)
    [way] = ways_of(settings, mail, caller, None, "Harbour")
    assert way._channel is unguarded(mail.channel) is not mail.channel  # type: ignore[attr-defined]


def test_what_only_looks_like_a_seed_is_none() -> None:
    inner = NullChannel()
    channel = SeedOnlyChannel(inner, ["ana.bell@gmail.com"])
    tos = ["anabell+x@gmail.com", "an\u0430bell@gmail.com", "ana@xn--exmple-4nf.com"]
    answers = channel.send([outgoing(to=to) for to in tos])
    assert [answer.outcome for answer in answers] == ["accepted", "rejected", "rejected"]
