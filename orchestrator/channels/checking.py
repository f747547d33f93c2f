"""What `channels check` finds about a sender: each finding with what to do next. Nothing is sent by any of it."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from orchestrator.channels.dkim import DkimKey
from orchestrator.channels.dns_records import (
    MOST_LOOKUPS,
    Dmarc,
    LookupFailed,
    Resolver,
    aligned,
    dkim_of,
    dkim_record,
    dmarc_of,
    spf_of,
)

State: TypeAlias = Literal["ok", "warn", "bad"]

LEAST_CERTIFICATE: Final = timedelta(days=14)
"""For so long a certificate should be good still."""
LEAST_BITS: Final = 2_000
_TIMEOUT: Final = 8.0


class Finding(NamedTuple):
    """What was looked at (a channel, or a domain), how it stands, in words, and what to do next."""

    about: str
    what: str
    state: State
    words: str
    todo: str | None = None


class CheckFailed(Exception):
    """A provider does not know us, or cannot be reached. `warn`: it could not be told."""

    def __init__(self, words: str, todo: str | None = None, warn: bool = False) -> None:
        self.words = words
        self.todo = todo
        self.warn = warn
        super().__init__(words)


class Sender(NamedTuple):
    """Who sends: the domain of From, that of the envelope (where bounces go), that of replies, and the keys that sign;
    `signs`: we sign ourselves; a provider may do it instead."""

    domain: str
    envelope: str
    replies: str | None = None
    keys: Sequence[DkimKey] = ()


def check_sender(resolver: Resolver, sender: Sender) -> Iterator[Finding]:
    """SPF, DKIM, DMARC with its alignment, and where replies go."""
    domain = sender.domain
    try:
        dmarc = dmarc_of(resolver, domain)
    except LookupFailed as error:
        yield Finding(domain, "DMARC", "warn", f"it could not be asked for: {error}", "try again later")
        dmarc = None
    else:
        yield _dmarc(domain, dmarc)
    yield from _safely(sender.envelope, "SPF", lambda: _spf(resolver, sender, dmarc))
    for key in sender.keys:
        yield from _safely(domain, "DKIM", lambda key=key: _dkim(resolver, domain, key))  # type: ignore[misc]
    yield _alignment(sender, dmarc)
    for name, what in dict.fromkeys([(sender.replies, "replies"), (sender.envelope, "bounces")]):
        if name is not None:
            yield from _safely(name, "MX", lambda name=name, what=what: _mx(resolver, name, what))  # type: ignore[misc]


def _safely(about: str, what: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from look()
    except LookupFailed as error:
        yield Finding(about, what, "warn", f"it could not be asked for: {error}", "try again later")


def _spf(resolver: Resolver, sender: Sender, dmarc: Dmarc | None) -> Iterator[Finding]:
    spf, domain = spf_of(resolver, sender.envelope), sender.envelope
    if spf.text is None:
        todo = f"add a TXT record at {domain}: v=spf1 include:(your provider) -all"
        yield Finding(domain, "SPF", "bad", "there is no SPF record: nobody may send for it", todo)
        return
    for fault in spf.faults:
        todo = "take includes away that nothing sends by any more" if "look-ups" in fault else "correct the record"
        yield Finding(domain, "SPF", "bad", fault, todo)
    if spf.ending == "+":
        yield Finding(domain, "SPF", "bad", "it ends with `+all`: anybody may send for it", "end it with `-all`")
    elif spf.ending in ("", "?"):
        found = "`?all`" if spf.ending else "no `all`"
        yield Finding(domain, "SPF", "warn", f"it ends with {found}: it forbids nobody anything", "end it with `~all`")
    if not spf.faults and spf.ending != "+":
        more = f", includes {', '.join(spf.includes[:6])}" if spf.includes else ""
        yield Finding(domain, "SPF", "ok", f"{spf.lookups} of {MOST_LOOKUPS} look-ups{more}")


def _dkim(resolver: Resolver, domain: str, key: DkimKey) -> Iterator[Finding]:
    name = f"{key.selector}._domainkey.{domain}"
    found = dkim_of(resolver, key.selector, domain)
    todo = f"publish a TXT record at {name}: {key.record()}"
    if not found:
        yield Finding(domain, "DKIM", "bad", f"no key stands at {name}, so that every signature is broken", todo)
        return
    if len(found) > 1:
        yield Finding(domain, "DKIM", "bad", f"{len(found)} keys stand at {name}; receivers take any", "leave one")
        return
    record, ours = dkim_record(found[0]), dkim_record(key.record())
    if record is None or ours is None:
        yield Finding(domain, "DKIM", "bad", f"the record at {name} cannot be read", todo)
    elif not record.key:
        yield Finding(domain, "DKIM", "bad", f"the key at {name} is revoked (an empty p=)", todo)
    elif (record.kind, record.key) != (ours.kind, ours.key):
        yield Finding(domain, "DKIM", "bad", f"the key at {name} is not that of our private key", todo)
    elif record.testing:
        yield Finding(domain, "DKIM", "warn", f"the key at {name} is marked as a test (t=y)", "take `t=y` away")
    elif (bits := getattr(key.key, "key_size", LEAST_BITS)) < LEAST_BITS:
        yield Finding(domain, "DKIM", "warn", f"the key at {name} has {bits} bits", "make one of 2048 bits")
    else:
        yield Finding(domain, "DKIM", "ok", f"the key at {name} is ours")


def _dmarc(domain: str, dmarc: Dmarc | None) -> Finding:
    if dmarc is None:
        todo = f"add a TXT record at _dmarc.{domain}: v=DMARC1; p=none; rua=mailto:dmarc@{domain}"
        words = "there is no DMARC record; Gmail and Yahoo want one of whoever sends much"
        return Finding(domain, "DMARC", "bad", words, todo)
    place = f"at _dmarc.{dmarc.at}"
    if dmarc.policy not in ("none", "quarantine", "reject"):
        return Finding(
            domain, "DMARC", "bad", f"its policy {place} is '{dmarc.policy[:40]}'", "write p=none, or stricter"
        )
    if dmarc.policy == "none":
        todo = "when reports show that all your mail is aligned, write p=quarantine"
        return Finding(domain, "DMARC", "warn", f"p=none {place}: anybody can send in this name", todo)
    if not dmarc.reports:
        return Finding(domain, "DMARC", "warn", f"p={dmarc.policy} {place}, and no reports", "add rua=mailto:...")
    return Finding(domain, "DMARC", "ok", f"p={dmarc.policy} {place}")


def _alignment(sender: Sender, dmarc: Dmarc | None) -> Finding:
    """DMARC wants one of SPF and DKIM for the domain that readers see."""
    above = dmarc.at if dmarc is not None else None
    by_spf = aligned(sender.domain, sender.envelope, dmarc is not None and dmarc.strict_spf, above)
    by_dkim = bool(sender.keys)  # our signatures name the domain of From
    if by_spf or by_dkim:
        ways = " and ".join(name for name, yes in (("SPF", by_spf), ("DKIM", by_dkim)) if yes)
        return Finding(
            sender.domain, "alignment", "ok", f"{ways} speak{'s' if ' ' not in ways else ''} for {sender.domain}"
        )
    todo = f"let bounces go to a domain below {sender.domain}, or sign with dkim=selector:FILE"
    words = f"bounces go to {sender.envelope}, and we do not sign: DMARC fails unless your provider signs for it"
    return Finding(sender.domain, "alignment", "warn", words, todo)


def _mx(resolver: Resolver, domain: str, what: str) -> Iterator[Finding]:
    hosts = resolver.mx(domain)
    if not hosts or list(hosts) == ["."]:
        todo = f"add an MX record at {domain}, or another address for {what}"
        yield Finding(domain, "MX", "bad", f"{what} cannot arrive: {domain} takes no mail", todo)
    else:
        yield Finding(domain, "MX", "ok", f"{what} go to {hosts[0]}")


def check_public(base_url: str, visit: Callable[[str], int], now: datetime, leaves: bool) -> Iterator[Finding]:
    """Whether the links in messages lead somewhere: TLS of the host, and one-click unsubscription (RFC 8058).

    `visit` returns the status of a GET and raises OSError. `leaves`: messages leave this machine.
    """
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    state: State = "bad" if leaves else "warn"
    if host in ("localhost", "::1") or host.startswith("127."):
        yield Finding(base_url, "links", state, "links in messages lead to this machine", "set ORCHESTRATOR_BASE_URL")
        return
    if parts.scheme != "https":
        todo = "put TLS before it, and set ORCHESTRATOR_BASE_URL to https://..."
        yield Finding(base_url, "TLS", state, "mailbox providers click one-click links over https only", todo)
    else:
        yield _certificate(host, parts.port or 443, now)
    try:
        status = visit(base_url.rstrip("/") + "/u/check")
    except OSError as error:
        todo = "start `orchestrator serve`, and let the host be reached from outside"
        yield Finding(base_url, "unsubscribe", state, f"nobody can unsubscribe: {str(error)[:150]}", todo)
        return
    # The token is nobody's: any answer of ours is one that says so.
    if status in (400, 403, 404, 410, 200):
        yield Finding(base_url, "unsubscribe", "ok", "unsubscribe links are answered")
    else:
        todo = "look at what stands before it: /u/ has to come through, with GET and POST"
        yield Finding(base_url, "unsubscribe", state, f"unsubscribe links are answered with {status}", todo)


def _certificate(host: str, port: int, now: datetime) -> Finding:
    try:
        with (
            socket.create_connection((host, port), _TIMEOUT) as raw,
            ssl.create_default_context().wrap_socket(raw, server_hostname=host) as secure,
        ):
            certificate = secure.getpeercert() or {}
    except OSError as error:  # ssl's errors are of this kind
        words = f"no safe connection to {host}:{port}: {str(error)[:150]}"
        return Finding(host, "TLS", "bad", words, "renew the certificate, with all that it needs in between")
    ends_at = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)
    if ends_at - now < LEAST_CERTIFICATE:
        return Finding(host, "TLS", "warn", f"the certificate ends on {ends_at:%Y-%m-%d}", "renew it")
    return Finding(host, "TLS", "ok", f"the certificate is good until {ends_at:%Y-%m-%d}")
