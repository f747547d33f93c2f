"""From what an operator writes to the adapter of a channel.

    smtp://user:password@mail.example.com:587?starttls=require&width=8&rate=100/s
    smtps://user:password@mail.example.com
    file:outbox    file:///var/mail-out?fsync=yes
    console:       null:

Any of them takes `rate`, and `daily` and `ramp` (channels/daily_plan.py). What else a URL may hold is listed in
`OPTIONS`; all else is refused with the nearest word. Several URLs with blanks between them are providers that stand in
for each other, in that order, or, with `weight`, share the messages among them (channels/failover.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, unquote_plus, urlsplit

from orchestrator.channels.console import ConsoleChannel
from orchestrator.channels.daily_plan import PLAN_OPTIONS, DailyPlan, PlannedChannel, parse_plan
from orchestrator.channels.dkim import read_keys
from orchestrator.channels.domain_limits import read_limits
from orchestrator.channels.failover import FailoverChannel, Provider
from orchestrator.channels.file import DEFAULT_SENDER, FileChannel
from orchestrator.channels.inbox import InboxChannel
from orchestrator.channels.null import NullChannel
from orchestrator.channels.options import ChannelOptions, Maker
from orchestrator.channels.protocol import Channel
from orchestrator.channels.smtp import WIDTH, SmtpChannel, SmtpOptions
from orchestrator.channels.smtp_wire import SmtpServer
from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.core.provider_urls import provider_urls
from orchestrator.errors import UsageError

MOST_CONNECTIONS: Final = 100
WEIGHT: Final = "weight"
"""A word behind the `?` of each of several URLs: its part of the messages."""
LONGEST_TIMEOUT: Final = 45
"""Seconds for one message: its claim ends after a minute."""
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_SMTP: Final = (
    "verify", "ca", "width", "rate", "timeout", "connect_timeout", "hello", "from", "bounces", "dkim", "domains",
)  # fmt: skip
OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "smtp": ("starttls", *_SMTP),
    "smtps": _SMTP,
    "file": ("from", "fsync", "rate"),
    "console": ("rate",),
    "null": ("rate",),
    "inbox": (),
}
"""What may stand behind the `?`, by scheme, of those without an API of their own."""
FAMILIES: Final[Mapping[str, tuple[str, str]]] = {
    **dict.fromkeys(
        ("ses", "sendgrid", "mailgun", "postmark", "resend", "brevo", "directmail"), ("email", "email_apis")
    ),
    **dict.fromkeys(("twilio", "vonage", "aliyunsms", "tencentsms", "http", "https"), ("sms", "sms_apis")),
    **dict.fromkeys(("push",), ("push", "push_apis")),
    **dict.fromkeys(("whatsapp",), ("whatsapp", "chat_apis")),
    **dict.fromkeys(("wechat", "wecom"), ("wechat", "chat_apis")),
}
"""By scheme: the channel that a provider serves, and the module of `providers/` that makes its adapter."""
_PORTS: Final = {"smtp": 587, "smtps": 465}


def channels_of(urls: Mapping[str, str], *, base_dir: Path) -> dict[str, Channel]:
    """The adapters by channel name (email, sms, ...). Channels with one URL share one adapter. Raises UsageError."""
    made: dict[str, Channel] = {}
    for name, url in urls.items():
        if url not in made:
            made[url] = channel_of(url, base_dir=base_dir)
        for each in provider_urls(url):
            scheme = each.partition(":")[0].lower()
            serves = FAMILIES.get(scheme, (name, ""))[0]
            if serves != name:
                raise UsageError(
                    f"the channel '{name}' cannot go over a provider of '{serves}'; {_ways()}", "bad_setting"
                )
            if name != "email" and scheme in _PORTS:
                raise UsageError(f"the channel '{name}' cannot go over a mail server; {_ways()}", "bad_setting")
    return {name: made[url] for name, url in urls.items()}


def channel_of(url: str, *, base_dir: Path) -> Channel:
    """The adapter that a setting names, of one URL or of several; relative folders lie below `base_dir`.

    Raises UsageError with what is possible. No connection is made yet, and no message shows a password.
    """
    urls = provider_urls(url)
    weights = weights_of(urls)
    if len(urls) == 1:
        return _channel(urls[0], base_dir)
    names: list[str] = []
    for each in urls:
        scheme = each.partition(":")[0].lower()
        count = sum(name.partition("-")[0] == scheme for name in names) + 1
        names.append(scheme if count == 1 else f"{scheme}-{count}")
    given = zip(names, urls, weights, strict=True)
    return FailoverChannel([Provider(name, _channel(each, base_dir), weight) for name, each, weight in given])


def weights_of(urls: Sequence[str]) -> list[int | None]:
    """What each URL of a setting says of its part of the messages; None throughout: they stand in for each other in
    their order. Raises UsageError where only some of them say it, or none takes anything."""
    found = [_weight(url) for url in urls]
    said = [weight for weight in found if weight is not None]
    if said and len(urls) == 1:
        raise UsageError("a channel's address says `weight`, and there is one provider; leave it out", "bad_setting")
    if said and len(said) < len(found):
        raise UsageError(
            "some addresses of a channel say `weight`, and others do not; say it for each, such as weight=70 and "
            "weight=30 (weight=0: it only stands in)",
            "bad_setting",
        )
    if said and not any(said):
        raise UsageError("all addresses of a channel say weight=0, so that nobody takes anything", "bad_setting")
    return found


def _weight(url: str) -> int | None:
    try:
        words = parse_qs(urlsplit(url).query, keep_blank_values=True).get(WEIGHT)
    except ValueError:  # said where it is read
        return None
    if words is None:
        return None
    text = words[0]
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        what = f"a channel's address says weight={text[:40]}"
        raise UsageError(f"{what}; expected a whole number up to 9999, such as weight=70", "bad_setting")
    return int(text)


def own_parts(url: str) -> tuple[SplitResult, DailyPlan | None]:
    """A provider's URL without the words that every channel takes, and what these say. Raises UsageError."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        # Why, is not said: it quotes what stands where a port would, which is the password where an @ is missing.
        hint = "end the password with @, and write @, / and # inside of it as %40, %2F and %23"
        raise UsageError(f"the address of a channel cannot be read; {hint}; {_ways()}", "bad_setting") from None
    given: dict[str, str] = {}
    kept = []
    for word in parts.query.split("&"):
        name, _, value = word.partition("=")
        if name not in (*PLAN_OPTIONS, WEIGHT):
            kept.append(word)
        elif name in given:
            raise UsageError(f"a channel's address gives '{name}' twice; leave one out", "bad_setting")
        else:
            given[name] = unquote_plus(value)
    return parts._replace(query="&".join(kept)), parse_plan(given)


def _channel(url: str, base_dir: Path) -> Channel:
    parts, plan = own_parts(url)
    channel = _adapter(parts, base_dir)
    return channel if plan is None else PlannedChannel(channel, plan)


def _adapter(parts: SplitResult, base_dir: Path) -> Channel:
    scheme = parts.scheme
    if scheme in FAMILIES:
        family = import_module(f"orchestrator.channels.providers.{FAMILIES[scheme][1]}")
        maker: Maker = family.MAKERS[scheme]
        return maker(parts, ChannelOptions(scheme, parts.query, family.OPTIONS[scheme]), base_dir)
    make = _MAKERS.get(scheme)
    if make is None:
        near = did_you_mean(f"{scheme}:", [f"{name}:" for name in OPTIONS]) if scheme else None
        found = f"begins with '{scheme}:'" if scheme else "is no URL"
        raise UsageError(f"the address of a channel {found}; {near + ' ' if near else ''}{_ways()}", "bad_setting")
    return make(parts, ChannelOptions(scheme, parts.query, OPTIONS[scheme]), base_dir)


def _smtp(parts: SplitResult, options: ChannelOptions, base_dir: Path) -> Channel:
    host = parts.hostname
    if not host:
        raise UsageError("the address of the mail server names no host; such as smtp://mail.example.com", "bad_setting")
    user = unquote(parts.username) if parts.username else None
    password = unquote(parts.password) if parts.password is not None else None
    if user is not None and password is None:
        raise UsageError(
            f"the address of the mail server {host} has a user name without a password; write smtp://user:password@{host}"
            " (characters such as @ and / as %40 and %2F)",
            "bad_setting",
        )
    if user is not None and not f"{user}{password}".isascii():
        raise UsageError("the mail server's user name and password have to be ASCII", "bad_setting")
    careful = "require" if user is not None and host not in LOOPBACK else "prefer"
    ways = {"require": "require", "prefer": "prefer", "no": "never"}
    ca_file = options.text("ca")
    if ca_file is not None and not (base_dir / ca_file).is_file():
        raise UsageError(f"the address of the mail server says ca={ca_file}, which is no file", "bad_setting")
    server = SmtpServer(
        host,
        parts.port or (25 if parts.scheme == "smtp" and user is None else _PORTS[parts.scheme]),
        user,
        password,
        "always" if parts.scheme == "smtps" else options.choice("starttls", ways, careful),
        options.yes("verify", True),
        None if ca_file is None else str(base_dir / ca_file),
        options.text("hello"),
        options.number("timeout", 30.0, 0.1, LONGEST_TIMEOUT),
        options.number("connect_timeout", 10.0, 0.1, LONGEST_TIMEOUT),
    )
    width = int(options.number("width", WIDTH, 1, MOST_CONNECTIONS))
    dkim, domains = options.text("dkim"), options.text("domains")
    return SmtpChannel(
        server,
        SmtpOptions(
            width,
            options.rate(),
            options.address("from"),
            options.address("bounces"),
            () if dkim is None else read_keys(dkim, base_dir),
            None if domains is None else read_limits(domains),
        ),
    )


def _file(parts: SplitResult, options: ChannelOptions, base_dir: Path) -> Channel:
    if parts.netloc not in ("", "localhost"):
        raise UsageError(
            f"'file://{parts.netloc}' names another machine; write file:{parts.netloc}{parts.path} for a folder of the "
            f"project, or file:///{parts.netloc}{parts.path}",
            "bad_setting",
        )
    path = unquote(parts.path)
    if not path or "\x00" in path:
        raise UsageError(
            "the address of a channel names no folder; write file:outbox or file:///var/outbox", "bad_setting"
        )
    folder = base_dir / path
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; messages are written below a folder", "bad_setting")
    return FileChannel(
        folder,
        default_sender=options.address("from") or DEFAULT_SENDER,
        fsync=options.yes("fsync", False),
        rate=options.rate(),
    )


def _console(parts: SplitResult, options: ChannelOptions, base_dir: Path) -> Channel:
    return ConsoleChannel(rate=options.rate())


def _null(parts: SplitResult, options: ChannelOptions, base_dir: Path) -> Channel:
    return NullChannel(options.rate())


def _inbox(parts: SplitResult, options: ChannelOptions, base_dir: Path) -> Channel:
    return InboxChannel()


_MAKERS: Final[Mapping[str, Maker]] = {
    "smtp": _smtp,
    "smtps": _smtp,
    "file": _file,
    "console": _console,
    "null": _null,
    "inbox": _inbox,
}


def _ways() -> str:
    return "write smtp://user:password@host:587, smtps://user:password@host, file:DIR, console: or null:"
