"""What `channels check` looks at in an installation: real servers on loopback, a DNS that a test made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from orchestrator.channels.checking import Finding
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


def test_no_sender_and_no_mailbox_are_told(tmp_path: Path) -> None:
    found = findings(tmp_path, {}, smtp_url=f"smtp://{HOST}:1?connect_timeout=1", only="email")
    assert of(found, "email", "sender").state == "warn"
    assert of(found, "email", "bounces").state == "warn"
    assert of(findings(tmp_path, bounce_url="maildir:none"), "email", "bounces").state == "bad"
    assert of(findings(tmp_path, bounce_url="pop3://x"), "email", "bounces").state == "bad"
    for name in ("new", "cur"):
        (tmp_path / "mails" / name).mkdir(parents=True)
    assert of(findings(tmp_path, bounce_url="maildir:mails"), "email", "bounces").state == "ok"
