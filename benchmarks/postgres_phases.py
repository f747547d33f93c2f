"""Where the time of a customer goes on PostgreSQL: this process's CPU by phase, the server's by statement.

The workload of `benchmarks/workload.py` in one process, so that nothing waits for anything else. Statements are those
of pg_stat_statements, which the server's contrib package brings: microseconds a customer that the server took for them,
those of the customers' creation among them.
"""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any, Final

import psycopg

from benchmarks.machine import PRODUCTION, cpu_of, described
from benchmarks.workload import Workload
from orchestrator.stores.postgres.store import open_store
from tests.servers.postgres import new_server

WARM: Final = 2_000
STATEMENTS: Final = """
SELECT calls, total_exec_time, rows, regexp_replace(query, '\\s+', ' ', 'g') FROM pg_stat_statements
ORDER BY total_exec_time DESC LIMIT %s
"""


def measure(customers: int, most: int) -> dict[str, Any]:
    """Microseconds for one customer."""
    server = new_server(durable=True, **PRODUCTION, shared_preload_libraries="pg_stat_statements")
    try:
        server.start()
        server.execute("CREATE DATABASE bench")
        store = open_store(server.url("bench"), drains=True)
        Workload(store).take(WARM)  # what is compiled or cached once
        store.close()
        server.execute("CREATE DATABASE measured")
        server.execute("CREATE EXTENSION pg_stat_statements", "measured")
        store = open_store(server.url("measured"), drains=True)
        workload = Workload(store)
        before = cpu_of([server.pid])
        with psycopg.connect(server.url("measured"), autocommit=True) as c:
            c.execute("SELECT pg_stat_statements_reset()")
            workload.take(customers)
            found = c.execute(STATEMENTS, (most,)).fetchall()
        store.close()
        return {
            "customers": customers,
            "phases": {name: round(us, 1) for name, us in workload.figures().items()},
            "server": round((cpu_of([server.pid]) - before) / customers * 1e6, 1),
            "statements": [
                [round(ms * 1e3 / customers, 1), calls, rows, " ".join(str(query).split())[:90]]
                for calls, ms, rows, query in found
            ],
        }
    finally:
        server.remove()


def main() -> int:
    """Print the figures, one statement a line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--statements", type=int, default=30)
    given = parser.parse_args()
    figures = measure(given.customers, given.statements)
    for us, calls, rows, query in figures.pop("statements"):
        print(f"{us:>8.1f} us {calls:>6} calls {rows:>8} rows  {query}")
    print(json.dumps({**figures, **described()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
