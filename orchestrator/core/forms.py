"""Forms by which people tell about themselves: what is asked, in which words, and what becomes of the answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import timedelta
from typing import Final, Literal, TypeAlias

from orchestrator.records import dataclass

FieldType: TypeAlias = Literal[
    "text", "long_text", "email", "phone", "number", "integer", "date", "choice", "checkbox", "hidden"
]
Words: TypeAlias = Mapping[str, str]
"""Texts by locale; `default` where a locale has none."""
DEFAULT: Final = "default"
LONGEST: Final = 500
LONGEST_TEXT: Final = 2_000
"""Characters of an answer, and of one in several lines."""


@dataclass(frozen=True, slots=True)
class FormField:
    """A question. `attribute`: the customer's field that the answer fills (email and phone among them); None: it is
    only told with the event. `value`: what a hidden field says, None: what the page's address says."""

    name: str
    type: FieldType
    label: Words = field(default_factory=dict)
    required: bool = False
    options: Mapping[str, Words] = field(default_factory=dict)
    attribute: str | None = None
    value: object = None


@dataclass(frozen=True, slots=True)
class ConsentBox:
    """A box that is never ticked beforehand. `wording` is what it says, which the consent ledger keeps."""

    topic: str
    channels: tuple[str, ...]
    wording: Words
    required: bool = False

    @property
    def name(self) -> str:
        """What it is called among the answers."""
        return f"consent.{self.topic}"


@dataclass(frozen=True, slots=True)
class Form:
    """A form. `told`: which of form, locale and url its event has; `redirects`: where it may lead afterwards, the first
    one unless the page asks for another; `origins`: sites that may post it from their own pages; at most `most` posts
    `per` from one address."""

    name: str
    event: str
    fields: tuple[FormField, ...]
    title: Words = field(default_factory=dict)
    intro: Words = field(default_factory=dict)
    button: Words = field(default_factory=dict)
    done: Words = field(default_factory=dict)
    consents: tuple[ConsentBox, ...] = ()
    told: frozenset[str] = frozenset()
    redirects: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    most: int = 20
    per: timedelta = timedelta(hours=1)


def said(words: Words, locale: str) -> str:
    """The text for a locale, with its fallbacks: zh-Hant-TW, zh-Hant, zh, default, any."""
    parts = locale.split("-")
    for length in range(len(parts), 0, -1):
        found = words.get("-".join(parts[:length]))
        if found is not None:
            return found
    return words.get(DEFAULT) or next(iter(words.values()), "")


def locales_of(form: Form) -> list[str]:
    """The locales in which any of a form's texts is written, in their order."""
    texts = [form.title, form.intro, form.button, form.done]
    texts += [words for one in form.fields for words in (one.label, *one.options.values())]
    texts += [box.wording for box in form.consents]
    return list(dict.fromkeys(locale for words in texts for locale in words if locale != DEFAULT))
