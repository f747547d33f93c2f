"""A second person's yes to a deploy that reaches many.

What is approved is a code: of the files' digest and of how many customers are expected in which journey. So nobody can
have one thing approved and deploy another. Requests and approvals are named instants in the database, beside the audit.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from orchestrator.core.project import Approval
from orchestrator.errors import UsageError
from orchestrator.stores.protocol import Store

APPROVALS: Final = "approval:"
HELD_FOR: Final = timedelta(days=7)
"""How long a request and an approval count."""
CODE: Final = 12
"""Digits of a code."""
LONGEST_NAME: Final = 80


class Asked(NamedTuple):
    """A request: by whom, and for what (`journey=number`, or the word `shared` for files that all journeys share)."""

    code: str
    askers: tuple[str, ...]
    subjects: tuple[str, ...]


def strictest(rules: Iterable[Approval | None]) -> Approval | None:
    """Of the rule that is live and the one that is about to be: nobody lifts a rule and uses that in one step."""
    found = [rule for rule in rules if rule is not None]
    return Approval(min(r.above for r in found), max(r.by for r in found)) if found else None


def code_of(digest: str, expected: Mapping[str, int]) -> str:
    """What stands for these files with these numbers."""
    lines = [digest, *(f"{journey}={number}" for journey, number in sorted(expected.items()))]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:CODE]


def checked_name(name: str) -> str:
    """A person's name as it is written down. Raises UsageError."""
    text = " ".join(name.split())
    if not text or len(text) > LONGEST_NAME or not text.isprintable() or ":" in text:
        raise UsageError(
            f"'{name[:LONGEST_NAME]}' cannot be used as a name; give one of at most {LONGEST_NAME} characters without "
            "colons, such as --as ana",
            "bad_name",
        )
    return text


def ask(store: Store, code: str, subjects: Iterable[str], who: str, real_at: datetime) -> None:
    """Write down that somebody wants to deploy this. Raises StoreBusy."""
    for subject in subjects:
        store.mark(f"{APPROVALS}{code}:for:{subject}", real_at)
    store.mark(f"{APPROVALS}{code}:asked:{who}", real_at)


def asked(store: Store, code: str, real_at: datetime) -> Asked:
    """The request of a code, of which the first six digits will do. Raises UsageError where there is none."""
    wanted = code.strip().lower()
    marks = store.marks(f"{APPROVALS}{wanted}") if len(wanted) >= 6 and wanted.isalnum() else {}
    recent = [name.removeprefix(APPROVALS).split(":", 2) for name, at in marks.items() if real_at - at <= HELD_FOR]
    codes = sorted({found for found, what, _ in recent if what == "asked"})
    if len(codes) != 1:
        why = "several requests begin so" if codes else "nobody has asked for that, or it was more than a week ago"
        raise UsageError(
            f"there is nothing to approve under '{code[:40]}': {why}; `orchestrator deploy` shows the whole code",
            "nothing_to_approve",
        )
    [found] = codes
    mine = [(what, name) for each, what, name in recent if each == found]
    return Asked(
        found,
        tuple(sorted(name for what, name in mine if what == "asked")),
        tuple(sorted(name for what, name in mine if what == "for")),
    )


def approve(store: Store, request: Asked, who: str, real_at: datetime) -> None:
    """Say yes. Raises UsageError for somebody who asked for it, and StoreBusy."""
    if who.casefold() in {asker.casefold() for asker in request.askers}:
        raise UsageError(
            f"{who} asked for {request.code}, and somebody else has to approve it; who is that? say --as NAME",
            "own_request",
        )
    store.mark(f"{APPROVALS}{request.code}:by:{who}", real_at)


def approvers(store: Store, code: str, real_at: datetime) -> tuple[str, ...]:
    """Who has said yes in the last week. Raises StoreBusy."""
    place = f"{APPROVALS}{code}:by:"
    return tuple(
        sorted(name.removeprefix(place) for name, at in store.marks(place).items() if real_at - at <= HELD_FOR)
    )


def people_missing(rule: Approval, who: str, approved: Iterable[str]) -> int:
    """How many more people have to say yes before `who` may deploy it."""
    return max(0, rule.by - len({who.casefold(), *(name.casefold() for name in approved)}))
