"""What every adapter of a channel promises, as tests. A new adapter plugs in with a fixture `adapter`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from orchestrator.channels.protocol import Answer, Channel, Outgoing

AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
OUTCOMES = {"accepted", "rejected", "retry", "unknown"}


@dataclass
class Adapter:
    """An adapter under test. `arrived` lists the ids that the other side has, each as often as it has it; None: the
    other side keeps no list."""

    channel: Channel
    name: str = "email"
    arrived: Callable[[], list[str]] | None = None
    hostile: bool = field(default=True)
    """Whether a message that cannot be written is refused (a sink that writes nothing takes anything)."""


def outgoing(id: str = "e1.email_1.1", channel: str = "email", **more: object) -> Outgoing:
    """A message."""
    known: dict[str, object] = {
        "to": "ana@example.com" if channel == "email" else "+351912345678",
        "subject": "Hello" if channel == "email" else None,
        "text": "Hello Ana",
        "html": "<p>Hello Ana</p>" if channel == "email" else None,
        "sender": "Harbour <hello@example.com>" if channel == "email" else "Harbour",
        "at": AT,
        **more,
    }
    return Outgoing(id=id, channel=channel, **known)  # type: ignore[arg-type]


class ChannelContract:
    """The tests."""

    def test_it_says_how_it_may_be_used(self, adapter: Adapter) -> None:
        channel = adapter.channel
        assert isinstance(channel.idempotent, bool)
        assert channel.width >= 1
        assert channel.rate is None or channel.rate > 0

    def test_nothing_gets_no_answer(self, adapter: Adapter) -> None:
        assert list(adapter.channel.send([])) == []

    def test_each_message_gets_its_answer_in_order(self, adapter: Adapter) -> None:
        messages = [outgoing(f"e{n}.s.1", adapter.name) for n in range(min(adapter.channel.width, 20))]
        answers = adapter.channel.send(messages)
        assert [answer.outcome for answer in answers] == ["accepted"] * len(messages)
        if adapter.arrived is not None:
            assert sorted(adapter.arrived()) == sorted(message.id for message in messages)

    def test_a_keyed_message_arrives_once_however_often_it_is_sent(self, adapter: Adapter) -> None:
        for _ in range(3):
            [answer] = adapter.channel.send([outgoing(channel=adapter.name)])
            assert answer.outcome == "accepted"
        if adapter.arrived is not None:
            assert len(adapter.arrived()) == (1 if adapter.channel.idempotent else 3)

    def test_ids_with_any_character_are_kept_apart(self, adapter: Adapter) -> None:
        ids = ["a.b.1", "A.B.1", "a/b/1", "a b 1", "../../x", "周 报", "a\x00b", "x" * 400, "a..b", "-", "\ud800"]
        for id in ids:
            [answer] = adapter.channel.send([outgoing(id, adapter.name)])
            assert answer.outcome == "accepted", (id, answer)
        if adapter.arrived is not None:
            assert len(adapter.arrived()) == len(ids)

    def test_any_language_is_taken(self, adapter: Adapter) -> None:
        texts = {"text": "您好，安娜 👋\r\n.\r\n..\n", "subject": "您的早餐" if adapter.name == "email" else None}
        [answer] = adapter.channel.send([outgoing(channel=adapter.name, **texts)])
        assert answer.outcome == "accepted"

    def test_hostile_values_raise_nothing_and_harm_no_other_message(self, adapter: Adapter) -> None:
        hostile = [
            {"subject": "Hi\r\nBcc: eve@example.com"},
            {"subject": "a\x00b"},
            {"subject": "=?utf-8?q?Hi=0D=0ABcc:_eve@example.com?="},
            {"subject": "\ud800"},
            {"sender": "Eve <eve@example.com>\r\nBcc: x@example.com"},
            {"sender": "=?utf-8?q?a?= <eve@example.com>"},
            {"sender": "nobody"},
            {"reply_to": "a@example.com\nBcc: x@example.com"},
            {"to": "ana@example.com>\r\nRCPT TO:<eve@example.com"},
            {"to": "ana@example.com, eve@example.com"},
            {"to": ""},
            {"unsubscribe_url": "https://example.com/u/x>\r\nBcc: eve@example.com"},
            {"headers": {"Bcc": "eve@example.com"}},
            {"headers": {"X-A": "b\r\nBcc: eve@example.com"}},
            {"text": "\x00\x1b[2J\ud800"},
        ]
        for number, values in enumerate(hostile):
            [answer] = adapter.channel.send([outgoing(f"h{number}", adapter.name, **values)])
            assert answer.outcome in OUTCOMES
            if adapter.hostile and "text" not in values:
                assert answer.outcome == "rejected", (values, answer)
                assert answer.reason and answer.reason.isprintable()
        [answer] = adapter.channel.send([outgoing("fine", adapter.name)])
        assert answer.outcome == "accepted"

    def test_an_answer_says_why_it_is_none_that_was_hoped_for(self, adapter: Adapter) -> None:
        [answer] = adapter.channel.send([outgoing(channel=adapter.name, to="no address at all\n")])
        assert answer.outcome == "accepted" or answer.reason

    def test_it_may_be_closed_twice(self, adapter: Adapter) -> None:
        adapter.channel.send([outgoing(channel=adapter.name)])
        adapter.channel.close()
        adapter.channel.close()


def accepted(answer: Answer) -> bool:
    """Whether the provider has it."""
    return answer.outcome == "accepted"
