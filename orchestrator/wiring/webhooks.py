"""Where webhooks go: the addresses and keys that the settings hold, beside the plain addresses of project.yaml."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.core.expression.nearest import nearest
from orchestrator.core.webhooks import Webhook
from orchestrator.errors import UsageError
from orchestrator.runtime.webhook_batches import Receiver

if TYPE_CHECKING:
    from orchestrator.channels.protocol import Caller
    from orchestrator.settings import Settings

VARIABLE: Final = "ORCHESTRATOR_WEBHOOKS"
_ENTRY: Final = re.compile(r"(?P<name>[A-Za-z0-9_][A-Za-z0-9_-]{0,63})=(?P<url>https?://[^#\s]+)(?:#(?P<secret>\S+))?")


class Place(NamedTuple):
    """An address among the settings; `secret`: the key that signs what goes there, "": the installation's."""

    url: str
    secret: str


def places_of(setting: str | None) -> dict[str, Place]:
    """The addresses by name. Raises UsageError, which tells none of them."""
    found: dict[str, Place] = {}
    for number, entry in enumerate((setting or "").split(), 1):
        match = _ENTRY.fullmatch(entry)
        if match is None:
            raise UsageError(
                f"the {number}. entry of {VARIABLE} cannot be read; write NAME=https://..., or "
                "NAME=https://...#whsec_KEY with a key of its own, with blanks between entries",
                "bad_setting",
            )
        if match["name"] in found:
            raise UsageError(f"{VARIABLE} names '{match['name']}' twice", "bad_setting")
        found[match["name"]] = Place(match["url"], match["secret"] or "")
    return found


class WebhookPlaces:
    """Finds the receiver of a webhook. Raises UsageError for settings that cannot be used."""

    def __init__(self, settings: Settings) -> None:
        from orchestrator.channels.http_outgoing import Signer

        self._allow = settings.allowed
        self._places = places_of(settings.webhooks.get_secret_value() if settings.webhooks is not None else None)
        self._shared = settings.webhook_secret.get_secret_value() if settings.webhook_secret is not None else ""
        self._callers: dict[str, Caller] = {}
        for place in self._places.values():
            if place.secret:
                Signer(place.secret)

    def __call__(self, webhook: Webhook) -> Receiver:
        """Where it goes. Raises UsageError where the settings do not say it."""
        if webhook.url:
            return Receiver(webhook.url, self._caller(self._shared))
        place = self._places.get(webhook.place)
        if place is None:
            near = nearest(webhook.place, self._places)
            hint = f"did you mean {near}?" if near else f"add {webhook.place}=https://... to it"
            raise UsageError(f"{VARIABLE} names no '{webhook.place}'; {hint}", "no_webhook_url")
        return Receiver(place.url, self._caller(place.secret or self._shared))

    def signs(self, webhook: Webhook) -> bool:
        """Whether what it is told is signed."""
        place = self._places.get(webhook.place)
        return bool(self._shared or (place is not None and place.secret))

    def _caller(self, secret: str) -> Caller:
        found = self._callers.get(secret)
        if found is None:
            from orchestrator.channels.http_caller import HttpCaller

            found = self._callers[secret] = HttpCaller(self._allow, secret or None)
        return found


def webhook_places(settings: Settings) -> WebhookPlaces | None:
    """The receivers of an installation; None: in test mode nobody is told anything. Raises UsageError."""
    found = WebhookPlaces(settings)
    return found if settings.test_mode == "off" else None
