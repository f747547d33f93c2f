"""The floor of the replay: the same five reminders as a plain loop over the table, written by hand for this one case.

No waits, no journal, no consent, no ledger: dates are compared, a text is filled in, a line is printed.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
import time
from datetime import date, datetime, timedelta
from pathlib import Path

DAYS = (30, 14, 7, 3, 1)
TEXT = "{k} days to go\n\nYour room at {hotel} is ready on {arrival} for {adults} guests."


def run(path: Path, out: object) -> int:
    """Print one line for each reminder that is due. Returns how many."""
    sent = 0
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 1):
            text = f"{row['arrival_date_year']} {row['arrival_date_month']} {row['arrival_date_day_of_month']}"
            arrival = datetime.strptime(text, "%Y %B %d").date()  # noqa: DTZ007  a date has no zone
            made = arrival - timedelta(days=int(row["lead_time"]))
            cancelled = None
            if row["reservation_status"] == "Canceled":
                cancelled = date.fromisoformat(row["reservation_status_date"])
            for k in DAYS:
                day = arrival - timedelta(days=k)
                if day >= made and (cancelled is None or cancelled > day):
                    sent += 1
                    body = TEXT.format(k=k, hotel=row["hotel"], arrival=f"{arrival:%d %B %Y}", adults=row["adults"])
                    line = {"at": f"{day}T12:00:00Z", "type": "message", "customer": f"H{number}", "text": body}
                    out.write(json.dumps(line) + "\n")  # type: ignore[attr-defined]
    return sent


if __name__ == "__main__":
    started = time.perf_counter()
    with open("/dev/null", "w") as sink:
        count = run(Path(sys.argv[1]), sink)
    print(json.dumps({"seconds": time.perf_counter() - started, "messages": count}))
