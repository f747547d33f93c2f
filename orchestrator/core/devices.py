"""Devices of a customer that take push messages: the attribute `devices`, and its two traits that change one entry.

    devices: [{kind: fcm, token: "dQ3...", app: com.example.harbour},
              {kind: apns, token: "740f4707...", app: com.example.harbour},
              {kind: web, endpoint: "https://fcm.googleapis.com/fcm/send/...", keys: {p256dh: "B...", auth: "..."}}]

What stands there and is no device is passed over: profiles are other people's data. Everywhere outside of the profile a
device is called by its reference, such as `fcm:3f9a1c2e07b4`: short, the same for ever, and of no use to anybody else.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from hashlib import blake2b
from typing import Any, Final, NamedTuple

ATTRIBUTE: Final = "devices"
ADD: Final = "add_device"
"""The trait that adds one device, or renews it."""
REMOVE: Final = "remove_devices"
"""The trait that takes devices out, by their references."""
DEVICE_TRAITS: Final = frozenset({ADD, REMOVE})
KINDS: Final = ("web", "fcm", "apns")
MOST: Final = 10
"""A message goes to so many devices of a customer, those added last; a profile keeps no more."""
LONGEST_TOKEN: Final = 4_096
"""Characters of a token or an endpoint."""

_APNS: Final = re.compile(r"[0-9A-Fa-f]{8,200}")
_BASE64: Final = re.compile(r"[A-Za-z0-9_+/-]{8,200}={0,2}")
_REFERENCE: Final = re.compile(r"(?:web|fcm|apns):[0-9a-f]{12}")
_REFERENCES: Final = re.compile(rf"{_REFERENCE.pattern}(?: {_REFERENCE.pattern}){{0,{MOST - 1}}}")


class Device(NamedTuple):
    """One device. `token` is the provider's name for it, of `web` the endpoint; `p256dh` and `auth` are the keys of a
    `web` subscription as the browser gave them (RFC 8291); `app` is the app's id where there are several."""

    kind: str
    token: str
    p256dh: str | None = None
    auth: str | None = None
    app: str | None = None

    @property
    def reference(self) -> str:
        """What it is called outside of the profile."""
        return f"{self.kind}:{blake2b(self.token.encode(), digest_size=6).hexdigest()}"

    def as_data(self) -> dict[str, Any]:
        """As it stands in the attribute."""
        name = "endpoint" if self.kind == "web" else "token"
        out: dict[str, Any] = {"kind": self.kind, name: self.token}
        if self.kind == "web":
            out["keys"] = {"p256dh": self.p256dh, "auth": self.auth}
        if self.app is not None:
            out["app"] = self.app
        return out


def device_of(given: object) -> Device | None:
    """The device that an entry describes; None: it describes none. A browser's subscription may stand as it is."""
    if not isinstance(given, Mapping):
        return None
    kind, keys = given.get("kind"), given.get("keys")
    if kind is None and "endpoint" in given:
        kind = "web"
    token = given.get("endpoint") if kind == "web" else given.get("token")
    if kind not in KINDS or not isinstance(token, str) or not 0 < len(token) <= LONGEST_TOKEN:
        return None
    if not token.isascii() or not token.isprintable() or " " in token:
        return None
    app = given.get("app")
    app = app if isinstance(app, str) and 0 < len(app) <= 200 and app.isascii() and app.isprintable() else None
    if kind == "apns":
        return Device(kind, token.lower(), app=app) if _APNS.fullmatch(token) else None
    if kind == "fcm":
        return Device(kind, token, app=app)
    p256dh, auth = (keys.get("p256dh"), keys.get("auth")) if isinstance(keys, Mapping) else (None, None)
    if not isinstance(p256dh, str) or not isinstance(auth, str) or not token.startswith("https://"):
        return None
    if not _BASE64.fullmatch(p256dh) or not _BASE64.fullmatch(auth):
        return None
    return Device(kind, token, p256dh, auth, app)


def devices_of(attributes: Mapping[str, Any]) -> list[Device]:
    """A customer's devices, each once, those added last, in the order in which they were added."""
    given = attributes.get(ATTRIBUTE)
    if not isinstance(given, (list, tuple)):
        return []
    found = {device.token: device for entry in given if (device := device_of(entry)) is not None}
    return list(found.values())[-MOST:]


def references(devices: Collection[Device]) -> str:
    """The devices as the address of a message: their references in alphabetical order, with blanks between them."""
    return " ".join(sorted(device.reference for device in devices))


def are_references(text: str) -> bool:
    """Whether a text is such an address."""
    return _REFERENCES.fullmatch(text) is not None


def named(attributes: Mapping[str, Any], to: str) -> list[Device]:
    """Those of a message's devices that the customer still has."""
    wanted = set(to.split(" "))
    return [device for device in devices_of(attributes) if device.reference in wanted]


def changed(attributes: Mapping[str, Any], trait: str, value: object) -> list[dict[str, Any]] | None:
    """The attribute after one of DEVICE_TRAITS; None: nothing of it remains, or ever was."""
    devices = devices_of(attributes)
    if trait == ADD:
        added = device_of(value)
        if added is not None:
            devices = [device for device in devices if device.token != added.token] + [added]
    else:
        given = value if isinstance(value, (list, tuple)) else [value]
        gone = {one for one in given if isinstance(one, str)}
        devices = [device for device in devices if device.reference not in gone]
    return [device.as_data() for device in devices[-MOST:]] or None


def trait_fault(trait: str, value: object) -> str | None:
    """Why the value of one of DEVICE_TRAITS cannot be used; None: it can."""
    if trait == ADD:
        if device_of(value) is not None:
            return None
        return (
            f"the trait '{ADD}' is no device; expected {{kind: web | fcm | apns}} with a token, of web with the "
            "browser's endpoint and keys"
        )
    given = value if isinstance(value, (list, tuple)) else [value]
    if all(isinstance(one, str) and _REFERENCE.fullmatch(one) for one in given):
        return None
    return f"the trait '{REMOVE}' is no list of references such as fcm:3f9a1c2e07b4"
