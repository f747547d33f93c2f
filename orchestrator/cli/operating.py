"""What the commands share by which operators stop things: pause, resume, stop, kill, lift. Each leaves an audit row."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from orchestrator.cli.arguments import nearest_word
from orchestrator.cli.deploying import actor
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.core.view import Switches
    from orchestrator.wiring.installation import Installation

CHANNELS = ("email", "sms", "push", "whatsapp", "wechat", "inbox")
Throw = Callable[["Switches"], "Switches"]


def add_journey(parser: argparse.ArgumentParser) -> None:
    """JOURNEY."""
    parser.add_argument("journey", metavar="JOURNEY", help="the journey's id")


def operate_journey(args: argparse.Namespace, terminal: Terminal, action: str, throw: Throw, words: str) -> int:
    """Throw the switches of one journey, tell those who are in it where that matters, and write it down."""
    from orchestrator.wiring.installation import installation, real_now

    with installation(args.project, args.database, args.broker) as place:
        _check_journey(place, args.journey)
        store = place.store
        store.change_switches(throw)
        told = 0
        if action in ("resume", "stop"):
            told = store.operate(args.journey, action, place.journey_now())
        store.audit(real_now(), actor(), action, args.journey)
    terminal.data({"action": action, "journey": args.journey, "customers": told})
    counted = f"; {number_of(told, 'customer')} in it" if told else ""
    terminal.say(f"{args.journey} {words}{counted}")
    return 0


def throw_kill(args: argparse.Namespace, terminal: Terminal, on: bool) -> int:
    """Throw or lift a kill switch: of a channel, of a journey, or of everything."""
    from orchestrator.wiring.installation import installation, real_now

    given = [name for name in ("channel", "journey", "all") if getattr(args, name)]
    if len(given) != 1:
        raise UsageError("say what: --channel C, --journey J, or --all", "nothing_to_kill")
    scope, name = given[0], str(getattr(args, given[0]))
    if scope == "channel" and name not in CHANNELS:
        near = nearest_word(name, CHANNELS)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(CHANNELS)}"
        raise UsageError(f"there is no channel '{name}'; {hint}", "unknown_channel")
    with installation(args.project, args.database, args.broker) as place:
        if scope == "journey":
            _check_journey(place, name)
        store = place.store
        store.change_switches(lambda known: _killed(known, scope, name, on))
        store.audit(
            real_now(), actor(), "kill" if on else "lift", "everything" if scope == "all" else f"{scope} {name}"
        )
    what = "everything" if scope == "all" else f"the {scope} {name}"
    terminal.data({"action": "kill" if on else "lift", "scope": scope, "name": None if scope == "all" else name})
    terminal.say(f"{what}: {'nothing is sent any more; what was queued is cancelled' if on else 'messages go again'}")
    return 0


def add_scopes(parser: argparse.ArgumentParser) -> None:
    """What a kill switch is for."""
    parser.add_argument("--channel", metavar="C", help=f"one of {', '.join(CHANNELS)}")
    parser.add_argument("--journey", metavar="J", help="one journey")
    parser.add_argument("--all", action="store_true", help="everything")


def _killed(switches: Switches, scope: str, name: str, on: bool) -> Switches:
    if scope == "all":
        return replace(switches, killed_all=on)
    if scope == "channel":
        known = switches.killed_channels
        return replace(switches, killed_channels=known | {name} if on else known - {name})
    known = switches.killed_journeys
    return replace(switches, killed_journeys=known | {name} if on else known - {name})


def _check_journey(place: Installation, name: str) -> None:
    """Raises UsageError for a journey that neither is deployed nor has anybody in it."""
    snapshots = place.store.snapshots()
    live = snapshots[-1].files if snapshots else {}
    known = {path.rsplit("/", 1)[-1].removesuffix(".yaml") for path in live if path.startswith("journeys/")}
    known |= {journey for journey, _ in place.store.overview().enrollments}
    if name not in known:
        near = nearest_word(name, known)
        hint = f"did you mean {near}?" if near else "`orchestrator up` shows what is live"
        raise UsageError(f"there is no journey '{name}' in {place.database}; {hint}", "unknown_journey")
