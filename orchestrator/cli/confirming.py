"""Asking before something that cannot be taken back; where nobody can be asked, only `--yes` goes on."""

from __future__ import annotations

import sys

from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError


def confirmed(question: str, yes: bool, terminal: Terminal) -> bool:
    """Whether to go on. Raises UsageError where there is no terminal to ask on, and `yes` was not given."""
    if yes:
        return True
    if not (sys.stdin.isatty() and terminal.err.isatty()):
        raise UsageError(f"{question} There is nobody to ask here; say --yes to go on", "needs_yes")
    terminal.err.write(f"{question} [y/N] ")
    terminal.err.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
