"""What `deploy --canary` asks for, and what becomes of the canaries that run already."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.core.canary import Canary
    from orchestrator.definitions.load import LoadedProject
    from orchestrator.runtime.canary import Plan
    from orchestrator.runtime.deployment import Revived
    from orchestrator.wiring.installation import Installation

_SHARE: Final = re.compile(r"\s*([0-9]{1,3}(?:\.[0-9]{1,6})?)\s*%?\s*")
LONGEST_HOLD: Final = timedelta(days=90)


def add_canary(parser: argparse.ArgumentParser) -> None:
    """--canary and --hold."""
    parser.add_argument(
        "--canary", metavar="SHARE", help="so many of the customers who come to a journey that changes go first, such "
        "as 5%%; the others go on after the hold, and take the old version meanwhile, where there is one",
    )  # fmt: skip
    parser.add_argument("--hold", metavar="TIME", help="how long, such as 30m or 1d (default: 2h)")


def read_plan(args: argparse.Namespace, changed: Sequence[str] | None) -> Plan | None:
    """What is asked for; None: no canary. `changed` None: not known yet. Raises UsageError."""
    from orchestrator.core.time.durations import parse_fixed
    from orchestrator.runtime.canary import DEFAULT_HOLD, Plan

    if args.canary is None:
        if args.hold is not None:
            raise UsageError("--hold says how long, and not of how many: add --canary 5%", "needs_canary")
        return None
    found = _SHARE.fullmatch(args.canary)
    if found is None or not 0 < float(found[1]) < 100:
        raise UsageError(
            f"--canary {args.canary[:40]}: expected a share of the customers above 0% and below 100%, such as 5%",
            "bad_share",
        )
    hold = DEFAULT_HOLD
    if args.hold is not None:
        try:
            hold = parse_fixed(args.hold)
        except ValueError:
            hold = timedelta(0)
        if not timedelta(0) < hold <= LONGEST_HOLD:
            raise UsageError(
                f"--hold {args.hold[:40]}: expected a time up to {LONGEST_HOLD.days} days, such as 30m, 2h or 1d",
                "bad_hold",
            )
    if changed is not None and not changed:
        raise UsageError(
            "--canary holds customers of journeys that are new or change, and none does here; what journeys share "
            "(templates, segments, settings) reaches everybody at once",
            "nothing_to_hold",
        )
    return Plan(float(found[1]) / 100, hold)


def canaries_after(
    args: argparse.Namespace,
    place: Installation,
    revived: Revived,
    loaded: LoadedProject,
    changed: Sequence[str],
    known: Sequence[Canary],
) -> tuple[Canary, ...]:
    """The canaries that hold once this is deployed; `known` do now. Raises UsageError."""
    from orchestrator.runtime.canary import planned

    plan = read_plan(args, changed)
    versions = {(j.id, j.version): j for older in revived.older for j in older.project.journeys.values()}
    was = revived.live.project.journeys if revived.live is not None else {}
    return planned(known, changed, was, loaded.project.journeys, versions, plan, place.journey_now())


def canary_words(canaries: Sequence[Canary]) -> Iterator[str]:
    """What holds, line by line."""
    for canary in canaries:
        if canary.state in ("on", "stopped"):
            old = (canary.before or "")[:12]
            others = f"the others go on in version {old}" if canary.enters else "the others wait"
            until, first = "without an end (stopped)", "nobody else comes in"
            if canary.state == "on":
                until = f"until {canary.until_at:%Y-%m-%d %H:%M} UTC"
                first = f"{canary.share * 100:.4g}% go first"
            yield f"~ canary   {canary.journey}  {first}, {others} {until}"
        elif canary.state == "back":
            yield f"~ canary   {canary.journey}  is taken back: whom it holds leaves"
