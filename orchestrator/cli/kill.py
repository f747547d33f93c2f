"""`orchestrator kill`: the switch that stops messages at once."""

from __future__ import annotations

import argparse

from orchestrator.cli.operating import add_scopes as add_arguments
from orchestrator.cli.operating import throw_kill
from orchestrator.cli.terminal import Terminal

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION = """Stop messages at once: of a channel, of a journey, or all. What is queued is cancelled; journeys go on
without sending. `lift` takes it back for what comes later."""
EXAMPLES = """
orchestrator kill --channel sms
orchestrator kill --all
"""


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Throws it."""
    return throw_kill(args, terminal, on=True)
