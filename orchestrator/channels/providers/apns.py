"""Apple Push Notification service: HTTP/2, with a provider token signed by the team's key.

developer.apple.com/documentation/usernotifications: "Sending notification requests to APNs", "Handling notification
responses from APNs", "Establishing a token-based connection to APNs" (a token lives an hour, and may not be made anew
more than once in twenty minutes).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from orchestrator.channels.protocol import Answer
from orchestrator.channels.providers.adapter import Refused, by_status, printable
from orchestrator.channels.providers.push_messages import Push
from orchestrator.channels.providers.signing_jwt import KeptToken, Lease, signed_jwt
from orchestrator.channels.providers.wire import Lost, NotSent, ProviderWire, Reply
from orchestrator.core.devices import Device
from orchestrator.errors import UsageError

PRODUCTION: Final = "https://api.push.apple.com"
SANDBOX: Final = "https://api.sandbox.push.apple.com"
NOBODY: Final = "0" * 64
RENEWED_AFTER: Final = 50 * 60.0
MOST_BYTES: Final = 4_096
_GONE: Final = ("Unregistered", "ExpiredToken")
_OURS: Final = frozenset(
    {"InvalidProviderToken", "MissingProviderToken", "BadCertificate", "BadCertificateEnvironment", "Forbidden",
     "TooManyProviderTokenUpdates", "MissingTopic", "TopicDisallowed", "BadTopic", "IdleTimeout", "Shutdown"}
)  # fmt: skip
"""Reasons that are about our account or the connection, not about one device."""
_PRIORITY: Final = {"very-low": "1", "low": "5"}


def apns_wire(width: int, timeout: float) -> ProviderWire:
    """A wire that speaks HTTP/2, which APNs asks for. Raises UsageError where the library for it is missing."""
    if find_spec("h2") is None:
        raise UsageError(
            "APNs speaks HTTP/2 only, and the library for it is not installed; run: pip install 'httpx2[http2]'",
            "bad_setting",
        )
    return ProviderWire(width, timeout, http2=True)


class Apns:
    """One team's key. `topics` are the bundle ids of its apps: a device that names one gets it, others the first."""

    def __init__(
        self,
        wire: ProviderWire,
        key: EllipticCurvePrivateKey,
        key_id: str,
        team_id: str,
        topics: Sequence[str],
        base: str = PRODUCTION,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._wire = wire
        self._key = key
        self._key_id = key_id
        self._team_id = team_id
        self._topics = topics
        self._base = base
        self._clock = clock
        self._token = KeptToken(self._signed, clock)

    def ready(self) -> None:
        """Its tokens are signed here, in a moment."""

    def check(self) -> Answer:
        """A message to a device that nobody has: Apple looks at our token and topic first, and at the device then."""
        headers = {
            "authorization": f"bearer {self._token.get()}",
            "apns-topic": self._topics[0],
            "apns-push-type": "alert",
        }
        body = b'{"aps":{"alert":"check"}}'
        try:
            reply = self._wire.call("POST", f"{self._base}/3/device/{NOBODY}", headers, body)
        except (NotSent, Lost) as error:
            return Answer("retry", printable(f"APNs cannot be reached: {error}"), down=True)
        said = reply.json()
        reason = said.get("reason") if isinstance(said, dict) else None
        if reply.status in (400, 410) and reason in ("BadDeviceToken", "DeviceTokenNotForTopic", *_GONE):
            return Answer("accepted", "APNs knows the key")
        return Answer("rejected", printable(f"APNs refuses us: {reason or f'status {reply.status}'}"))

    def push(self, push: Push, device: Device) -> Answer:
        """One message to one installation of an app."""
        body = payload(push)
        token = self._token.get()
        headers = {
            "authorization": f"bearer {token}",
            "apns-topic": next((topic for topic in self._topics if topic == device.app), self._topics[0]),
            "apns-push-type": "alert",
            "apns-id": push.uuid,
            "apns-collapse-id": push.collapse if push.collapse and push.collapse.isascii() else push.tag,
            "apns-expiration": str(int(self._clock()) + push.ttl if push.ttl else 0),
            "apns-priority": _PRIORITY.get(push.urgency, "10"),
            "content-type": "application/json",
        }
        try:
            reply = self._wire.call("POST", f"{self._base}/3/device/{device.token}", headers, body)
        except NotSent as error:
            return Answer("retry", printable(f"APNs cannot be reached: {error}"), down=True)
        except Lost as error:
            return Answer("unknown", printable(f"no answer of APNs: {error}"))
        return self._answer(reply, device, token)

    def close(self) -> None:
        """Give back connections."""
        self._wire.close()

    def _signed(self) -> Lease:
        now = self._clock()
        claims = {"iss": self._team_id, "iat": int(now)}
        return Lease(signed_jwt(self._key, claims, {"kid": self._key_id}), now + RENEWED_AFTER)

    def _answer(self, reply: Reply, device: Device, token: str) -> Answer:
        if reply.status == 200:
            return Answer("accepted", reference=reply.headers.get("apns-id"))
        said = reply.json()
        reason = said.get("reason") if isinstance(said, dict) else None
        reason = reason if isinstance(reason, str) else f"status {reply.status}"
        words = printable(f"APNs refuses {device.reference}: {reason}")
        if reply.status == 410 and reason in _GONE:
            return Answer("rejected", words, gone=(device.reference,))
        if reason == "ExpiredProviderToken":
            self._token.refused(token)
            return Answer("retry", words, after=1.0)
        if reason in _OURS:
            return Answer("retry", words, after=reply.after, down=True)
        if reply.status in (400, 404, 405, 410, 413):
            # A BadDeviceToken is as likely one of the sandbox, or ours of another app: the device is not taken out.
            return Answer("rejected", words)
        return by_status(reply, "APNs", reason)


def payload(push: Push) -> bytes:
    """The JSON of a notification: Apple's part, and the app's own beside it. Raises Refused for what is too large."""
    aps: dict[str, Any] = {"alert": {"title": push.title, "body": push.body}, "sound": "default"}
    if push.image is not None:
        aps["mutable-content"] = 1  # the app's extension loads the picture
    out: dict[str, Any] = {"aps": aps, **push.data, "message": push.id}
    if push.url is not None:
        out["url"] = push.url
    if push.image is not None:
        out["image"] = push.image
    body = json.dumps(out, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")
    if len(body) > MOST_BYTES:
        raise Refused(f"the message has {len(body):,} bytes; APNs takes {MOST_BYTES:,}")
    return body
