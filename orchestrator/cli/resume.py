"""`orchestrator resume`: a journey that was paused or stopped goes on, and so does what an error parked."""

from __future__ import annotations

import argparse
from dataclasses import replace

from orchestrator.cli.operating import add_journey as add_arguments
from orchestrator.cli.operating import operate_journey
from orchestrator.cli.terminal import Terminal

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION = """Let a journey go on that was paused, or stopped: customers enter again, and what became due meanwhile
is due now. Customers and enrollments that an error parked are tried again, too."""
EXAMPLES = """
orchestrator resume abandoned_cart
"""


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Resumes it."""
    return operate_journey(
        args,
        terminal,
        "resume",
        lambda switches: replace(
            switches, paused=switches.paused - {args.journey}, stopped=switches.stopped - {args.journey}
        ),
        "goes on",
    )
