"""`orchestrator rights`: opt-outs and suppressions as a file outside of the database, and after a restore again."""

from __future__ import annotations

import argparse
import os
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.cli.arguments import one_of
from orchestrator.cli.deploying import actor
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.wiring.installation import Installation

DESCRIPTION = """Opt-outs, suppressions and erasures outlive the database: `export` prints those since an instant, or
keeps adding them to a file (--follow), within a second and flushed to the disk, until it is told to stop. Keep that
file on another machine than the database. After a backup was restored, and before anything else is started, `replay`
does everything again that the file says: nobody who opted out since the backup is written to, and whoever was erased
since is erased again. It only ever closes; to repeat it does no harm."""
EXAMPLES = """
orchestrator rights export --since 2026-03-01T00:00:00Z > rights.jsonl
orchestrator rights export --follow /mnt/elsewhere/rights.jsonl
orchestrator rights replay /mnt/elsewhere/rights.jsonl
"""
EVERY: Final = 1.0
"""Real seconds between two looks of `--follow`."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """export, replay FILE."""
    parser.add_argument("action", metavar="export|replay", type=one_of("export", "replay"), help="what to do")
    parser.add_argument("file", metavar="FILE", type=Path, nargs="?", help="the file to replay")
    parser.add_argument("--since", metavar="INSTANT", help="leave out what is older, such as 2026-03-01T10:00:00Z")
    parser.add_argument("--follow", metavar="FILE", type=Path, help="export: go on adding to this file")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Exports or replays."""
    from orchestrator.runtime.rights import instant_of
    from orchestrator.wiring.installation import installation

    since = None if args.since is None else instant_of(args.since, "--since")
    if args.action == "replay":
        if args.file is None or args.follow is not None:
            raise UsageError("`rights replay` takes the FILE to replay, and no --follow", "no_file")
    elif args.file is not None or (args.follow is not None and since is not None):
        raise UsageError("`rights export` takes --since INSTANT or --follow FILE, and no other words", "no_file")
    with installation(args.project, args.database, args.broker) as place:
        if args.file is not None:
            return _replay(place, args.file, since, terminal)
        return _export(place, since, terminal) if args.follow is None else _follow(place, args.follow, terminal)


def _export(place: Installation, since: datetime | None, terminal: Terminal) -> int:
    from orchestrator.runtime.rights import line_of, rights_since

    for right in rights_since(place.store, since):
        terminal.out.write(line_of(right) + "\n")
    return 0


def _follow(place: Installation, path: Path, terminal: Terminal) -> int:
    from threading import Event

    from orchestrator.cli.processes import log_to
    from orchestrator.runtime.rights import RightsFile
    from orchestrator.stores.protocol import StoreBusy
    from orchestrator.wiring.installation import real_clock
    from orchestrator.wiring.serving import signals_to

    log_to(terminal, place.settings, "rights")
    clock, stopping, busy = real_clock(place.store), Event(), False
    with RightsFile(path) as file, signals_to(stopping.set, lambda: os._exit(130)):
        while True:
            try:
                file.add_once(place.store, clock())
                if busy:
                    terminal.note("the database answers again")
                busy = False
            except StoreBusy as error:
                if not busy:
                    terminal.note(f"{error}; it is tried again each second")
                busy = True
            terminal.flush()
            if stopping.wait(EVERY):
                return 0


def _replay(place: Installation, path: Path, since: datetime | None, terminal: Terminal) -> int:
    from orchestrator.runtime.rights import replay_rights
    from orchestrator.wiring.installation import real_now

    place.adopt()
    with path.open(encoding="utf-8") as lines:
        done = replay_rights(place.store, lines, str(path), place.journey_now(), since, real_now(), actor())
    place.store.audit(real_now(), actor(), "rights replay", f"{path}: {done.lines} lines")
    terminal.data(done._asdict())
    terminal.say(
        f"{number_of(done.lines, 'line')}: {number_of(done.opted_out, 'opt-out')} and "
        f"{number_of(done.suppressed, 'suppression')} stand"
    )
    if done.current_at is not None:
        terminal.say(f"the file was last known to be whole at {done.current_at}")
    if done.erased:
        terminal.say(f"{number_of(done.erased, 'erasure')} stand; erased again: {number_of(done.again, 'customer')}")
    return 0
