"""What `deploy` asks before many are reached: how many are expected, and, above a bound, a second person's yes."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from orchestrator.cli.arguments import nearest_word
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from orchestrator.core.project import Approval
    from orchestrator.runtime.differences import Difference
    from orchestrator.stores.protocol import Store

SHARED: Final = frozenset({"segment", "stage", "topic", "setting"})
"""Kinds of parts that decide who is reached, and how often, in journeys that did not change themselves."""
MOST_EXPECTED: Final = 1_000_000_000
LONGEST_NUMBER: Final = 12
"""Digits: more of them are no number of customers, whatever stands before them."""


def add_safety(parser: argparse.ArgumentParser) -> None:
    """--expect and --as."""
    parser.add_argument(
        "--expect", action="append", default=[], metavar="N", help="how many customers the journey that changes will "
        "let in within a day (with several: JOURNEY=N, once for each); a fifth more, and it is paused",
    )  # fmt: skip
    parser.add_argument("--as", dest="name", metavar="NAME", help="who deploys (default: the account here)")


def changed_journeys(found: Difference) -> tuple[str, ...]:
    """Those that may let in somebody whom nobody expected."""
    return tuple(journey.journey for journey in found.journeys if journey.what in ("new", "changed"))


def read_expected(given: Sequence[str], changed: Sequence[str]) -> dict[str, int]:
    """How many are expected, by journey. Raises UsageError for what cannot be read or stands for no journey."""
    expected: dict[str, int] = {}
    for word in given:
        journey, equals, number = word.rpartition("=")
        if not equals:
            if len(changed) != 1:
                shown = ", ".join(f"--expect {each}=N" for each in changed[:4]) or "there is none"
                raise UsageError(
                    f"--expect {word} says how many, and not where: {len(changed)} journeys change; write {shown}",
                    "which_journey",
                )
            journey = changed[0]
        if journey not in changed:
            near = nearest_word(journey, changed)
            hint = f"did you mean {near}?" if near else f"these do: {', '.join(changed) or 'none'}"
            raise UsageError(f"the journey '{journey}' does not change in this deploy; {hint}", "unknown_journey")
        digits = number.replace(",", "").replace("_", "")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_NUMBER):
            raise UsageError(f"--expect {word[:40]}: expected a number of customers, such as 12000", "bad_number")
        count = int(digits)
        if not 0 < count <= MOST_EXPECTED:
            raise UsageError(f"--expect {word[:40]}: expected a number of customers, such as 12000", "bad_number")
        if journey in expected:
            raise UsageError(f"--expect says twice how many are expected in {journey}; leave one out", "twice")
        expected[journey] = count
    return expected


def require_expected(rule: Approval, expected: dict[str, int], changed: Sequence[str]) -> None:
    """Where there is a bound, somebody has to say on which side of it this is. Raises UsageError."""
    silent = [journey for journey in changed if journey not in expected]
    if silent:
        words = " ".join(f"--expect {journey}=N" for journey in silent[:6])
        raise UsageError(
            f"this project asks for an approval above {rule.above:,} customers (settings: approval): say how many are "
            f"expected within a day, {words}",
            "needs_expect",
        )


def subjects_to_approve(rule: Approval | None, expected: dict[str, int], found: Difference) -> tuple[str, ...]:
    """What a second person has to approve; empty: nothing. With one journey above the bound, all numbers are shown."""
    if rule is None:
        return ()
    shared = sorted({f"shared {part.kind} {part.name}" for part in found.parts if part.kind in SHARED})
    if not shared and all(number <= rule.above for number in expected.values()):
        return ()
    return (*(f"{journey}={number}" for journey, number in sorted(expected.items())), *shared)


def require_approval(
    store: Store, rule: Approval, code: str, subjects: Sequence[str], who: str, real_at: datetime
) -> tuple[str, ...]:
    """Who has approved it; else the request is written down, and UsageError says what somebody else has to do."""
    from orchestrator.runtime.approval import approvers, ask, people_missing

    found = approvers(store, code, real_at)
    missing = people_missing(rule, who, found)
    if not missing:
        return found
    ask(store, code, subjects, who, real_at)
    others = f"{missing} other people" if missing > 1 else "somebody else"
    have = f" (so far: {', '.join(found)})" if found else ""
    raise UsageError(
        f"nothing was deployed: {', '.join(subjects)} has to be approved{have}. Ask {others} to run\n"
        f"  orchestrator approve {code} --as NAME\nand then run this command again",
        "needs_approval",
    )
