"""Web push: messages encrypted for one browser (RFC 8291, aes128gcm of RFC 8188), sent to its push service (RFC 8030)
by a server that says who it is (VAPID, RFC 8292).

An endpoint comes from a browser, which is to say from anybody. So only https is called, only by name, only on 443, and
only the hosts of the push services that browsers use, plus those that the operator adds.
"""

from __future__ import annotations

import hmac
import json
import os
import struct
import time
from collections.abc import Callable, Collection
from hashlib import sha256
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDH,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from orchestrator.channels.http_failure import CallFailed
from orchestrator.channels.net_rules import Target, parse_target
from orchestrator.channels.protocol import Answer
from orchestrator.channels.providers.adapter import Refused, by_status, printable
from orchestrator.channels.providers.push_messages import Push
from orchestrator.channels.providers.signing_jwt import KeptToken, Lease, padded, signed_jwt, unpadded
from orchestrator.channels.providers.wire import Lost, NotSent, ProviderWire
from orchestrator.core.devices import Device

HOSTS: Final = (
    "fcm.googleapis.com",
    "android.googleapis.com",
    "updates.push.services.mozilla.com",
    ".push.services.mozilla.com",
    ".notify.windows.com",
    "web.push.apple.com",
    ".push.apple.com",
)
"""Where browsers' endpoints lie; one that begins with a dot stands for all below it."""
RECORD_SIZE: Final = 4_096
MOST_PLAIN: Final = 3_993
"""Bytes of a message before its encryption (RFC 8291, section 4)."""
TOKEN_FOR: Final = 12 * 3_600
"""Seconds for which a VAPID token is good; 24 hours at most (RFC 8292, section 2)."""
RENEWED_AFTER: Final = 6 * 3_600
MOST_AUDIENCES: Final = 100


def encrypted(plain: bytes, p256dh: bytes, auth: bytes, salt: bytes, key: EllipticCurvePrivateKey) -> bytes:
    """The body for a browser with this public key and secret (RFC 8291, section 3.4). `salt` are 16 random bytes, `key`
    is used for this message only. Raises ValueError where the browser's keys are none, or the message is too long."""
    if len(plain) > MOST_PLAIN:
        raise ValueError(f"the message has {len(plain):,} bytes; a browser takes {MOST_PLAIN:,}")
    if len(auth) != 16:
        raise ValueError("the subscription's secret is not of 16 bytes")
    theirs = EllipticCurvePublicKey.from_encoded_point(SECP256R1(), p256dh)
    ours = key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    shared = key.exchange(ECDH(), theirs)
    info = b"WebPush: info\0" + theirs.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint) + ours
    material = _expand(_hmac(auth, shared), info, 32)
    secret = _hmac(salt, material)
    content_key = _expand(secret, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _expand(secret, b"Content-Encoding: nonce\0", 12)
    header = salt + struct.pack("!LB", RECORD_SIZE, len(ours)) + ours
    return header + AESGCM(content_key).encrypt(nonce, plain + b"\x02", None)  # 2: the last record, and the only one


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, sha256)


def _expand(secret: bytes, info: bytes, length: int) -> bytes:
    """HKDF's second half (RFC 5869); one block is all that is asked for here."""
    return _hmac(secret, info + b"\x01")[:length]


class Vapid:
    """Says who we are to a push service. `subject` is where its operators can reach us: mailto: or https:."""

    def __init__(self, key: EllipticCurvePrivateKey, subject: str, clock: Callable[[], float] = time.time) -> None:
        self._key = key
        self._subject = subject
        self._clock = clock
        self._kept: dict[str, KeptToken] = {}
        self.public_key = unpadded(key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))
        """What pages subscribe with: `applicationServerKey`."""

    def authorization(self, audience: str) -> str:
        """The value of Authorization for a service's origin."""
        kept = self._kept.get(audience)
        if kept is None:
            if len(self._kept) >= MOST_AUDIENCES:
                self._kept = {}
            kept = self._kept[audience] = KeptToken(lambda: self._signed(audience), self._clock)
        return f"vapid t={kept.get()}, k={self.public_key}"

    def _signed(self, audience: str) -> Lease:
        now = self._clock()
        claims = {"aud": audience, "exp": int(now) + TOKEN_FOR, "sub": self._subject}
        return Lease(signed_jwt(self._key, claims), now + RENEWED_AFTER)


class WebPush:
    """Browsers. `hosts` are allowed beside HOSTS; `base` stands in for the origin of every endpoint (tests)."""

    def __init__(self, wire: ProviderWire, vapid: Vapid, hosts: Collection[str] = (), base: str | None = None) -> None:
        self._wire = wire
        self._vapid = vapid
        self._hosts = (*HOSTS, *hosts)
        self._base = base

    def ready(self) -> None:
        """Its tokens are signed here, in a moment."""

    def check(self) -> Answer:
        """A key can sign or not; no service knows it before a browser has subscribed with it."""
        self._vapid.authorization("https://push.example.com")
        return Answer("accepted", "the VAPID key signs")

    def push(self, push: Push, device: Device) -> Answer:
        """One message to one browser."""
        target = self._target(device.token)
        headers = {
            "Authorization": self._vapid.authorization(f"https://{target.host}"),
            "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream",
            "TTL": str(push.ttl),
            "Urgency": push.urgency,
            "Topic": push.tag,
        }
        try:
            keys = padded(device.p256dh or ""), padded(device.auth or "")
            body = encrypted(payload(push), *keys, os.urandom(16), generate_private_key(SECP256R1()))
        except ValueError as error:
            raise Refused(f"the subscription {device.reference}: {error}") from None
        url = target.url if self._base is None else f"{self._base}{target.path}"
        try:
            reply = self._wire.call("POST", url, headers, body)
        except NotSent as error:
            return Answer("retry", printable(f"{target.host} cannot be reached: {error}"))
        except Lost as error:
            return Answer("unknown", printable(f"no answer of {target.host}: {error}"))
        said = reply.body[:200].decode("utf-8", "replace")
        if reply.status in (404, 410):
            reason = printable(f"{target.host} no longer knows {device.reference} ({reply.status})")
            return Answer("rejected", reason, gone=(device.reference,))
        if reply.status in (401, 403):  # this subscription was made with another key: no other one is the worse for it
            return Answer("rejected", printable(f"{target.host} refuses our VAPID key for {device.reference}: {said}"))
        answer = by_status(reply, target.host, said)
        return answer._replace(reference=reply.headers.get("location"), down=False)

    def close(self) -> None:
        """Give back connections."""
        self._wire.close()

    def _target(self, endpoint: str) -> Target:
        try:
            target = parse_target(endpoint)
        except CallFailed as error:
            raise Refused(f"the endpoint of a browser: {error}") from None
        if target.scheme != "https" or target.port != 443 or target.address is not None:
            raise Refused("the endpoint of a browser is no https address with a name")
        if not any(target.host == host or (host[0] == "." and target.host.endswith(host)) for host in self._hosts):
            raise Refused(f"{target.host} is no push service that is known here; ?hosts= can name more")
        return target


def payload(push: Push) -> bytes:
    """What the page's service worker reads, in the form of declarative web push, which some browsers show without one
    (W3C Push API, "declarative push message"). Without a link it is no such message, and only the worker shows it."""
    shown: dict[str, Any] = {"title": push.title, "body": push.body, "tag": push.tag}
    if push.image is not None:
        shown["image"] = push.image
    if push.url is not None:
        shown["navigate"] = push.url
    shown["data"] = {**push.data, "message": push.id}
    out = {"notification": shown} if push.url is None else {"web_push": 8030, "notification": shown}
    return json.dumps(out, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def host_names(text: str | None) -> tuple[str, ...]:
    """Hosts that an operator adds, with commas between them."""
    return tuple(host for part in (text or "").split(",") if (host := part.strip().lower()))
