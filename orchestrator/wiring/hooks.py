"""Callbacks of the providers that the settings name: who reads them, and what has to go out because of them."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, urlsplit

from orchestrator.channels.hooks.registry import hooks_of
from orchestrator.channels.protocol import Outgoing
from orchestrator.channels.providers.wire import Lost, NotSent, ProviderWire
from orchestrator.core.identity import stable_hash
from orchestrator.core.provider_urls import provider_urls
from orchestrator.stores.protocol import Store

if TYPE_CHECKING:
    from orchestrator.channels import protocol
    from orchestrator.channels.hooks.protocol import Hook

HELP_EVERY: Final = timedelta(minutes=1)
"""Who asks for help over and over is answered so often: two machines may be talking to each other."""
MOST_REMEMBERED: Final = 10_000
_TOLD_WHERE: Final = ("twilio", "vonage")
"""Providers that are told with each message where its callbacks go."""
_HERE: Final = ("localhost", "127.0.0.1", "::1")

log = logging.getLogger(__name__)


class HookDoor:
    """The readers by provider, as in /hooks/{provider}, and what is sent because of what they read."""

    def __init__(
        self, hooks: Mapping[str, Hook], adapters: Mapping[str, protocol.Channel], now: Callable[[], datetime]
    ) -> None:
        self._hooks = hooks
        self._adapters = adapters
        self._now = now
        self._helped: OrderedDict[tuple[str, str], datetime] = OrderedDict()
        self._lock = threading.Lock()

    def hook(self, provider: str) -> Hook | None:
        """Who reads this provider's callbacks; None: it is not configured."""
        return self._hooks.get(provider)

    def answer_help(self, store: Store, channel: str, address: str) -> bool:
        """Send the brand's help text to whoever asked for it. Returns whether it was handed over."""
        options = store.index.project.channels.get(channel, {})
        text, adapter = options.get("help"), self._adapters.get(channel)
        switches = store.switches()
        if not text or adapter is None or switches.killed_all or channel in switches.killed_channels:
            return False
        at = self._now()
        if not self._may_answer(channel, address, at):
            return False
        sender = options.get("from")
        id = f"help.{stable_hash(channel, address, at.isoformat()):016x}"
        [answer] = adapter.send(
            [Outgoing(id, channel, address, None, str(text), sender=str(sender) if sender else None, at=at)]
        )
        if answer.outcome != "accepted":
            log.warning("a request for help by %s was not answered: %s", channel, answer.reason)
        return answer.outcome == "accepted"

    def visit(self, url: str) -> bool:
        """Call an address that confirms a subscription; its reader checked that it is the provider's."""
        wire = ProviderWire(1)
        try:
            reply = wire.call("GET", url, {})
        except (NotSent, Lost) as error:
            log.warning("a subscription could not be confirmed: %s", error)
            return False
        finally:
            wire.close()
        return 200 <= reply.status < 300

    def _may_answer(self, channel: str, address: str, at: datetime) -> bool:
        place = (channel, address)
        with self._lock:
            last = self._helped.get(place)
            if last is not None and timedelta(0) <= at - last < HELP_EVERY:
                return False
            self._helped[place] = at
            self._helped.move_to_end(place)
            if len(self._helped) > MOST_REMEMBERED:
                self._helped.popitem(last=False)
        return True


def door_of(urls: Mapping[str, str], adapters: Mapping[str, protocol.Channel], now: Callable[[], datetime]) -> HookDoor:
    """The door of an installation, from the channels' settings. Raises UsageError."""
    return HookDoor(hooks_of(urls.values()), adapters, now)


def with_callbacks(setting: str, base_url: str) -> str:
    """A channel's setting in which each provider that has to be told where its callbacks go is told: below `base_url`,
    unless it says so itself, or nobody outside could reach that."""
    host = urlsplit(base_url).hostname
    if host is None or host in _HERE:
        return setting
    return " ".join(_with_callback(url, base_url.rstrip("/")) for url in provider_urls(setting))


def _with_callback(url: str, base_url: str) -> str:
    scheme = url.partition(":")[0].lower()
    if scheme not in _TOLD_WHERE:
        return url
    try:
        parts = urlsplit(url)
    except ValueError:
        return url  # whoever makes the channel says so
    if any(name == "callback" for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
        return url
    word = f"callback={quote(f'{base_url}/hooks/{scheme}', safe='')}"
    return parts._replace(query=f"{parts.query}&{word}" if parts.query else word).geturl()
