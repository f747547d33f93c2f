"""`orchestrator up`: the whole installation in one process: API, status page, decisions, deliveries, housekeeping."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.cli.arguments import at_least
from orchestrator.cli.deploying import actor
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.processes import log_to
from orchestrator.cli.project_loading import load_valid
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.definitions.load import LoadedProject
    from orchestrator.wiring.databases import Database
    from orchestrator.wiring.engine import Running

DESCRIPTION = """Run the journeys of a project for good, in one process: events come in over HTTP, waits last months,
messages leave. Migrates the database and deploys the project at the start. Until ORCHESTRATOR_SMTP_URL and
ORCHESTRATOR_SMS_URL are set, messages are written to files below .orchestrator/outbox. Ctrl-C ends it at any time, and
so does everything else: what was begun goes on at the next start. With --replay a table of past events arrives on the
journeys' own clock first, as fast as the engine goes, and its messages never leave this machine."""
EXAMPLES = """
orchestrator up
orchestrator up --port 9000 --speed 3600
orchestrator up --database sqlite:///replay.db --replay bookings.csv.gz --mapping bookings.mapping.yaml
"""
DEFAULT_PORT = 8000
LOOPBACK = "127.0.0.1"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where it answers, how fast time runs, and what is replayed."""
    parser.add_argument(
        "--port", metavar="N", type=port_number, default=DEFAULT_PORT, help=f"where it answers (default {DEFAULT_PORT})"
    )
    parser.add_argument(
        "--host",
        metavar="HOST",
        default=LOOPBACK,
        help=f"the address it answers on (default {LOOPBACK}: only this machine)",
    )
    parser.add_argument(
        "--speed", metavar="N", type=speed_number, help="let journeys' time run at most N times real time (default 1)"
    )
    parser.add_argument("--replay", metavar="FILE", type=Path, help="first let the events of a table arrive")
    parser.add_argument("--mapping", metavar="FILE", type=Path, help="how the table's rows become events")
    parser.add_argument("--exit-when-done", action="store_true", help="end when the replay is over")


def port_number(word: str) -> int:
    """An argument's type: a port; 0 takes a free one."""
    number = at_least(0)(word)
    if number > 65_535:
        raise argparse.ArgumentTypeError(f"'{word}' is no port; they go up to 65535")
    return number


def speed_number(word: str) -> float:
    """An argument's type: a number above 0."""
    try:
        number = float(word)
    except ValueError:
        number = 0.0
    if not 0 < number <= 1e9:
        raise argparse.ArgumentTypeError(f"'{word}' is no speed; give a number above 0, such as 3600")
    return number


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Runs until it is told to stop."""
    from orchestrator.wiring.databases import database_of
    from orchestrator.wiring.door import has_write_keys
    from orchestrator.wiring.installation import settings_of
    from orchestrator.wiring.serving import bound_socket, refuse_open_door

    if args.mapping is not None and args.replay is None:
        raise UsageError("--mapping belongs to --replay", "mapping_without_events")
    if args.exit_when_done and args.replay is None:
        raise UsageError("--exit-when-done belongs to --replay", "nothing_to_run")
    settings = settings_of(args.database, args.broker)
    refuse_open_door(args.host, settings.keys, has_write_keys(settings, args.project))
    loaded = load_valid(args.project, terminal)
    table = _table(args, loaded, terminal)
    database = database_of(settings, args.project)
    database.refuse_memory()
    log_to(terminal, settings, "up")
    with ExitStack() as stack:
        listening = stack.enter_context(bound_socket(args.host, args.port))
        port = listening.getsockname()[1]
        base_url = settings.base_url if "base_url" in settings.model_fields_set else f"http://localhost:{port}"
        stack.enter_context(_engine_lock(database, base_url))
        running = _opened(args, settings, loaded, database, base_url, table, stack)
        _greet(args, terminal, loaded, database, running, f"http://{_shown_host(args.host)}:{port}/")
        return _serve(args, terminal, loaded, running, listening, table)


def _table(args: argparse.Namespace, loaded: LoadedProject, terminal: Terminal) -> Any:
    if args.replay is None:
        return None
    from orchestrator.cli.runs import read_table

    table = read_table(args.replay, args.mapping, loaded, terminal)
    if not len(table):
        raise UsageError(f"{args.replay} holds no event; is the mapping the right one?", "no_events")
    return table


@contextmanager
def _engine_lock(database: Database, base_url: str) -> Iterator[None]:
    from orchestrator.runtime.engine_lock import EngineLock
    from orchestrator.wiring.databases import make_folder
    from orchestrator.wiring.installation import real_now

    if database.path is None:
        yield  # turns on a server's database may be taken by any number of processes
        return
    make_folder(database.file.parent)
    lock = EngineLock(database.file)
    lock.acquire(base_url, real_now())
    try:
        yield
    finally:
        lock.release()


def _opened(
    args: argparse.Namespace,
    settings: Any,
    loaded: LoadedProject,
    database: Database,
    base_url: str,
    table: Any,
    stack: ExitStack,
) -> Running:
    """The store, migrated, and everything that runs on it, deployed but not started."""
    from orchestrator.wiring.databases import FIRST_SALT, open_database, upgrade_database
    from orchestrator.wiring.engine import start_engine
    from orchestrator.wiring.installation import real_now
    from orchestrator.wiring.outside import kept_here
    from orchestrator.wiring.replaying import refuse_later_clock
    from orchestrator.wiring.secret_key import secret_of

    fresh = not database.exists
    upgrade_database(database)
    replays = table is not None
    # A replay can be repeated: it need not wait for the disk at every step. What kills the process loses nothing.
    store = open_database(database, salt=FIRST_SALT if fresh and replays else None, drains=replays, durable=not replays)
    try:
        if replays:
            refuse_later_clock(store, table.last_at)
            settings = kept_here(settings)
        running = start_engine(
            store,
            loaded,
            settings,
            args.project,
            secret=secret_of(settings, database.path),
            base_url=base_url,
            speed=args.speed or 1.0,
            begin_at=table.first_at if replays else None,
        )
        if running.deployed_news and not replays:
            store.audit(real_now(), actor(), "deploy", f"{(store.deployed() or '')[:12]}: at the start of `up`")
    except BaseException:
        store.close()
        raise
    stack.callback(running.close)
    return running


def _serve(
    args: argparse.Namespace, terminal: Terminal, loaded: LoadedProject, running: Running, listening: Any, table: Any
) -> int:
    """Starts the lanes (after the replay, where there is one) and answers requests until the end."""
    from importlib import import_module

    from orchestrator.wiring.serving import WebServer, signals_to
    from orchestrator.wiring.tracing import traced

    # By its name: the two are siblings, and neither imports the other.
    server = WebServer(traced(import_module("orchestrator.http.app").make_app(running)))
    replay = None
    if table is not None:
        from orchestrator.cli.up_replay import ReplayThread

        replay = ReplayThread(args, terminal, loaded, running, table, server.stop)

    def stop() -> None:
        terminal.note("stopping: what is under way is finished (once more ends at once)")
        server.stop()
        if replay is not None:
            replay.stop()

    def again() -> None:
        terminal.flush()
        os._exit(130)  # nothing is lost: the database holds all that was begun

    with signals_to(stop, again):
        if replay is not None:
            replay.start()
        else:
            running.loop.start()
            running.alerts.start()
            running.bounces.start()
        server.serve(listening)
        if replay is not None and not replay.join():
            running.abandon()
        running.alerts.stop()
        running.bounces.stop()
        ended = running.loop.stop()
        if not ended:
            running.abandon()
            terminal.note("somebody outside did not answer in time; what was under way goes on at the next start")
    if replay is not None and replay.error is not None:
        raise replay.error
    terminal.note("stopped")
    return 0


_IN_LEDGER: Final = {"null:": "in the ledger alone (null:)", "inbox:": "in the ledger, for the app's inbox (inbox:)"}


def _greet(
    args: argparse.Namespace, terminal: Terminal, loaded: LoadedProject, database: Database, running: Running, url: str
) -> None:
    """Where to look, what is live, and what becomes of messages."""
    journeys = sorted(loaded.project.journeys)
    terminal.say(f"{terminal.paint(url, 'bold')}  status page; events are taken at {url}v1/track")
    live = "deployed" if running.deployed_news else "as deployed before"
    terminal.say(f"  live      {number_of(len(journeys), 'journey')}, {live}: {', '.join(journeys) or 'none'}")
    terminal.say(f"  database  {database}")
    for name, where in _by_place(running).items():
        for address, channels in where.items():
            words = "leave this machine by" if name else "stay on this machine:"
            shown = _IN_LEDGER.get(address, address)
            terminal.say(f"  messages  {', '.join(channels)} {words} {shown}")
    if args.speed is not None:
        terminal.say(f"  time      at most {args.speed:g} times real time")
    closed = bool(running.write_keys) or any(key.kind == "write" for key in running.store.all_keys())
    keys = "only with a configured write key" if closed else "with any write key (from this machine only)"
    terminal.say(f"  events    {keys}")
    terminal.data({"url": url, "journeys": journeys, "database": str(database), "deployed": running.deployed_news})
    terminal.flush()


def _by_place(running: Running) -> dict[bool, dict[str, list[str]]]:
    """Channels that have an adapter of their own by whether they leave, and by address."""
    found: dict[bool, dict[str, list[str]]] = {}
    for name, to in running.channels.items():
        found.setdefault(to.leaves, {}).setdefault(to.url, []).append(name)
    return found


def _shown_host(host: str) -> str:
    if host in ("", "0.0.0.0", "::"):
        return "localhost"
    return f"[{host}]" if ":" in host else host
