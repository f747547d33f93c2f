"""`orchestrator export`: customers, events, consents, codes, messages, the journal or suppressions into a table."""

from __future__ import annotations

import argparse
import json
import sys
from contextlib import closing
from datetime import UTC, datetime, time
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from orchestrator.cli.arguments import one_of
from orchestrator.cli.deploying import actor
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.progress import progress_bar
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.core.project import Project
    from orchestrator.definitions.table_writers import Format
    from orchestrator.runtime.exports import Asked
    from orchestrator.wiring.installation import Installation

DESCRIPTION = """Write customers, events, consents, codes, messages, the journal or suppressions as CSV, JSON Lines or
Parquet, by the file's name or --format; a name that ends in .gz is gzipped. `import` reads back what this writes.
Rows are read page by page, so that nothing is held, and no transaction stays open; a file that was broken off goes on
where it was when the same is asked again. Cells that a spreadsheet would compute are made harmless. --redact leaves out
who it was. For a warehouse, `export journal --incremental NAME -o FOLDER` adds each line exactly once, in files by
day."""
EXAMPLES = """
orchestrator export customers -o customers.csv
orchestrator export events --since 2026-03-01 -o march.jsonl.gz
orchestrator export customers --columns id,email,attributes.country -o -
orchestrator export journal --incremental warehouse -o journal/
orchestrator export messages --redact -o messages.parquet
"""
KINDS = ("customers", "events", "consents", "codes", "messages", "journal", "suppressions")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What, of when, and where to."""
    parser.add_argument("kind", metavar="|".join(KINDS), type=one_of(*KINDS), help="what the rows are")
    parser.add_argument("-o", "--output", metavar="FILE", default="-", help="where to; - is stdout (default)")
    parser.add_argument("--format", metavar="F", type=one_of("csv", "jsonl", "parquet"), help="csv, jsonl or parquet")
    parser.add_argument("--since", metavar="INSTANT", help="leave out what is older: 2026-03-01, or with a time")
    parser.add_argument("--until", metavar="INSTANT", help="leave out what is as old, or younger")
    parser.add_argument(
        "--columns", metavar="A,B", help="these columns, in this order; attributes.country looks inside"
    )
    parser.add_argument("--redact", action="store_true", help="leave out who it was")
    parser.add_argument("--partition", metavar="day", type=one_of("day"), help="journal: files by day, in a folder")
    parser.add_argument("--incremental", metavar="NAME", help="journal: only what NAME was not told yet, by day")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Writes what was asked for."""
    from orchestrator.runtime.exports import Asked
    from orchestrator.wiring.installation import installation

    columns = tuple(name.strip() for name in args.columns.split(",") if name.strip()) if args.columns else ()
    asked = Asked(args.kind, columns, _at(args.since, "--since"), _at(args.until, "--until"), args.redact)
    with installation(args.project, args.database, args.broker) as place:
        project = place.live_project()
        if project is None:
            place.adopt()  # says what to do
        assert project is not None
        if args.partition is not None or args.incremental is not None:
            return _partitioned(place, project, asked, args, terminal)
        return _whole(place, project, asked, args, terminal)


def _at(text: str | None, option: str) -> datetime | None:
    from orchestrator.core.time.iso import read_date
    from orchestrator.errors import BadDate

    if text is None:
        return None
    try:
        found = read_date(text)
    except (BadDate, ValueError) as error:
        raise UsageError(f"{option}: {error}; give 2026-03-01, or 2026-03-01T10:00:00Z", "bad_instant") from None
    if not isinstance(found, datetime):
        return datetime.combine(found, time(), UTC)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _format(args: argparse.Namespace) -> Format:
    from orchestrator.definitions.table_writers import format_of

    named = format_of(args.output) if args.output != "-" else None
    found: Format = args.format or named or "csv"
    if found == "parquet" and (args.output == "-" or args.output.lower().endswith(".gz")):
        raise UsageError("Parquet is written to a file of its own, and packs itself; give -o FILE.parquet", "no_stream")
    return found


def _whole(place: Installation, project: Project, asked: Asked, args: argparse.Namespace, terminal: Terminal) -> int:
    from orchestrator.definitions.table_writers import FileSink, ParquetSink, StreamSink, encoder
    from orchestrator.runtime.exports import columns_of, pages

    columns, format = columns_of(asked), _format(args)
    same = json.dumps([*asked, format, str(place.database)], default=str)
    began, rows = perf_counter(), 0
    if args.output == "-":
        terminal.flush()
        sink: Any = StreamSink(sys.stdout.buffer, encoder(format, columns, header=True))
        begin = ""
    else:
        path = Path(args.output)
        _refuse_folder(path)
        sink = ParquetSink(path, columns, same) if format == "parquet" else FileSink(path, format, columns, same)
        begin, rows = sink.begin, sink.rows
        if begin:
            terminal.note(f"{number_of(rows, 'row')} of {path.name} were written before")
    with closing(sink), progress_bar(terminal, f"exporting {asked.kind}") as progress:
        for page, after, share in pages(place.store, project, asked, begin):
            sink.write(page, after)
            rows += len(page)
            if progress is not None:
                progress(int(share * 1000), 1000)
        sink.finish()
    if args.output != "-":
        _audit(place, f"{number_of(rows, 'row')} to {args.output}", asked)
        terminal.data({"kind": asked.kind, "rows": rows, "file": args.output, "format": format})
        terminal.say(f"{number_of(rows, 'row')} in {args.output}")
        terminal.detail(f"in {perf_counter() - began:.1f} s")
    else:
        _audit(place, f"{number_of(rows, 'row')} to stdout", asked)
    return 0


def _partitioned(
    place: Installation, project: Project, asked: Asked, args: argparse.Namespace, terminal: Terminal
) -> int:
    from orchestrator.runtime.exports import columns_of, shaper
    from orchestrator.runtime.warehouse import Follower

    if asked.kind != "journal":
        raise UsageError("only the journal is written by day, because nothing else only grows", "not_partitioned")
    if args.output == "-":
        raise UsageError("files by day go into a folder; give -o FOLDER", "no_folder")
    folder = Path(args.output)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file; give a folder", "no_folder")
    if args.incremental is None and folder.exists() and any(folder.glob("day=*")):
        raise UsageError(
            f"{folder} holds days already; give an empty folder, or --incremental NAME to add to it", "not_empty"
        )
    format: Format = args.format or "parquet"
    columns = columns_of(asked)
    if "at" not in columns:
        raise UsageError("days are told by the column `at`; add it to --columns", "no_instants")
    follower = Follower(place.store, args.incremental, folder, format, columns)
    with progress_bar(terminal, "exporting journal") as progress:
        done = follower.run(
            shaper(place.store, project, asked), (lambda rows: progress(rows, 0)) if progress else lambda rows: None
        )
    _audit(place, f"{number_of(done.rows, 'line')} to {folder}", asked)
    terminal.data({"kind": "journal", "rows": done.rows, "files": done.files, "folder": str(folder)})
    terminal.say(f"{number_of(done.rows, 'line')} in {number_of(done.files, 'file')} of {folder}")
    return 0


def _refuse_folder(path: Path) -> None:
    if path.is_dir():
        raise UsageError(f"{path} is a folder; give the name of a file", "is_folder")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"there is no folder {path.absolute().parent}", "no_folder")


def _audit(place: Installation, detail: str, asked: Asked) -> None:
    from orchestrator.wiring.installation import real_now

    how = " redacted" if asked.redact else ""
    place.store.audit(real_now(), actor(), f"export {asked.kind}{how}", detail)
