"""The templates of a project, as the engine and the renderer know them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from orchestrator.errors import Problem
from orchestrator.records import dataclass
from orchestrator.templating.assets import Asset
from orchestrator.templating.locales import fallbacks
from orchestrator.templating.pieces import Piece
from orchestrator.templating.positions import Position, SourceMap

CHANNELS = ("email", "sms", "push", "whatsapp", "wechat", "inbox")
"""The folders below `templates`, which are the channels."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """What a variant is rendered from, in pieces. None: the template does not give that part.

    `html` is HTML or MJML (`kind`) as its author wrote it, with the includes in place; `text` a text part of its own.
    Neither: the file has problems.
    """

    subject: list[Piece] | None = None
    preheader: list[Piece] | None = None
    sender: list[Piece] | None = None
    reply_to: list[Piece] | None = None
    html: list[Piece] | None = None
    kind: str = ""
    text: list[Piece] | None = None
    fields: Mapping[str, list[Piece]] = field(default_factory=dict)
    sources: SourceMap = field(default_factory=SourceMap)

    @property
    def text_derived(self) -> bool:
        """Whether the text part is made from the HTML."""
        return self.html is not None and self.text is None


@dataclass(frozen=True, slots=True)
class TemplateVariant:
    """One template in one language.

    `uses` are the values that the engine works out and freezes when it writes the message's row, each as (key,
    expression); the key is the expression's canonical text. `positions` tells where each stands, `names` where each
    name at the root of one stands; names of closed.SPECIAL_NAMES are not among them. `zoned`: rendering depends on
    the zone in force. `subject`, `preheader`, `sender` and `reply_to` are the sources as written, None where not given.
    """

    channel: str
    name: str
    locale: str | None
    path: str
    content_hash: str
    topic: str | None
    subject: str | None
    preheader: str | None
    sender: str | None
    reply_to: str | None
    uses: tuple[tuple[str, str], ...]
    positions: Mapping[str, tuple[Position, ...]]
    names: Mapping[str, tuple[Position, ...]]
    specials: frozenset[str]
    zoned: bool
    files: tuple[tuple[str, str], ...]
    """(path below `templates`, text) of every file it is made of: from these and the bytes of its `assets`,
    load_template_files makes it again."""
    assets: tuple[Asset, ...]
    """The pictures and documents that it names."""
    parts: Parts = field(repr=False, compare=False)

    @property
    def places_unsubscribe_url(self) -> bool:
        """Whether the author placed the unsubscribe link somewhere in the template."""
        return "unsubscribe_url" in self.specials


@dataclass(frozen=True, slots=True)
class TemplateSet:
    """One template in all its languages. `variants` by locale; None is the default."""

    channel: str
    name: str
    variants: Mapping[str | None, TemplateVariant]

    @property
    def default(self) -> TemplateVariant:
        """The variant for those whose language has none."""
        return self.variants[None] if None in self.variants else next(iter(self.variants.values()))

    def pick(self, locale: str | None) -> TemplateVariant:
        """The variant for a locale: zh-Hant-TW, zh-Hant, zh, default."""
        translated = len(self.variants) > 1 or None not in self.variants
        for candidate in fallbacks(locale) if locale and translated else ():
            found = self.variants.get(candidate)
            if found is not None:
                return found
        return self.default

    @property
    def locales(self) -> tuple[str, ...]:
        """The languages it is translated to, beside the default."""
        return tuple(locale for locale in self.variants if locale is not None)


@dataclass(frozen=True, slots=True)
class TemplateLibrary:
    """All templates of a project, and what is wrong with them. A variant with errors is among them and not rendered."""

    sets: Mapping[tuple[str, str], TemplateSet]
    problems: tuple[Problem, ...]
    assets: Mapping[str, Asset] = field(default_factory=dict)

    def get(self, channel: str, name: str) -> TemplateSet | None:
        """The template of this name on a channel, or None."""
        return self.sets.get((channel, name))

    def pick(self, channel: str, name: str, locale: str | None) -> TemplateVariant | None:
        """The variant for a locale with its fallbacks, or None: no such template."""
        found = self.sets.get((channel, name))
        return found.pick(locale) if found else None

    def names(self, channel: str) -> tuple[str, ...]:
        """The templates of a channel, in order."""
        return tuple(sorted(name for of, name in self.sets if of == channel))

    def variants(self) -> tuple[TemplateVariant, ...]:
        """Every variant of every template."""
        return tuple(variant for found in self.sets.values() for variant in found.variants.values())

    def by_hash(self, content_hash: str) -> TemplateVariant | None:
        """The variant whose content a message row pins, or None where it is no longer deployed."""
        return next((variant for variant in self.variants() if variant.content_hash == content_hash), None)
