"""Real orders and bookings, end to end: a table by a mapping into the past, a segment over it, a journey that a
schedule starts for the segment, and its messages; counted again by queries that know nothing of the engine."""

from __future__ import annotations

import gzip
import os
from collections import Counter
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orchestrator.runtime.sweep import sweep_once
from orchestrator.runtime.turns import turn_once
from orchestrator.wiring.installation import installation
from tests.in_full import IN_FULL

polars = pytest.importorskip("polars", reason="the independent count needs polars (extra: backtest)")
EVERY = 1 if IN_FULL else 8
"""Every so many of the customers and bookings."""
LISBON = ZoneInfo("Europe/Lisbon")
ORDERS = """\
timezone: UTC
customer: row.customer
profile:
  email: "row.customer ~ '@example.com'"
  consents: {promotions: {email: in}}
events:
  - event: order_placed
    id: row.id
    at: row.at
    properties: {order_id: row.id, total: row.total}
"""
SEGMENT = """
regulars:
  title: Three orders within half a year, and 500 in all
  where: count('order_placed', within='180d') >= 3 and sum('order_placed', 'total', within='180d') >= 500
"""
JOURNEY = """\
journey: thanks
topic: promotions
enter: {schedule: "0 10 * * *", segment: regulars, timezone: Europe/Lisbon, reentry: never}
steps:
  - email: welcome
"""
BOOKINGS = """\
timezone: Europe/Lisbon
vars:
  arrival: date(row.arrival_date_year ~ ' ' ~ row.arrival_date_month ~ ' ' ~ row.arrival_date_day_of_month, '%Y %B %d')
customer: "'H' ~ row.n"
events:
  - event: booking_created
    at: arrival - days(row.lead_time | int)
    properties: {hotel: row.hotel}
  - event: booking_cancelled
    when: row.reservation_status == 'Canceled'
    at: row.reservation_status_date
  - event: checked_out
    when: row.reservation_status == 'Check-Out'
    at: row.reservation_status_date
"""


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ORCHESTRATOR_")]:
        monkeypatch.delenv(name)


def orders_of(table: Path) -> Any:
    """Orders of every so many customers, moved in time so that the last of all is of yesterday."""
    pl = polars
    lines = pl.read_parquet(table).filter(
        pl.col("CustomerID").is_not_null() & ~pl.col("InvoiceNo").str.starts_with("C") & (pl.col("UnitPrice") > 0)
    )
    orders = (
        lines.with_columns(money=pl.col("Quantity") * pl.col("UnitPrice"))
        .group_by("InvoiceNo", "CustomerID")
        .agg(at=pl.col("InvoiceDate").min(), total=pl.col("money").sum().round(2))
        .filter(pl.col("CustomerID").cast(pl.Int64) % EVERY == 0)
    )
    days = (datetime.now(UTC).replace(tzinfo=None) - orders["at"].max()).days
    return orders.select(
        customer=pl.format("C{}", pl.col("CustomerID").cast(pl.Int64)),
        id=pl.col("InvoiceNo"),
        at=(pl.col("at") + pl.duration(days=days)).dt.replace_time_zone("UTC"),
        total="total",
    ).sort("at", "id")


@pytest.mark.real
def test_orders_become_a_segment_a_journey_and_messages(shared_data: Path, cli: Any, waking: Path) -> None:
    orders = orders_of(shared_data / "online_retail.parquet")
    orders.write_parquet("orders.parquet")
    Path("orders.yaml").write_text(ORDERS)
    segments = waking / "journeys" / "segments.yaml"
    segments.write_text(segments.read_text() + SEGMENT)
    (waking / "journeys" / "thanks.yaml").write_text(JOURNEY)
    done = cli("deploy", "--yes")
    assert done.code == 0, done.err
    took = cli("import", "events", "orders.parquet", "--mapping", "orders.yaml", "--json").json
    assert (took["taken"], took["created"]) == (orders.height, orders["customer"].n_unique())
    here = datetime.now(LISBON)
    ten = datetime.combine(here.date() + timedelta(days=here.hour >= 10), time(10), LISBON).astimezone(UTC)
    with installation(Path(".")) as place:
        place.adopt()
        store, now = place.store, place.journey_now()
        sent = []
        for at in (now, ten + timedelta(minutes=1)):
            sweep_once(store, at)
            while turn_once(store, at).customers:
                pass
        while claimed := store.claim_messages(ten + timedelta(minutes=2), 1_000):
            sent += [one.row.customer_id for one in claimed if one.row.journey == "thanks"]
        members = {id for id in set(orders["customer"]) if "regulars" in store.profiles_of([id])[id].segments}
    recent = orders.filter(polars.col("at") > ten - timedelta(days=180))
    counted = recent.group_by("customer").agg(n=polars.len(), total=polars.col("total").sum())
    expected = set(counted.filter((polars.col("n") >= 3) & (polars.col("total") >= 500))["customer"])
    assert len(expected) > (200 if IN_FULL else 20)
    assert members == expected
    assert Counter(sent) == Counter(expected)


@pytest.mark.real
def test_bookings_become_a_past_that_is_read_again(shared_data: Path, cli: Any, waking: Path) -> None:
    with gzip.open(shared_data / "hotel_bookings.csv.gz", "rt", encoding="utf-8") as source:
        header, *lines = source
    Path("bookings.csv").write_text("".join([header, *lines[:: EVERY * 3]]))
    Path("bookings.yaml").write_text(BOOKINGS)
    assert cli("deploy", "--yes").code == 0
    done = cli("import", "events", "bookings.csv", "--mapping", "bookings.yaml", "--json")
    status = polars.read_csv("bookings.csv", infer_schema_length=0)["reservation_status"].value_counts()
    count = dict(status.iter_rows())
    assert done.json["created"] == sum(count.values())
    assert cli("export", "events", "-o", "events.parquet").code == 0
    found = dict(polars.read_parquet("events.parquet")["event"].value_counts().iter_rows())
    assert found == {
        "booking_created": sum(count.values()),
        "booking_cancelled": count["Canceled"],
        "checked_out": count["Check-Out"],
    }
