"""Virtual shards, over which customers are spread: they lead every hot key, so that a database can be split later."""

from __future__ import annotations

from typing import Final

from orchestrator.core.identity import stable_hash

SHARDS: Final = 1_024
"""Fixed for ever."""


def shard_of(customer: int) -> int:
    """The shard of an internal customer id."""
    return stable_hash(str(customer)) % SHARDS
