"""Every provider of SMS signs the contract of channels."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.channels.contract import Adapter, ChannelContract, outgoing
from tests.channels.providers.sms_server import SmsServer, sms_server

APPROVED = {"template": "SMS_1", "params": {"name": "Ana"}}


class SmsContract(ChannelContract):
    """Ids are known by their marks."""

    scheme = ""

    @pytest.fixture(scope="class")
    def running(self) -> Iterator[SmsServer]:
        with sms_server(self.scheme) as server:
            yield server

    @pytest.fixture
    def server(self, running: SmsServer) -> SmsServer:
        running.forget()
        return running

    @pytest.fixture
    def adapter(self, server: SmsServer) -> Iterator[Adapter]:
        channel = server.channel()
        if self.scheme in ("aliyunsms", "tencentsms"):
            channel = _Approving(channel)
        yield Adapter(channel, "sms", lambda: list(server.marks), hostile=False)
        channel.close()

    def test_each_message_gets_its_answer_in_order(self, adapter: Adapter) -> None:
        adapter.arrived = None  # it knows them by their marks
        super().test_each_message_gets_its_answer_in_order(adapter)

    def test_a_number_that_is_none_is_refused_before_anything_is_asked(
        self, adapter: Adapter, server: SmsServer
    ) -> None:
        for to in ("", "0912345678", "+0123456789", "+351 912 345 678", "+351912345678\r\nX: y", "ana@example.com"):
            [answer] = adapter.channel.send([outgoing(channel="sms", to=to)])
            assert answer.outcome == "rejected"
            assert answer.reason and answer.reason.isprintable()
        assert server.requests == []


class _Approving:
    """Gives every message the approved text without which some providers send nothing."""

    def __init__(self, inner: object) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    def send(self, messages: list[object]) -> object:
        return self._inner.send([m._replace(provider=APPROVED) for m in messages])  # type: ignore[attr-defined]


class TestTwilio(SmsContract):
    scheme = "twilio"


class TestVonage(SmsContract):
    scheme = "vonage"


class TestAliyun(SmsContract):
    scheme = "aliyunsms"


class TestTencent(SmsContract):
    scheme = "tencentsms"


class TestGateway(SmsContract):
    scheme = "http"
