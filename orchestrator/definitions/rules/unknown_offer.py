"""A coupon step names an offer that offers.yaml does not declare."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.definitions.rules.analysis.unknown import unknown_mentions
from orchestrator.errors import Problem

CODE: Final = "unknown_offer"
SEVERITY: Final = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """Offers of coupon steps; those in expressions are the compiler's."""
    if subject.sure("offers"):
        yield from unknown_mentions(subject, "offer", subject.files.offers, "declare it in journeys/offers.yaml")
