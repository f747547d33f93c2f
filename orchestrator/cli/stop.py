"""`orchestrator stop`: a journey ends for everybody who is in it."""

from __future__ import annotations

import argparse
from dataclasses import replace

from orchestrator.cli.confirming import confirmed
from orchestrator.cli.operating import add_journey, operate_journey
from orchestrator.cli.terminal import Terminal

DESCRIPTION = """Stop a journey: nobody enters, everybody who is in it leaves it, and what is queued is cancelled. This
cannot be taken back for those who left; `pause` can."""
EXAMPLES = """
orchestrator stop abandoned_cart --yes
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """JOURNEY, and whether to ask."""
    add_journey(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Stops it."""
    question = f"Stop {args.journey} for everybody who is in it? They cannot be brought back."
    if not confirmed(question, args.yes, terminal):
        terminal.note("nothing was stopped")
        return 0
    return operate_journey(
        args,
        terminal,
        "stop",
        lambda switches: replace(switches, stopped=switches.stopped | {args.journey}),
        "is stopped: nobody enters, and who is in it leaves",
    )
