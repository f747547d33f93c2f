"""What operators switched off: one row, read by every turn and every delivery."""

from __future__ import annotations

import sqlite3
from typing import Final

from orchestrator.core.view import Switches
from orchestrator.stores.switch_text import switches_of, switches_text

_NAME: Final = "switches"


def read_switches(c: sqlite3.Connection) -> Switches:
    """What is switched off at the instant of this transaction."""
    found = c.execute("SELECT value FROM meta WHERE name = ?", (_NAME,)).fetchone()
    return Switches() if found is None else switches_of(found[0])


def write_switches(c: sqlite3.Connection, switches: Switches) -> None:
    """Throw them."""
    c.execute(
        "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_NAME, switches_text(switches)),
    )
