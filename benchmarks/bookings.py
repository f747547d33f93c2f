"""The table of bookings that the benchmarks replay: the real one where it is there, else seeded ones of the same
shape."""

from __future__ import annotations

import tempfile
from pathlib import Path

from orchestrator.demo.bookings import write_bookings_csv

ROOT = Path(__file__).resolve().parent.parent
REAL = ROOT.parent / "shared" / "data" / "hotel_bookings.csv.gz"
ROWS = 119_390


def bookings_table() -> tuple[Path, str]:
    """(path, what it is)."""
    if REAL.exists():
        return REAL, "real bookings"
    path = Path(tempfile.mkdtemp()) / "bookings.csv.gz"
    write_bookings_csv(path, 7, ROWS)
    return path, "seeded bookings"
