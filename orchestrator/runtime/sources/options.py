"""The URL of a source: `shopify://:SECRET@harbour-shop?topic=promotions`."""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote

from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.errors import UsageError

COMMON: Final = ("prefix", "names", "also")
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


class SourceUrl(NamedTuple):
    """The parts. `secrets`: what may sign, several while one is exchanged; `prefix`: before the source's own ids of
    customers; `segment`: events have the names of Segment's e-commerce spec."""

    scheme: str
    name: str
    secrets: tuple[str, ...]
    prefix: str
    segment: bool
    options: dict[str, str]


def source_url(url: str, schemes: Sequence[str], known: Sequence[str]) -> SourceUrl:
    """The parts of a URL. Raises UsageError, which never shows a secret."""
    scheme, found, rest = url.partition("://")
    scheme = scheme.lower()
    if not found or scheme not in schemes:
        hint = did_you_mean(scheme, schemes) or f"possible are {', '.join(f'{one}://' for one in schemes)}"
        raise UsageError(f"a source of ORCHESTRATOR_SOURCES begins with '{scheme[:20]}'; {hint}", "bad_setting")
    place, _, query = rest.partition("?")
    login, _, name = place.rpartition("@")
    name = name.rstrip("/").lower()
    if _NAME.fullmatch(name) is None:
        what = f"a source of ORCHESTRATOR_SOURCES with {scheme}:// has no name that could stand in an address"
        raise UsageError(f"{what}; write {scheme}://:SECRET@shop, with small letters, digits and -", "bad_setting")
    secret = unquote(login.partition(":")[2])
    if not secret:
        what = f"the source {name} of ORCHESTRATOR_SOURCES has no secret, so that anybody could send in its name"
        raise UsageError(f"{what}; write {scheme}://:SECRET@{name}", "bad_setting")
    options = dict(parse_qsl(query, keep_blank_values=True))
    for option in options:
        if option not in (*COMMON, *known):
            hint = did_you_mean(option, (*COMMON, *known)) or f"possible are {', '.join((*COMMON, *known))}"
            raise UsageError(f"the source {name} has no option '{option[:40]}'; {hint}", "bad_setting")
    secrets = tuple(filter(None, (secret, options.get("also"))))
    if options.get("names", "own") not in ("own", "segment"):
        raise UsageError(
            f"the source {name} says names={options['names'][:40]}; expected own or segment", "bad_setting"
        )
    prefix = options.get("prefix", f"{name}:")
    return SourceUrl(scheme, name, secrets, prefix, options.get("names") == "segment", options)


def choice(url: SourceUrl, option: str, possible: Sequence[str]) -> str:
    """One of several words; the first is the default. Raises UsageError."""
    value = url.options.get(option, possible[0])
    if value not in possible:
        told = f"the source {url.name} says {option}={value[:40]}; expected {' or '.join(possible)}"
        raise UsageError(told, "bad_setting")
    return value


def is_one_of(given: str, expected: Sequence[str]) -> bool:
    """Whether a signature is one of those that our secrets make, in time that says nothing of where they differ."""
    found = False
    for one in expected:
        found |= hmac.compare_digest(given.encode("utf-8", "surrogatepass"), one.encode())
    return found
