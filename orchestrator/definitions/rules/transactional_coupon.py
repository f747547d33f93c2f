"""A transactional message that carries a coupon, which it never may (the language reference, section 7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.rules.analysis.coupons import carrying, topics_of
from orchestrator.definitions.rules.analysis.subject import Subject, way_path
from orchestrator.errors import Problem

CODE: Final = "transactional_coupon"
SEVERITY: Final = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """Messages of a transactional topic that mention a coupon issued before them."""
    for journey in subject.journeys:
        for step, number, name in carrying(subject, journey):
            for topic in topics_of(subject, journey, step, number):
                if topic.klass == "transactional":
                    message = f"this message mentions the coupon '{name}', and its topic '{topic.id}' is transactional"
                    hint = "send it under a promotional topic, or leave the coupon out"
                    yield journey.problem(way_path(journey, step, number), CODE, message, hint)
