"""The main job on real input: every booking through five reminders, counted again by an independent query."""

from __future__ import annotations

import gzip
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from orchestrator.definitions.event_tables import replay_events
from orchestrator.definitions.load import load_project
from orchestrator.definitions.mapping import load_mapping
from orchestrator.definitions.yaml_loader import load_document
from orchestrator.testing.replay import simulate_events
from tests.in_full import IN_FULL

polars = pytest.importorskip("polars", reason="the independent count needs polars (extra: backtest)")
EVERY = 1 if IN_FULL else 8
"""Every so many of the bookings; `make real` takes all of them."""
DAYS = (30, 14, 7, 3, 1)
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


def due_reminders(table: Path) -> dict[str, int]:
    """Reminders by template: made at least k days ahead, and not cancelled on or before the reminder's day."""
    pl = polars
    months = {name: number for number, name in enumerate(MONTHS, 1)}
    rows = pl.read_csv(table, infer_schema_length=0).select(
        arrival=pl.date(
            pl.col("arrival_date_year").cast(pl.Int32),
            pl.col("arrival_date_month").replace_strict(months),
            pl.col("arrival_date_day_of_month").cast(pl.Int32),
        ),
        lead=pl.col("lead_time").cast(pl.Int32),
        cancelled=pl.when(pl.col("reservation_status") == "Canceled").then(
            pl.col("reservation_status_date").str.to_date()
        ),
    )
    counts = {}
    for k in DAYS:
        day = pl.col("arrival") - pl.duration(days=k)
        kept = (pl.col("lead") >= k) & (pl.col("cancelled").is_null() | (pl.col("cancelled") > day))
        counts[f"t{k}"] = rows.filter(kept).height
    return counts


def chosen_rows(table: Path, path: Path) -> Path:
    """The table itself, or a part of it that is spread over all of its months."""
    if EVERY == 1:
        return table
    with gzip.open(table, "rt", encoding="utf-8") as source, gzip.open(path, "wt", encoding="utf-8") as part:
        part.writelines(line for number, line in enumerate(source) if number == 0 or (number - 1) % EVERY == 0)
    return path


@pytest.mark.real
@pytest.mark.slow
def test_every_booking_gets_exactly_its_reminders(shared_data: Path, repository_root: Path, tmp_path: Path) -> None:
    table_path = chosen_rows(shared_data / "hotel_bookings.csv.gz", tmp_path / "bookings.csv.gz")
    loaded = load_project(repository_root / "benchmarks" / "reminders")
    document = load_document("hotel.mapping.yaml", (repository_root / "benchmarks" / "hotel.mapping.yaml").read_text())
    mapping, problems = load_mapping(document, loaded.project.timezone)
    assert mapping is not None, problems
    table = replay_events(table_path, mapping)
    bookings = -(-119_390 // EVERY)
    assert (table.rows, table.customers, table.rejects.count) == (bookings, bookings, 0)

    sent: Counter[str] = Counter()
    types: Counter[str] = Counter()
    twice: list[dict[str, Any]] = []
    seen: set[tuple[str, str]] = set()
    order: list[tuple[str, str]] = [("", "")]

    def emit(line: dict[str, Any]) -> None:
        types[line["type"]] += 1
        place = (line["at"], line["customer"])
        assert place >= order[0], f"out of order: {place} after {order[0]}"
        order[0] = place
        if line["type"] == "message":
            sent[line["template"]] += 1
            what = (line["customer"], line["template"])
            if what in seen:
                twice.append(line)
            seen.add(what)

    summary = simulate_events(loaded, table, emit)

    assert dict(sent) == due_reminders(table_path)
    assert twice == []
    assert types["entered"] == bookings
    assert types["exited"] + types["completed"] == bookings
    assert types["exited"] <= 43_017
    assert summary.parked == 0 and types["failed"] == 0
