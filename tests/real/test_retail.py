"""A year of a real gift shop's orders through the shipped win-back journey, counted again by hand-written rules."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orchestrator.definitions.event_tables import replay_events
from orchestrator.definitions.mapping import load_mapping
from orchestrator.definitions.yaml_loader import load_document
from orchestrator.testing.replay import simulate_events
from tests.in_full import IN_FULL
from tests.shipped import shipped_project

polars = pytest.importorskip("polars", reason="the conversion needs polars (extra: backtest)")
EVERY = 1 if IN_FULL else 6
"""Every so many of the customers; `make real` takes all of them."""
LONDON = ZoneInfo("Europe/London")
MAPPING = """\
timezone: Europe/London
customer: row.customer
profile:
  email: "row.customer ~ '@example.com'"
  timezone: Europe/London
  consents: {promotions: {email: in}}
events:
  - event: order_placed
    at: row.at
    properties: {order_id: row.order_id, total: row.total, total_eur: row.total, currency: "'GBP'"}
"""

Order = tuple[datetime, str, float]


def orders_of(table: Path) -> dict[str, list[Order]]:
    """Completed orders by customer: lines grouped by invoice, without cancellations and prices of nothing."""
    pl = polars
    lines = pl.read_parquet(table).filter(
        pl.col("CustomerID").is_not_null() & ~pl.col("InvoiceNo").str.starts_with("C") & (pl.col("UnitPrice") > 0)
    )
    grouped = (
        lines.with_columns(money=pl.col("Quantity") * pl.col("UnitPrice"))
        .group_by("InvoiceNo", "CustomerID")
        .agg(at=pl.col("InvoiceDate").min(), total=pl.col("money").sum().round(2))
        .sort("at", "InvoiceNo")
    )
    found: dict[str, list[Order]] = defaultdict(list)
    for invoice, customer, at, total in grouped.iter_rows():
        found[f"C{int(customer)}"].append((at.replace(tzinfo=LONDON).astimezone(UTC), invoice, total))
    return found


def write_rows(orders: dict[str, list[Order]], path: Path) -> None:
    """One JSON line an order, in London's local time."""
    with path.open("w") as file:
        for customer, mine in orders.items():
            for at, invoice, total in mine:
                local = at.astimezone(LONDON).replace(tzinfo=None).isoformat()
                file.write(json.dumps({"customer": customer, "order_id": invoice, "at": local, "total": total}) + "\n")


def expected_messages(orders: dict[str, list[Order]]) -> Counter[str]:
    """What the win-back journey should send, worked out without the engine, one silence after another."""
    silences: list[tuple[datetime, str, datetime | None, list[Order]]] = []
    for customer, mine in orders.items():
        if _share("holdout", "win_back", customer) < 0.10:
            continue
        instants = sorted({at for at, _, _ in mine})
        for at, following in zip(instants, [*instants[1:], None]):
            since = at + timedelta(days=30)
            if following is None or following > since:
                silences.append((since, customer, following, mine))
    coupons: dict[str, list[datetime]] = defaultdict(list)
    gifts: dict[str, list[datetime]] = defaultdict(list)
    budget = 20_000
    sent: Counter[str] = Counter()
    wanted: list[tuple[datetime, str, datetime | None]] = []
    for since, customer, following, mine in sorted(silences, key=lambda s: (s[0], s[1])):
        first = _at_ten(since, 0)
        if first < since:
            first = _at_ten(since, 1)
        if following is not None and following <= first:
            continue
        sent["whats_new"] += 1
        second = _at_ten(since, 30)
        if following is not None and following <= second:
            continue
        if any(second - issued < timedelta(days=180) for issued in coupons[customer]):
            continue
        coupons[customer].append(second)
        sent["ten_percent"] += 1
        third = _at_ten(since, 60)
        if following is not None and following <= third:
            continue
        spent = sum(total for at, _, total in mine if third - timedelta(days=365) < at <= third)
        if spent >= 600:
            wanted.append((third, customer, following))
        else:
            sent["stay_in_touch"] += 1
    for third, customer, _ in sorted(wanted, key=lambda w: (w[0], w[1])):
        if any(third - issued < timedelta(days=365) for issued in gifts[customer]) or budget < 25:
            continue
        budget -= 25
        gifts[customer].append(third)
        sent["miss_you"] += 1
    return sent


def _at_ten(since: datetime, days: int) -> datetime:
    day = since.astimezone(LONDON).date() + timedelta(days=days)
    return datetime.combine(day, time(10), LONDON).astimezone(UTC)


def _share(*parts: str) -> float:
    digest = hashlib.blake2b("\x1f".join(("0", *parts)).encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


@pytest.mark.real
@pytest.mark.slow
def test_the_win_back_journey_on_a_year_of_orders(shared_data: Path, repository_root: Path, tmp_path: Path) -> None:
    orders = orders_of(shared_data / "online_retail.parquet")
    assert (len(orders), sum(len(mine) for mine in orders.values())) == (4_338, 18_532)
    assert sum(total for mine in orders.values() for _, _, total in mine) == pytest.approx(8_911_407.904, abs=100)
    orders = {customer: orders[customer] for customer in sorted(orders)[::EVERY]}
    rows = tmp_path / "orders.jsonl"
    write_rows(orders, rows)
    loaded = shipped_project()
    mapping, problems = load_mapping(load_document("orders.mapping.yaml", MAPPING), loaded.project.timezone)
    assert mapping is not None, problems
    table = replay_events(rows, mapping)
    assert (len(table), table.rejects.count) == (sum(map(len, orders.values())), 0)

    sent: Counter[str] = Counter()
    failed: list[dict[str, Any]] = []

    def emit(line: dict[str, Any]) -> None:
        if line.get("journey") == "win_back" and line["type"] == "message":
            sent[line["template"]] += 1
        elif line["type"] == "failed":
            failed.append(line)

    simulate_events(loaded, table, emit)

    assert failed == []
    assert sent == expected_messages(orders)
