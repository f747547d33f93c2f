"""Streams a table into an installation, batch by batch: what `import` does with every row."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from orchestrator.cli.import_kinds import Codes, Consents, Customers, Events, Kind
from orchestrator.cli.import_rejects import FirstFew, Rejects, numbered_rows, reads_text
from orchestrator.cli.import_suppressions import Suppressions
from orchestrator.definitions.mapping_rows import RowUnusable
from orchestrator.definitions.table_readers import ROW_NUMBER, RejectedRow, Row
from orchestrator.runtime.imports import BATCH, mark_done, rows_done
from orchestrator.runtime.plus_addresses import kept_apart
from orchestrator.wiring.databases import one_transaction

if TYPE_CHECKING:
    from orchestrator.core.project import Project
    from orchestrator.definitions.mapping import TableMapping
    from orchestrator.wiring.installation import Installation

Progress = Callable[[int, int], None]
LARGEST_BATCH: Final = 16 << 20
"""Characters of text in the rows of a batch: whatever a row holds, a batch stays small."""


class _Batch(NamedTuple):
    """Rows that are written together, with what they give. `rows`: (place, row) by number, to tell of the refused."""

    made: list[Any]
    rows: dict[int, tuple[int, Row]]


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
        made_by: Kind | None = None,
    ) -> None:
        """`made_by`: what is done with a row, where `kind` only names it."""
        self._place = place
        self._path = path
        self._name = f"{kind}:{digest[:32]}"
        self.text = text = reads_text(path)
        now = place.journey_now()
        made: dict[str, Callable[[], Kind]] = {
            "customers": lambda: Customers(project, mapping, text, now, warnings.add),
            "events": lambda: Events(project, mapping, text, digest),
            "consents": lambda: Consents(project, now),
            "codes": lambda: Codes(project),
            "suppressions": lambda: Suppressions(kept_apart(place.store), place.store.salt),
        }
        self._kind = made_by if made_by is not None else made[kind]()
        self.done = rows_done(place.store, self._name)

    def count(self) -> int:
        """How much the rows give that are still to be done."""
        found = 0
        for place, row in numbered_rows(self._path):
            if place > self.done:
                with suppress(RowUnusable):
                    found += len(self._kind.made_of(row))
        return found

    def run(self, rejects: Rejects, trigger: bool, progress: Progress | None) -> Imported:
        """Every row that was not done yet, in batches."""
        total = Imported(skipped=self.done)
        rejects.text = self.text
        self._kind.prepare(self._path)
        for batch in self._batches(rejects, progress, total):
            with one_transaction(self._place.store):
                done = self._kind.write(self._place.store, batch.made, self._place.journey_now(), trigger)
                for number, reason in (*done.refused, *done.kept_out):
                    place, row = batch.rows.get(number, (number, {}))
                    rejects.add(number, None, reason, row, place)
                rejects.flush()  # whoever goes on behind the mark finds them told
                mark_done(self._place.store, self._name, total.rows)
            total.taken += done.taken
            total.duplicates += done.duplicates
            total.created += done.created
        return total

    def _batches(self, rejects: Rejects, progress: Progress | None, total: Imported) -> Iterator[_Batch]:
        batch: list[tuple[int, Row]] = []
        size = 0

        def unreadable(rejected: RejectedRow) -> None:
            total.rows = max(total.rows, rejected.row)
            if rejected.row > self.done:
                rejects.add(rejected.row, rejected.line, rejected.reason)

        for place, row in numbered_rows(self._path, rejected=unreadable, progress=progress):
            if place <= self.done:
                continue
            batch.append((place, row))
            size += sum([len(value) for value in row.values() if type(value) is str])
            if len(batch) >= BATCH or size >= LARGEST_BATCH:
                total.rows = place
                yield self._usable(batch, rejects)
                batch, size = [], 0
        if batch:
            total.rows = max(total.rows, batch[-1][0])
        if batch or total.rows > self.done:
            yield self._usable(batch, rejects)

    def _usable(self, batch: list[tuple[int, Row]], rejects: Rejects) -> _Batch:
        """What the rows of a batch give; those that cannot be used are told."""
        found: list[Any] = []
        for place, row in batch:
            try:
                found.extend(self._kind.made_of(row))
            except RowUnusable as error:
                rejects.add(row[ROW_NUMBER], None, str(error), row, place)
        return _Batch(found, {row[ROW_NUMBER]: (place, row) for place, row in batch})
