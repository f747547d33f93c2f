"""Tables of sources: what came and does not fit the tracking plan."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Text

from orchestrator.stores.schema_parts import INSTANT, keyed, name, needed

VIOLATIONS = keyed(
    "violations",
    Column("source", name(100), primary_key=True),
    Column("event", name(200), primary_key=True),
    Column("property", name(200), primary_key=True),
    Column("kind", name(20), primary_key=True),
    needed("count", BigInteger),
    needed("first_at", INSTANT),
    needed("last_at", INSTANT),
    needed("examples", Text),
)
"""How often what a source sent did not fit schema.yaml. `examples`: a JSON list of a few values, sealed; `property` is
'' where the event itself is unknown."""
