"""`orchestrator demo`: the shipped example project with a season of real-looking traffic, on SQLite, in one process."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Final

from orchestrator.cli.arguments import at_least
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    import socket

    from orchestrator.cli.demo_outbox import DemoOutbox
    from orchestrator.cli.demo_thread import Demonstration
    from orchestrator.definitions.load import LoadedProject
    from orchestrator.wiring.databases import Database
    from orchestrator.wiring.engine import Running

DESCRIPTION = """Watch a season of a hotel brand with shops: made-up guests book, stay, shop, complain and answer, and
the shipped journeys take care of them. Everything is real but the guests and the world outside: the engine, the SQLite
database, the messages (all rendered, some of each kind written to files), the status page. Nothing leaves this machine.
On a terminal the status page goes on until Ctrl-C."""
EXAMPLES = """
orchestrator demo
orchestrator demo --customers 2000 --days 30 --keep demo
orchestrator demo --json --exit
"""

PACKAGE: Final = Path(__file__).resolve().parent.parent
CHECKOUT: Final = PACKAGE.parent
PACKAGED: Final = PACKAGE / "demo" / "example"
"""Where a wheel has the project that a checkout has at its top."""
LOOPBACK: Final = "127.0.0.1"
PORT: Final = 8000
CUSTOMERS, DAYS, SEED = 20_000, 92, 7
START: Final = date(2026, 5, 15)
"""The summer's letter goes out five weeks later."""
PACE: Final = 0.15
"""How lively guests are at this size: a season of twenty thousand takes about a minute so."""
DATABASE: Final = "demo.db"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How much, which, and where."""
    parser.add_argument(
        "--customers", metavar="N", type=at_least(1), default=CUSTOMERS, help=f"how many guests (default {CUSTOMERS})"
    )
    parser.add_argument("--days", metavar="N", type=at_least(1), default=DAYS, help=f"how long (default {DAYS})")
    parser.add_argument("--seed", metavar="N", type=int, default=SEED, help=f"which guests (default {SEED})")
    parser.add_argument("--keep", metavar="DIR", type=Path, help="where database and messages are kept (new, or empty)")
    parser.add_argument(
        "--port", metavar="N", type=at_least(0), help=f"of the status page (default {PORT}, or a free one)"
    )
    parser.add_argument("--exit", action="store_true", help="end with the season, also on a terminal")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Plays the season, tells what happened to all and to one, and where to look."""
    from orchestrator.cli.demo_season import patient
    from orchestrator.cli.demo_thread import Demonstration
    from orchestrator.cli.project_loading import load
    from orchestrator.wiring.databases import Database

    root = example_project()
    began = perf_counter()
    with ExitStack() as stack:
        listening = stack.enter_context(_listening(args.port))
        url = f"http://localhost:{listening.getsockname()[1]}/"
        folder = _folder(args.keep)
        terminal.say(f"{terminal.paint(url, 'bold')}  status page; database and messages: {folder}")
        terminal.flush()
        loaded = load(root)
        loaded.require_valid()
        database = Database(folder / DATABASE)
        running, outbox = _opened(args, patient(loaded), database, url, stack)
        demo = Demonstration(args, terminal, loaded, running, outbox, began)
        stopped = _serve(demo, listening, terminal)
        if demo.error is not None:
            raise demo.error
        if demo.told:
            _look_again(root, database, terminal)
        return 130 if stopped and not demo.told else 0


def example_project() -> Path:
    """The shipped project: the checkout's own, else the copy in the package."""
    for root in (CHECKOUT, PACKAGED):
        if (root / "journeys" / "project.yaml").is_file():
            return root
    raise UsageError("this installation came without the example project; install it anew", "no_example")


def _folder(keep: Path | None) -> Path:
    from tempfile import mkdtemp

    if keep is None:
        return Path(mkdtemp(prefix="orchestrator-demo-"))
    if keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise UsageError(f"--keep {keep} is not empty; give a new folder, or empty that one", "not_empty")
    keep.mkdir(parents=True, exist_ok=True)
    return keep


@contextmanager
def _listening(port: int | None) -> Iterator[socket.socket]:
    from orchestrator.wiring.serving import bound_socket

    try:
        found = bound_socket(LOOPBACK, PORT if port is None else port)
    except UsageError:
        if port is not None:
            raise
        found = bound_socket(LOOPBACK, 0)
    with found:
        yield found


def _opened(
    args: argparse.Namespace, loaded: LoadedProject, database: Database, url: str, stack: ExitStack
) -> tuple[Running, DemoOutbox]:
    """A fresh database with the project deployed at the season's first instant, and where messages go."""
    from orchestrator.cli.demo_outbox import DemoOutbox
    from orchestrator.runtime.engine_lock import EngineLock
    from orchestrator.wiring.databases import FIRST_SALT, open_database, upgrade_database
    from orchestrator.wiring.engine import start_engine
    from orchestrator.wiring.installation import real_now, settings_of
    from orchestrator.wiring.outside import CHANNELS, Reached, kept_here
    from orchestrator.wiring.secret_key import secret_of

    folder = database.file.parent
    upgrade_database(database)
    lock = EngineLock(database.file)
    lock.acquire(url.rstrip("/"), real_now())
    stack.callback(lock.release)
    settings = kept_here(settings_of(f"sqlite:///{database.file}"))
    store = open_database(database, salt=FIRST_SALT, durable=False, drains=True)
    running = start_engine(
        store,
        loaded,
        settings,
        folder,
        secret=secret_of(settings, database.file),
        base_url=url.rstrip("/"),
        begin_at=datetime.combine(START, time(), UTC),
    )
    stack.callback(running.close)
    outbox = DemoOutbox(folder / "outbox", running.engine.renderer, args.seed)
    running.channels = {name: Reached(outbox, f"file:{outbox.folder}", False) for name in CHANNELS}
    running.engine.channels = dict.fromkeys(CHANNELS, outbox)
    running.engine.renderer = outbox
    return running, outbox


def _serve(demo: Demonstration, listening: socket.socket, terminal: Terminal) -> bool:
    """The season in a thread, the status page in this one. Returns whether somebody stopped it."""
    from importlib import import_module

    from orchestrator.wiring.serving import WebServer, signals_to

    # By its name: the two are siblings, and neither imports the other.
    server = WebServer(import_module("orchestrator.http.app").make_app(demo.running))
    demo.end = server.stop

    def stop() -> None:
        demo.stop()
        server.stop()

    def again() -> None:
        terminal.flush()
        os._exit(130)

    with signals_to(stop, again):
        demo.start()
        server.serve(listening)
        ended = demo.join()
        if not (ended and demo.running.loop.stop()):
            demo.running.abandon()
    return demo.stopping.is_set()


def _look_again(root: Path, database: Database, terminal: Terminal) -> None:
    """How to look at it once this process is over."""
    command = f"orchestrator --project {shlex.quote(str(root))} --database {shlex.quote(str(database.file.resolve()))}"
    terminal.say("to look further:")
    terminal.say(f"  {command} up")
    terminal.say(f"  {command} why CUSTOMER")
    terminal.say(f"  rm -r {shlex.quote(str(database.file.parent))}")
