"""`orchestrator beat`: nudges every lane each second."""

from __future__ import annotations

import argparse

from orchestrator.cli.processes import celery_app, celery_main, log_to, process_settings
from orchestrator.cli.terminal import Terminal

DESCRIPTION = """Nudge the workers each second, so that what becomes due by time alone is looked for, and nudges that
were lost are made up for. It keeps no state: run one, or two on different machines, which do no harm to each other."""
EXAMPLES = """
orchestrator beat --broker redis://localhost:6379/0
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Beats until it is told to stop."""
    from orchestrator.wiring.probe_server import answering_probes

    settings = process_settings(args)
    log_to(terminal, settings, "beat")
    with answering_probes(settings, "beat", childless=True):
        return celery_main(celery_app(settings), ["beat", "--loglevel", "INFO" if terminal.verbose else "WARNING"])
