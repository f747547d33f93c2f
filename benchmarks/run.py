"""`make bench`: every figure that the project promises, beside its baseline of the same run."""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
from typing import Any

from benchmarks.bookings import bookings_table
from benchmarks.promises import production_kept


def _in_own_process(module: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-m", module, *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{module} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


def _workload_row(figures: dict[str, float]) -> bool:
    """At least 7,000 customers a second, or 0.45 of what pure SQL does on the same tables in the same run."""
    good = figures["customers_a_second"] >= 7_000 or figures["of_floor"] >= 0.45
    name, rate, most = "workload on SQLite, customers/s", figures["customers_a_second"], 1e6 / figures["floor"]
    verdict = "kept" if good else "MISSED"
    promise = f"at least 7,000 or 0.45 of pure SQL {verdict:<7} {figures['of_floor']:.2f} of its {most:,.0f}"
    print(f"  {name:<34}{rate:>10,.0f}      {promise}")
    return good


def main() -> int:
    """Print the table; exit 1 when a promise is not kept."""
    argparse.ArgumentParser(description=__doc__).parse_args()  # there is nothing to choose; it takes a while
    path, what = bookings_table()
    print(f"Python {platform.python_version()}, {what}")
    kept = True

    def row(name: str, value: float, unit: str, promise: float, baseline: str) -> None:
        nonlocal kept
        good = value <= promise
        kept = kept and good
        verdict = "kept" if good else "MISSED"
        print(f"  {name:<34}{value:>10.2f} {unit:<4} at most {promise:g} {unit:<4} {verdict:<7} {baseline}")

    hand = _in_own_process("benchmarks.hand_loop", str(path))
    replay = _in_own_process("benchmarks.replay", str(path))
    ratio = replay["seconds"] / hand["seconds"]
    rate = replay["transitions"] / replay["seconds"]
    row(
        "replay of all bookings",
        replay["seconds"],
        "s",
        60,
        f"{ratio:.1f} x the hand-written loop ({hand['seconds']:.1f} s)",
    )
    row("its memory", replay["mib"], "MiB", 1024, "")
    print(
        f"  {'transitions':<34}{replay['transitions']:>10,}      {rate:,.0f} a second, {replay['messages']:,} messages"
    )
    if replay["messages"] != hand["messages"]:
        print(f"  the hand-written loop sent {hand['messages']:,}: the counts differ")
        kept = False
    embedded = _in_own_process("benchmarks.embedded", str(path))
    rate = embedded["transitions"] / embedded["seconds"]
    row("the same on SQLite, by up --replay", embedded["seconds"], "s", 180, f"{rate:,.0f} transitions a second")
    row("its memory", embedded["mib"], "MiB", 600, f"a file of {embedded['database_mib']:,.0f} MiB")
    if embedded["messages"] != replay["messages"]:
        print(f"  on SQLite it kept {embedded['messages']:,} messages: the counts differ")
        kept = False
    workload = _in_own_process("benchmarks.workload", "--store", "sqlite", "--floor")
    kept = _workload_row(workload) and kept
    expression = _in_own_process("benchmarks.expressions")
    times = expression["ours_us"] / expression["hand_us"]
    by_hand = f"{times:.1f} x the same in Python by hand ({expression['hand_us']:.2f} us)"
    row("a condition with loaded facts", expression["ours_us"], "us", 5, by_hand)
    for kind in ("sqlite", "postgresql"):
        built = _in_own_process("benchmarks.segments", "--store", kind)
        many = f"{built['customers']:,} customers, {built['events']:,} events; upkeep {built['upkeep']:,} events/s"
        row(f"ten segments on {kind}, CPU", built["build_cpu_seconds"], "s", 6, many)
    linting = _in_own_process("benchmarks.linting")
    all_alike = f"a whole process; {linting['alike_seconds']:.2f} s where all are alike"
    row(f"lint of {linting['journeys']} journeys", linting["seconds"], "s", 2, all_alike)
    start = _in_own_process("benchmarks.startup")
    row("orchestrator --help", start["help"], "s", 0.3, f"a Python that does nothing: {start['python']:.2f} s")
    kept = production_kept(_in_own_process) and kept
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
