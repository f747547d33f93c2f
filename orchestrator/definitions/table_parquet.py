"""Parquet tables, by way of Polars: an extra, so its absence is a plain message and not a traceback."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.definitions.table_lines import Progress
from orchestrator.errors import Problem, ProjectInvalid, UsageError

if TYPE_CHECKING:
    from orchestrator.definitions.table_readers import OnReject, Row

SLICE_ROWS = 20_000


def parquet_rows(path: Path, tell: OnReject, progress: Progress | None) -> Iterator[Row]:
    """Rows in the file's order. NaN, which other tools write for "missing", is none; dates and instants stay such.

    A datetime without a zone becomes ISO 8601 text, which a mapping reads in its own zone.
    """
    from orchestrator.definitions.table_readers import HIDDEN_COLUMN, ROW_NUMBER, RejectedRow

    try:
        import polars
    except ImportError:
        raise UsageError(
            f"{path} is a Parquet file, which needs Polars; install orchestrator[backtest], or give CSV or JSON Lines",
            "parquet_extra",
        ) from None
    size = path.stat().st_size
    try:
        frame = polars.scan_parquet(path)
        count = int(frame.select(polars.len()).collect().item())
        number = 0
        for start in range(0, count, SLICE_ROWS):
            for raw in frame.slice(start, SLICE_ROWS).collect().iter_rows(named=True):
                number += 1
                try:
                    row = {name: _plain(value) for name, value in raw.items()}
                except ValueError as error:
                    tell(RejectedRow(number, number, str(error)))
                    continue
                if ROW_NUMBER in row:
                    row[HIDDEN_COLUMN] = row[ROW_NUMBER]
                row[ROW_NUMBER] = number
                yield row
            if progress is not None:
                progress(size * min(start + SLICE_ROWS, count) // count, size)
    except polars.exceptions.PolarsError as error:
        message = f"the Parquet file cannot be read ({str(error).splitlines()[0]})"
        raise ProjectInvalid([Problem(str(path), 1, 1, "table_unreadable", message, "write the file again")]) from None


def _plain(value: Any) -> Any:
    """A cell as one of the language's values. Raises ValueError for what has none."""
    match value:
        case None | bool() | int() | str() | timedelta():
            return value
        case float():
            if math.isinf(value):
                raise ValueError("it holds an infinite number")
            return None if math.isnan(value) else value
        case datetime():
            return value.astimezone(UTC) if value.tzinfo is not None else value.isoformat()
        case date():
            return value
        case time():
            return value.isoformat()
        case Decimal():
            return float(value)
        case list():
            return [_plain(item) for item in value]
        case dict():
            return {str(name): _plain(item) for name, item in value.items()}
        case _:
            raise ValueError(f"it holds a {type(value).__name__}, which has no place in an event")
