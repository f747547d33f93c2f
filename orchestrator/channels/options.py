"""What stands in the URL of a channel: its parts, and the words behind the `?`, each read once and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import SplitResult, parse_qsl, unquote

from orchestrator.channels.protocol import Channel
from orchestrator.channels.rate import parse_rate
from orchestrator.core.addresses import email_address
from orchestrator.core.expression.nearest import did_you_mean, known_words
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.channels.hooks.protocol import Hook


class ChannelOptions:
    """The words behind the `?` of a URL, each read once."""

    def __init__(self, scheme: str, query: str, known: Sequence[str]) -> None:
        self._scheme = scheme
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


Maker: TypeAlias = Callable[[SplitResult, ChannelOptions, Path], Channel]
"""Makes an adapter from the parts of a URL; relative files lie below the folder. No connection is made yet."""
HookMaker: TypeAlias = Callable[[SplitResult, ChannelOptions], "Hook"]
"""Makes what reads a provider's callbacks, from the same URL."""


def credentials(parts: SplitResult, *names: str) -> tuple[str, ...]:
    """The user name and password of a provider's URL, decoded; `names` says what the provider calls each (one: only a
    password, as in `postmark://:TOKEN@`). Raises UsageError that names what is missing, and shows neither."""
    found = (unquote(parts.username or ""), unquote(parts.password or ""))[-len(names) :]
    missing = [name for name, value in zip(names, found, strict=True) if not value]
    if missing:
        form = ":".join(name.upper().replace(" ", "_") for name in names)
        raise UsageError(
            f"the address with {parts.scheme}: lacks {' and '.join(missing)}; write "
            f"{parts.scheme}://{':' if len(names) == 1 else ''}{form}@... (characters such as @ and / as %40 and %2F)",
            "bad_setting",
        )
    if not all(value.isascii() and value.isprintable() for value in found):
        raise UsageError(f"the credentials of {parts.scheme}: have to be printable ASCII", "bad_setting")
    return found


__all__ = ["ChannelOptions", "HookMaker", "Maker", "credentials"]
