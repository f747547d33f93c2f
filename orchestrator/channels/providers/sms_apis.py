"""The providers of SMS by the schemes of their URLs.

    twilio://SID:TOKEN@?from=+15550100,GB:Harbour        twilio://SK...:SECRET@AC...?service=MG...&hook=AUTH_TOKEN
    vonage://KEY:SECRET@?from=Harbour&hook=SIGNATURE_SECRET&signed=sha256
    aliyunsms://ID:SECRET@?signature=海港&hook=TOKEN
    tencentsms://ID:SECRET@APPID?signature=海港&hook=TOKEN
    https://user:password@gateway.example.com/send?from=Harbour&hook=whsec_...

All take `base` (another endpoint), `width`, `rate`, `timeout`; `from` may name a sender for each country.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, unquote, urlsplit

from orchestrator.channels.hooks.protocol import Hook
from orchestrator.channels.options import ChannelOptions, HookMaker, Maker, credentials
from orchestrator.channels.protocol import Channel
from orchestrator.channels.providers.adapter import WIDTH
from orchestrator.channels.providers.aliyun_sms import BASE as ALIYUN
from orchestrator.channels.providers.aliyun_sms import AliyunSmsChannel
from orchestrator.channels.providers.signing_aliyun import AliyunAccess
from orchestrator.channels.providers.signing_tencent import TencentAccess
from orchestrator.channels.providers.sms_gateway import SmsGatewayChannel
from orchestrator.channels.providers.sms_parts import senders_of
from orchestrator.channels.providers.tencent_sms import BASE as TENCENT
from orchestrator.channels.providers.tencent_sms import REGION, TencentSmsChannel
from orchestrator.channels.providers.twilio import BASE as TWILIO
from orchestrator.channels.providers.twilio import TwilioChannel
from orchestrator.channels.providers.vonage import BASE as VONAGE
from orchestrator.channels.providers.vonage import VonageChannel
from orchestrator.channels.providers.wire import TIMEOUT, ProviderWire
from orchestrator.errors import UsageError

MOST_CONNECTIONS: Final = 100
LONGEST_TIMEOUT: Final = 45
"""Seconds for one message: its claim ends after a minute."""
_ALL: Final = ("hook", "base", "width", "rate", "timeout")
OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "twilio": ("from", "service", "callback", *_ALL),
    "vonage": ("from", "callback", "signed", *_ALL),
    "aliyunsms": ("signature", *_ALL),
    "tencentsms": ("signature", "from", "region", *_ALL),
    "https": ("from", "token", *_ALL),
    "http": ("from", "token", *_ALL),
}


def _twilio(parts: SplitResult, options: ChannelOptions, base_dir: Path) -> Channel:
    user, password = credentials(parts, "account SID", "auth token")
    width = _width(options)
    return TwilioChannel(
        _wire(width, options),
        unquote(parts.netloc.rpartition("@")[2]) or user,
        user,
        password,
        senders_of(options.text("from")),
        base=_url(options, "base") or TWILIO,
        service=options.text("service"),
        callback=_url(options, "callback"),
        width=width,
        rate=options.rate(),
    )


def _vonage(parts: SplitResult, options: ChannelOptions, base_dir: Path) -> Channel:
    key, secret = credentials(parts, "API key", "API secret")
    width = _width(options)
    return VonageChannel(
        _wire(width, options),
        key,
        secret,
        senders_of(options.text("from")),
        base=_url(options, "base") or VONAGE,
        callback=_url(options, "callback"),
        width=width,
        rate=options.rate(),
    )


def _aliyun(parts: SplitResult, options: ChannelOptions, base_dir: Path) -> Channel:
    access = AliyunAccess(*credentials(parts, "access key id", "access key secret"))
    width = _width(options)
    return AliyunSmsChannel(
        _wire(width, options),
        access,
        options.text("signature"),
        base=_url(options, "base") or ALIYUN,
        width=width,
        rate=options.rate(),
    )


def _tencent(parts: SplitResult, options: ChannelOptions, base_dir: Path) -> Channel:
    access = TencentAccess(*credentials(parts, "secret id", "secret key"))
    application = parts.hostname or ""
    if not (application.isascii() and application.isdigit()):
        raise UsageError(
            "the address with tencentsms: lacks the number of the SMS application; write "
            "tencentsms://SECRET_ID:SECRET_KEY@1400006666",
            "bad_setting",
        )
    width = _width(options)
    return TencentSmsChannel(
        _wire(width, options),
        access,
        application,
        options.text("signature"),
        senders_of(options.text("from")),
        base=_url(options, "base") or TENCENT,
        region=options.text("region") or REGION,
        width=width,
        rate=options.rate(),
    )


def _gateway(parts: SplitResult, options: ChannelOptions, base_dir: Path) -> Channel:
    if not parts.hostname:
        raise UsageError("an SMS gateway's address names no host; write https://user:password@host/send", "bad_setting")
    width = _width(options)
    where = parts.netloc.rpartition("@")[2]
    basic = (unquote(parts.username), unquote(parts.password or "")) if parts.username else None
    return SmsGatewayChannel(
        _wire(width, options),
        _url(options, "base") or f"{parts.scheme}://{where}{parts.path or '/'}",
        senders_of(options.text("from")),
        basic=basic,
        token=options.text("token"),
        width=width,
        rate=options.rate(),
    )


def _wire(width: int, options: ChannelOptions) -> ProviderWire:
    return ProviderWire(width, options.number("timeout", TIMEOUT, 0.1, LONGEST_TIMEOUT))


def _width(options: ChannelOptions) -> int:
    return int(options.number("width", WIDTH, 1, MOST_CONNECTIONS))


def _url(options: ChannelOptions, name: str) -> str | None:
    """An option that is an address. Raises UsageError."""
    text = options.text(name)
    if text is None:
        return None
    try:
        parts = urlsplit(text)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and text.isascii() and text.isprintable()
    except ValueError:
        usable = False
    if not usable:
        raise UsageError(f"a channel's address says {name}={text[:40]}; expected https://host/path", "bad_setting")
    return text.rstrip("/")


def _hook(module: str) -> HookMaker:
    def make(parts: SplitResult, options: ChannelOptions) -> Hook:
        made: HookMaker = import_module(f"orchestrator.channels.hooks.{module}").hook_of
        return made(parts, options)

    return make


MAKERS: Final[Mapping[str, Maker]] = {
    "twilio": _twilio,
    "vonage": _vonage,
    "aliyunsms": _aliyun,
    "tencentsms": _tencent,
    "https": _gateway,
    "http": _gateway,
}
HOOKS: Final[Mapping[str, HookMaker]] = {
    "twilio": _hook("twilio"),
    "vonage": _hook("vonage"),
    "aliyunsms": _hook("aliyun_sms"),
    "tencentsms": _hook("tencent_sms"),
    "https": _hook("sms_gateway"),
    "http": _hook("sms_gateway"),
}
