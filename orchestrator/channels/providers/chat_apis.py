"""Chat providers, by the scheme of their URL.

    whatsapp://:TOKEN@PHONE_NUMBER_ID?hook=APP_SECRET&verify=WORD
    wechat://APPID:SECRET@?kind=template&hook=TOKEN,AESKEY          kind: template, subscribe (official account), mini
    wecom://CORPID:SECRET@?agent=1000002&hook=TOKEN,AESKEY

All take `base` (another endpoint), `width`, `rate` and `timeout`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult

from orchestrator.channels.hooks.protocol import Hook
from orchestrator.channels.hooks.reading import ClosedHook, secrets_of
from orchestrator.channels.hooks.wechat import WechatHook
from orchestrator.channels.hooks.whatsapp import WhatsappHook
from orchestrator.channels.options import ChannelOptions, HookMaker, Maker, credentials
from orchestrator.channels.protocol import Channel
from orchestrator.channels.providers import wechat, wecom, whatsapp
from orchestrator.channels.providers.adapter import WIDTH
from orchestrator.channels.providers.wire import TIMEOUT, ProviderWire
from orchestrator.errors import UsageError

MOST_WIDTH: Final = 100
LONGEST_TIMEOUT: Final = 20.0
"""Seconds for a call: a message may need three (token, message, once more), and its claim lasts a minute."""
_COMMON: Final = ("base", "width", "rate", "timeout", "hook")


def _whatsapp(parts: SplitResult, options: ChannelOptions, base_dir: Path) -> Channel:
    (token,) = credentials(parts, "token")
    version = options.text("version") or whatsapp.VERSION
    if not version.startswith("v") or not version[1:].replace(".", "", 1).isdigit():
        raise UsageError(f"whatsapp: version={version[:20]} is none; such as version={whatsapp.VERSION}", "bad_setting")
    wire, base, width, rate = _account(options, whatsapp.BASE)
    return whatsapp.WhatsappChannel(wire, token, _number_id(parts), base, version, width, rate)


def _number_id(parts: SplitResult) -> str:
    found = parts.hostname or ""
    if not (found.isascii() and found.isdigit()):
        raise UsageError(
            "the address with whatsapp: needs the id of the phone number (digits, not the number itself): "
            "whatsapp://:TOKEN@106540352242922",
            "bad_setting",
        )
    return found


def _wechat(parts: SplitResult, options: ChannelOptions, base_dir: Path) -> Channel:
    app_id, secret = credentials(parts, "app id", "secret")
    kind: wechat.Kind = options.choice("kind", wechat.KINDS, "template")
    wire, base, width, rate = _account(options, wechat.BASE)
    return wechat.WechatChannel(app_id, secret, kind, wire=wire, base=base, width=width, rate=rate)


def _wecom(parts: SplitResult, options: ChannelOptions, base_dir: Path) -> Channel:
    corp_id, secret = credentials(parts, "corp id", "secret")
    agent = options.text("agent")
    if agent is None or not (agent.isascii() and agent.isdigit() and len(agent) < 12):
        raise UsageError("the address with wecom: needs the agent's number: ?agent=1000002", "bad_setting")
    wire, base, width, rate = _account(options, wecom.BASE)
    return wecom.WecomChannel(corp_id, secret, int(agent), wire=wire, base=base, width=width, rate=rate)


def _account(options: ChannelOptions, usual: str) -> tuple[ProviderWire, str, int, float | None]:
    base = (options.text("base") or usual).rstrip("/")
    if not base.startswith(("https://", "http://")):
        raise UsageError(f"a channel's address says base={base[:40]}; expected https://...", "bad_setting")
    width = int(options.number("width", WIDTH, 1, MOST_WIDTH))
    timeout = options.number("timeout", min(TIMEOUT, 15.0), 0.1, LONGEST_TIMEOUT)
    return ProviderWire(width, timeout), base, width, options.rate()


def _whatsapp_hook(parts: SplitResult, options: ChannelOptions) -> Hook:
    secrets = secrets_of(options.text("hook") or "")
    if not secrets:
        return ClosedHook("whatsapp", "APP_SECRET")
    return WhatsappHook(secrets, options.text("verify"), _number_id(parts))


def _weixin_hook(parts: SplitResult, options: ChannelOptions) -> Hook:
    secret = options.text("hook")
    if secret is None:
        return ClosedHook(parts.scheme, "TOKEN,AESKEY")
    return WechatHook(parts.scheme, secret, credentials(parts, "id", "secret")[0])


MAKERS: Final[Mapping[str, Maker]] = {"whatsapp": _whatsapp, "wechat": _wechat, "wecom": _wecom}
OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "whatsapp": (*_COMMON, "verify", "version"),
    "wechat": (*_COMMON, "kind"),
    "wecom": (*_COMMON, "agent"),
}
HOOKS: Final[Mapping[str, HookMaker]] = {"whatsapp": _whatsapp_hook, "wechat": _weixin_hook, "wecom": _weixin_hook}
