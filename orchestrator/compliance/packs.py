"""Compliance packs: what the law of a country asks of marketing messages, as data with its sources.

A pack is a file of the folder `packs`: versioned, with the law it rests on in our own words and where to read it. It
says when it is quiet, on what basis somebody may be written to, what a message has to hold, and how soon an opt-out has
to take effect. Packs are read when a project first names one.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from functools import cache
from importlib.resources import files
from typing import Any, Final, Literal, cast

from orchestrator.core.program import Channel, MessageClass
from orchestrator.core.time.clock_text import parse_days, parse_time_of_day
from orchestrator.core.time.durations import Duration, parse_duration
from orchestrator.records import dataclass

PACKS: Final = ("us", "eu", "uk", "ca", "cn")
"""Every pack by name, in the order in which people are shown them."""

Status = Literal["law", "regulator", "code"]
"""What a rule rests on: a law, what a regulator has carriers enforce, or an industry's own code of practice."""
Need = Literal["sender", "signature", "opt_out_words", "postal_address", "unsubscribe", "ad_mark"]
Basis = Literal["opt_in", "soft_opt_in", "implied", "opt_out"]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a rule comes from, and what it says in our own words."""

    title: str
    url: str
    says: str


@dataclass(frozen=True, slots=True)
class Allowed:
    """Messages may go from `start` to `end` (None: midnight) of these days (Monday 0; None: every day)."""

    start: time
    end: time | None
    days: frozenset[int] | None = None


@dataclass(frozen=True, slots=True)
class QuietRule:
    """When no messages may go: at all times but the allowed ones, and on public holidays where it says so."""

    id: str
    source: str
    allowed: tuple[Allowed, ...]
    channels: frozenset[Channel]
    classes: frozenset[MessageClass]
    countries: frozenset[str] | None
    regions: frozenset[str] | None
    holidays: bool
    status: Status


@dataclass(frozen=True, slots=True)
class ConsentRule:
    """On what basis messages of a class may go on these channels. Implied consent by one of `given_by` (purchase,
    inquiry) ends `expires_after`."""

    channels: frozenset[Channel]
    klass: MessageClass
    basis: Basis
    source: str
    given_by: tuple[str, ...] = ()
    expires_after: Duration | None = None


@dataclass(frozen=True, slots=True)
class ContentRule:
    """What a message of a class on a channel has to hold."""

    channel: Channel
    klass: MessageClass
    needs: tuple[Need, ...]
    source: str


@dataclass(frozen=True, slots=True)
class Pack:
    """The rules of a country, or of several together."""

    name: str
    title: str
    version: int
    as_of: str
    """The month up to which its makers know the law."""
    countries: frozenset[str]
    strict: bool
    """Its quiet hours also hold where a customer's country is not known."""
    home: str | None
    """The country whose parts `regions` are."""
    regions: Mapping[str, str]
    """Parts of that country, code to name."""
    sources: Mapping[str, Source]
    quiet: tuple[QuietRule, ...]
    consent: tuple[ConsentRule, ...]
    content: tuple[ContentRule, ...]

    def needs(self, channel: str, klass: str) -> frozenset[str]:
        """What a message has to hold."""
        return frozenset(
            need for rule in self.content if (rule.channel, rule.klass) == (channel, klass) for need in rule.needs
        )

    def implied_for(self, channel: str, given_by: str) -> Duration | None:
        """How long consent that a purchase or an inquiry implies lasts; None: nothing is implied, or it has no end."""
        for rule in self.consent:
            if rule.basis == "implied" and channel in rule.channels and given_by in rule.given_by:
                return rule.expires_after
        return None


@cache
def load_pack(name: str) -> Pack:
    """The pack of this name, one of PACKS."""
    return read_pack(_yaml(f"packs/{name}.yaml"))


@cache
def area_codes() -> Mapping[str, tuple[str, str | None]]:
    """North American area codes: to country, and state or province (None: it serves several)."""
    given = _yaml("area_codes.yaml")
    return {
        str(code): (country, None if region == "?" else region)
        for country, regions in given.items()
        for region, codes in regions.items()
        for code in codes
    }


def pack_of_country(country: str) -> Pack | None:
    """The pack that holds in a country by its ISO code; None: there is none."""
    return next((pack for name in PACKS if country in (pack := load_pack(name)).countries), None)


def _yaml(path: str) -> dict[str, Any]:
    # Imported here: most projects keep no pack.
    import yaml

    text = files("orchestrator.compliance").joinpath(path).read_text(encoding="utf-8")
    return cast("dict[str, Any]", yaml.safe_load(text))


def read_pack(given: Mapping[str, Any]) -> Pack:
    """A pack from its file. Raises KeyError or ValueError for one that is not whole: our own tests read them all."""
    sources = {name: Source(**source) for name, source in given["sources"].items()}
    countries = frozenset(given["countries"])
    pack = Pack(
        name=given["pack"],
        title=given["title"],
        version=given["version"],
        as_of=given["as_of"],
        countries=countries,
        strict=_one_of(given["unknown_country"], ("strictest", "none")) == "strictest",
        home=given.get("home"),
        regions=dict(given.get("regions", {})),
        sources=sources,
        quiet=tuple(_quiet(rule) for rule in given["quiet"]),
        consent=tuple(_consent(rule) for rule in given["consent"]),
        content=tuple(
            ContentRule(rule["channel"], rule["class"], tuple(rule["needs"]), rule["source"])
            for rule in given["content"]
        ),
    )
    named = {rule.source for rule in pack.quiet} | {rule.source for rule in pack.consent}
    if missing := (named | {rule.source for rule in pack.content}) - sources.keys():
        raise ValueError(f"the pack {pack.name} names sources that it does not have: {', '.join(sorted(missing))}")
    for quiet in pack.quiet:
        if not (quiet.regions or frozenset()) <= pack.regions.keys() or not (quiet.countries or countries) <= countries:
            raise ValueError(f"the rule {quiet.id} of the pack {pack.name} names a place that the pack does not have")
    return pack


def _quiet(given: Mapping[str, Any]) -> QuietRule:
    regions, countries = given.get("regions"), given.get("countries")
    return QuietRule(
        id=given["id"],
        source=given["source"],
        allowed=tuple(_allowed(window) for window in given["allowed"]),
        channels=frozenset(given["channels"]),
        classes=frozenset(given.get("classes", ["promotional"])),
        countries=None if countries is None else frozenset(countries),
        regions=None if regions is None else frozenset(regions),
        holidays=given.get("holidays", False),
        status=cast("Status", _one_of(given.get("status", "law"), ("law", "regulator", "code"))),
    )


def _allowed(given: Mapping[str, str]) -> Allowed:
    end = given["to"]
    return Allowed(
        parse_time_of_day(given["from"]),
        None if end == "24:00" else parse_time_of_day(end),
        parse_days(given["days"]) if "days" in given else None,
    )


def _consent(given: Mapping[str, Any]) -> ConsentRule:
    basis = cast("Basis", _one_of(given["basis"], ("opt_in", "soft_opt_in", "implied", "opt_out")))
    lasts = given.get("expires_after")
    return ConsentRule(
        frozenset(given["channels"]),
        given["class"],
        basis,
        given["source"],
        tuple(given.get("given_by", ())),
        None if lasts is None else parse_duration(lasts, negative=False),
    )


def _one_of(word: str, known: tuple[str, ...]) -> str:
    if word not in known:
        raise ValueError(f"found {word!r}; expected one of {', '.join(known)}")
    return word
