"""What `channels check` looks at in an installation: each provider of each channel, each sender's domain, the links."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from email.utils import getaddresses
from pathlib import Path
from typing import Any, Final
from urllib.parse import SplitResult, parse_qs

from orchestrator.channels.checking import CheckFailed, Finding, Sender, check_public, check_sender
from orchestrator.channels.configured import channel_of, own_parts, weights_of
from orchestrator.channels.dkim import read_keys
from orchestrator.channels.dns_records import Resolver
from orchestrator.channels.provider_checks import ask_provider
from orchestrator.channels.providers.adapter import ProviderChannel
from orchestrator.core.provider_urls import provider_urls
from orchestrator.errors import UsageError
from orchestrator.settings import Settings
from orchestrator.wiring.bounces import bounce_place
from orchestrator.wiring.outside import urls_of

_STAYS: Final = ("file", "console", "null", "inbox")
_OWN_TLS: Final = ("smtp", "smtps")
Visit = Callable[[str], int]


def check_channels(
    settings: Settings,
    project: Path,
    options: Mapping[str, Mapping[str, Any]],
    resolver: Resolver,
    visit: Visit,
    now: datetime,
    only: str | None = None,
) -> Iterator[Finding]:
    """One finding after another; nothing is sent. `options`: the channels of project.yaml; `now`: real time.

    A check that cannot be made says so, and the others go on.
    """
    leaves = False
    for name, setting in urls_of(settings).items():
        if only not in (None, name):
            continue
        urls = provider_urls(setting)
        yield from _shares(name, urls)
        for url in urls:
            try:
                parts, _ = own_parts(url)
                yield _provider(name, parts, project)
                leaves = leaves or parts.scheme not in _STAYS
                if name == "email" and parts.scheme not in _STAYS:
                    yield from _sender(parts, options.get("email", {}), resolver, project)
            except UsageError as error:
                yield Finding(name, "setting", "bad", str(error), "correct it")
    if only in (None, "email"):
        yield from _bounces(settings, project)
    yield from check_public(settings.base_url, visit, now, leaves)


def _shares(name: str, urls: Sequence[str]) -> Iterator[Finding]:
    """How the messages of a channel are divided, where its providers have weights."""
    try:
        weights = [weight or 0 for weight in weights_of(urls)] if len(urls) > 1 else []
    except UsageError as error:
        yield Finding(name, "shares", "bad", str(error), "correct it")
        return
    total = sum(weights)
    if total:
        told = [
            f"{url.partition(':')[0]} {f'{weight / total:.1%}' if weight else 'stands in'}"
            for url, weight in zip(urls, weights, strict=True)
        ]
        yield Finding(name, "shares", "ok", f"messages are divided by a hash of their ids: {', '.join(told)}")


def _provider(name: str, parts: SplitResult, project: Path) -> Finding:
    scheme = parts.scheme
    if scheme in _STAYS:
        return Finding(name, "provider", "ok", f"messages stay on this machine ({scheme}:)")
    channel = channel_of(parts.geturl(), base_dir=project)
    try:
        own = getattr(channel, "check", None)
        if own is not None:
            answer = own()
            if answer.outcome == "accepted":
                words = "the mail server lets us in" if scheme in _OWN_TLS else answer.reason or f"{scheme} knows us"
                return Finding(name, "provider", "ok", words)
            todo = "look at the user, the password and the host in the setting"
            if scheme not in _OWN_TLS:
                todo = "look at the keys and their ids in the setting"
            return Finding(name, "provider", "bad", answer.reason or answer.outcome, todo)
        if isinstance(channel, ProviderChannel) and (found := ask_provider(channel, scheme)) is not None:
            return Finding(name, "provider", "ok", found)
    except CheckFailed as error:
        return Finding(name, "provider", "warn" if error.warn else "bad", error.words, error.todo)
    finally:
        channel.close()
    todo = f"send a test: orchestrator channels check {name} --send-to SEED"
    return Finding(name, "provider", "warn", f"{scheme} has no request that would tell without sending", todo)


def _sender(parts: SplitResult, options: Mapping[str, Any], resolver: Resolver, project: Path) -> Iterator[Finding]:
    given = {word: values[0] for word, values in parse_qs(parts.query).items()}
    domain = _domain(str(options.get("from") or given.get("from") or ""))
    if domain is None:
        todo = "name one in project.yaml: channels: email: from"
        yield Finding("email", "sender", "warn", "no sender is configured, so that no domain can be looked at", todo)
        return
    keys = read_keys(given["dkim"], project) if "dkim" in given else ()
    replies = _domain(str(options.get("reply_to") or "")) or domain
    yield from check_sender(resolver, Sender(domain, _domain(given.get("bounces", "")) or domain, replies, keys))


def _bounces(settings: Settings, project: Path) -> Iterator[Finding]:
    from orchestrator.channels.bounces.mailbox import MailboxFailed

    try:
        place = bounce_place(settings, project)
    except UsageError as error:
        yield Finding("email", "bounces", "bad", str(error), "correct it")
        return
    if place is None:
        todo = "set ORCHESTRATOR_BOUNCE_URL, unless your provider's callbacks (/hooks/...) tell of bounces"
        yield Finding("email", "bounces", "warn", "no mailbox of bounces is read", todo)
        return
    try:
        place.open().close()
    except MailboxFailed as error:
        yield Finding("email", "bounces", "bad", str(error), "look at the mailbox in ORCHESTRATOR_BOUNCE_URL")
    else:
        yield Finding("email", "bounces", "ok", f"{place.shown} can be read")


def _domain(sender: str) -> str | None:
    for _, address in getaddresses([sender]):
        domain = address.rpartition("@")[2].lower().rstrip(".")
        if "." in domain:
            return domain if domain.isascii() else domain.encode("idna").decode("ascii")
    return None


def visit(url: str) -> int:
    """The status of a GET. Raises OSError."""
    from orchestrator.channels.providers.wire import Lost, NotSent, ProviderWire

    wire = ProviderWire(1, 10.0)
    try:
        return wire.call("GET", url, {}).status
    except (NotSent, Lost) as error:
        raise OSError(str(error)) from None
    finally:
        wire.close()
