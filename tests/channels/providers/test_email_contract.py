"""Every provider of e-mail with an HTTP API signs the contract of adapters."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_httpserver import HTTPServer

from tests.channels.contract import Adapter, ChannelContract
from tests.channels.providers.email_server import APIS, FakeApi


@pytest.fixture(params=sorted(APIS))
def adapter(request: pytest.FixtureRequest, httpserver: HTTPServer) -> Iterator[Adapter]:
    api = FakeApi(httpserver, request.param)
    channel = api.channel()
    assert channel.idempotent is api.api.keyed
    yield Adapter(channel, arrived=api.ids)
    channel.close()
    httpserver.check_assertions()
    httpserver.check_handler_errors()


class TestEmailApis(ChannelContract):
    pass
