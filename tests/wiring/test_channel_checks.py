"""What `channels check` looks at in an installation: real servers on loopback, a DNS that a test made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from pytest_httpserver import HTTPServer

from orchestrator.channels.checking import Finding
from orchestrator.channels.configured import FAMILIES, channel_of
from orchestrator.channels.providers.adapter import ProviderChannel
from orchestrator.settings import read_settings
from orchestrator.wiring.channel_checks import check_channels
from tests.channels.mail_server import HOST, mail_server

NOW = datetime(2026, 3, 1, tzinfo=UTC)
FROM = {"email": {"from": "Shop <hello@brand.example>", "reply_to": "care@brand.example"}}


class Zone:
    """A DNS in which a brand's domain is in order."""

    def txt(self, name: str) -> Sequence[str]:
        records = {"brand.example": ["v=spf1 -all"], "_dmarc.brand.example": ["v=DMARC1; p=reject; rua=mailto:a@b.c"]}
        return records.get(name, [])

    def mx(self, name: str) -> Sequence[str]:
        return ["mx.brand.example"]


def findings(
    tmp_path: Path, options: Mapping[str, Mapping[str, Any]] = FROM, only: str | None = None, **given: str
) -> list[Finding]:
    given = {"base_url": "http://go.brand.example", **given}
    return list(check_channels(read_settings(**given), tmp_path, options, Zone(), lambda url: 404, NOW, only))


def of(found: list[Finding], about: str, what: str) -> Finding:
    [one] = [one for one in found if (one.about, one.what) == (about, what)]
    return one


def test_nothing_configured_stays_here(tmp_path: Path) -> None:
    found = findings(tmp_path)
    assert of(found, "email", "provider").words == "messages stay on this machine (file:)"
    assert not [one for one in found if one.state == "bad"]
    assert not [one for one in found if one.what == "SPF"]


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
def test_a_mail_server_is_logged_into_and_gets_nothing(tmp_path: Path) -> None:
    with mail_server(auth_required=True, auth_require_tls=False) as server:
        server.passwords["ana"] = "right"
        right = findings(tmp_path, smtp_url=f"smtp://ana:right@{HOST}:{server.port}?starttls=no", only="email")
        assert of(right, "email", "provider").state == "ok"
        assert of(right, "brand.example", "SPF").state == "ok"
        wrong = findings(tmp_path, smtp_url=f"smtp://ana:wrong@{HOST}:{server.port}?starttls=no", only="email")
        assert of(wrong, "email", "provider").state == "bad"
        assert "wrong" not in of(wrong, "email", "provider").words
        assert not server.accepted


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    found = findings(tmp_path, smtp_url=f"smtp://{HOST}:1?connect_timeout=1", only="email")
    assert of(found, "email", "provider").state == "bad"


@pytest.mark.parametrize(("status", "state"), [(200, "ok"), (401, "bad"), (403, "warn"), (404, "bad"), (500, "warn")])
def test_a_provider_is_asked_without_sending(tmp_path: Path, httpserver: HTTPServer, status: int, state: str) -> None:
    httpserver.expect_request("/v3/scopes", headers={"Authorization": "Bearer KEY"}).respond_with_data("{}", status)
    url = f"sendgrid://:KEY@?base={httpserver.url_for('').rstrip('/')}"
    found = findings(tmp_path, smtp_url=url, only="email")
    assert of(found, "email", "provider").state == state, of(found, "email", "provider")
    assert "KEY" not in str(found)


LOOKS = [  # channel, URL, what is asked, an answer of somebody who knows us, one of somebody who does not
    ("email", "ses://ID:SECRET@eu-west-1?", "GET", "/v2/email/account", {"SendingEnabled": True},
     (403, {"__type": "UnrecognizedClientException", "message": "no such key"})),
    ("email", "sendgrid://:KEY@?region=eu&", "GET", "/v3/scopes", {"scopes": ["mail.send"]}, (401, {})),
    ("email", "mailgun://:KEY@mg.example.com?region=eu&", "GET", "/v3/domains/mg.example.com",
     {"domain": {"state": "active"}}, (401, {})),
    ("email", "postmark://:TOKEN@?", "GET", "/server", {"Name": "x"}, (401, {"ErrorCode": 10, "Message": "no"})),
    ("email", "resend://:KEY@?", "GET", "/domains", {"data": []}, (400, {"name": "validation_error"})),
    ("email", "brevo://:KEY@?", "GET", "/v3/account", {"email": "x"}, (401, {"code": "unauthorized"})),
    ("email", "directmail://ID:SECRET@cn-hangzhou?", "POST", "/", {"RequestId": "x", "QuotaLevel": 1},
     (404, {"Code": "InvalidAccessKeyId.NotFound", "Message": "no such key"})),
    ("sms", "twilio://SK1:S@AC1?from=%2B15550100&", "GET", "/2010-04-01/Accounts/AC1/Messages.json", {"messages": []},
     (401, {"code": 20003, "message": "Authenticate"})),
    ("sms", "vonage://KEY:SECRET@?", "GET", "/account/get-balance", {"value": 1.0}, (401, {"error-code": "401"})),
    ("sms", "aliyunsms://ID:SECRET@?", "POST", "/", {"Code": "OK", "SmsSignList": []},
     (400, {"Code": "SignatureDoesNotMatch", "Message": "no"})),
    ("sms", "tencentsms://ID:SECRET@1400006666?", "POST", "/", {"Response": {"DescribeSignListStatusSet": []}},
     (200, {"Response": {"Error": {"Code": "AuthFailure.SecretIdNotFound", "Message": "no"}}})),
    ("whatsapp", "whatsapp://:TOKEN@123456123?", "GET", "/v23.0/123456123", {"id": "123456123"},
     (400, {"error": {"code": 190, "message": "token"}})),
    ("wechat", "wechat://wx1:SECRET@?", "POST", "/cgi-bin/stable_token", {"access_token": "x", "expires_in": 7200},
     (200, {"errcode": 40125, "errmsg": "invalid appsecret"})),
    ("wechat", "wecom://ww1:SECRET@?agent=1&", "GET", "/cgi-bin/gettoken", {"errcode": 0, "access_token": "x"},
     (200, {"errcode": 40001, "errmsg": "invalid credential"})),
]  # fmt: skip
"""Every provider with an API, but push (see its own tests) and gateways of the house, which promise nothing."""


@pytest.mark.parametrize(("channel", "url", "method", "path", "good", "bad"), LOOKS, ids=lambda v: str(v)[:12])
def test_every_provider_is_asked_whether_it_knows_us(
    tmp_path: Path, httpserver: HTTPServer, channel: str, url: str, method: str, path: str, good: Any, bad: Any
) -> None:
    asked = httpserver.expect_request(path, method=method)
    given: Any = {f"{'smtp' if channel == 'email' else channel}_url": f"{url}base={httpserver.url_for('').rstrip('/')}"}
    for status, said, state in ((200, good, "ok"), (*bad, "bad")):
        asked.respond_with_json(said, status)
        expected = "warn" if status == 403 and "mail" in channel else state
        found = of(findings(tmp_path, only=channel, **given), channel, "provider")
        assert found.state == expected, found
        assert "SECRET" not in str(found) and "KEY" not in str(found)
    assert len(httpserver.log) == 2, "nothing else was asked"
    assert all(request.method != "POST" or b"Send" not in request.get_data() for request, _ in httpserver.log)


def test_every_scheme_with_an_api_is_looked_at() -> None:
    looked = {url.partition(":")[0] for _, url, *_ in LOOKS}
    assert looked | {"push", "http", "https"} == set(FAMILIES)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("sendgrid://:K@?region=eu", "api.eu.sendgrid.com"), ("sendgrid://:K@", "api.sendgrid.com"),
        ("mailgun://:K@mg.example.com?region=eu", "api.eu.mailgun.net"), ("ses://I:S@cn-north-1", "amazonaws.com.cn"),
    ],
)  # fmt: skip
def test_it_is_asked_where_messages_go(url: str, host: str, tmp_path: Path) -> None:
    channel = channel_of(url, base_dir=tmp_path)
    assert isinstance(channel, ProviderChannel)
    call = channel.look()
    assert call is not None and (urlsplit(call.url).hostname or "").endswith(host)
    channel.close()


@pytest.mark.parametrize(
    ("url", "path", "said", "words"),
    [
        ("ses://I:S@eu-west-1?", "/v2/email/account", {"ProductionAccessEnabled": False}, "sandbox"),
        ("sendgrid://:K@?", "/v3/scopes", {"scopes": ["alerts.read"]}, "may not send"),
        ("mailgun://:K@mg.example.com?", "/v3/domains/mg.example.com", {"domain": {"state": "unverified"}}, "domain"),
    ],
)
def test_an_account_that_may_not_send_is_told(
    tmp_path: Path, httpserver: HTTPServer, url: str, path: str, said: Any, words: str
) -> None:
    httpserver.expect_request(path).respond_with_json(said)
    found = findings(tmp_path, only="email", smtp_url=f"{url}base={httpserver.url_for('').rstrip('/')}")
    assert of(found, "email", "provider").state == "bad" and words in of(found, "email", "provider").words


def test_a_key_that_may_only_send_is_good_enough(tmp_path: Path, httpserver: HTTPServer) -> None:
    httpserver.expect_request("/domains").respond_with_json({"name": "restricted_api_key", "message": "only"}, 401)
    found = findings(tmp_path, only="email", smtp_url=f"resend://:K@?base={httpserver.url_for('').rstrip('/')}")
    assert of(found, "email", "provider").state == "warn"


def test_no_sender_and_no_mailbox_are_told(tmp_path: Path) -> None:
    found = findings(tmp_path, {}, smtp_url=f"smtp://{HOST}:1?connect_timeout=1", only="email")
    assert of(found, "email", "sender").state == "warn"
    assert of(found, "email", "bounces").state == "warn"
    assert of(findings(tmp_path, bounce_url="maildir:none"), "email", "bounces").state == "bad"
    assert of(findings(tmp_path, bounce_url="pop3://x"), "email", "bounces").state == "bad"
    for name in ("new", "cur"):
        (tmp_path / "mails" / name).mkdir(parents=True)
    assert of(findings(tmp_path, bounce_url="maildir:mails"), "email", "bounces").state == "ok"


def test_shares_of_several_providers_are_told(tmp_path: Path) -> None:
    told = findings(tmp_path, smtp_url="null:?weight=70 file:out?weight=30 console:?weight=0")
    [shares] = [found for found in told if found.what == "shares"]
    assert shares.state == "ok" and shares.words.endswith("null 70.0%, file 30.0%, console stands in")
    told = findings(tmp_path, smtp_url="null: console:")
    assert not [found for found in told if found.what == "shares"]
