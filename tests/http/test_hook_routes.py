"""`POST /hooks/{provider}` from the outside: a provider's own words act, nobody else's do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from orchestrator.channels.hooks.twilio import signature_of
from orchestrator.channels.message_mark import mark_of
from orchestrator.core.changes import STOPPED
from orchestrator.core.inbox import Identified
from orchestrator.http.app import make_app
from orchestrator.http.hook_routes import LARGEST
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.stores.protocol import StoreBusy
from orchestrator.testing.sink import SinkChannel
from orchestrator.wiring.hooks import door_of, with_callbacks
from tests.http.installation import BASE, Installation, installation

PHONE = "+351912345678"
URLS = {
    "sms": "twilio://AC1:token@ aliyunsms://a:b@?hook=T tencentsms://a:b@1?hook=T vonage://k:s@?hook=secret "
    "https://u:p@gateway.example/send?hook=secret",
    "email": "smtp://mail.example",
}
PROVIDERS = ["twilio", "aliyunsms", "tencentsms", "vonage", "sms_gateway"]


@pytest.fixture
def site() -> Installation:
    """Ana got a text."""
    site = installation()
    site.hooks = door_of(URLS, site.sinks, site.real_now)
    known = {"email": "ana@example.com", "phone": PHONE, "consents": {"promotions": {"email": "in", "sms": "in"}}}
    ingest_once(site.store, [("ana", Identified(known, silent=True))], site.now)
    site.run()
    write(site, "1")
    return site


@pytest.fixture
def client(site: Installation) -> Iterator[TestClient]:
    with TestClient(make_app(site), base_url=BASE) as client:
        yield client


def write(site: Installation, order: str) -> None:
    ingest_once(site.store, [Incoming("ana", "bought", {"order": order})], site.now)
    site.run()


def texts(site: Installation) -> int:
    sink = site.sinks["sms"]
    assert isinstance(sink, SinkChannel)
    return sum(m.row.channel == "sms" and m.status == "sent" for m in site.store.card("ana").messages)  # type: ignore[union-attr]


def post(client: TestClient, path: str = "/hooks/twilio", base: str = BASE, token: str = "token", **form: str) -> Any:
    signature = signature_of(token, f"{base}{path}", form.items())
    headers = {"X-Twilio-Signature": signature, "Content-Type": "application/x-www-form-urlencoded"}
    return client.post(path, content=urlencode(form), headers=headers)


def reply(client: TestClient, text: str, sid: str = "SM9") -> Any:
    return post(client, MessageSid=sid, SmsStatus="received", From=PHONE, To="+15550100", Body=text)


def test_a_stop_by_twilios_callback_ends_all_texts_in_the_same_request(site: Installation, client: TestClient) -> None:
    assert texts(site) == 1
    ingest_once(site.store, [Incoming("ana", "bought", {"order": "2"})], site.now)
    from orchestrator.runtime.turns import turn_once

    turn_once(site.store, site.now)  # the second text is on its way already
    answer = reply(client, "Please stop texting me")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/xml; charset=utf-8")
    assert site.store.suppressions()["sms", PHONE] == {STOPPED}
    site.run()
    write(site, "3")
    assert texts(site) == 1
    assert site.nudges == 1
    assert reply(client, "UNSTOP", "SM10").status_code == 200
    write(site, "4")
    assert texts(site) == 2


def test_a_delivery_comes_back_to_its_message(site: Installation, client: TestClient) -> None:
    [id] = [row.id for row in site.messages("ana") if row.channel == "sms"]
    path = f"/hooks/twilio?m={mark_of(id)}"
    assert post(client, path, MessageSid="SM1", MessageStatus="delivered", To=PHONE).status_code == 200
    assert site.store.refused(10) == []
    assert site.store.counted()["hooks:twilio:delivered"] == 1


def test_the_address_under_which_it_came_may_be_what_was_signed(site: Installation, client: TestClient) -> None:
    site.base_url = "https://journeys.example.com"
    form = {"MessageSid": "SM1", "MessageStatus": "delivered", "To": PHONE}
    assert post(client, base="https://journeys.example.com", **form).status_code == 200
    assert post(client, base="https://localhost:8000", **form).status_code == 200
    assert post(client, base="https://elsewhere.example", **form).status_code == 403


def test_help_is_answered_with_the_brands_words_after_the_request(
    site: Installation, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = {"help": "Blue Harbour, +351 1. STOP to end.", "from": "Harbour"}
    monkeypatch.setitem(site.store.index.project.channels, "sms", options)  # type: ignore[arg-type]
    sink = _Remembering()
    site.hooks = door_of(URLS, {"sms": sink}, site.real_now)
    for number in range(3):  # whoever asks over and over is answered once a minute
        assert reply(client, "HELP", f"SM{number}").status_code == 200
    assert [(m.to, m.text, m.sender) for m in sink.sent] == [(PHONE, "Blue Harbour, +351 1. STOP to end.", "Harbour")]


class _Remembering(SinkChannel):
    def __init__(self) -> None:
        super().__init__()
        self.sent: list[Any] = []

    def send(self, messages: Any) -> Any:
        self.sent += messages
        return super().send(messages)


@pytest.mark.parametrize("provider", [*PROVIDERS, "ses", "x" * 100, "..", "twilio/x"])
def test_strangers_learn_nothing(site: Installation, client: TestClient, provider: str) -> None:
    answer = client.post(f"/hooks/{provider}", content=b"{}")
    assert answer.status_code in (401, 403, 404, 405)
    assert answer.content == b"" or answer.status_code in (404, 405)
    assert site.store.refused(10) == []
    assert site.nudges == 0


def test_looking_is_not_allowed(client: TestClient) -> None:
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        answer = client.request(method, "/hooks/twilio")
        assert answer.status_code == 405
        assert "POST" in answer.headers["allow"]


def test_a_body_is_bounded(client: TestClient) -> None:
    assert client.post("/hooks/twilio", content=b"x" * (LARGEST + 1)).status_code == 413


def test_what_cannot_be_read_is_kept(site: Installation, client: TestClient) -> None:
    assert client.post("/hooks/aliyunsms?token=T", content=b"[{\x00").status_code == 400
    [kept] = site.store.refused(10)
    assert (kept.source, kept.content) == ("hooks/aliyunsms", "[{")
    assert site.store.counted()["hooks:aliyunsms:refused"] == 1
    assert client.post("/hooks/aliyunsms?token=wrong", content=b"[{").status_code == 403
    assert len(site.store.refused(10)) == 1


def test_a_busy_database_is_told_to_come_again(
    site: Installation, client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(*_: object) -> None:
        raise StoreBusy("locked")

    monkeypatch.setattr(site.store, "ingest", busy)
    answer = reply(client, "Yes")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")


def test_an_installation_without_providers_takes_nothing(site: Installation, client: TestClient) -> None:
    site.hooks = None
    assert reply(client, "STOP").status_code == 403
    assert client.get("/hooks/twilio").status_code == 405


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(PROVIDERS) | st.text(max_size=20),
    st.binary(max_size=300) | st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace")),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=60),
    st.sampled_from(["", "token=T", "token=T&m=%ff", "m=-zz", "%", "token=T&" * 80]),
)
def test_nothing_that_is_posted_gives_a_500(
    client: TestClient, provider: str, body: bytes, signature: str, query: str
) -> None:
    from urllib.parse import quote

    headers = {"X-Twilio-Signature": signature, "webhook-signature": signature, "webhook-id": "1"}
    headers |= {"webhook-timestamp": signature}
    answer = client.post(f"/hooks/{quote(provider, safe='')}?{query}", content=body, headers=headers)
    assert answer.status_code < 500


@pytest.mark.parametrize(
    ("setting", "base", "expected"),
    [
        ("twilio://a:b@", "https://j.example/", "twilio://a:b@?callback=https%3A%2F%2Fj.example%2Fhooks%2Ftwilio"),
        ("vonage://a:b@?from=X", "https://j.example", "vonage://a:b@?from=X&callback=https%3A%2F%2Fj.example%2Fhooks%2Fvonage"),
        ("twilio://a:b@?callback=https://x", "https://j.example", "twilio://a:b@?callback=https://x"),
        ("twilio://a:b@", "http://localhost:8000", "twilio://a:b@"),
        ("file:out", "https://j.example", "file:out"),
    ],
)  # fmt: skip
def test_providers_are_told_where_their_callbacks_go(setting: str, base: str, expected: str) -> None:
    assert with_callbacks(setting, base) == expected
