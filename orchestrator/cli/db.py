"""`orchestrator db`: the tables of the database."""

from __future__ import annotations

import argparse

from orchestrator.cli.arguments import one_of
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

DESCRIPTION = """The tables of the database: `upgrade` brings them to this version (making the database where there is
none), `check` says whether they are there already, and exits 1 where they are not. Before an upgrade make a copy."""
EXAMPLES = """
orchestrator db check
orchestrator db upgrade
orchestrator db upgrade --phase before
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do."""
    parser.add_argument("action", metavar="upgrade|check", type=one_of("upgrade", "check"), help="what to do")
    parser.add_argument(
        "--phase",
        metavar="before|after",
        type=one_of("before", "after"),
        default=None,
        help="upgrade: only what has to be there before new processes start, or all (default)",
    )


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Upgrades, or looks."""
    from orchestrator.wiring.databases import database_of, pending_of, upgrade_database
    from orchestrator.wiring.installation import settings_of

    database = database_of(settings_of(args.database, args.broker), args.project)
    database.refuse_memory()
    if args.phase is not None and args.action != "upgrade":
        raise UsageError("--phase belongs to `db upgrade`", "no_phase")
    if args.action == "upgrade":
        done = upgrade_database(database, args.phase or "after")
        terminal.data({"database": str(database), "migrations": done})
        terminal.say(f"{database}: {number_of(len(done), 'migration')} ran" if done else f"{database} is up to date")
        return 0
    if not database.exists:
        terminal.data({"database": str(database), "exists": False, "pending": pending_of(database)})
        terminal.say(f"there is no database {database} yet; `orchestrator db upgrade` makes it")
        return 1
    waiting = pending_of(database)
    terminal.data({"database": str(database), "exists": True, "pending": waiting})
    if waiting:
        terminal.say(f"{database} lacks {number_of(len(waiting), 'migration')}: {', '.join(waiting)}")
        terminal.say("stop what uses it, make a copy, and run `orchestrator db upgrade`")
        return 1
    terminal.say(f"{database} is up to date")
    return 0
