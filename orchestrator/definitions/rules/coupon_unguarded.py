"""A coupon that may not have been granted (`on_exhausted: skip`) is printed without looking whether it is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.core.program import IssueCoupon
from orchestrator.definitions.rules.analysis.coupons import coupons
from orchestrator.definitions.rules.analysis.printing import Printed, printed_by
from orchestrator.definitions.rules.analysis.results import NONE
from orchestrator.definitions.rules.analysis.subject import JourneySubject, Subject
from orchestrator.errors import Problem

CODE: Final = "coupon_unguarded"
SEVERITY: Final = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """Printed names of coupons that are none where the offer was exhausted."""
    for journey in subject.journeys:
        may_be_none = {step.as_name: step for step in coupons(journey) if step.on_exhausted != "exit"}
        if not may_be_none:
            continue
        for step in journey.steps:
            for printed in printed_by(subject, journey, step):
                if printed.name in may_be_none and journey.results.state(step, printed.name) & NONE:
                    yield _problem(journey, printed, may_be_none[printed.name])


def _problem(journey: JourneySubject, printed: Printed, coupon: IssueCoupon) -> Problem:
    line = journey.document.position(journey.path(coupon)).line
    where = f"{printed.where.path}:{printed.where.line} prints" if printed.where is not None else "this prints"
    message = f"{where} '{printed.name}', which is none where the coupon of line {line} was not granted"
    hint = f"send it under `if: {printed.name} is not none`, or give the coupon `on_exhausted: exit`"
    return journey.problem(printed.path, CODE, message, hint, offset=printed.offset, length=printed.length)
