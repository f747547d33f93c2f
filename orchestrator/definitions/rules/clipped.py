"""An email is so long that Gmail cuts it off, and hides the rest with the unsubscribe link."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from orchestrator.definitions.rules.analysis.subject import Subject
from orchestrator.errors import Problem
from orchestrator.templating.failure import ValueRefused
from orchestrator.templating.html_parts import finish_html
from orchestrator.templating.pieces import Data
from orchestrator.templating.preview import CLIPPED_AT
from orchestrator.templating.templates import TemplateVariant

CODE: Final = "clipped"
SEVERITY: Final = "warning"
_GROWS: Final = {"mjml": 40, "html": 3}
"""By how much a source grows at most when it is compiled and its styles are written into its tags; what is far smaller
is not looked at, so that lint stays quick."""


def check(subject: Subject) -> Iterator[Problem]:
    """Emails whose HTML is over the bound before any value is put in; preview looks at the whole of a message."""
    for variant in subject.templates.variants():
        size = _size(variant) if variant.channel == "email" else 0
        if size > CLIPPED_AT:
            message = f"its HTML has {size / 1024:.0f} KB without any values; Gmail cuts messages off at 102 KB"
            hint = "shorten it: the end, with the unsubscribe link, is hidden behind a link"
            yield Problem(variant.path, 1, 1, CODE, message, hint, SEVERITY)


def _size(variant: TemplateVariant) -> int:
    """Bytes of what is the same in every message, as far as that can be told before it is rendered."""
    body, kind = variant.parts.html, variant.parts.kind
    if body is None or kind not in _GROWS:
        return 0
    source = sum(len(piece.text) for piece in body if isinstance(piece, Data))
    if source * _GROWS[kind] < CLIPPED_AT:
        return 0
    try:
        pieces = finish_html(body, kind, variant.locale).pieces
    except ValueRefused:
        return 0
    return sum(len(piece.text.encode("utf-8", "replace")) for piece in pieces if isinstance(piece, Data))
