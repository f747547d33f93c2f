"""The journal for a warehouse: files by day in a folder, each line in exactly one of them, however late it came.

A follower of the journal (see ExportStore.journal_after) is told batch by batch. The files of a batch are named by its
number; they are whole before the follower's position moves. Files of a batch that was broken off have a number that the
follower has not reached: they are removed before the batch is written again.
"""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from orchestrator.definitions.table_writers import Columns, Format, Row, encoder, write_parquet
from orchestrator.errors import UsageError
from orchestrator.stores.export_rows import line_row
from orchestrator.stores.protocol import Store
from orchestrator.stores.protocol_exports import Feed

FEED: Final = "export:"
"""Before the names of followers that write files."""
BATCH: Final = 50_000
"""Lines of a batch: they are held."""
PAGE: Final = 5_000
_is_name: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}").fullmatch


class Told(NamedTuple):
    """What one run wrote."""

    rows: int
    files: int


class Follower:
    """One incremental export into a folder. `name` None: one that is told everything once, and is not remembered.
    Raises UsageError for a name that is none."""

    def __init__(self, store: Store, name: str | None, folder: Path, format: Format, columns: Columns) -> None:
        if name is not None and not _is_name(name):
            raise UsageError(
                f"--incremental is '{name}'; a name has small letters, digits, - and _, at most 64", "bad_name"
            )
        self._store = store
        self._remembered = name is not None
        self._name = name = name or "journal"
        self._folder = folder
        self._format = format
        self._columns = columns
        self._feed = store.feed(FEED + name) if self._remembered else None
        ending = format if format == "parquet" else f"{format}.gz"
        self._mine = re.compile(rf"{re.escape(name)}-(\d{{10}})(?:\.part)?\.{re.escape(ending)}(?:\.part)?").fullmatch
        self._ending = ending

    def run(self, shape: Callable[[Row], Row | None], progress: Callable[[int], None] = lambda rows: None) -> Told:
        """Write all that can be told by now. Raises UsageError where another process tells the same."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self._remove_unfinished()
        rows = files = 0
        while True:
            position = self._feed.position if self._feed is not None else ""
            lines, upto = self._batch(position, shape)
            if upto == position:
                return Told(rows, files)
            number = (self._feed.batch if self._feed is not None else 0) + 1
            files += self._write(number, lines)
            moved = Feed(FEED + self._name, upto, number)
            if self._remembered and not self._store.keep_feed(moved, self._feed):
                raise UsageError(
                    f"another process exports '{self._name}' at this moment; it goes on there", "export_under_way"
                )
            self._feed = moved
            rows += len(lines)
            progress(rows)
            if not lines:
                return Told(rows, files)

    def _batch(self, position: str, shape: Callable[[Row], Row | None]) -> tuple[list[Row], str]:
        rows: list[Row] = []
        while len(rows) < BATCH:
            page = self._store.journal_after(position, PAGE)
            position = page.upto
            if not page.lines:
                break
            rows += [made for id, line in page.lines if (made := shape(line_row(id, line))) is not None]
        return rows, position

    def _write(self, number: int, rows: Sequence[Row]) -> int:
        days: dict[str, list[Row]] = {}
        for row in rows:
            days.setdefault(f"{row['at']:%Y-%m-%d}", []).append(row)
        for day, of_day in sorted(days.items()):
            folder = self._folder / f"day={day}"
            folder.mkdir(exist_ok=True)
            path = folder / f"{self._name}-{number:010d}.{self._ending}"
            part = path.with_name(path.name + ".part")
            if self._format == "parquet":
                write_parquet(part, of_day, self._columns)
            else:
                data = encoder(self._format, self._columns, header=True)(of_day)
                part.write_bytes(gzip.compress(data, 6, mtime=0))
            os.replace(part, path)
        return len(days)

    def _remove_unfinished(self) -> None:
        """Files of a batch that never came to its end."""
        done = self._feed.batch if self._feed is not None else 0
        for path in self._folder.glob("day=*/*"):
            found = self._mine(path.name)
            if found is not None and (int(found[1]) > done or path.name.endswith(".part")):
                path.unlink()
