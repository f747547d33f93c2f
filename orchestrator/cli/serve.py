"""`orchestrator serve`: takes events, serves public pages and the status page; workers do the rest."""

from __future__ import annotations

import argparse
import os
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from orchestrator.cli.processes import celery_app, log_to, process_settings
from orchestrator.cli.terminal import Terminal
from orchestrator.cli.up import DEFAULT_PORT, LOOPBACK, port_number

if TYPE_CHECKING:
    from orchestrator.settings import Settings
    from orchestrator.wiring.engine import Running
    from orchestrator.wiring.remote import RemoteWork

DESCRIPTION = """Take events over HTTP, and serve the public pages and the status page, without deciding anything:
workers do, nudged over the broker. Any number of these may run behind a load balancer. Events are taken whether the
broker and the workers are there or not. What is live is what `orchestrator deploy` deployed last."""
EXAMPLES = """
orchestrator serve --broker redis://localhost:6379/0
orchestrator serve --host 0.0.0.0 --port 8080
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where it answers."""
    parser.add_argument(
        "--port", metavar="N", type=port_number, default=DEFAULT_PORT, help=f"where it answers (default {DEFAULT_PORT})"
    )
    parser.add_argument(
        "--host",
        metavar="HOST",
        default=LOOPBACK,
        help=f"the address it answers on (default {LOOPBACK}: only this machine)",
    )


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Serves until it is told to stop."""
    from importlib import import_module

    from orchestrator.wiring.door import has_write_keys
    from orchestrator.wiring.probe_server import answering_probes
    from orchestrator.wiring.serving import WebServer, bound_socket, refuse_open_door, signals_to
    from orchestrator.wiring.tracing import stop_tracing, traced

    settings = process_settings(args)
    refuse_open_door(args.host, settings.keys, has_write_keys(settings, args.project))
    log_to(terminal, settings, "serve")
    with ExitStack() as stack:
        listening = stack.enter_context(bound_socket(args.host, args.port))
        port = listening.getsockname()[1]
        running, work = _opened(args, settings, stack)
        server = WebServer(traced(import_module("orchestrator.http.app").make_app(running)))

        def again() -> None:
            terminal.flush()
            os._exit(130)  # nothing is lost: what was taken is committed

        url = f"http://{'localhost' if args.host in ('0.0.0.0', '::') else args.host}:{port}/"
        terminal.say(f"{terminal.paint(url, 'bold')}  events are taken at {url}v1/track; workers do the work")
        terminal.data({"url": url})
        terminal.flush()
        figures: Any = import_module("orchestrator.http.probes")
        kept = figures.Kept(lambda: figures.metrics_of(running))
        probes = answering_probes(settings, "serve", childless=True, more=kept)
        with probes, signals_to(server.stop, again):
            work.start()
            server.serve(listening)
            work.stop()
            stop_tracing()
    terminal.note("stopped")
    return 0


def _opened(args: argparse.Namespace, settings: Settings, stack: ExitStack) -> tuple[Running, RemoteWork]:
    """The installation as it is deployed, and the way to its workers."""
    import gc
    from importlib import import_module

    from orchestrator.wiring.broker import broker_fault, needed_broker
    from orchestrator.wiring.databases import database_of, open_database
    from orchestrator.wiring.remote import RemoteWork
    from orchestrator.wiring.worker import open_deployed

    database = database_of(settings, args.project)
    store = open_database(database)
    try:
        running = open_deployed(store, database, settings, args.project)
    except BaseException:
        store.close()
        raise
    stack.callback(running.close)
    sending: Any = import_module("orchestrator.tasks.sending")
    broker = needed_broker(settings)
    work = RemoteWork(running, sending.sender(celery_app(settings)), lambda: broker_fault(broker), sending.identity())
    running.work = work
    gc.collect()
    gc.freeze()
    return running, work
