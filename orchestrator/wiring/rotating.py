"""Bringing a database to the data key that seals now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from orchestrator.errors import UsageError
from orchestrator.stores.erasures import Run
from orchestrator.stores.protocol import Store
from orchestrator.stores.rotating import Progress, Rotated, Rotation
from orchestrator.stores.sealing import KeyRing
from orchestrator.wiring.installation import Installation

CONTACT: Final = frozenset({"email", "phone", "devices"})
"""What is personal where no project is deployed that says more."""
MAKE_A_KEY: Final = 'ORCHESTRATOR_DATA_KEYS="2026a:$(openssl rand -base64 32)"'


def rotate(place: Installation, plain: bool, tell: Callable[[Progress], None]) -> Rotated:
    """Renew every row that is not sealed as a new one would be. `plain`: the operator knows that this unseals.

    Raises UsageError where there are no keys, or where `plain` does not fit them.
    """
    ring = sealer_of_store(place.store)
    if not isinstance(ring, KeyRing):
        raise UsageError(f"ORCHESTRATOR_DATA_KEYS is not set; set it first, such as {MAKE_A_KEY}", "no_data_keys")
    if plain and ring.seals:
        raise UsageError(
            "--plain unseals everything, and ORCHESTRATOR_DATA_KEYS begins with a key; put the word `plain` before it, "
            "start all processes anew, and run this again",
            "keys_seal",
        )
    if not plain and not ring.seals:
        raise UsageError(
            "ORCHESTRATOR_DATA_KEYS begins with `plain`: this would write all personal data unsealed; if you want "
            "that, run `orchestrator db rotate --plain`",
            "keys_do_not_seal",
        )
    project = place.live_project()
    personal = project.personal if project is not None else CONTACT
    look, write = _statements(place.store)
    return Rotation(look, write, ring, personal, place.store.shared).run(tell)


def sealer_of_store(store: Store) -> Any:
    """What seals a store's rows; None for memory."""
    database = getattr(store, "db", None)
    return None if database is None else database.sealer


def _statements(
    store: Any,
) -> tuple[Callable[[], AbstractContextManager[Run]], Callable[[], AbstractContextManager[Run]]]:
    run_on_it = run_on(store)

    @contextmanager
    def look() -> Iterator[Run]:
        with store.db.read() as c:
            yield run_on_it(c)

    @contextmanager
    def write() -> Iterator[Run]:
        with store.db.write() as c:
            yield run_on_it(c)

    return look, write


def run_on(store: Any) -> Callable[[Any], Run]:
    """What executes statements with `?` on a store's connection."""
    if store.shared:
        from orchestrator.stores.postgres.base import run_on as on_postgres

        return on_postgres
    from orchestrator.stores.sqlite.base import run_on as on_sqlite

    return on_sqlite
