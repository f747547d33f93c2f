"""Messages of Amazon SNS over HTTPS: whether they are from SNS, and which topic they are of.

SNS signs with a key whose certificate it names by a URL. Only URLs of SNS itself are fetched: the host is an SNS
endpoint, and the path a certificate's, since the same hosts answer API calls with text of anybody.
"""

from __future__ import annotations

import re
import threading
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from orchestrator.channels.hooks.protocol import HookRefused, Posted
from orchestrator.channels.hooks.reading import instant_in, json_of, text_in

OLDEST: Final = timedelta(days=1)
"""SNS gives up a delivery after six hours at the latest."""
MOST_CERTIFICATES: Final = 20
_FIELDS: Final[Mapping[str, Sequence[str]]] = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}
"""What the signature covers, by type, in this order."""

_host = re.compile(r"sns\.[a-z0-9-]{3,40}\.amazonaws\.com(?:\.cn)?").fullmatch
_certificate_path = re.compile(r"/SimpleNotificationService-[0-9a-f]{10,64}\.pem").fullmatch

Fetch = Callable[[str], bytes]
"""The bytes at a URL that was checked. Raises OSError, ValueError."""


class SnsReader:
    """Reads messages of certain topics. Certificates are remembered. Safe for several threads."""

    def __init__(self, topics: Sequence[str], fetch: Fetch) -> None:
        self._topics = tuple(topics)
        self._fetch = fetch
        self._certificates: dict[str, x509.Certificate] = {}
        self._lock = threading.Lock()

    def read(self, posted: Posted) -> dict[str, Any]:
        """A message that is from SNS, of one of the topics, and not old. Raises HookRefused."""
        found = json_of(posted.body)
        if not isinstance(found, dict):
            raise HookRefused(400, "the body is no message of Amazon SNS")
        fields = _FIELDS.get(str(text_in(found, "Type")))
        if fields is None:
            raise HookRefused(400, "the body is no message of Amazon SNS (raw delivery has to be off)")
        if text_in(found, "TopicArn") not in self._topics:
            raise HookRefused(403, "it is of a topic that is not configured (?hook=TOPIC_ARN)")
        self._verify(found, fields, posted)
        at = instant_in(found, "Timestamp")
        if at is None or not posted.at - OLDEST <= at <= posted.at + timedelta(minutes=15):
            raise HookRefused(403, "its time is too far from now")
        return found

    def _verify(self, message: dict[str, Any], fields: Sequence[str], posted: Posted) -> None:
        digest = {"1": SHA1(), "2": SHA256()}.get(str(message.get("SignatureVersion")))
        if digest is None:
            raise HookRefused(400, "its signature is of an unknown version")
        signed = []
        for name in fields:
            value = message.get(name)
            if value is None and name == "Subject":
                continue
            if not isinstance(value, str):
                raise HookRefused(400, f"it lacks {name}")
            signed.append(f"{name}\n{value}\n")
        try:
            signature = b64decode(str(message.get("Signature")), validate=True)
            covered = "".join(signed).encode()
        except ValueError:
            raise HookRefused(401, "it has no signature") from None
        key = self._key(message.get("SigningCertURL"), posted)
        try:
            key.verify(signature, covered, PKCS1v15(), digest)
        except InvalidSignature:
            raise HookRefused(403, "its signature is wrong") from None

    def _key(self, url: Any, posted: Posted) -> RSAPublicKey:
        if not isinstance(url, str) or not is_certificate_url(url):
            raise HookRefused(403, "its certificate is not at Amazon SNS")
        with self._lock:
            certificate = self._certificates.get(url)
        if certificate is None:
            try:
                certificate = x509.load_pem_x509_certificate(self._fetch(url))
            except (OSError, ValueError, UnsupportedAlgorithm):
                raise HookRefused(403, "its certificate cannot be had now") from None
            with self._lock:
                if len(self._certificates) >= MOST_CERTIFICATES:
                    self._certificates.clear()
                self._certificates[url] = certificate
        if not certificate.not_valid_before_utc <= posted.at <= certificate.not_valid_after_utc:
            raise HookRefused(403, "its certificate has expired")
        key = certificate.public_key()
        if not isinstance(key, RSAPublicKey):
            raise HookRefused(403, "its certificate has no RSA key")
        return key


def is_certificate_url(url: str) -> bool:
    """Whether a URL is of a certificate of Amazon SNS."""
    parts = _sns_parts(url)
    return parts is not None and _certificate_path(parts.path) is not None and not parts.query


def confirmation_url(url: str | None, topic: str) -> str | None:
    """A URL that confirms a subscription to a topic; None: it does something else."""
    parts = _sns_parts(url or "")
    if url is None or parts is None or parts.path not in ("", "/"):
        return None
    query = parse_qs(parts.query, max_num_fields=20)
    return url if query.get("Action") == ["ConfirmSubscription"] and query.get("TopicArn") == [topic] else None


def _sns_parts(url: str) -> Any:
    """The parts of a URL whose host is an SNS endpoint, without surprises such as a port or a user; else None."""
    if not (url.isascii() and url.isprintable()) or len(url) > 2000 or any(c in url for c in " \\@#"):
        return None
    try:
        parts = urlsplit(url)
        return parts if parts.scheme == "https" and _host(parts.netloc) else None
    except ValueError:
        return None
