"""A wait that outlives the coupon: when the message comes that mentions the code, the code is no longer good."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final, Literal

from orchestrator.core.expression.nodes import Attribute, Name, walk
from orchestrator.core.program import IssueCoupon, Send, Survey
from orchestrator.core.time.durations import Duration
from orchestrator.definitions.rules.analysis.coupons import carrying, coupons
from orchestrator.definitions.rules.analysis.elapsed import Elapsed, elapsed_after
from orchestrator.definitions.rules.analysis.subject import JourneySubject, Subject, way_path
from orchestrator.errors import Problem

CODE: Final = "coupon_outlived"
SEVERITY: Final = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """Messages that come later after the coupon than its offer's `valid_for`: certainly an error, perhaps a warning."""
    for journey in subject.journeys:
        mentioned = list(carrying(subject, journey))
        for coupon in coupons(journey):
            offer = subject.project.offers.get(coupon.offer)
            if (
                offer is None
                or offer.valid_for is None
                or offer.valid_for.is_zero
                or _looks_at_end(journey, coupon.as_name)
            ):
                continue
            elapsed = elapsed_after(journey, coupon)
            for step, number, name in mentioned:
                if name == coupon.as_name and step.index in elapsed:
                    late = _late(elapsed[step.index], offer.valid_for)
                    if late is not None:
                        yield _problem(journey, coupon, step, number, offer.valid_for, *late)


def _late(elapsed: Elapsed, valid_for: Duration) -> tuple[str, Literal["error", "warning"]] | None:
    """How late a message may come, and whether that is certain; None where it comes in time."""
    valid = valid_for.roughly
    if elapsed.quickest >= valid:
        return f"at least {_days(elapsed.quickest)} later", "error"
    if elapsed.slowest >= valid:
        return f"at least {_days(elapsed.slowest)} later on one way", "warning"
    if elapsed.longest is not None and elapsed.longest > valid:
        return f"up to {_days(elapsed.longest)} later", "warning"
    return None


def _problem(
    journey: JourneySubject,
    coupon: IssueCoupon,
    step: Send | Survey,
    number: int,
    valid_for: Duration,
    late: str,
    severity: Literal["error", "warning"],
) -> Problem:
    line = journey.document.position(journey.path(coupon)).line
    message = f"this message mentions the code of line {line}, which is good for {valid_for}, and comes {late}"
    hint = f"wait less, issue the code later, or give the offer '{coupon.offer}' a longer `valid_for`"
    path = way_path(journey, step, number)
    return journey.problem(path, CODE, message, hint, severity=severity)


def _looks_at_end(journey: JourneySubject, name: str) -> bool:
    """Whether a condition of the journey looks at when the code ends: then its author has thought of it."""
    return "expires_at" in journey.document.text and any(
        isinstance(part, Attribute) and part.name == "expires_at" and part.target == Name(name)
        for text in journey.texts
        if text.path[-1] in ("if", "when", "skip_if", "while", "until")
        for part in walk(text.node)
    )


def _days(length: timedelta) -> str:
    """A length as people say it: whole days, else hours, else minutes."""
    if length.days:
        return f"{length.days}d"
    hours, rest = divmod(int(length.total_seconds()), 3600)
    return f"{hours}h" if hours else f"{rest // 60}m"
