"""The promises of production, beside what they are measured against in the same run: rows of `make bench`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks import latency
from benchmarks.machine import production_postgres

InOwnProcess = Callable[..., dict[str, Any]]


def production_kept(measured: InOwnProcess) -> bool:
    """Measure and print everything that runs on PostgreSQL. Whether all of it was kept."""
    kept = [
        _workload(measured("benchmarks.production"), measured("benchmarks.obvious_celery")),
        _ingest(measured("benchmarks.http_ingest")),
        _latency(),
        _timers(measured("benchmarks.timers", "--ten-million")),
    ]
    return all(kept)


def _row(name: str, value: str, promise: str, good: bool, beside: str) -> bool:
    print(f"  {name:<34}{value:>10}      {promise} {'kept' if good else 'MISSED':<7} {beside}")
    return good


def _workload(ours: dict[str, Any], obvious: dict[str, Any]) -> bool:
    rate, busy = ours["customers_a_second"], f"load {max(ours['loads'])}"
    floor = f"of pure SQL's {ours['floor_a_second']:,.0f}; {busy}"
    times = rate / obvious["customers_a_second"]
    beside = f"its {obvious['customers_a_second']:,.0f} a second, {obvious['cpu_us']:,.0f} us"
    cpu = f"pure SQL's {ours['floor_cpu_us']:,.0f} us; workers {ours['cpu_us_workers']:,.0f} us"
    memory, by_slice = max(ours["worker_mib"]), f"by slice: {ours['worker_mib']}"
    kept = [
        _row("workload on PostgreSQL, customers/s", f"{rate:,.0f}", "at least 0.5", ours["of_floor"] >= 0.5, floor),
        _row("its CPU a customer", f"{ours['cpu_us']:,.0f} us", "at most 2 x", ours["times_its_cpu"] <= 2, cpu),
        _row("against a task for each step", f"{times:.0f} x", "at least 80 x", times >= 80, beside),
        _row("memory of a worker", f"{memory:,.0f} MiB", "under 300 MiB", memory < 300, by_slice),
    ]
    return all(kept)


def _ingest(found: dict[str, Any]) -> bool:
    rate = found["events_a_second"]
    beside = f"CPU of an event: {found['cpu_us_serve']} us, of the database {found['cpu_us_postgres']} us; "
    beside += f"99 of 100 batches answered within {found['p99_ms']} ms"
    return _row("events over HTTP, a second", f"{rate:,.0f}", "at least 20,000", rate >= 20_000, beside)


def _latency() -> bool:
    with production_postgres() as server:
        server.execute("CREATE DATABASE bench")
        found = latency.measure(latency.COUNT, server.url("bench"))
    good = found["p50"] < 100 and found["p99"] < 400
    beside = f"99 of 100 within {found['p99']} ms"
    return _row("event to message, p50", f"{found['p50']} ms", "under 100 ms, p99 under 400 ms", good, beside)


def _timers(found: dict[str, Any]) -> bool:
    claims, late = found["claim"], found["lateness"]
    few, many = (claim["claim_ms"] for claim in claims.values() if isinstance(claim, dict))
    beside = f"{few} ms among a tenth of them"
    kept = [
        _row("claim among 10 million timers", f"{many} ms", "at most 1.5 x", claims["ratio"] <= 1.5, beside),
        _row("lateness, p99", f"{late['p99']} s", "under 2 s", late["p99"] < 2, f"{late['timers_a_second']} a second"),
    ]
    return all(kept)
