"""Tables of profiles: what is worked out over all customers."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, Text

from orchestrator.stores.schema_parts import INSTANT, customer, keyed, name, needed, shard

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
