"""`orchestrator doctor`: what is wrong with this installation, and what to do about it."""

from __future__ import annotations

import argparse
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.project_loading import lint
from orchestrator.cli.terminal import Style, Terminal

if TYPE_CHECKING:
    from orchestrator.errors import Problem

DESCRIPTION = """Look at the settings, the project, the channels, the disk, the database, and the engine that runs on
it; say what is wrong, and what to do. Exits 1 where something is wrong. Changes nothing."""
EXAMPLES = """
orchestrator doctor
orchestrator doctor --json
"""
_COLOURS: dict[str, Style] = {"ok": "green", "note": "yellow", "wrong": "red"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """None of its own."""


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Looks at everything."""
    from orchestrator.wiring.checks import examine

    findings = []
    for finding in examine(args.project, args.database, args.broker, os.environ, _problems):
        findings.append(finding)
        mark = terminal.paint(f"{finding.state:<5}", _COLOURS[finding.state])
        terminal.say(f"{mark} {finding.name:<9} {finding.words}")
        if finding.hint is not None:
            terminal.say(f"{'':15} {terminal.paint(finding.hint, 'dim')}")
    counts = Counter(finding.state for finding in findings)
    terminal.data(
        {
            "ok": not counts["wrong"],
            "findings": [{"name": f.name, "state": f.state, "message": f.words, "hint": f.hint} for f in findings],
        }
    )
    terminal.say(f"\n{counts['wrong']} wrong, {counts['note']} to know" if counts["wrong"] else "\nnothing is wrong")
    return 1 if counts["wrong"] else 0


def _problems(root: Path) -> tuple[Problem, ...]:
    return tuple(lint(root)[1])
