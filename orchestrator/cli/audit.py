"""`orchestrator audit`: what operators did, and whether the log still is what was written."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli.arguments import one_of
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.stores.protocol import Store
    from orchestrator.stores.protocol_audit import AuditRow
    from orchestrator.wiring.installation import Installation

DESCRIPTION = """What operators and API keys did: each row has a hash over itself and the hash of the row before, and
the database refuses to change or delete any. `verify` looks at all of them and names the first that does not fit; it
exits 1 then. It says the last hash, the head: kept in another place (a ticket, a printout) and given back with --head,
it shows, too, that no rows are missing at the end. Names of people who were erased are replaced by hashes, and the
chain holds."""
EXAMPLES = """
orchestrator audit list
orchestrator audit list --limit 500 --json
orchestrator audit verify
orchestrator audit verify --head 5d41402abc4b2a76b9719d911017c592aa37b0c4a9c1a1e9dd7b0e8f0c1b2a3d
orchestrator audit export audit.jsonl
"""
ACTIONS = ("list", "verify", "export")
MOST = 50
PAGE = 1_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """list, verify, export [FILE]."""
    parser.add_argument("action", metavar="|".join(ACTIONS), type=one_of(*ACTIONS), help="what to do")
    parser.add_argument("file", metavar="FILE", nargs="?", type=Path, help="export: JSON Lines; default: stdout")
    parser.add_argument("--limit", metavar="N", type=int, default=MOST, help=f"list: the last N (default: {MOST})")
    parser.add_argument("--head", metavar="HASH", help="verify: a head that was noted earlier")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Does it."""
    from orchestrator.wiring.installation import installation

    if args.file is not None and args.action != "export":
        raise UsageError(f"`audit {args.action}` takes no FILE", "no_file")
    if args.limit < 1:
        raise UsageError("--limit takes a number from 1", "bad_limit")
    with installation(args.project, args.database, args.broker) as place:
        return {"list": _list, "verify": _verify, "export": _export}[args.action](place, args, terminal)


def _list(place: Installation, args: argparse.Namespace, terminal: Terminal) -> int:
    rows = place.store.audit_tail(args.limit)
    terminal.data({"rows": [_plain(row) for row in rows]})
    for row in rows:
        terminal.say(f"{row.id:>6} {row.at:%Y-%m-%d %H:%M:%S}  {row.actor:<16} {row.action:<18} {row.detail}")
    if not rows:
        terminal.say("nothing was done yet")
    return 0


def _verify(place: Installation, args: argparse.Namespace, terminal: Terminal) -> int:
    found = place.store.verify_audit(args.head)
    fault = found.fault
    told: dict[str, Any] = {"ok": fault is None, "rows": found.rows, "erased": found.erased, "head": found.head}
    if fault is not None:
        told["fault"] = {"id": fault.id, "at": fault.at and fault.at.isoformat(), "why": fault.why}
    terminal.data(told)
    if fault is None:
        erased = f", {found.erased:,} of them without the names of people who were erased" if found.erased else ""
        terminal.say(f"{number_of(found.rows, 'row')}{erased}: every one fits")
        terminal.say(f"head: {found.head or 'none yet'}")
        return 0
    where = f"row {fault.id} ({fault.action}, {fault.at:%Y-%m-%d %H:%M:%S}): " if fault.id is not None else ""
    terminal.say(f"{where}{fault.why}")
    terminal.say(f"everything before it fits, up to {found.head or 'the beginning'}; compare with a backup")
    return 1


def _export(place: Installation, args: argparse.Namespace, terminal: Terminal) -> int:
    if args.file is None:
        for row in _all(place.store):
            terminal.out.write(json.dumps(_plain(row), ensure_ascii=False) + "\n")
        return 0
    count = 0
    with args.file.open("w", encoding="utf-8") as file:
        for row in _all(place.store):
            file.write(json.dumps(_plain(row), ensure_ascii=False) + "\n")
            count += 1
    terminal.data({"file": str(args.file), "rows": count})
    terminal.say(f"{number_of(count, 'row')} in {args.file}")
    return 0


def _all(store: Store) -> Iterator[AuditRow]:
    after = 0
    while page := store.audit_rows(after, PAGE):
        yield from page
        after = page[-1].id


def _plain(row: AuditRow) -> dict[str, Any]:
    from orchestrator.core.time.iso import format_instant

    return {**row._asdict(), "at": format_instant(row.at)}
