"""`orchestrator events violations`: what came and does not fit the tracking plan."""

from __future__ import annotations

import argparse

from orchestrator.cli.arguments import one_of
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.terminal import Terminal

DESCRIPTION = """What came and does not fit schema.yaml: `unknown_event`, `unknown_property`, `missing_property`,
`mistyped` and `not_allowed` (a text that is none of `enum`), counted by where it came from, with when it was first and
last seen and a few examples. Values that schema.yaml calls personal, and what looks like an address or a number of
somebody, are not kept. What happens to unknown properties says `settings.unknown_properties` in project.yaml. What is
wrong with attributes of customers stands under the event `identify`."""
EXAMPLES = """
orchestrator events violations
orchestrator events violations --event order_placed --json
orchestrator events violations --clear
"""
ACTIONS = ("violations",)
MOST = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """violations [--event E] [--limit N] [--clear]."""
    parser.add_argument("action", metavar="|".join(ACTIONS), type=one_of(*ACTIONS), help="what to show")
    parser.add_argument("--event", metavar="E", help="only this event; `identify` stands for attributes")
    parser.add_argument("--limit", metavar="N", type=int, default=MOST, help=f"how many to list (default: {MOST})")
    parser.add_argument("--clear", action="store_true", help="forget what was counted, and begin anew")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Lists, or clears."""
    from orchestrator.stores.protocol_sources import MOST_KEPT
    from orchestrator.wiring.installation import installation

    with installation(args.project, args.database, args.broker) as place:
        if args.clear:
            gone = place.store.clear_violations(args.event)
            terminal.data({"cleared": gone})
            terminal.say(f"{number_of(gone, 'kind')} of violations forgotten")
            return 0
        found = [one for one in place.store.violations(MOST_KEPT) if args.event in (None, one.event)]
    shown = found[: max(args.limit, 0)]
    terminal.data(
        {
            "violations": [
                {**one._asdict(), "first_at": one.first_at.isoformat(), "last_at": one.last_at.isoformat()}
                for one in shown
            ],
            "kinds": len(found),
            "count": sum(one.times for one in found),
        }
    )
    for one in shown:
        place_ = f"{one.event}.{one.property}" if one.property else one.event
        examples = f"  such as {', '.join(one.examples)}" if one.examples else ""
        seen = f"{one.first_at:%Y-%m-%d} to {one.last_at:%Y-%m-%d %H:%M}"
        terminal.say(f"{one.times:>9,}  {one.kind:<17} {place_:<40} {one.source:<12} {seen}{examples}")
    if len(found) > len(shown):
        terminal.say(f"and {number_of(len(found) - len(shown), 'kind')} more; --limit shows more of them")
    if not found:
        terminal.say("everything that came fits schema.yaml")
    return 0
