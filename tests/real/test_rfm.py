"""Recency, frequency and value of a year of a real gift shop's customers, classed by a database and by polars."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.inbox import Event
from orchestrator.core.index import Index
from orchestrator.core.rfm import RfmSpec
from orchestrator.core.time.cron import parse_cron
from orchestrator.definitions.load import load_project
from orchestrator.runtime.classing import tell_classes
from orchestrator.stores.instants import instant
from orchestrator.stores.sqlite.store import open_store
from tests.in_full import IN_FULL
from tests.real.test_retail import orders_of
from tests.stores.contract_profiles import SCORES

polars = pytest.importorskip("polars", reason="the independent query needs polars (extra: backtest)")
pytestmark = pytest.mark.real
END = datetime(2011, 12, 10, tzinfo=UTC)


def by_polars(orders: dict[str, list[Any]], classes: int) -> Any:
    """Each customer with three classes: one more than the bounds, which are the values at the ranks, that lie below."""
    pl = polars
    rows = [(customer, at.timestamp(), total) for customer, mine in orders.items() for at, _, total in mine]
    each = (
        pl.DataFrame(rows, schema=["customer", "at", "total"], orient="row")
        .group_by("customer")
        .agg(recency=pl.col("at").max(), frequency=pl.len(), monetary=pl.col("total").sum().round(4))
    )
    for name in ("recency", "frequency", "monetary"):
        ordered = each[name].sort()
        bounds = [ordered[-(-k * each.height // classes) - 1] for k in range(1, classes)]
        each = each.with_columns(
            (sum((pl.col(name) > bound).cast(pl.Int64) for bound in bounds) + 1).alias(f"{name}_class")
        )
    return each


def test_classes_are_those_of_an_independent_query(shared_data: Path, tmp_path: Path) -> None:
    everybody = orders_of(shared_data / "online_retail.parquet")
    orders = dict(sorted(everybody.items())[:: 1 if IN_FULL else 6])
    spec = RfmSpec("order_completed", ("revenue",), 5, parse_cron("0 4 * * MON"), timedelta(days=400))
    store = open_store(tmp_path / "retail.db", salt="0")
    store.deploy(Index(replace(load_project(SCORES).project, rfm=spec)), END)
    store.lay_histories(
        {
            customer: [Event("order_completed", at, {"revenue": total}, invoice) for at, invoice, total in mine]
            for customer, mine in orders.items()
        }
    )
    assert store.rfm_begin("2011-12-10T00:00", END, spec)
    assert tell_classes(store, END) == len(orders) == (4_338 if IN_FULL else 723)
    expected = by_polars(orders, 5)
    names = [f"{name}_class" for name in ("recency", "frequency", "monetary")]
    assert Counter(expected.select(names).iter_rows()) == {tuple(k): n for k, n in store.rfm_sizes().items()}
    last = store.rfm_last()
    assert last is not None and last.next_shard is None and instant(last.bounds.recency[-1]) < END
    store.close()
