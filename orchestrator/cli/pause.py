"""`orchestrator pause`: nobody enters a journey, and who is in it stands still."""

from __future__ import annotations

import argparse
from dataclasses import replace

from orchestrator.cli.operating import add_journey as add_arguments
from orchestrator.cli.operating import operate_journey
from orchestrator.cli.terminal import Terminal

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION = """Pause a journey: nobody enters, and who is in it stands still, queued messages too. Time runs on: what
becomes due meanwhile is due at `resume`. Effective at once, also in an engine that runs."""
EXAMPLES = """
orchestrator pause abandoned_cart
"""


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Pauses it."""
    return operate_journey(
        args,
        terminal,
        "pause",
        lambda switches: replace(switches, paused=switches.paused | {args.journey}),
        "is paused: nobody enters, and who is in it stands still",
    )
