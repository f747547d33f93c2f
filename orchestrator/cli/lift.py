"""`orchestrator lift`: takes a kill switch back."""

from __future__ import annotations

import argparse

from orchestrator.cli.operating import add_scopes as add_arguments
from orchestrator.cli.operating import throw_kill
from orchestrator.cli.terminal import Terminal

__all__ = ["DESCRIPTION", "EXAMPLES", "add_arguments", "run"]

DESCRIPTION = (
    """Take a kill switch back: messages that are decided from now on go again. What was cancelled stays so."""
)
EXAMPLES = """
orchestrator lift --channel sms
"""


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Lifts it."""
    return throw_kill(args, terminal, on=False)
