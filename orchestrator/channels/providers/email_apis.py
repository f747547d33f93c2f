"""Providers of e-mail with an HTTP API, by the scheme of their URL.

    ses://KEY_ID:SECRET@eu-west-1?set=journeys      sendgrid://:KEY@              mailgun://:KEY@mg.example.com
    postmark://:TOKEN@?bulk=broadcast               resend://:KEY@                brevo://:KEY@
    directmail://KEY_ID:SECRET@cn-hangzhou

All take `from`, `width`, `rate`, `timeout`, `base` (another endpoint) and `hook` (what proves that a callback is the
provider's: docs/channels-email.md says what it is for each).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from orchestrator.channels.hooks.brevo import BrevoHook
from orchestrator.channels.hooks.directmail import DirectMailHook
from orchestrator.channels.hooks.mailgun import MailgunHook
from orchestrator.channels.hooks.postmark import PostmarkHook
from orchestrator.channels.hooks.protocol import Hook
from orchestrator.channels.hooks.reading import ClosedHook, secrets_of
from orchestrator.channels.hooks.resend import ResendHook
from orchestrator.channels.hooks.sendgrid import SendGridHook
from orchestrator.channels.hooks.ses import SesHook
from orchestrator.channels.options import ChannelOptions, HookMaker, Maker, credentials
from orchestrator.channels.protocol import Channel
from orchestrator.channels.providers.adapter import WIDTH
from orchestrator.channels.providers.brevo import BrevoChannel
from orchestrator.channels.providers.directmail import DirectMailChannel
from orchestrator.channels.providers.mailgun import MailgunChannel
from orchestrator.channels.providers.postmark import PostmarkChannel
from orchestrator.channels.providers.resend import ResendChannel
from orchestrator.channels.providers.sendgrid import SendGridChannel
from orchestrator.channels.providers.ses import SesChannel
from orchestrator.channels.providers.signing_aliyun import AliyunAccess
from orchestrator.channels.providers.signing_aws import AwsAccess
from orchestrator.channels.providers.wire import TIMEOUT, ProviderWire
from orchestrator.errors import UsageError

MOST_CONNECTIONS: Final = 100
LONGEST_TIMEOUT: Final = 45
"""Seconds for one message: its claim ends after a minute."""
_COMMON: Final = ("base", "width", "rate", "timeout", "from", "hook")

_region = re.compile(r"[a-z]{2,}(?:-[a-z0-9]+)+").fullmatch
_domain = re.compile(r"(?:[a-z0-9-]{1,63}\.)+[a-z0-9-]{2,63}").fullmatch


def _ses(parts: SplitResult, options: ChannelOptions, base_dir: Path) -> Channel:
    key_id, secret = credentials(parts, "key id", "secret")
    region = _host(parts, _region, "a region such as eu-west-1")
    domain = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    base = _base(options, f"https://email.{region}.{domain}")
    return SesChannel(
        _wire(options),
        AwsAccess(key_id, secret, region, "ses"),
        base,
        configuration_set=options.text("set"),
        **_common(options),
    )


def _sendgrid(parts: SplitResult, options: ChannelOptions, base_dir: Path) -> Channel:
    (key,) = _only_key(parts, "key")
    eu = options.choice("region", {"global": "", "eu": "eu."}, "")
    base = _base(options, f"https://api.{eu}sendgrid.com")
    return SendGridChannel(
        _wire(options),
        key,
        base,
        tracking=options.yes("tracking", False),
        **_common(options),
    )


def _mailgun(parts: SplitResult, options: ChannelOptions, base_dir: Path) -> Channel:
    (key,) = credentials(parts, "key")
    domain = _host(parts, _domain, "the domain that it sends for, such as mg.example.com")
    eu = options.choice("region", {"us": "", "eu": "eu."}, "")
    base = _base(options, f"https://api.{eu}mailgun.net")
    return MailgunChannel(
        _wire(options),
        key,
        domain,
        base,
        tracking=options.yes("tracking", False),
        **_common(options),
    )


def _postmark(parts: SplitResult, options: ChannelOptions, base_dir: Path) -> Channel:
    (token,) = _only_key(parts, "token")
    base = _base(options, "https://api.postmarkapp.com")
    return PostmarkChannel(
        _wire(options),
        token,
        base,
        stream=options.text("stream"),
        bulk=options.text("bulk"),
        tracking=options.yes("tracking", False),
        **_common(options),
    )


def _resend(parts: SplitResult, options: ChannelOptions, base_dir: Path) -> Channel:
    (key,) = _only_key(parts, "key")
    base = _base(options, "https://api.resend.com")
    return ResendChannel(_wire(options), key, base, **_common(options))


def _brevo(parts: SplitResult, options: ChannelOptions, base_dir: Path) -> Channel:
    (key,) = _only_key(parts, "key")
    base = _base(options, "https://api.brevo.com")
    return BrevoChannel(_wire(options), key, base, **_common(options))


def _directmail(parts: SplitResult, options: ChannelOptions, base_dir: Path) -> Channel:
    key_id, secret = credentials(parts, "key id", "secret")
    region = _host(parts, _region, "a region such as cn-hangzhou")
    host = "dm.aliyuncs.com" if region == "cn-hangzhou" else f"dm.{region}.aliyuncs.com"
    base = _base(options, f"https://{host}")
    return DirectMailChannel(
        _wire(options),
        AliyunAccess(key_id, secret),
        base,
        tag=options.text("tag"),
        tracking=options.yes("tracking", False),
        **_common(options),
    )


def _common(options: ChannelOptions) -> dict[str, Any]:
    """What every adapter takes."""
    return {"default_sender": options.address("from"), "width": _width(options), "rate": options.rate()}


def _width(options: ChannelOptions) -> int:
    return int(options.number("width", WIDTH, 1, MOST_CONNECTIONS))


def _wire(options: ChannelOptions) -> ProviderWire:
    return ProviderWire(_width(options), options.number("timeout", TIMEOUT, 0.1, LONGEST_TIMEOUT))


def _base(options: ChannelOptions, default: str) -> str:
    value = options.text("base")
    if value is None:
        return default
    try:
        parts = urlsplit(value)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) and "@" not in parts.netloc
    except ValueError:
        usable = False
    if not usable or parts.query or parts.fragment or not (value.isascii() and value.isprintable()) or " " in value:
        raise UsageError(
            f"a channel's address says base={value[:60]}; expected an address such as https://gateway.example.com",
            "bad_setting",
        )
    return value.rstrip("/")


def _only_key(parts: SplitResult, name: str) -> tuple[str, ...]:
    found = credentials(parts, name)
    if parts.hostname:
        raise UsageError(
            f"the address with {parts.scheme}: names the host {parts.hostname[:60]}; write {parts.scheme}://:"
            f"{name.upper()}@, and another endpoint as ?base=https://...",
            "bad_setting",
        )
    return found


def _host(parts: SplitResult, matches: Callable[[str], object], expected: str) -> str:
    host = parts.hostname or ""
    if not matches(host):
        raise UsageError(
            f"the address with {parts.scheme}: names {host[:60] or 'nothing'} behind its @; expected {expected}",
            "bad_setting",
        )
    return host


def _hook(provider: str, wanted: str, make: Callable[[tuple[str, ...]], Hook]) -> HookMaker:
    def maker(parts: SplitResult, options: ChannelOptions) -> Hook:
        secrets = secrets_of(options.text("hook") or "")
        return make(secrets) if secrets else ClosedHook(provider, wanted)

    return maker


MAKERS: Final[Mapping[str, Maker]] = {
    "ses": _ses,
    "sendgrid": _sendgrid,
    "mailgun": _mailgun,
    "postmark": _postmark,
    "resend": _resend,
    "brevo": _brevo,
    "directmail": _directmail,
}
OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "ses": (*_COMMON, "set"),
    "sendgrid": (*_COMMON, "region", "tracking"),
    "mailgun": (*_COMMON, "region", "tracking"),
    "postmark": (*_COMMON, "stream", "bulk", "tracking"),
    "resend": _COMMON,
    "brevo": _COMMON,
    "directmail": (*_COMMON, "tag", "tracking"),
}
HOOKS: Final[Mapping[str, HookMaker]] = {
    "ses": _hook("ses", "TOPIC_ARN", SesHook),
    "sendgrid": _hook("sendgrid", "VERIFICATION_KEY", SendGridHook),
    "mailgun": _hook("mailgun", "SIGNING_KEY", MailgunHook),
    "postmark": _hook("postmark", "USER:PASSWORD", PostmarkHook),
    "resend": _hook("resend", "SIGNING_SECRET", ResendHook),
    "brevo": _hook("brevo", "TOKEN", BrevoHook),
    "directmail": _hook("directmail", "TOKEN", DirectMailHook),
}
