"""`orchestrator lift`: takes a kill switch back."""

from __future__ import annotations

import argparse

from orchestrator.cli.deploying import actor
from orchestrator.cli.operating import add_scopes, throw_kill
from orchestrator.cli.terminal import Terminal

DESCRIPTION = (
    """Take a kill switch back: messages that are decided from now on go again. What was cancelled stays so."""
)
EXAMPLES = """
orchestrator lift --channel sms
orchestrator lift --spend
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What goes on: what a kill switch stopped, or what was held because too much money was spent."""
    add_scopes(parser)
    parser.add_argument("--spend", action="store_true", help="what waits because of `spend_limit`")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Lifts it."""
    return _lift_spending(args, terminal) if args.spend else throw_kill(args, terminal, on=False)


def _lift_spending(args: argparse.Namespace, terminal: Terminal) -> int:
    from orchestrator.runtime.spending import lift
    from orchestrator.wiring.installation import installation, real_now

    with installation(args.project, args.database, args.broker) as place:
        waited = lift(place.store)
        place.store.audit(real_now(), actor(), "lift", "spend limit")
    terminal.data({"action": "lift", "scope": "spend", "name": None, "waited": waited})
    terminal.say("the spend limit counts anew; messages go" + ("" if waited else " (none had to wait for it)"))
    return 0
