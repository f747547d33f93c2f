"""`orchestrator db`: the tables of the database."""

from __future__ import annotations

import argparse

from orchestrator.cli.arguments import one_of
from orchestrator.cli.deploying import actor
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

DESCRIPTION = """The tables of the database: `upgrade` brings them to this version (making the database where there is
none), `check` says whether they are there already, and exits 1 where they are not. Before an upgrade make a copy.

`rotate` seals personal data with the first of ORCHESTRATOR_DATA_KEYS, whatever it was sealed with before, while
everything runs; it may be stopped and begun again. It says which keys may be removed, and exits 1 where rows are left:
because a key is missing (how many, of which table), or because somebody held them."""
EXAMPLES = """
orchestrator db check
orchestrator db upgrade
orchestrator db upgrade --phase before
orchestrator db rotate
"""
_TELLS_FROM = 10_000
"""Rows of a table from which on it is worth saying how far it is."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do."""
    parser.add_argument(
        "action", metavar="upgrade|check|rotate", type=one_of("upgrade", "check", "rotate"), help="what to do"
    )
    parser.add_argument(
        "--phase",
        metavar="before|after",
        type=one_of("before", "after"),
        default=None,
        help="upgrade: only what has to be there before new processes start, or all (default)",
    )

    parser.add_argument(
        "--plain", action="store_true", help="rotate: yes, write everything unsealed, as `plain` in the keys says"
    )


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Upgrades, looks, or seals anew."""
    if args.plain and args.action != "rotate":
        raise UsageError("--plain belongs to `db rotate`", "no_plain")
    if args.action == "rotate":
        if args.phase is not None:
            raise UsageError("--phase belongs to `db upgrade`", "no_phase")
        return _rotate(args, terminal)
    return _tables(args, terminal)


def _tables(args: argparse.Namespace, terminal: Terminal) -> int:
    from orchestrator.wiring.databases import database_of, open_database, pending_of, upgrade_database
    from orchestrator.wiring.installation import real_now, settings_of

    database = database_of(settings_of(args.database, args.broker), args.project)
    database.refuse_memory()
    if args.phase is not None and args.action != "upgrade":
        raise UsageError("--phase belongs to `db upgrade`", "no_phase")
    if args.action == "upgrade":
        done = upgrade_database(database, args.phase or "after")
        if done and not pending_of(database):
            store = open_database(database)
            try:
                store.audit(real_now(), actor(), "db upgrade", f"{done[0]} to {done[-1]}")
            finally:
                store.close()
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


def _rotate(args: argparse.Namespace, terminal: Terminal) -> int:
    from orchestrator.stores.rotating import UNREADABLE, Progress
    from orchestrator.wiring.installation import installation, real_now
    from orchestrator.wiring.rotating import rotate, sealer_of_store

    def tell(progress: Progress) -> None:
        if progress.looked_at >= _TELLS_FROM:
            terminal.say(f"{progress.table}: looked at {progress.looked_at:,}, wrote {progress.renewed:,}")

    with installation(args.project, args.database, args.broker) as place:
        done = rotate(place, args.plain, tell)
        place.store.audit(real_now(), actor(), "db rotate", f"{sum(done.renewed.values())} rows")
        known = sorted(sealer_of_store(place.store).ids)
    gone = [id for id in known if id not in done.needed]
    closed = {f"{id or 'unreadable'}:{table}": rows for (id, table), rows in sorted(done.closed.items())}
    terminal.data(
        {
            "renewed": dict(done.renewed),
            "closed": closed,
            "held": done.held,
            "needed": sorted(done.needed),
            "removable": gone,
        }
    )
    rows = sum(done.renewed.values())
    terminal.say(f"{number_of(rows, 'row')} written anew" if rows else "every row is as it should be")
    for (id, table), count in sorted(done.closed.items()):
        what = f"{number_of(count, 'row')} of {table}"
        if id == UNREADABLE:
            terminal.say(f"{what} were changed by somebody, and no key opens them; restore or erase them")
        else:
            terminal.say(
                f"{what} need the key '{id}', which ORCHESTRATOR_DATA_KEYS does not name; add it and run again"
            )
    if done.held:
        terminal.say(f"{number_of(done.held, 'row')} were in use all the time; run this again")
    if gone and not done.held:
        terminal.say(f"no row needs {', '.join(gone)}: may be removed from ORCHESTRATOR_DATA_KEYS")
    return 1 if done.closed or done.held else 0
