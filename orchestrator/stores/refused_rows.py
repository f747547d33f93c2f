"""Rows of what could not be taken: cut to what is shown, and sealed, because it may name anybody."""

from __future__ import annotations

from typing import Final

from orchestrator.stores.instants import instant, micros
from orchestrator.stores.protocol import RefusedItem
from orchestrator.stores.sealed_rows import CONTENT, REASON
from orchestrator.stores.sealing import Sealer, shown, told

LONGEST: Final = 2_000
"""Characters of an item's content that are kept."""


def refused_row(item: RefusedItem, sealer: Sealer) -> tuple[int, str, str, str]:
    """`at`, `source`, `reason` and `content` of a row."""
    reason, content = told(item.reason), told(item.content[:LONGEST])
    return micros(item.at), item.source, sealer.seal(REASON, reason), sealer.seal(CONTENT, content)


def refused_item(sealer: Sealer, at: int, source: str, reason: str, content: str) -> RefusedItem:
    """The item in a row; what cannot be opened says so in its place."""
    return RefusedItem(instant(at), source, shown(sealer, REASON, reason), shown(sealer, CONTENT, content))
