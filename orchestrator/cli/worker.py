"""`orchestrator worker`: decides, delivers and calls out, in as many processes as there are cores."""

from __future__ import annotations

import argparse
import os

from orchestrator.cli.arguments import at_least, nearest_word
from orchestrator.cli.processes import celery_app, celery_main, log_to, process_settings
from orchestrator.cli.terminal import Terminal

DESCRIPTION = """Take work from the broker: decide what is due, hand messages over, call out, tidy up. Any number of
workers may run, on any number of machines, beside `orchestrator beat` and `orchestrator serve`; each takes from all
lanes, or from those that it is told. SIGTERM lets what is under way end, and gives back what has not begun. Whatever
ends a worker, nothing is lost: the database holds all that was begun."""
EXAMPLES = """
orchestrator worker --broker redis://localhost:6379/0
orchestrator worker --lanes turn,transactional --concurrency 4
"""
LANES = ("turn", "transactional", "service", "promotional", "requests", "webhooks", "housekeeping")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which lanes, and how many processes."""
    parser.add_argument(
        "--lanes", "--queues", metavar="L,L", type=lanes_of, help=f"take from these alone: {', '.join(LANES)}"
    )
    parser.add_argument("--concurrency", metavar="N", type=at_least(1), help="processes (default: one for each core)")


def lanes_of(words: str) -> list[str]:
    """An argument's type: lanes with commas between them."""
    lanes = [word.strip() for word in words.split(",") if word.strip()]
    for lane in lanes:
        if lane not in LANES:
            near = nearest_word(lane, LANES)
            hint = f"; did you mean {near}?" if near else f"; there are {', '.join(LANES)}"
            raise argparse.ArgumentTypeError(f"there is no lane '{lane}'{hint}")
    if not lanes:
        raise argparse.ArgumentTypeError(f"no lane is named; there are {', '.join(LANES)}")
    return lanes


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Works until it is told to stop."""
    from orchestrator.wiring.probe_server import answering_probes

    os.environ.setdefault("REMAP_SIGTERM", "SIGQUIT")  # read once, when Celery is imported: a soft end
    settings = process_settings(args)
    log_to(terminal, settings, "worker")
    app = celery_app(settings)
    words = ["worker", "--loglevel", "INFO" if terminal.verbose else "WARNING", "--hostname", f"w{os.getpid()}@%h"]
    words += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    if args.lanes is not None:
        words += ["--queues", ",".join(args.lanes)]
    if args.concurrency is not None:
        words += ["--concurrency", str(args.concurrency)]
    with answering_probes(settings, "worker", childless=False):
        return celery_main(app, words)
