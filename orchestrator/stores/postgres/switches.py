"""What operators switched off: one row, read by every turn and every delivery."""

from __future__ import annotations

import json
from dataclasses import fields
from functools import lru_cache
from typing import Any, Final

from orchestrator.core.view import Switches
from orchestrator.stores.postgres.database import Connection

_NAME: Final = "switches"
_READ: Final = "SELECT value FROM meta WHERE name = %s"
_WRITE: Final = """
INSERT INTO meta (name, value) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""


def read_switches(c: Connection) -> Switches:
    """What is switched off at the instant of this statement."""
    found = c.execute(_READ, (_NAME,)).fetchone()
    return Switches() if found is None else _switches(found[0])


@lru_cache(maxsize=16)
def _switches(text: str) -> Switches:
    held: dict[str, Any] = json.loads(text)
    for name, value in held.items():
        held[name] = value if isinstance(value, bool) else frozenset(value)
    return Switches(**held)


def write_switches(c: Connection, switches: Switches) -> None:
    """Throw them."""
    held = {}
    for field in fields(Switches):
        value = getattr(switches, field.name)
        held[field.name] = value if isinstance(value, bool) else sorted(value)
    c.execute(_WRITE, (_NAME, json.dumps(held)))
