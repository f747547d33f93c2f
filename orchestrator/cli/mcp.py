"""`orchestrator mcp`: an assistant lists, lints, simulates and explains journeys, over standard input and output."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from importlib import import_module
from typing import Any

from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

DESCRIPTION = """Serve the Model Context Protocol on standard input and output, so that an assistant can list, show,
lint, test, draw, simulate and explain journeys of this project. It reads only, and masks personal data; with --write it
may write files below journeys/ and templates/. It never deploys, and never sends a message."""
EXAMPLES = """
orchestrator mcp --project shop
orchestrator mcp --project shop --write
"""
LONGEST_SECONDS = 600


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What the assistant may do."""
    parser.add_argument("--write", action="store_true", help="let it write files of the project")
    parser.add_argument("--personal", action="store_true", help="show names, addresses and numbers of customers")
    parser.add_argument("--seconds", metavar="S", type=float, default=30.0, help="of one answer (default: 30)")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Serves until the client closes its end."""
    if not 0 < args.seconds <= LONGEST_SECONDS:
        raise UsageError(f"--seconds is a number up to {LONGEST_SECONDS}", "bad_seconds")
    if not args.project.is_dir():
        raise UsageError(
            f"there is no folder {args.project}; give the project's folder as --project DIR", "project_missing"
        )
    # Whatever prints, prints to standard error: one stray line would end the conversation.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="orchestrator mcp: %(message)s", force=True)
    tools: Any = import_module("orchestrator.mcp.tool")
    session: Any = import_module("orchestrator.mcp.session")
    place = tools.Place(args.project, args.database, args.broker, args.personal, args.seconds)
    with out:
        session.Session(place, args.write).serve(sys.stdin.buffer, out)
    return 0
