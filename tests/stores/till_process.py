"""A till as a process of its own, for tests that kill one: it redeems codes and says each answer once it has it.

    python -m tests.stores.till_process URL|FILE NAME CODE...

Every code is redeemed by the order `NAME-CODE`; a public code is redeemed by many: `CODE*100` by a hundred orders.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

from orchestrator.core.till import Basket
from orchestrator.runtime.till import redeem
from orchestrator.stores.protocol import Store
from tests.stores.driving import later
from tests.stores.till_offers import INDEX


def opened(place: str) -> Store:
    """The store in a database or a file."""
    if place.startswith("postgresql"):
        from orchestrator.stores.postgres.store import open_store as open_postgres

        return open_postgres(place, salt="0")
    from orchestrator.stores.sqlite.store import open_store

    return open_store(Path(place), salt="0")


def orders(name: str, codes: list[str]) -> Iterator[tuple[str, str]]:
    """(code, order) of all that are asked for."""
    for code in codes:
        text, _, times = code.partition("*")
        for n in range(int(times or 1)):
            yield text, f"{name}-{code}-{n}"


def main() -> None:
    """Redeem them all."""
    place, name, *codes = sys.argv[1:]
    store = opened(place)
    store.adopt(INDEX)
    print("ready", flush=True)
    sys.stdin.readline()
    for code, order in orders(name, codes):
        answer = redeem(store, code, Basket(order, Decimal(100), "EUR"), later(1), later(1))
        print(code, order, answer.reason or "done", flush=True)
    store.close()


if __name__ == "__main__":
    main()
