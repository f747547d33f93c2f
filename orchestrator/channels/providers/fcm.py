"""Firebase Cloud Messaging, HTTP v1: Android, and iOS or browsers where the app uses Firebase there.

firebase.google.com/docs/reference/fcm/rest/v1/projects.messages; its errors: .../docs/cloud-messaging/error-codes.
A service account's key buys an access token (RFC 7523), which is kept until a minute before its end.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode

from orchestrator.channels.protocol import Answer
from orchestrator.channels.providers.adapter import Refused, by_status, printable
from orchestrator.channels.providers.push_messages import Push
from orchestrator.channels.providers.signing_jwt import (
    KeptToken,
    Lease,
    PrivateKey,
    TokenLate,
    private_key,
    read_secret_file,
    signed_jwt,
)
from orchestrator.channels.providers.wire import Lost, NotSent, ProviderWire, Reply
from orchestrator.core.devices import Device
from orchestrator.errors import UsageError

BASE: Final = "https://fcm.googleapis.com"
SCOPE: Final = "https://www.googleapis.com/auth/firebase.messaging"
GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
MOST_BYTES: Final = 4_096
"""Of notification and data together."""
EARLIER: Final = 60.0
"""Seconds before its end from which a token is not used any more."""
_GONE: Final = "UNREGISTERED"
_APNS_PRIORITY: Final = {"very-low": "1", "low": "5"}


class ServiceAccount(NamedTuple):
    """What stands in the JSON file that Google's console gives out."""

    project: str
    email: str
    key: PrivateKey
    token_url: str


class NoToken(Exception):
    """Google gave no access token."""


def read_service_account(base_dir: Path, name: str) -> ServiceAccount:
    """The account in a file. Raises UsageError, which shows none of its secrets."""
    what = f"fcm={name}"
    try:
        given = json.loads(read_secret_file(base_dir, name, what))
    except ValueError:
        raise UsageError(f"{what}: the file is no JSON; download the key of a service account", "bad_setting") from None
    wanted = ("project_id", "client_email", "private_key")
    missing = [key for key in wanted if not isinstance(given, dict) or not isinstance(given.get(key), str)]
    if missing:
        raise UsageError(f"{what}: the file lacks {', '.join(missing)}", "bad_setting")
    token_url = given.get("token_uri") or "https://oauth2.googleapis.com/token"
    if not str(token_url).startswith("https://"):
        raise UsageError(f"{what}: token_uri is no https address", "bad_setting")
    return ServiceAccount(
        given["project_id"], given["client_email"], private_key(given["private_key"], what), str(token_url)
    )


class Fcm:
    """One Firebase project. `base` stands in for Google's addresses (tests)."""

    def __init__(
        self,
        wire: ProviderWire,
        account: ServiceAccount,
        base: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._wire = wire
        self._account = account
        self._clock = clock
        self._token_url = account.token_url if base is None else f"{base}/oauth/token"
        self._url = f"{base or BASE}/v1/projects/{quote(account.project, safe='')}/messages:send"
        self._token = KeptToken(self._bought, clock)

    def ready(self) -> None:
        """Have an access token."""
        with suppress(NotSent, NoToken, TokenLate):
            self._token.get()

    def check(self) -> Answer:
        """A token, and a message that FCM looks at and does not send (`validate_only`)."""
        message = {"topic": "orchestrator-check", "notification": {"title": "check"}}
        body = json.dumps({"validate_only": True, "message": message}).encode("ascii")
        for _ in range(2):
            answer = self._handed_over(body, Device("fcm", "check"))
            if answer.reason is None or "access token" not in answer.reason:
                break
        return answer._replace(reason="FCM knows the service account") if answer.outcome == "accepted" else answer

    def push(self, push: Push, device: Device) -> Answer:
        """One message to one installation of an app."""
        return self._handed_over(json.dumps({"message": message_of(push, device)}).encode("ascii"), device)

    def _handed_over(self, body: bytes, device: Device) -> Answer:
        try:
            token = self._token.get()
            headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
            reply = self._wire.call("POST", self._url, headers, body)
        except TokenLate as error:
            return Answer("retry", str(error), after=1.0)
        except (NotSent, NoToken) as error:
            return Answer("retry", printable(f"FCM cannot be reached: {error}"), down=True)
        except Lost as error:
            return Answer("unknown", printable(f"no answer of FCM: {error}"))
        return self._answer(reply, device, token)

    def close(self) -> None:
        """Give back connections."""
        self._wire.close()

    def _answer(self, reply: Reply, device: Device, token: str) -> Answer:
        said = reply.json()
        if 200 <= reply.status < 300:
            name = said.get("name") if isinstance(said, dict) else None
            return Answer("accepted", reference=name if isinstance(name, str) else None)
        code, words = _error(said)
        words = f"{code or reply.status}: {words or 'no reason'}"
        if code == _GONE:
            return Answer("rejected", printable(f"FCM no longer knows {device.reference}"), gone=(device.reference,))
        if code in ("INVALID_ARGUMENT", "SENDER_ID_MISMATCH"):
            return Answer("rejected", printable(f"FCM refuses {device.reference}: {words}"))
        if reply.status == 401 and code != "THIRD_PARTY_AUTH_ERROR":
            self._token.refused(token)
        if reply.status == 500:
            # INTERNAL: Google's advice is to send again; it may have been taken.
            return Answer("unknown", printable(f"FCM answered {words}"))
        return by_status(reply, "FCM", words)

    def _bought(self) -> Lease:
        """An access token. Raises NotSent, NoToken."""
        now = self._clock()
        account = self._account
        claims = {
            "iss": account.email,
            "scope": SCOPE,
            "aud": account.token_url,
            "iat": int(now),
            "exp": int(now) + 3_600,
        }
        form = urlencode({"grant_type": GRANT, "assertion": signed_jwt(account.key, claims)}).encode("ascii")
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            reply = self._wire.call("POST", self._token_url, headers, form)
        except Lost as error:
            raise NoToken(str(error)) from None
        given = reply.json()
        given = given if isinstance(given, dict) else {}
        token, lasts = given.get("access_token"), given.get("expires_in")
        if reply.status != 200 or not isinstance(token, str) or not token.isascii() or not token.isprintable():
            raise NoToken(f"Google gives no access token ({reply.status} {given.get('error', '')})")
        seconds = float(lasts) if isinstance(lasts, (int, float)) else 3_600.0
        return Lease(token, now + max(seconds - EARLIER, 1.0))


def message_of(push: Push, device: Device) -> dict[str, Any]:
    """The Message of the API. Values in `data` are texts. Raises Refused for what is too large."""
    shown = {"title": push.title, "body": push.body}
    if push.image is not None:
        shown["image"] = push.image
    data = {**push.data, "message": push.id}
    if push.url is not None:
        data["url"] = push.url
    size = len(json.dumps([shown, data], ensure_ascii=False).encode("utf-8", "replace"))
    if size > MOST_BYTES:
        raise Refused(f"the message has {size:,} bytes; FCM takes {MOST_BYTES:,}")
    android: dict[str, Any] = {
        "ttl": f"{push.ttl}s",
        "priority": "HIGH" if push.urgency == "high" else "NORMAL",
        "notification": {"tag": push.tag},
    }
    apns: dict[str, Any] = {
        "apns-priority": _APNS_PRIORITY.get(push.urgency, "10"),
        "apns-collapse-id": push.collapse or push.tag,
    }
    if push.collapse is not None:
        android["collapse_key"] = push.collapse
    web: dict[str, Any] = {"headers": {"TTL": str(push.ttl), "Urgency": push.urgency, "Topic": push.tag}}
    if push.url is not None and push.url.startswith("https://"):
        web["fcm_options"] = {"link": push.url}
    return {
        "token": device.token, "notification": shown, "data": data, "android": android, "apns": {"headers": apns},
        "webpush": web,
    }  # fmt: skip


def _error(said: Any) -> tuple[str | None, str | None]:
    """FCM's own code, else Google's status; and the words."""
    error = said.get("error") if isinstance(said, dict) else None
    if not isinstance(error, Mapping):
        return None, None
    details = error.get("details")
    codes = [
        detail["errorCode"]
        for detail in (details if isinstance(details, list) else ())
        if isinstance(detail, Mapping) and isinstance(detail.get("errorCode"), str)
    ]
    status, words = error.get("status"), error.get("message")
    code = codes[0] if codes else status if isinstance(status, str) else None
    return code, words if isinstance(words, str) else None
