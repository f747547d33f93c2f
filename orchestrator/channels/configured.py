"""From what an operator writes to the adapter of a channel.

    smtp://user:password@mail.example.com:587?starttls=require&width=8&rate=100/s
    smtps://user:password@mail.example.com
    file:outbox    file:///var/mail-out?fsync=yes
    console:       null:

Any of them takes `rate`. What a URL may hold is listed in `OPTIONS`; all else is refused with the nearest word.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from orchestrator.channels.console import ConsoleChannel
from orchestrator.channels.file import DEFAULT_SENDER, FileChannel
from orchestrator.channels.null import NullChannel
from orchestrator.channels.protocol import Channel
from orchestrator.channels.rate import parse_rate
from orchestrator.channels.smtp import WIDTH, SmtpChannel, SmtpOptions
from orchestrator.channels.smtp_wire import SmtpServer
from orchestrator.core.addresses import email_address
from orchestrator.core.expression.nearest import did_you_mean, known_words
from orchestrator.errors import UsageError

MOST_CONNECTIONS: Final = 100
LONGEST_TIMEOUT: Final = 45
"""Seconds for one message: its claim ends after a minute."""
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
OPTIONS: Final[Mapping[str, tuple[str, ...]]] = {
    "smtp": ("starttls", "verify", "ca", "width", "rate", "timeout", "connect_timeout", "hello", "from", "bounces"),
    "smtps": ("verify", "ca", "width", "rate", "timeout", "connect_timeout", "hello", "from", "bounces"),
    "file": ("from", "fsync", "rate"),
    "console": ("rate",),
    "null": ("rate",),
}
"""What may stand behind the `?`, by scheme."""
_PORTS: Final = {"smtp": 587, "smtps": 465}


def channels_of(urls: Mapping[str, str], *, base_dir: Path) -> dict[str, Channel]:
    """The adapters by channel name (email, sms, ...). Channels with one URL share one adapter. Raises UsageError."""
    made: dict[str, Channel] = {}
    for name, url in urls.items():
        if url not in made:
            made[url] = channel_of(url, base_dir=base_dir)
        if name != "email" and isinstance(made[url], SmtpChannel):
            raise UsageError(f"the channel '{name}' cannot go over a mail server; {_ways()}", "bad_setting")
    return {name: made[url] for name, url in urls.items()}


def channel_of(url: str, *, base_dir: Path) -> Channel:
    """The adapter that a URL names; relative folders lie below `base_dir`. Raises UsageError with what is possible.

    No connection is made yet, and no message shows a password.
    """
    try:
        parts = urlsplit(url.strip())
        scheme = parts.scheme
        _ = parts.port
    except ValueError as error:
        raise UsageError(f"the address of a channel cannot be read ({error}); {_ways()}", "bad_setting") from None
    if scheme in ("http", "https"):
        raise UsageError(
            "gateways over HTTP are not part of this version; use file:DIR, console: or null: for text messages",
            "bad_setting",
        )
    make = _MAKERS.get(scheme)
    if make is None:
        near = did_you_mean(f"{scheme}:", [f"{name}:" for name in OPTIONS]) if scheme else None
        found = f"begins with '{scheme}:'" if scheme else "is no URL"
        raise UsageError(f"the address of a channel {found}; {near + ' ' if near else ''}{_ways()}", "bad_setting")
    return make(parts, _Options(scheme, parts.query), base_dir)


class _Options:
    """The words behind the `?` of a URL, each read once."""

    def __init__(self, scheme: str, query: str) -> None:
        self._scheme = scheme
        known = OPTIONS[scheme]
        self._given: dict[str, str] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            if name not in known:
                hint = did_you_mean(name, known) or f"possible are {known_words(known)}"
                what = f"a channel's address with {scheme}: has no option '{name[:40]}'"
                raise UsageError(f"{what}; {hint}", "bad_setting")
            if name in self._given:
                raise UsageError(f"a channel's address gives '{name}' twice; leave one out", "bad_setting")
            self._given[name] = value

    def text(self, name: str) -> str | None:
        return self._given.get(name) or None

    def choice(self, name: str, possible: Mapping[str, Any], default: Any) -> Any:
        value = self._given.get(name)
        if value is None:
            return default
        if value not in possible:
            self._refuse(name, value, f"one of {known_words(possible)}")
        return possible[value]

    def yes(self, name: str, default: bool) -> bool:
        return bool(self.choice(name, {"yes": True, "no": False}, default))

    def number(self, name: str, default: float, least: float, most: float) -> float:
        value = self._given.get(name)
        if value is None:
            return default
        try:
            number = float(value.removesuffix("s"))
        except ValueError:
            number = least - 1
        if not least <= number <= most:
            self._refuse(name, value, f"a number from {least:g} to {most:g}")
        return number

    def rate(self) -> float | None:
        value = self._given.get("rate")
        return None if value is None else parse_rate(value)

    def address(self, name: str) -> str | None:
        value = self.text(name)
        if value is not None and (email_address(value) is None or not value.isascii()):
            self._refuse(name, value, "an address such as hello@example.com")
        return value

    def _refuse(self, name: str, value: str, expected: str) -> None:
        raise UsageError(f"a channel's address says {name}={value[:40]}; expected {expected}", "bad_setting")


def _smtp(parts: SplitResult, options: _Options, base_dir: Path) -> Channel:
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
    return SmtpChannel(server, SmtpOptions(width, options.rate(), options.address("from"), options.address("bounces")))


def _file(parts: SplitResult, options: _Options, base_dir: Path) -> Channel:
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


def _console(parts: SplitResult, options: _Options, base_dir: Path) -> Channel:
    return ConsoleChannel(rate=options.rate())


def _null(parts: SplitResult, options: _Options, base_dir: Path) -> Channel:
    return NullChannel(options.rate())


_MAKERS: Final[Mapping[str, Callable[[SplitResult, _Options, Path], Channel]]] = {
    "smtp": _smtp,
    "smtps": _smtp,
    "file": _file,
    "console": _console,
    "null": _null,
}


def _ways() -> str:
    return "write smtp://user:password@host:587, smtps://user:password@host, file:DIR, console: or null:"
