"""From URLs to providers of e-mail and to the readers of their callbacks."""

from __future__ import annotations

import re
from base64 import b64encode
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.channels.configured import FAMILIES, channel_of, channels_of
from orchestrator.channels.hooks.protocol import Hook, HookRefused
from orchestrator.channels.options import ChannelOptions
from orchestrator.channels.providers.adapter import ProviderChannel
from orchestrator.channels.providers.email_apis import HOOKS, MAKERS, OPTIONS
from orchestrator.errors import UsageError
from tests.channels.contract import outgoing
from tests.channels.hooks.contract import posted
from tests.channels.providers.email_server import APIS


def hook_of(url: str) -> Hook:
    parts = urlsplit(url)
    return HOOKS[parts.scheme](parts, ChannelOptions(parts.scheme, parts.query, OPTIONS[parts.scheme]))


def test_all_that_are_announced_are_there() -> None:
    announced = {scheme for scheme, (channel, _) in FAMILIES.items() if channel == "email"}
    assert announced == MAKERS.keys() == OPTIONS.keys() == HOOKS.keys() == APIS.keys()


@pytest.mark.parametrize(
    ("url", "endpoint"),
    [
        ("ses://k:s@eu-west-1?from=a@example.com", "https://email.eu-west-1.amazonaws.com/v2/email/outbound-emails"),
        ("ses://k:s@cn-north-1", "https://email.cn-north-1.amazonaws.com.cn/v2/email/outbound-emails"),
        ("sendgrid://:k@", "https://api.sendgrid.com/v3/mail/send"),
        ("sendgrid://:k@?region=eu", "https://api.eu.sendgrid.com/v3/mail/send"),
        ("mailgun://:k@mg.example.com", "https://api.mailgun.net/v3/mg.example.com/messages.mime"),
        ("mailgun://:k@mg.example.com?region=eu", "https://api.eu.mailgun.net/v3/mg.example.com/messages.mime"),
        ("postmark://:k@", "https://api.postmarkapp.com/email"),
        ("resend://:k@", "https://api.resend.com/emails"),
        ("brevo://:k@", "https://api.brevo.com/v3/smtp/email"),
        ("directmail://k:s@cn-hangzhou", "https://dm.aliyuncs.com/"),
        ("directmail://k:s@ap-southeast-1", "https://dm.ap-southeast-1.aliyuncs.com/"),
        ("resend://:k@?base=http://127.0.0.1:80/x/", "http://127.0.0.1:80/x/emails"),
    ],
)
def test_endpoints(url: str, endpoint: str) -> None:
    channel = channels_of({"email": url}, base_dir=Path("/nowhere"))["email"]
    assert isinstance(channel, ProviderChannel)
    assert channel.request(outgoing()).url == endpoint
    assert (channel.width, channel.rate) == (8, None)


@pytest.mark.parametrize("scheme", sorted(APIS))
def test_what_all_take(scheme: str) -> None:
    channel = channel_of(f"{APIS[scheme].url}?width=3&rate=600/min&timeout=5", base_dir=Path("/nowhere"))
    assert (channel.width, channel.rate) == (3, 10.0)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("ses://", "lacks key id and secret"),
        ("ses://key@eu-west-1", "lacks secret"),
        ("ses://k:s@", "expected a region such as eu-west-1"),
        ("ses://k:s@evil.example.com", "expected a region"),
        ("sendgrid://", "lacks key"),
        ("sendgrid://:hunter2@example.com", "another endpoint as ?base"),
        ("sendgrid://:k@?region=us", "one of eu, global"),
        ("mailgun://:k@", "the domain that it sends for"),
        ("mailgun://:k@localhost", "the domain that it sends for"),
        ("postmark://:k@?streem=x", "did you mean 'stream'?"),
        ("postmark://:k@?from=nobody", "an address such as"),
        ("resend://:k@?tracking=yes", "has no option 'tracking'"),
        ("brevo://:k@?base=ftp://x", "expected an address such as"),
        ("brevo://:k@?base=https://u:p@x", "expected an address such as"),
        ("brevo://:k@?base=https://x/?a", "expected an address such as"),
        ("brevo://:k@?width=0", "a number from 1 to 100"),
        ("brevo://:k@?timeout=60", "a number from 0.1 to 45"),
        ("directmail://k:s@hangzhou", "expected a region such as cn-hangzhou"),
        ("resend://:ké@", "printable ASCII"),
        ("resend://:hunter2", "cannot be read; end the password with @"),
        ("ses://k:hunter2/x@eu-west-1", "cannot be read"),
        ("resend://:hunter2@℀", "cannot be read"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_way_out(url: str, words: str) -> None:
    with pytest.raises(UsageError, match=re.escape(words)) as refused:
        channel_of(url, base_dir=Path("/nowhere"))
    assert refused.value.code == "bad_setting"
    assert "hunter2" not in str(refused.value)


def test_providers_of_e_mail_are_none_of_text_messages() -> None:
    with pytest.raises(UsageError, match="'sms' cannot go over a provider of 'email'"):
        channels_of({"sms": "resend://:k@"}, base_dir=Path("/nowhere"))


@pytest.mark.parametrize("scheme", sorted(APIS))
def test_without_a_secret_no_callback_is_taken(scheme: str) -> None:
    hook = hook_of(f"{APIS[scheme].url}?from=a@example.com&hook=")
    assert hook.provider == scheme
    with pytest.raises(HookRefused, match="hook=") as refused:
        hook.read(posted({"event": "delivered"}))
    assert refused.value.status == 403


def test_a_secret_makes_a_reader() -> None:
    key = generate_private_key(SECP256R1()).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    secrets: dict[str, Any] = {
        "ses": "arn:aws:sns:eu-west-1:123456789012:mail",
        "sendgrid": b64encode(key).decode(),
        "resend": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    }
    for scheme, api in APIS.items():
        secret = secrets.get(scheme, "user:password")
        for written in (secret, quote(secret, safe=""), f"{quote(secret, safe='')},{quote(secret, safe='')}"):
            hook = hook_of(f"{api.url}?hook={written}")
            assert hook.provider == scheme
            with pytest.raises(HookRefused):
                hook.read(posted({"event": "delivered"}))


@pytest.mark.parametrize(("scheme", "words"), [("sendgrid", "no verification key"), ("resend", "no signing secret")])
def test_a_secret_that_is_none_is_refused(scheme: str, words: str) -> None:
    for secret in ("hunter2", "AAAA", "é", "%00", "whsec_"):
        with pytest.raises(UsageError, match=words) as refused:
            hook_of(f"{APIS[scheme].url}?hook={secret}")
        assert "hunter2" not in str(refused.value)


@given(
    st.sampled_from(sorted(APIS)),
    st.text(max_size=40),
    st.sampled_from(["://", "://:hunter2@", "://hunter2:hunter2@", "://:hunter2@h?", "://k:hunter2@eu-west-1?base="]),
)
def test_any_text_is_a_channel_or_a_usage_error(scheme: str, text: str, start: str) -> None:
    said = ""
    try:
        channel_of(scheme + start + text, base_dir=Path("/nowhere")).close()
    except UsageError as error:
        said = str(error)
    assert "hunter2" not in said
