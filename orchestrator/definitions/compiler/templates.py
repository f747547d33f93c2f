"""Templates as the engine asks for them, and their values checked against the journeys that send them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace

from orchestrator.core.expression.expr import Expr, compiled
from orchestrator.core.expression.types import OBJECT, UNKNOWN, Record, Type, Types, either
from orchestrator.core.program import ChannelTemplate, MessageOptions, Send, Step, Survey
from orchestrator.core.project import TemplateRef
from orchestrator.definitions.compiler.carriers import TemplateNames
from orchestrator.definitions.compiler.fields import NOTHING
from orchestrator.definitions.compiler.journey import JourneySource
from orchestrator.definitions.compiler.names import Names, tree_or_none
from orchestrator.definitions.compiler.types import union
from orchestrator.records import dataclass
from orchestrator.templating.templates import TemplateLibrary, TemplateVariant

TemplateKey = tuple[str, str]
"""Channel and name."""


def names_in_templates(library: TemplateLibrary) -> TemplateNames:
    """The look-up that tells which names the values of a template begin with."""
    known: dict[TemplateKey, frozenset[str]] = {}

    def names(channel: str, name: str) -> frozenset[str]:
        found = known.get((channel, name))
        if found is None:
            template = library.get(channel, name)
            variants = template.variants.values() if template is not None else ()
            found = known[channel, name] = frozenset(root for variant in variants for root in variant.names)
        return found

    return names


@dataclass(frozen=True, slots=True, eq=False)
class ProjectTemplates:
    """The templates last deployed, with the expressions of their values (core.project.Templates).

    `types` says for each template what its values may read: what fits all journeys that send it. References are made
    when they are first asked for.
    """

    library: TemplateLibrary
    types: Mapping[TemplateKey, Types]
    fallback: Types
    _made: dict[tuple[str, str, str | None], TemplateRef] = field(default_factory=dict, repr=False)

    def pick(self, channel: str, name: str, locale: str | None) -> TemplateRef | None:
        """The variant for a locale with its fallbacks; None: no such template."""
        variant = self.library.pick(channel, name, locale)
        if variant is None:
            return None
        key = (channel, name, variant.locale)
        made = self._made.get(key)
        if made is None:
            types = self.types.get((channel, name), self.fallback)
            made = self._made[key] = _reference(variant, types)
        return made


def _reference(variant: TemplateVariant, types: Types) -> TemplateRef:
    uses = tuple((key, _value(source, types)) for key, source in variant.uses)
    return TemplateRef(variant.channel, variant.name, variant.content_hash, variant.locale, variant.topic, uses)


def _value(source: str, types: Types) -> Expr:
    """The expression of a template's value. What lint complains of is compiled all the same: rendering decides."""
    node = tree_or_none(source)
    return NOTHING if node is None else compiled(source, node, types=types)


def template_types(sources: Iterable[JourneySource], fallback: Types) -> dict[TemplateKey, Types]:
    """For each template what its values may read, over all journeys that send it."""
    seen: dict[TemplateKey, list[Types]] = {}
    for source in sources:
        for step, names in _messages(source):
            types = _with_values(names.types, _options(step))
            for way in _ways(step):
                seen.setdefault((way.channel, way.template), []).append(types)
    return {key: _common(found, fallback) for key, found in seen.items()}


def _common(found: list[Types], fallback: Types) -> Types:
    if len({id(types) for types in found}) == 1:
        return found[0]
    entries = [types.entry for types in found]
    entry = union(kind if isinstance(kind, Record) else OBJECT for kind in entries)
    kinds: dict[str, list[Type]] = {}
    for types in found:
        for name, kind in types.results.items():
            kinds.setdefault(name, []).append(kind)
    return replace(fallback, entry=entry, results={name: either(of) for name, of in kinds.items()})


def _messages(source: JourneySource) -> Iterator[tuple[Send | Survey, Names]]:
    """The message steps of a journey that could be compiled, with the names in force."""
    steps: tuple[Step, ...] = source.journey.steps if source.journey is not None else ()
    for step in steps:
        if isinstance(step, (Send, Survey)):
            yield step, source.names[step.index]


def _ways(step: Send | Survey) -> tuple[ChannelTemplate, ...]:
    return step.ways if isinstance(step, Send) else (step.way,)


def _options(step: Send | Survey) -> MessageOptions:
    return step.options


def _with_values(types: Types, options: MessageOptions) -> Types:
    """The types beside the values that `with` gives."""
    if not options.values:
        return types
    return replace(types, results={**types.results, **dict.fromkeys((name for name, _ in options.values), UNKNOWN)})
