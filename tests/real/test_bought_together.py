"""What is bought together in a year of a real gift shop's orders: our pass against an independent query of polars.

Every so many of the customers are taken; with TEST_IN_FULL=1 all of them.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.inbox import Event
from orchestrator.stores.sqlite.store import open_store
from tests.in_full import IN_FULL
from tests.stores.driving import index_of

polars = pytest.importorskip("polars", reason="the comparison needs polars (extra: backtest)")
EVERY = 1 if IN_FULL else 40
NOW = datetime(2011, 12, 31, tzinfo=UTC)
BOUGHT = {"event": "bought", "property": "items.sku", "within": "800d"}
SCHEMA: dict[str, Any] = {
    "customer": {"plan": {"type": "string"}},
    "events": {"bought": {"items": {"type": "list", "of": {"sku": "string"}}}, "go": {"order": {"type": "string"}}},
}


def test_bought_together_as_polars_counts_it(shared_data: Path, tmp_path: Path) -> None:
    pl = polars
    lines = (
        pl.read_parquet(shared_data / "online_retail.parquet")
        .filter(pl.col("CustomerID").is_not_null() & (pl.col("Quantity") > 0))
        .with_columns(who=pl.col("CustomerID").cast(pl.Int64), sku=pl.col("StockCode").cast(pl.Utf8))
        .filter(pl.col("who") % EVERY == 0)
        .group_by("who", "InvoiceNo")
        .agg(at=pl.col("InvoiceDate").min(), skus=pl.col("sku").unique())
        .sort("who", "at")
    )
    products = "sku,title\n" + "".join(f"{sku},x\n" for sku in sorted(set(lines["skus"].explode())))
    catalog = {"rows": True, "bought": BOUGHT}
    options: dict[str, Any] = {"project": {"catalogs": {"products": catalog}}, "catalogs": {"products.csv": products}}
    store = open_store(tmp_path / "retail.db", durable=False)
    try:
        store.deploy(index_of(schema=SCHEMA, **options), NOW - timedelta(days=700))
        orders: dict[int, list[Event]] = {}
        for who, _, at, skus in lines.iter_rows():
            items = {"items": [{"sku": sku} for sku in skus][:100]}
            mine = orders.setdefault(who, [])
            mine.append(Event("bought", at.replace(tzinfo=UTC), items, f"{who}:{len(mine)}"))
        for who, mine in orders.items():
            store.lay_history(f"C{who}", mine)
        while store.link_catalogs(NOW):  # step by step
            pass
        expected = _counted(lines)
        assert len(expected) > 100
        for about, links in expected.items():
            found = [(link.item, round(link.score, 9)) for link in store.catalog_links("products", "bought", about)]
            assert found == links, about
    finally:
        store.close()


def _counted(lines: Any) -> dict[str, list[tuple[str, float]]]:
    """The twelve best companions of each item: both among the last fifty of a customer, of all who had either."""
    pl = polars
    bought = (
        lines.with_columns(skus=pl.col("skus").list.head(100))
        .explode("skus")
        .group_by("who", pl.col("skus").alias("sku"))
        .agg(at=pl.col("at").max())
    )
    few = (
        bought.sort(["who", "at", "sku"], descending=[False, True, False]).group_by("who", maintain_order=True).head(50)
    )
    counts = dict(bought.group_by("sku").len().iter_rows())
    both = few.join(few, on="who").filter(pl.col("sku") != pl.col("sku_right"))
    pairs = both.group_by("sku", "sku_right").len().filter(pl.col("len") >= 2)
    found: dict[str, list[tuple[str, float]]] = {}
    for about, item, n in pairs.iter_rows():
        found.setdefault(about, []).append((item, n * n / (counts[about] * counts[item])))
    return {
        about: [(item, round(score, 9)) for item, score in sorted(links, key=lambda one: (-one[1], one[0]))[:12]]
        for about, links in found.items()
    }
