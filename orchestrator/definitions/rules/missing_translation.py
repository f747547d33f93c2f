"""A template without a language that most of the project's templates have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.rules.analysis.subject import Subject, messages, ways_of
from orchestrator.errors import Problem
from orchestrator.templating.locales import fallbacks
from orchestrator.templating.templates import TemplateSet

CODE: Final = "missing_translation"
SEVERITY: Final = "warning"


def check(subject: Subject) -> Iterator[Problem]:
    """Templates that are sent, against the languages that at least half of these have."""
    ways = {way for journey in subject.journeys for step in messages(journey) for way in ways_of(step)}
    sent = [found for way in ways if (found := subject.templates.get(way.channel, way.template)) is not None]
    spoken = Counter(locale for template in sent for locale in template.locales)
    for template in sent:
        for locale, number in sorted(spoken.items()):
            if 2 * number >= len(sent) and not _speaks(template, locale):
                variant = template.default
                ending = variant.path.rpartition(".")[2]
                others = f"{number} of {len(sent)} templates"
                message = f"'{template.name}' has no translation for {locale}, as {others} have"
                hint = f"write templates/{template.channel}/{template.name}.{locale}.{ending}"
                yield Problem(variant.path, 1, 1, CODE, message, hint, SEVERITY)


def _speaks(template: TemplateSet, locale: str) -> bool:
    """Whether a customer with this locale gets a translation; the project's own language may be the default."""
    return any(candidate in template.variants for candidate in fallbacks(locale))
