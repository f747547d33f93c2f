"""What operators switched off: one row, read by every turn and every delivery."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import fields
from functools import lru_cache
from typing import Any, Final

from orchestrator.core.view import Switches

_NAME: Final = "switches"


def read_switches(c: sqlite3.Connection) -> Switches:
    """What is switched off at the instant of this transaction."""
    found = c.execute("SELECT value FROM meta WHERE name = ?", (_NAME,)).fetchone()
    return Switches() if found is None else _switches(found[0])


@lru_cache(maxsize=16)
def _switches(text: str) -> Switches:
    held: dict[str, Any] = json.loads(text)
    for name, value in held.items():
        held[name] = value if isinstance(value, bool) else frozenset(value)
    return Switches(**held)


def write_switches(c: sqlite3.Connection, switches: Switches) -> None:
    """Throw them."""
    held = {}
    for field in fields(Switches):
        value = getattr(switches, field.name)
        held[field.name] = value if isinstance(value, bool) else sorted(value)
    c.execute(
        "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_NAME, json.dumps(held)),
    )
