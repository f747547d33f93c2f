"""`orchestrator --help` as a whole process, beside a Python that does nothing: the median of nine."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time


def _median(command: list[str]) -> float:
    seconds = []
    for _ in range(9):
        started = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def run() -> dict[str, float]:
    """Seconds of both."""
    return {
        "help": _median([sys.executable, "-m", "orchestrator.cli.main", "--help"]),
        "python": _median([sys.executable, "-c", "pass"]),
    }


if __name__ == "__main__":
    print(json.dumps(run()))
