"""Streams a table into an installation, batch by batch: what `import` does with every row."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from orchestrator.cli.import_kinds import Codes, Consents, Customers, Events, Kind
from orchestrator.cli.import_suppressions import Suppressions
from orchestrator.definitions.mapping_rows import RowUnusable
from orchestrator.definitions.table_readers import ROW_NUMBER, RejectedRow, Row, read_rows, table_format
from orchestrator.runtime.imports import BATCH, mark_done, rows_done
from orchestrator.runtime.plus_addresses import kept_apart
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


class FirstFew:
    """What is wrong with rows: counted, and the first ones kept in words."""

    def __init__(self, most_shown: int) -> None:
        self._most = most_shown
        self.count = 0
        self.first: list[str] = []

    def add(self, row: int, why: str) -> None:
        """One more."""
        self.count += 1
        if len(self.first) < self._most:
            self.first.append(f"row {row}: {why}")

    def clear(self) -> None:
        """Forget those of a first look."""
        self.count, self.first = 0, []


class Rejects:
    """Writes rows that could not be used to a file beside the table: one JSON object a line. Made when needed."""

    def __init__(self, path: Path, resumed: bool, most_shown: int) -> None:
        self.path = path
        self.shown = FirstFew(most_shown)
        self._mode: Literal["a", "w"] = "a" if resumed else "w"
        self._file: IO[str] | None = None

    def add(self, row: int, line: int | None, reason: str, values: Row | None = None) -> None:
        """One row."""
        self.shown.add(row, reason)
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
        self,
        place: Installation,
        project: Project,
        path: Path,
        mapping: TableMapping | None,
        digest: str,
        kind: str,
        warnings: FirstFew,
    ) -> None:
        self._place = place
        self._path = path
        self._name = f"{kind}:{digest[:32]}"
        text = table_format(path) == "csv"
        now = place.journey_now()
        made: dict[str, Callable[[], Kind]] = {
            "customers": lambda: Customers(project, mapping, text, now, warnings.add),
            "events": lambda: Events(project, mapping, text, digest),
            "consents": lambda: Consents(project, now),
            "codes": lambda: Codes(project),
            "suppressions": lambda: Suppressions(kept_apart(place.store), place.store.salt),
        }
        self._kind = made[kind]()
        self.done = rows_done(place.store, self._name)

    def count(self) -> int:
        """How much the rows give that are still to be done."""
        found = 0
        for row in read_rows(self._path):
            if row[ROW_NUMBER] > self.done:
                with suppress(RowUnusable):
                    found += len(self._kind.made_of(row))
        return found

    def run(self, rejects: Rejects, trigger: bool, progress: Progress | None) -> Imported:
        """Every row that was not done yet, in batches."""
        total = Imported(skipped=self.done)
        self._kind.prepare(self._path)
        for batch in self._batches(rejects, progress, total):
            rejects.flush()
            with one_transaction(self._place.store):
                done = self._kind.write(self._place.store, batch, self._place.journey_now(), trigger)
                mark_done(self._place.store, self._name, total.rows)
            for row, reason in (*done.refused, *done.kept_out):
                rejects.add(row, None, reason)
            total.taken += done.taken
            total.duplicates += done.duplicates
            total.created += done.created
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
                found.extend(self._kind.made_of(row))
            except RowUnusable as error:
                rejects.add(row[ROW_NUMBER], None, str(error), row)
        return found
