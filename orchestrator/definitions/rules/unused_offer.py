"""An offer of which no journey issues a coupon."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.errors import Problem

CODE: Final = "unused_offer"
SEVERITY: Final = "warning"


def check(subject: Subject) -> Iterator[Problem]:
    """Offers that no `coupon` step names, unless their code is everybody's; whether conditions look at their redemption
    makes no difference."""
    if not subject.complete:
        return
    used = {mention.name for file in subject.journey_files for mention in file.mentions.get("offer", ())}
    document = subject.document("journeys/offers.yaml")
    for name in subject.files.offers:
        public = (offer := subject.project.offers.get(name)) is not None and offer.public is not None
        if not public and name not in used and name not in subject.asked.offers:
            message = f"no journey issues a coupon of the offer '{name}'"
            yield document.problem((name,), CODE, message, "use it or remove it", key=True, severity=SEVERITY)
