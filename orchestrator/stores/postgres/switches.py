"""What operators switched off: one row, read by every turn and every delivery."""

from __future__ import annotations

from typing import Final

from orchestrator.core.view import Switches
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.switch_text import switches_of, switches_text

_NAME: Final = "switches"
_READ: Final = "SELECT value FROM meta WHERE name = %s"
_WRITE: Final = """
INSERT INTO meta (name, value) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value
"""


def read_switches(c: Connection) -> Switches:
    """What is switched off at the instant of this statement."""
    found = c.execute(_READ, (_NAME,)).fetchone()
    return Switches() if found is None else switches_of(found[0])


def write_switches(c: Connection, switches: Switches) -> None:
    """Throw them."""
    c.execute(_WRITE, (_NAME, switches_text(switches)))
