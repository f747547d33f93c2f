"""A coupon step gives out a code that everybody has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.rules.analysis.coupons import coupons
from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.errors import Problem

CODE: Final = "public_coupon"
SEVERITY: Final = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """Coupon steps of offers with a public code: there is nothing of one's own to be given."""
    for journey in subject.journeys:
        for coupon in coupons(journey):
            offer = subject.project.offers.get(coupon.offer)
            if offer is not None and offer.public is not None:
                message = f"the offer '{offer.id}' has one code for everybody, {offer.public}, and none to be given"
                hint = "write the code into the template, or let the offer make codes (`codes: {prefix: ...}`)"
                yield journey.problem(journey.path(coupon), CODE, message, hint, severity=SEVERITY)
