"""What the DNS says about a sender's domain: SPF (RFC 7208), DKIM keys (RFC 6376), DMARC (RFC 7489), MX.

Look-ups go through a resolver that is given, so that nothing here has a network of its own.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple, Protocol

MOST_LOOKUPS: Final = 10
"""Look-ups that a receiver makes for one SPF record before it gives up (RFC 7208 section 4.6.4)."""
TIMEOUT: Final = 5.0
_LABELS: Final = 12

_mechanism = re.compile(r"([+?~-]?)(all|include|a|mx|ptr|ip4|ip6|exists)(?:[:/](.*))?$", re.I)


class LookupFailed(Exception):
    """The DNS gave no answer: nothing is known about the name."""


class Resolver(Protocol):
    """Asks the DNS. Both return nothing where the name, or the record, does not exist, and raise LookupFailed."""

    def txt(self, name: str) -> Sequence[str]:
        """TXT records, each joined of its parts."""

    def mx(self, name: str) -> Sequence[str]:
        """Hosts that take mail for a domain, the preferred first; `.` alone: it takes none (RFC 7505)."""


class SystemResolver:
    """The resolver of this machine."""

    def txt(self, name: str) -> Sequence[str]:
        """TXT records."""
        return [b"".join(record.strings).decode("utf-8", "replace") for record in self._ask(name, "TXT")]

    def mx(self, name: str) -> Sequence[str]:
        """Mail hosts."""
        found = sorted((record.preference, record.exchange.to_text()) for record in self._ask(name, "MX"))
        return [host.rstrip(".") or "." for _, host in found]

    def _ask(self, name: str, kind: str) -> list[_Record]:
        import dns.exception
        import dns.resolver

        try:
            return list(dns.resolver.resolve(name, kind, lifetime=TIMEOUT))
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except (dns.exception.DNSException, OSError, UnicodeError, ValueError) as error:
            raise LookupFailed(f"{kind} of {name}: {str(error)[:150] or type(error).__name__}") from None


class _Record(Protocol):
    strings: Sequence[bytes]
    preference: int
    exchange: _Name


class _Name(Protocol):
    def to_text(self) -> str: ...


class Spf(NamedTuple):
    """A domain's SPF record: its text (None: there is none), how many look-ups it takes with all that it includes, the
    domains that it includes, how it ends (`-`, `~`, `?`, `+`; empty: it does not say), and what is wrong with it."""

    text: str | None
    lookups: int = 0
    includes: tuple[str, ...] = ()
    ending: str = ""
    faults: tuple[str, ...] = ()


def spf_of(resolver: Resolver, domain: str) -> Spf:
    """The SPF record of a domain. Raises LookupFailed where the domain's own record cannot be asked for."""
    records = [text for text in resolver.txt(domain) if re.match(r"v=spf1(?: |$)", text, re.I)]
    if not records:
        return Spf(None)
    if len(records) > 1:
        return Spf(records[0], faults=(f"{domain} has {len(records)} SPF records, which counts as none",))
    count, includes, faults = _walk(resolver, domain, records[0])
    ending = next((sign or "+" for sign, kind, _ in _terms(records[0]) if kind == "all"), "")
    if not ending and "redirect=" in records[0].lower():
        ending = "redirect"
    if count > MOST_LOOKUPS:
        faults.append(f"it takes {count} look-ups; receivers give up after {MOST_LOOKUPS}")
    return Spf(records[0], count, tuple(dict.fromkeys(includes)), ending, tuple(dict.fromkeys(faults)))


def _terms(text: str) -> Iterator[tuple[str, str, str]]:
    """(sign, mechanism, value) of each mechanism of a record."""
    for term in text.split()[1:]:
        found = _mechanism.match(term)
        if found:
            yield found[1], found[2].lower(), found[3] or ""


def _walk(resolver: Resolver, domain: str, text: str) -> tuple[int, list[str], list[str]]:
    """Look-ups, includes and faults of a record with all that it includes, each domain once in a chain."""
    count, includes, faults = 0, list[str](), list[str]()
    waiting: list[tuple[str, str, tuple[str, ...]]] = [(domain, text, (domain,))]
    while waiting and count <= 4 * MOST_LOOKUPS:
        name, record, chain = waiting.pop(0)
        below = [value for _, kind, value in _terms(record) if kind == "include"]
        count += sum(kind in ("include", "a", "mx", "ptr", "exists") for _, kind, _ in _terms(record))
        redirect = re.search(r"(?:^| )redirect=(\S+)", record, re.I)
        if redirect and not any(kind == "all" for _, kind, _ in _terms(record)):
            below.append(redirect[1])
            count += 1
        if any(kind == "ptr" for _, kind, _ in _terms(record)):
            faults.append(f"{name} uses `ptr`, which receivers ignore")
        for word in record.split()[1:]:
            if not _mechanism.match(word) and "=" not in word:
                faults.append(f"{name} holds '{word[:60]}', which is no mechanism: the whole record counts as broken")
        for other in below:
            includes.append(other)
            if other.lower() in chain:
                faults.append(f"{name} includes {other}, which includes it again")
                continue
            found = _included(resolver, other, faults)
            if found is not None:
                waiting.append((other, found, (*chain, other.lower())))
    return count, includes, faults


def _included(resolver: Resolver, domain: str, faults: list[str]) -> str | None:
    if "%" in domain:  # a macro: it depends on the mail
        return None
    try:
        records = [text for text in resolver.txt(domain) if re.match(r"v=spf1(?: |$)", text, re.I)]
    except LookupFailed as error:
        faults.append(f"what it includes cannot be asked for: {error}")
        return None
    if len(records) != 1:
        faults.append(f"it includes {domain}, which has {len(records) or 'no'} SPF record{'s' if records else ''}")
        return None
    return records[0]


class DkimRecord(NamedTuple):
    """A DKIM key in the DNS: its kind, the public key (empty: revoked), and whether it is only tried out (`t=y`)."""

    kind: str
    key: bytes
    testing: bool


def dkim_record(text: str) -> DkimRecord | None:
    """A record's meaning; None: it cannot be read."""
    tags = _tags(text)
    if tags.get("v", "DKIM1") != "DKIM1" or "p" not in tags:
        return None
    try:
        key = b64decode("".join(tags["p"].split()), validate=True)
    except (NotBase64, ValueError):
        return None
    return DkimRecord(tags.get("k", "rsa").lower(), key, "y" in tags.get("t", "").split(":"))


def dkim_of(resolver: Resolver, selector: str, domain: str) -> Sequence[str]:
    """The records of a selector. Raises LookupFailed."""
    return [text for text in resolver.txt(f"{selector}._domainkey.{domain}") if "p=" in text]


class Dmarc(NamedTuple):
    """What a domain wants done with mail that is not its own. `at`: the domain whose record says so; `policy`: none,
    quarantine, reject; `strict_spf`, `strict_dkim`: only the very same domain is aligned; `reports`: they go
    somewhere."""

    at: str
    policy: str
    strict_spf: bool
    strict_dkim: bool
    reports: bool
    text: str


def dmarc_of(resolver: Resolver, domain: str) -> Dmarc | None:
    """The record that holds for a domain: its own, or that of the nearest domain above. Raises LookupFailed."""
    labels = domain.lower().rstrip(".").split(".")[-_LABELS:]
    for start in range(len(labels) - 1):
        name = ".".join(labels[start:])
        records = [text for text in resolver.txt(f"_dmarc.{name}") if re.match(r"v=DMARC1\s*(?:;|$)", text)]
        if len(records) == 1:
            tags = _tags(records[0])
            policy = (tags.get("sp") if start else None) or tags.get("p", "none")
            strict = {tag: tags.get(tag, "r").lower() == "s" for tag in ("aspf", "adkim")}
            return Dmarc(name, policy.lower(), strict["aspf"], strict["adkim"], "rua" in tags, records[0])
        if records:
            return None  # several count as none
    return None


def aligned(sender: str, other: str, strict: bool, organisation: str | None) -> bool:
    """Whether a domain speaks for the sender's (RFC 7489 section 3.1): the same, or of one organisation, which is the
    domain that the DMARC record stands at, or that one of them is below the other."""
    sender, other = sender.lower(), other.lower()
    if sender == other or strict:
        return sender == other
    if sender.endswith("." + other) or other.endswith("." + sender):
        return True
    above = (organisation or "").lower()
    return bool(above) and all(name == above or name.endswith("." + above) for name in (sender, other))


def _tags(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, sign, value in pairs if sign}
