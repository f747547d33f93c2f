"""Streams a table into an installation, batch by batch: what `import` does with every row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from orchestrator.definitions.mapping_rows import RowMapper, RowUnusable
from orchestrator.definitions.plain_rows import PlainRows
from orchestrator.definitions.table_readers import ROW_NUMBER, RejectedRow, Row, read_rows, table_format
from orchestrator.runtime.customer_table import CustomerRows, traits_of_spec
from orchestrator.runtime.imports import (
    BATCH,
    ImportCounts,
    ImportedEvent,
    import_customers_once,
    import_events_once,
    mark_done,
    rows_done,
)
from orchestrator.wiring.databases import one_transaction

if TYPE_CHECKING:
    from orchestrator.core.project import Project
    from orchestrator.definitions.mapping import TableMapping
    from orchestrator.wiring.installation import Installation

Progress = Callable[[int, int], None]


def digest_of_file(path: Path, *more: bytes) -> str:
    """What tells one import from another: the table's bytes, and what else decides about its rows."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    for part in more:
        digest.update(b"\x1f" + part)
    return digest.hexdigest()


@dataclass
class Imported:
    """What became of a table."""

    rows: int = 0
    skipped: int = 0
    taken: int = 0
    duplicates: int = 0
    created: int = 0
    rejected: int = 0
    first_rejects: list[str] = field(default_factory=list)


class Rejects:
    """Writes rows that could not be used to a file beside the table: one JSON object a line. Made when needed."""

    def __init__(self, path: Path, resumed: bool, most_shown: int) -> None:
        self.path = path
        self._mode: Literal["a", "w"] = "a" if resumed else "w"
        self._file: IO[str] | None = None
        self._most = most_shown
        self.count = 0
        self.first: list[str] = []

    def add(self, row: int, line: int | None, reason: str, values: Row | None = None) -> None:
        """One row."""
        self.count += 1
        if len(self.first) < self._most:
            self.first.append(f"row {row}: {reason}")
        if self._file is None:
            self._file = self.path.open(self._mode, encoding="utf-8", errors="backslashreplace")
        shown = {name: value for name, value in (values or {}).items() if name != ROW_NUMBER}
        known = {"row": row, "line": line, "reason": reason, "values": shown or None}
        text = json.dumps(
            {key: value for key, value in known.items() if value is not None}, ensure_ascii=False, default=str
        )
        self._file.write(text + "\n")

    def flush(self) -> None:
        """Before a batch is written: what it rejected is told by then."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """The end."""
        if self._file is not None:
            self._file.close()


class TableImport:
    """One import of one table. `count` is a look at it; `run` does it, from the first row that was not done yet."""

    def __init__(
        self, place: Installation, project: Project, path: Path, mapping: TableMapping | None, digest: str, kind: str
    ) -> None:
        self._place = place
        self._path = path
        self._name = f"{kind}:{digest[:32]}"
        self._digest = digest
        self._kind = kind
        text = table_format(path) == "csv"
        self._events = RowMapper(mapping, all_text=text) if mapping is not None else PlainRows(project.timezone)
        self._mapped = mapping is not None
        self._customers = CustomerRows(project.attributes, project.timezone, all_text=text)
        self.done = rows_done(place.store, self._name)

    def count(self) -> int:
        """How many events or customers the rows give that are still to be done."""
        found = 0
        for row in read_rows(self._path):
            if row[ROW_NUMBER] > self.done:
                with suppress(RowUnusable):
                    found += 1 if self._kind == "customers" else len(self._events.map(row)[1])
        return found

    def run(self, rejects: Rejects, trigger: bool, progress: Progress | None) -> Imported:
        """Every row that was not done yet, in batches."""
        total = Imported(skipped=self.done)
        for batch in self._batches(rejects, progress, total):
            rejects.flush()
            with one_transaction(self._place.store):
                done = self._write(batch, trigger)
                mark_done(self._place.store, self._name, total.rows)
            for row, reason in done.refused:
                rejects.add(row, None, reason)
            total.taken += done.taken
            total.duplicates += done.duplicates
            total.created += done.created
        total.rejected, total.first_rejects = rejects.count, rejects.first
        return total

    def _batches(self, rejects: Rejects, progress: Progress | None, total: Imported) -> Iterator[list[Row]]:
        batch: list[Row] = []

        def unreadable(rejected: RejectedRow) -> None:
            total.rows = max(total.rows, rejected.row)
            if rejected.row > self.done:
                rejects.add(rejected.row, rejected.line, rejected.reason)

        for row in read_rows(self._path, rejected=unreadable, progress=progress):
            if row[ROW_NUMBER] <= self.done:
                continue
            batch.append(row)
            if len(batch) >= BATCH:
                total.rows = row[ROW_NUMBER]
                yield self._usable(batch, rejects)
                batch = []
        if batch:
            total.rows = max(total.rows, batch[-1][ROW_NUMBER])
        if batch or total.rows > self.done:
            yield self._usable(batch, rejects)

    def _usable(self, batch: list[Row], rejects: Rejects) -> list[Any]:
        """What the rows of a batch give; those that cannot be used are told."""
        found: list[Any] = []
        for row in batch:
            try:
                found.extend(self._customer(row) if self._kind == "customers" else self._events_of(row))
            except RowUnusable as error:
                rejects.add(row[ROW_NUMBER], None, str(error), row)
        return found

    def _customer(self, row: Row) -> list[Any]:
        number: int = row[ROW_NUMBER]
        if not self._mapped:
            customer, traits = self._customers.map(row)
            return [(number, customer, traits)]
        customer, _ = self._events.map(row)
        values = self._events.profile(row)
        spec = self._events.customer_spec(customer, self._place.journey_now(), values)
        # Whoever is known already keeps the instant of creation, unless the table gives one.
        return [(number, customer, traits_of_spec(replace(spec, created_at=values[0] if values else None)))]

    def _events_of(self, row: Row) -> list[Any]:
        number: int = row[ROW_NUMBER]
        customer, events = self._events.map(row)
        if not events:
            return []
        first_at = min(event.at for event in events)
        spec = self._events.customer_spec(customer, first_at, self._events.profile(row))
        traits = traits_of_spec(spec, first_at)
        made = []
        for event in events:
            name, names, place = self._events.shapes[event.shape]
            message_id = event.id if event.id is not None else f"{self._digest[:16]}:{number}:{place}"
            properties = dict(zip(names, event.values))
            made.append((ImportedEvent(number, customer, name, event.at, properties, message_id), traits))
        return made

    def _write(self, batch: list[Any], trigger: bool) -> ImportCounts:
        store, now = self._place.store, self._place.journey_now()
        if self._kind == "customers":
            return import_customers_once(store, batch, now, trigger)
        profiles: dict[str, Any] = {}
        for event, traits in batch:
            profiles.setdefault(event.customer, traits)
        return import_events_once(store, [event for event, _ in batch], profiles, now, trigger)
