"""What operators switched off as the databases keep it: one text, read by every turn and every delivery."""

from __future__ import annotations

import json
from dataclasses import fields
from functools import lru_cache
from typing import Any

from orchestrator.core.canary import Canary
from orchestrator.core.view import Switches
from orchestrator.stores.instants import instant, micros


@lru_cache(maxsize=16)
def switches_of(text: str) -> Switches:
    """The switches in a text of `switches_text`, of this version or an older one."""
    held: dict[str, Any] = json.loads(text)
    canaries = tuple(_canary(given) for given in held.pop("canaries", ()))
    for name, value in held.items():
        held[name] = value if isinstance(value, bool) else frozenset(value)
    return Switches(**held, canaries=canaries)


def switches_text(switches: Switches) -> str:
    """The text that is kept."""
    held: dict[str, Any] = {}
    for field in fields(Switches):
        value = getattr(switches, field.name)
        held[field.name] = value if isinstance(value, bool) else sorted(value)
    if switches.canaries:
        held["canaries"] = [_fields(canary) for canary in switches.canaries]
    else:
        del held["canaries"]
    return json.dumps(held)


def versions_before(switches: Switches) -> list[str]:
    """The versions that customers still enter beside a canary, each as `journey version`."""
    return [f"{canary.journey} {canary.before}" for canary in switches.canaries if canary.before is not None]


def _fields(canary: Canary) -> dict[str, Any]:
    return {**canary._asdict(), "since_at": micros(canary.since_at), "until_at": micros(canary.until_at)}


def _canary(given: dict[str, Any]) -> Canary:
    return Canary(**{**given, "since_at": instant(given["since_at"]), "until_at": instant(given["until_at"])})
