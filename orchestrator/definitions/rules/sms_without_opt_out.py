"""A promotional text that does not tell how to end such texts, in a project whose compliance packs ask for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.compliance.packs import load_pack
from orchestrator.definitions.rules.analysis.coupons import topics_of
from orchestrator.definitions.rules.analysis.subject import Subject, messages, ways_of
from orchestrator.errors import Problem
from orchestrator.templating.sms import CHINA, SmsRules, says_how_to_stop

CODE: Final = "sms_without_opt_out"
SEVERITY: Final = "warning"


def check(subject: Subject) -> Iterator[Problem]:
    """Templates of promotional texts without such words, where `opt_out` of the channel does not add them either."""
    asking = [name for name in subject.project.packs if _adds_nothing(subject, name)]
    if not asking:
        return
    told: set[str] = set()
    for journey in subject.journeys:
        for step in messages(journey):
            for number, way in enumerate(ways_of(step)):
                if way.channel != "sms" or all(
                    t.klass != "promotional" for t in topics_of(subject, journey, step, number)
                ):
                    continue
                for variant in subject.variants(way):
                    text = "\n".join(text for _, text in variant.files)
                    if variant.path in told or variant.places_unsubscribe_url or says_how_to_stop(text):
                        continue
                    told.add(variant.path)
                    message = f"'{variant.name}' does not say how to end such texts, as {_titles(asking)} asks"
                    hint = 'write it, such as "Reply STOP to end", or give `opt_out: {default: ...}` to the channel sms'
                    yield Problem(variant.path, 1, 1, CODE, message, hint, SEVERITY)


def _adds_nothing(subject: Subject, name: str) -> bool:
    """Whether a pack asks for the words, and nothing puts them behind a text to one of its countries."""
    pack = load_pack(name)
    if "opt_out_words" not in pack.needs("sms", "promotional"):
        return False
    given = SmsRules.of(subject.project.channels.get("sms", {})).opt_out
    return "default" not in given and bool(pack.countries - given.keys() - {CHINA})


def _titles(names: list[str]) -> str:
    return " and ".join(f"the pack '{name}'" for name in names)
