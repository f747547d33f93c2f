"""Promotional emails of a brand without a postal address, in a project whose compliance packs ask for one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.compliance.packs import load_pack
from orchestrator.definitions.compiler.project import PROJECT
from orchestrator.definitions.rules.analysis.coupons import topics_of
from orchestrator.definitions.rules.analysis.subject import Subject, messages, ways_of
from orchestrator.errors import Problem

CODE: Final = "email_without_address"
SEVERITY: Final = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """`brand.address` is missing, and something promotional goes by email."""
    if subject.project.brand.get("address") or not subject.sure("project"):
        return
    asking = [
        name for name in subject.project.packs if "postal_address" in load_pack(name).needs("email", "promotional")
    ]
    if asking and _sends_promotions(subject):
        law = load_pack(asking[0])
        source = next(rule.source for rule in law.content if "postal_address" in rule.needs)
        message = f"promotional emails have to show a postal address ({law.sources[source].title})"
        hint = "add `address:` to `brand`; it stands under every promotional and service email"
        yield subject.document(PROJECT).problem(("compliance",), CODE, message, hint, key=True)


def _sends_promotions(subject: Subject) -> bool:
    return any(
        topic.klass == "promotional"
        for journey in subject.journeys
        for step in messages(journey)
        for number, way in enumerate(ways_of(step))
        if way.channel == "email"
        for topic in topics_of(subject, journey, step, number)
    )
