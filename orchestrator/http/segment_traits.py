"""The traits of an `identify`, as this engine names them (docs/interfaces.md, "HTTP")."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from orchestrator.core.devices import ADD, Device, device_of
from orchestrator.core.time.zones import zone_or_none
from orchestrator.http.segment_times import read_instant

_CREATED: Final = ("createdAt", "created_at")
_FROM_CONTEXT: Final = ("timezone", "locale")
_APPLE: Final = ("ios", "ipados", "tvos", "watchos", "macos", "visionos")
_APNS: Final = re.compile(r"[0-9A-Fa-f]{64,200}").fullmatch
LONGEST_CONTEXT = 64
"""Characters of a locale or a zone that a device reports."""


def traits_of(item: Mapping[str, Any], context: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Traits at top level before those in the context, which is where some clients put all of them; what the device
    says about zone and language where no trait does. Raises ValueError for a `createdAt` that is no instant.
    """
    traits: dict[str, Any] = {}
    for given in (context.get("traits"), item.get("traits")):
        if isinstance(given, Mapping):
            traits.update(given)
        elif given is not None:
            raise ValueError(f"traits is {type(given).__name__}; expected an object")
    created = [traits.pop(name) for name in _CREATED if name in traits]
    if created and created[0] is not None:
        try:
            traits["created_at"] = min(read_instant(created[0]), now)
        except ValueError as error:
            raise ValueError(f"the trait createdAt: {error}") from None
    if isinstance(traits.get("phone"), int) and not isinstance(traits["phone"], bool):
        traits["phone"] = str(traits["phone"])
    for name in _FROM_CONTEXT:
        told = context.get(name)
        if name not in traits and isinstance(told, str) and _is_known(name, told):
            traits[name] = told
    device = device_in(context)
    if device is not None and ADD not in traits:
        traits[ADD] = device.as_data()
    return traits


def device_in(context: Mapping[str, Any]) -> Device | None:
    """The device that a phone's library names, where it knows its push token; None: none, or one of no known kind.

    On iOS the token is APNs' own (hexadecimal) or, where the app uses Firebase, one of FCM.
    """
    told = context.get("device")
    if type(told) is not dict or not isinstance(token := told.get("token"), str):
        return None
    apple = str(told.get("type")).lower() in _APPLE and _APNS(token) is not None
    about = context.get("app")
    app = about.get("namespace") if isinstance(about, dict) else None
    return device_of({"kind": "apns" if apple else "fcm", "token": token, "app": app})


def _is_known(name: str, told: str) -> bool:
    """A device may report anything; what nobody could use is left aside."""
    if not 1 < len(told) <= LONGEST_CONTEXT or not told.isascii() or not told.isprintable():
        return False
    return name != "timezone" or zone_or_none(told) is not None
