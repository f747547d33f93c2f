"""`orchestrator canary`: how the canaries of deploys stand, and what operators do about them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from orchestrator.cli.arguments import nearest_word
from orchestrator.cli.deploying import actor
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.core.canary import Canary
    from orchestrator.runtime.canary import Counts
    from orchestrator.wiring.installation import Installation

DESCRIPTION = """Show the canaries of `deploy --canary`: how many customers are held, until when, and what became of the
messages of those who went first. `--release` lets everybody go now; `--stop` keeps the hold until somebody releases it,
and lets nobody else in. To take a canary back, deploy the files of before, or `orchestrator stop` a new journey."""
EXAMPLES = """
orchestrator canary
orchestrator canary welcome --release
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Which, and what to do."""
    parser.add_argument("journey", metavar="JOURNEY", nargs="?", help="one journey (default: all)")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--release", action="store_true", help="the hold is over: everybody goes on")
    what.add_argument("--stop", action="store_true", help="the hold has no end, and nobody else goes first")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Shows them, or moves one."""
    from orchestrator.wiring.installation import installation

    with installation(args.project, args.database, args.broker) as place:
        if args.release or args.stop:
            return _move(args, place, terminal)
        return _show(args, place, terminal)


def _move(args: argparse.Namespace, place: Installation, terminal: Terminal) -> int:
    from orchestrator.runtime.canary import held, move
    from orchestrator.wiring.installation import real_now

    if args.journey is None:
        raise UsageError("say of which journey: orchestrator canary JOURNEY --release", "which_journey")
    action, state = ("release", "over") if args.release else ("stop", "stopped")
    count = held(place.store)[args.journey]
    found = move(place.store, args.journey, state, place.journey_now())  # type: ignore[arg-type]
    if found is None:
        names = [canary.journey for canary in place.store.switches().canaries if canary.state in ("on", "stopped")]
        near = nearest_word(args.journey, names)
        hint = f"did you mean {near}?" if near else f"there are: {', '.join(names) or 'none'}"
        raise UsageError(f"no canary of '{args.journey}' runs; {hint}", "unknown_canary")
    place.store.audit(real_now(), actor(), f"canary {action}", args.journey)
    terminal.data({"action": action, "journey": args.journey, "held": count})
    people = number_of(count, "customer")
    terminal.say(
        f"the canary of {args.journey} is over: {people} held go on, and all who come go in" if args.release
        else f"the canary of {args.journey} is stopped: {people} held, until somebody releases it"
    )  # fmt: skip
    return 0


def _show(args: argparse.Namespace, place: Installation, terminal: Terminal) -> int:
    from orchestrator.runtime.canary import counts_of, held

    canaries = [c for c in place.store.switches().canaries if args.journey in (None, c.journey)]
    waiting, counts = held(place.store), counts_of(place.store, canaries)
    terminal.data([_as_dict(canary, waiting[canary.journey], counts[canary]) for canary in canaries])
    if not canaries:
        terminal.say("no canary runs" + (f" of {args.journey}" if args.journey else ""))
    for canary in canaries:
        found = counts[canary]
        until = f" until {canary.until_at:%Y-%m-%d %H:%M} UTC" if canary.state == "on" else ""
        terminal.say(f"{canary.journey}: {canary.state}{until}, {canary.share * 100:.4g}% first")
        others = f"take version {(canary.before or '')[:12]} meanwhile" if canary.enters else "wait"
        terminal.say(f"  the others {others}; {number_of(waiting[canary.journey], 'customer')} held")
        said = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in found._asdict().items())
        terminal.say(f"  messages: {said}")
        if canary.why:
            terminal.say(f"  stopped because {canary.why}")
    return 0


def _as_dict(canary: Canary, waiting: int, counts: Counts) -> dict[str, Any]:
    return {
        "journey": canary.journey,
        "state": canary.state,
        "share": canary.share,
        "since": canary.since_at.isoformat(),
        "until": canary.until_at.isoformat() if canary.state == "on" else None,
        "others": "old_version" if canary.enters else "held",
        "held": waiting,
        "messages": counts._asdict(),
        "why": canary.why or None,
    }
