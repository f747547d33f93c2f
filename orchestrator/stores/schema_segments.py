"""Tables of segments: who is in them, and lists that were uploaded."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer

from orchestrator.stores.schema_parts import INSTANT, customer, keyed, name, needed, shard

SEGMENT_MEMBERS = keyed(
    "segment_members",
    shard(),
    customer(),
    Column("segment", name(200), primary_key=True),
    needed("since", INSTANT),
    Index("ix_segment_members_segment", "segment", "shard", "customer"),
)
"""Who is in which segment: the same as stands in each customer's state, found by the segment. A turn that changes one
changes the other; `since` is the instant of that turn."""

SEGMENT_BUILDS = keyed(
    "segment_builds",
    Column("segment", name(200), primary_key=True),
    needed("digest", name(64)),
    needed("phase", name(12)),
    needed("shard", Integer, default=0),
    needed("begun_at", INSTANT),
    Column("done_at", INSTANT),
)
"""How far the rows of each segment are. `phase`: counting (by its condition, shard after shard), settling (all have
heard of the deploy: the rows are compared with the customers' states), done, or gone (they are deleted). `shard`: the
next one; `digest`: of the condition; `begun_at`: the deploy's instant, in journey time."""
