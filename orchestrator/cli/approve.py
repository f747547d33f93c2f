"""`orchestrator approve`: a second person's yes to a deploy that reaches many."""

from __future__ import annotations

import argparse

from orchestrator.cli.deploying import actor
from orchestrator.cli.terminal import Terminal

DESCRIPTION = """Approve what somebody else is about to deploy, where `settings: approval` of project.yaml asks for it.
The code that `orchestrator deploy` shows stands for the files and for the numbers of customers that are expected; other
files, or other numbers, need another approval. It counts for a week."""
EXAMPLES = """
orchestrator approve 4f6c02d1a9be --as li
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is approved, and by whom."""
    parser.add_argument("code", metavar="CODE", help="the code that `deploy` shows; its first six digits will do")
    parser.add_argument("--as", dest="name", metavar="NAME", help="who approves it (default: the account here)")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Writes it down."""
    from orchestrator.runtime.approval import approve, asked, checked_name
    from orchestrator.wiring.installation import installation, real_now

    who = checked_name(args.name or actor())
    with installation(args.project, args.database, args.broker) as place:
        request = asked(place.store, args.code, real_now())
        approve(place.store, request, who, real_now())
        what = ", ".join(request.subjects)
        place.store.audit(real_now(), signature(who), "approve", f"{request.code}: {what}")
    terminal.data({"action": "approve", "code": request.code, "by": who, "asked_by": list(request.askers)})
    terminal.say(f"{who} approves {request.code}, asked for by {', '.join(request.askers)}: {what}")
    return 0


def signature(who: str) -> str:
    """A name for the audit, with the account behind it where that is another."""
    account = actor()
    return who if who == account else f"{who} ({account})"
