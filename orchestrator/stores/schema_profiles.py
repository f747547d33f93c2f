"""Tables of profiles: what is worked out over all customers, and groups of them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, Text

from orchestrator.stores.schema_parts import INSTANT, customer, keyed, name, needed, shard, wide

RFM_RUNS = keyed(
    "rfm_runs",
    Column("occurrence", name(40), primary_key=True),
    needed("at", INSTANT),
    needed("customers", BigInteger),
    needed("classes", Integer),
    needed("bounds", Text),
    Column("next_shard", Integer),
)
"""Each time at which classes were worked out. `bounds`: JSON, three lists; `next_shard` NULL: it is done."""
RFM_CLASSES = keyed(
    "rfm_classes",
    shard(),
    customer(),
    needed("recency", Integer),
    needed("frequency", Integer),
    needed("monetary", Integer),
)
"""The classes that customers were told last, so that only those hear of a run whose classes changed."""

GROUPS = wide(
    "groups",
    Column("id", name(512), primary_key=True),
    needed("traits", Text),
    needed("version", BigInteger),
    needed("changed_at", INSTANT),
    Column("telling", BigInteger),
    needed("reached_shard", Integer),
    needed("reached_customer", BigInteger),
)
"""Companies, accounts, households. `version` counts changes; `telling`: the version that its members are hearing of,
and how far that came; NULL: all have heard."""
Index("ix_groups_telling", GROUPS.c.telling)
GROUP_MEMBERS = keyed(
    "group_members",
    shard(),
    customer(),
    Column("group_id", name(512), primary_key=True),
    needed("joined_at", INSTANT),
)
"""Who is in which group, and when that was said last."""
Index("ix_group_members_group_id", GROUP_MEMBERS.c.group_id, GROUP_MEMBERS.c.shard, GROUP_MEMBERS.c.customer)
