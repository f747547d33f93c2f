"""`orchestrator import`: customers, events of the past, consents, coupon codes or suppressions out of a table."""

from __future__ import annotations

import argparse
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from orchestrator.cli.arguments import one_of
from orchestrator.cli.confirming import confirmed
from orchestrator.cli.deploying import actor
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.progress import progress_bar
from orchestrator.cli.project_loading import nearest_file, raise_errors, read_bytes, read_document
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.cli.import_rejects import FirstFew, Rejects
    from orchestrator.cli.import_rows import Imported

DESCRIPTION = """Bring in customers, events of the past, consents (columns customer, topic, channel, state, at),
coupon codes (columns offer, code), suppressions (columns email or phone, maybe a reason) or rows of a catalog (its own
columns) from CSV, JSON Lines (gzipped or not) or Parquet; or all that Klaviyo, Braze or Mailchimp exported,
suppressions first. Events join the history, and nothing triggers anything unless --trigger says so. Rows that cannot
be used go to FILE.rejects.jsonl; values that can be kept but not used are warned of. An import that was broken off goes
on where it was, and one that is over takes nothing twice. A known opt-out outlasts any consent in the table."""
EXAMPLES = """
orchestrator import customers customers.csv
orchestrator import events orders.parquet --mapping orders.mapping.yaml
orchestrator import consents newsletter.csv
orchestrator import codes vouchers.csv
orchestrator import suppressions sendgrid-bounces.csv
orchestrator import events signups.jsonl --trigger
orchestrator import catalog products feed.csv --replace
orchestrator import list vip_list vips.csv
orchestrator import upload fair_leads leads.csv
orchestrator import mailchimp audience_export.zip --topic newsletter
"""
MOST_REJECTS_SHOWN = 5
MOST_WARNINGS_SHOWN = 20
NOUNS = {
    "customers": "customer",
    "events": "event",
    "consents": "consent",
    "codes": "code",
    "suppressions": "suppression",
}
MAPPED = ("customers", "events")
LISTED = ("list", "upload")
VENDORS = ("klaviyo", "braze", "mailchimp")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What, from where, and how."""
    parser.add_argument(
        "kind",
        metavar="customers|events|consents|codes|suppressions|catalog|list|upload|klaviyo|braze|mailchimp",
        type=one_of(*NOUNS, "catalog", *LISTED, *VENDORS),
        help="what the rows are, or whose export it is",
    )
    parser.add_argument(
        "file",
        metavar="FILE",
        nargs="+",
        type=Path,
        help="the table (- reads stdin); for a catalog NAME FILE; of others' exports any files, folders and archives",
    )
    parser.add_argument("--topic", metavar="T", help="exports of others: the topic that their subscriptions are to")
    parser.add_argument("--dry-run", action="store_true", help="exports of others: count, and change nothing")
    parser.add_argument("--replace", action="store_true", help="catalog, list: what the table does not name goes")
    parser.add_argument("--remove", action="store_true", help="list: take those off whom the table names")
    parser.add_argument("--mapping", metavar="M", type=Path, help="how rows become events, or customers (its profile)")
    parser.add_argument("--trigger", action="store_true", help="let journeys hear of it; asks, with the number")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Imports what was not imported yet."""
    if args.kind == "catalog":
        from orchestrator.cli.import_catalog import run_catalog

        if len(args.file) != 2:
            raise UsageError("`import catalog` takes the catalog's name and a table: import catalog products new.csv")
        return run_catalog(args, str(args.file[0]), args.file[1], terminal)
    if args.kind in LISTED:
        from orchestrator.cli.import_list import run_list

        if len(args.file) != 2:
            raise UsageError(f"`import {args.kind}` takes a name and a table: import {args.kind} vips vips.csv")
        return run_list(args, str(args.file[0]), args.file[1], terminal)
    if args.remove:
        raise UsageError("--remove is for lists")
    if args.kind in VENDORS:
        from orchestrator.cli.import_vendors import run_vendor

        if args.mapping is not None or args.trigger or args.replace:
            raise UsageError("exports of others have columns that are known; leave --mapping, --trigger and --replace")
        return run_vendor(args, terminal)
    if len(args.file) != 1 or args.replace:
        raise UsageError("--replace is for catalogs" if args.replace else "`import` takes one table at a time")
    if args.dry_run or args.topic is not None:
        raise UsageError("--dry-run and --topic are for exports of others: klaviyo, braze, mailchimp")
    return import_table(argparse.Namespace(**{**vars(args), "file": args.file[0]}), terminal)


def import_table(args: argparse.Namespace, terminal: Terminal) -> int:
    """Imports one table: `kind`, `file`, `mapping`, `trigger`."""
    from orchestrator.cli.import_rejects import FirstFew, Rejects
    from orchestrator.cli.import_rows import TableImport, digest_of_file
    from orchestrator.wiring.installation import installation, real_now

    _refuse_options(args)
    if str(args.file) == "-":
        return _from_pipe(args, terminal)
    if not args.file.exists():
        raise UsageError(f"there is no file {args.file}{nearest_file(args.file)}", "file_missing")
    with installation(args.project, args.database, args.broker) as place:
        project = place.adopt().live.project  # type: ignore[union-attr]  # adopt raises where there is none
        mapping, source = None, b""
        if args.mapping is not None:
            from orchestrator.definitions.mapping import load_mapping

            mapping, problems = load_mapping(
                read_document(args.mapping), project.timezone, needs_events=args.kind == "events"
            )
            raise_errors(problems, terminal)
            source = read_bytes(args.mapping)
        digest = digest_of_file(args.file, source, b"trigger" if args.trigger else b"")
        warnings = FirstFew(MOST_WARNINGS_SHOWN)
        table = TableImport(place, project, args.file, mapping, digest, args.kind, warnings)
        if table.done:
            terminal.note(f"the first {number_of(table.done, 'row')} of {args.file.name} were imported before")
        if args.trigger and not _agreed(table.count(), args, terminal):
            terminal.note("nothing was imported")
            return 0
        warnings.clear()  # those of the look before
        began = perf_counter()
        rejects = Rejects(
            getattr(args, "beside", args.file.with_name(args.file.name + ".rejects.jsonl")),
            done=table.done,
            most_shown=MOST_REJECTS_SHOWN,
        )
        try:
            with progress_bar(terminal, f"importing {args.file.name}") as progress:
                done = table.run(rejects, args.trigger, progress)
        finally:
            rejects.close()
        how = " with --trigger" if args.trigger else ""
        detail = f"{number_of(done.taken, NOUNS[args.kind])} of {args.file.name}{how}"
        place.store.audit(real_now(), actor(), f"import {args.kind}", detail)
    _tell(done, rejects, warnings, args, perf_counter() - began, terminal)
    return 0


def _from_pipe(args: argparse.Namespace, terminal: Terminal) -> int:
    """What comes in by stdin is kept until it was imported: rows are looked at twice, and an import that was broken off
    is known again by the whole of them. Rejects are written where the person is who asked."""
    import shutil
    import sys
    import tempfile

    with tempfile.TemporaryDirectory(prefix="orchestrator-import-") as folder:
        path = Path(folder) / "stdin"
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
        given = {**vars(args), "file": path, "beside": Path("stdin.rejects.jsonl")}
        return import_table(argparse.Namespace(**given), terminal)


def _refuse_options(args: argparse.Namespace) -> None:
    """Options that mean nothing for this kind of table."""
    if args.mapping is not None and args.kind not in MAPPED:
        columns = _COLUMNS[args.kind]
        raise UsageError(f"--mapping makes customers and events; {args.kind} need the columns {columns}", "no_mapping")
    if args.trigger and args.kind in ("codes", "suppressions"):
        raise UsageError(f"--trigger means nothing for {args.kind}: no journey hears of them", "nothing_to_trigger")


def _agreed(count: int, args: argparse.Namespace, terminal: Terminal) -> bool:
    what = number_of(count, NOUNS[args.kind])
    return confirmed(f"Let journeys hear of {what} from {args.file.name}? Messages may go out.", args.yes, terminal)


def _tell(
    done: Imported, rejects: Rejects, warnings: FirstFew, args: argparse.Namespace, seconds: float, terminal: Terminal
) -> None:
    rejected = rejects.shown
    told: dict[str, Any] = {
        "kind": args.kind,
        "rows": max(0, done.rows - done.skipped),
        "skipped": done.skipped,
        "taken": done.taken,
        "duplicates": done.duplicates,
        "created": done.created,
        "rejected": rejected.count,
        "warnings": warnings.count,
        "rejects": str(rejects.path) if rejected.count else None,
    }
    terminal.data(told)
    new = f", {number_of(done.created, 'new customer')}" if done.created else ""
    terminal.say(f"{number_of(done.taken, NOUNS[args.kind])} imported{new}")
    if done.duplicates:
        terminal.say(f"{number_of(done.duplicates, 'row')} {_KNOWN[args.kind]}")
    if rejected.count:
        where = "it is" if rejected.count == 1 else "they are"
        terminal.note(f"{number_of(rejected.count, 'row')} could not be used; {where} in {rejects.path}:")
        _list(rejected, terminal)
    if warnings.count:
        terminal.note(f"{number_of(warnings.count, 'value')} can be kept but not used as given:")
        _list(warnings, terminal)
    if done.taken:
        terminal.detail(f"in {seconds:.1f} s; the engine takes them up when it runs")


def _list(found: FirstFew, terminal: Terminal) -> None:
    for line in found.first:
        terminal.note(f"  {line}")
    if found.count > len(found.first):
        terminal.note(f"  and {found.count - len(found.first):,} more")


_COLUMNS = {
    "consents": "customer, topic, channel, state, at, source, wording, proof, expires_at",
    "codes": "offer, code",
    "suppressions": "email or phone, or channel and address",
}
_KNOWN = {
    "customers": "had an id that was known already",
    "events": "had an id that was known already",
    "consents": "told of a choice that a later row of the table decides",
    "codes": "had a code that the offer has already",
    "suppressions": "had an address that is on the list already",
}
