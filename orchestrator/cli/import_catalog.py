"""`orchestrator import catalog NAME FILE`: rows of a catalog that is kept as rows, out of a table of any size."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.cli.deploying import actor
from orchestrator.cli.import_rejects import Rejects
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.progress import progress_bar
from orchestrator.cli.project_loading import nearest_file
from orchestrator.cli.terminal import Terminal
from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.definitions.table_readers import ROW_NUMBER, RejectedRow, Row, read_rows
from orchestrator.errors import UsageError
from orchestrator.runtime.catalogs import RowRefused, cells_read, checked_key, checked_row
from orchestrator.runtime.imports import mark_done, rows_done
from orchestrator.stores.protocol_catalogs import MOST_EDITS, Edit
from orchestrator.wiring.databases import one_transaction

if TYPE_CHECKING:
    from orchestrator.core.catalogs import RowCatalog
    from orchestrator.stores.protocol import Store

MOST_REJECTS_SHOWN: Final = 5
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def run_catalog(args: argparse.Namespace, name: str, file: Path, terminal: Terminal) -> int:
    """Imports what was not imported yet of an import that was broken off."""
    from orchestrator.cli.import_rows import digest_of_file
    from orchestrator.wiring.installation import installation, real_now

    if not file.exists():
        raise UsageError(f"there is no file {file}{nearest_file(file)}", "file_missing")
    if args.mapping is not None or args.trigger:
        raise UsageError("a catalog takes neither --mapping nor --trigger: journeys that listen hear of each change")
    with installation(args.project, args.database, args.broker) as place:
        project = place.adopt().live.project  # type: ignore[union-attr]  # adopt raises where there is none
        rule = project.row_catalogs.get(name)
        if rule is None:
            hint = (
                did_you_mean(name, project.row_catalogs) or f"project.yaml says `catalogs: {{{name}: {{rows: true}}}}`"
            )
            raise UsageError(f"no catalog '{name}' is kept as rows; {hint}", "unknown_catalog")
        digest = digest_of_file(file, name.encode(), b"replace" if args.replace else b"")
        table = CatalogImport(place.store, rule, file, f"catalog:{digest[:32]}", place.journey_now)
        if table.done:
            terminal.note(f"the first {number_of(table.done, 'row')} of {file.name} were imported before")
        rejects = Rejects(file.with_name(file.name + ".rejects.jsonl"), done=table.done, most_shown=MOST_REJECTS_SHOWN)
        try:
            with progress_bar(terminal, f"importing {file.name}") as progress:
                told = table.run(rejects, args.replace, progress)
        finally:
            rejects.close()
        how = "replaced" if args.replace else "changed"
        place.store.audit(real_now(), actor(), "import catalog", f"{name} {how} by {file.name}")
    told["rejected"] = rejects.shown.count
    terminal.data({"kind": "catalog", "catalog": name, **told})
    terminal.say(
        f"{number_of(told['added'], 'row')} added, {told['changed']:,} changed, {told['removed']:,} removed, "
        f"{told['same']:,} as they were"
    )
    if args.replace and (table.unreadable or not table.rows):
        why = f"{number_of(table.unreadable, 'row')} could not be read" if table.unreadable else "the table has no rows"
        terminal.note(f"nothing was deleted, because {why}: mend the table, and import it again with --replace")
    if rejects.shown.count:
        terminal.note(f"{number_of(rejects.shown.count, 'row')} could not be used; see {rejects.path}")
        for line in rejects.shown.first:
            terminal.note(f"  {line}")
    return 0


class CatalogImport:
    """One import into one catalog, batch by batch, each in one transaction with the place that it reached."""

    def __init__(self, store: Store, rule: RowCatalog, path: Path, name: str, now: Callable[[], datetime]) -> None:
        self._store = store
        self._rule = rule
        self._path = path
        self._name = name
        self._now = now
        self.done = rows_done(store, name)
        self.unreadable = 0
        """Rows of which not even the key can be read."""
        self.rows = self.done

    def run(self, rejects: Rejects, replace: bool, progress: Any = None) -> dict[str, int]:
        """Every row that was not done yet; with `replace`, whatever the table does not name is deleted at the end."""
        told = dict.fromkeys(("rows", "added", "changed", "removed", "same"), 0)
        began = self._began()
        batch: list[Edit] = []
        last = self.done

        def unreadable(rejected: RejectedRow) -> None:
            self.unreadable += 1
            if rejected.row > self.done:
                rejects.add(rejected.row, rejected.line, rejected.reason)

        for row in read_rows(self._path, rejected=unreadable, progress=progress):
            if row[ROW_NUMBER] <= self.done:
                self.unreadable += replace and not self._as_it_is(row)
                continue
            last = row[ROW_NUMBER]
            told["rows"] += 1
            try:
                batch.append(self._edit(row))
            except RowRefused as error:
                rejects.add(last, None, str(error), row)
                kept = self._as_it_is(row)
                self.unreadable += not kept
                batch += kept
            if len(batch) >= MOST_EDITS:
                self._write(batch, last, rejects, told)
        self._write(batch, last, rejects, told)
        self.rows = last
        while replace and last and not self.unreadable:  # else nobody knows what the table leaves out
            gone = self._store.finish_catalog(self._rule.name, began, self._now(), MOST_EDITS)
            told["removed"] += gone
            if not gone:
                break
        mark_done(self._store, self._name, 0)  # the same table may be imported again, when rows have changed since
        return told

    def _began(self) -> int:
        """The version that the catalog had before the import's first row, whenever that was."""
        mark = f"import:{self._name}:began"
        known = self._store.mark(mark) if self.done else None
        if known is not None:
            return (known - _EPOCH) // timedelta(microseconds=1)
        version = self._store.catalog_version(self._rule.name) or 0
        self._store.mark(mark, _EPOCH + timedelta(microseconds=version))
        return version

    def _edit(self, row: Row) -> Edit:
        cells = {name: value for name, value in row.items() if name != ROW_NUMBER}
        key = checked_key(cells.get(self._rule.key))
        return Edit(key, checked_row(self._rule, key, {**cells_read(self._rule, cells), self._rule.key: key}))

    def _as_it_is(self, row: Row) -> list[Edit]:
        """Of a row that cannot be kept: what there is stays, also in a replacement."""
        try:
            return [Edit(checked_key(row.get(self._rule.key)), {}, merge=True)]
        except RowRefused:
            return []

    def _write(self, batch: list[Edit], last: int, rejects: Rejects, told: dict[str, int]) -> None:
        rejects.flush()
        with one_transaction(self._store):
            if batch:
                made = self._store.change_catalog(self._rule.name, batch, self._now())
                for name in ("added", "changed", "same"):
                    told[name] += getattr(made, name)
            mark_done(self._store, self._name, last)
        batch.clear()
