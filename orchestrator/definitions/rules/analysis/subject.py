"""What lint's rules look at: the project as loaded, and for each journey its program, its file and what follows from
them, worked out once and shared by all rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property, reduce
from operator import or_
from typing import Any, Literal

from orchestrator.core.expression.needs import NOTHING, Needs
from orchestrator.core.expression.nodes import Node
from orchestrator.core.program import ChannelTemplate, Journey, MessageOptions, RepeatAgain, Send, Step, Survey
from orchestrator.definitions.compiler.flow import StepNode
from orchestrator.definitions.compiler.journey import JourneySource
from orchestrator.definitions.compiler.names import needs_of, tree_or_none
from orchestrator.definitions.load import LoadedProject
from orchestrator.definitions.rules.analysis.graph import Graph, graph_of
from orchestrator.definitions.rules.analysis.mentions import Mention, mentions_in
from orchestrator.definitions.rules.analysis.results import Results, results_of
from orchestrator.definitions.rules.analysis.template_reading import printed_names
from orchestrator.definitions.rules.analysis.texts import Text, model_at, texts_of
from orchestrator.definitions.source import Document, Path
from orchestrator.errors import Problem
from orchestrator.templating.positions import Position
from orchestrator.templating.templates import TemplateSet, TemplateVariant


class JourneyFile:
    """A journey whose file could be read, compiled or not."""

    def __init__(self, source: JourneySource) -> None:
        self.source = source
        self.id = source.id
        self.model = source.model
        self.document: Document = source.document

    @property
    def nodes(self) -> tuple[StepNode, ...]:
        """Every step of the file, those of the exits last."""
        return self.source.nodes

    @cached_property
    def texts_by_step(self) -> Mapping[Path, tuple[Text, ...]]:
        """The expressions of each step by its place, without those of steps below it."""
        return {node.path: tuple(texts_of(node.model, node.path)) for node in self.nodes}

    @cached_property
    def texts(self) -> tuple[Text, ...]:
        """Every expression of the file, those in templates included."""
        inside = (text for texts in self.texts_by_step.values() for text in texts)
        return (*texts_of(self.model, ()), *inside)

    @cached_property
    def mentions(self) -> Mapping[str, tuple[Mention, ...]]:
        """What plain fields name, by kind."""
        found: dict[str, list[Mention]] = {}
        for mention in mentions_in(self.model, self.nodes):
            found.setdefault(mention.kind, []).append(mention)
        return {kind: tuple(mentions) for kind, mentions in found.items()}

    def problem(
        self,
        path: Path,
        code: str,
        message: str,
        hint: str | None = None,
        *,
        key: bool = False,
        offset: int | None = None,
        length: int | None = None,
        severity: Literal["error", "warning"] = "error",
    ) -> Problem:
        """A problem in this file, at the value at `path`, at its key, or at `offset` in its text."""
        return self.document.problem(
            path, code, message, hint, key=key, offset=offset, length=length, severity=severity
        )


class JourneySubject(JourneyFile):
    """A journey that compiled. Steps are named by their index in the program."""

    def __init__(self, source: JourneySource, journey: Journey) -> None:
        super().__init__(source)
        self.journey = journey
        self.steps = journey.steps

    @cached_property
    def graph(self) -> Graph:
        """Where a customer can go."""
        return graph_of(self.journey)

    @cached_property
    def variables(self) -> Mapping[str, Node]:
        """The journey's `vars` as trees."""
        trees = {name: tree_or_none(source) for name, source in self.model.vars.items()}
        return {name: tree for name, tree in trees.items() if tree is not None}

    @cached_property
    def results(self) -> Results:
        """What the names given by `as:` may hold at each step."""
        return results_of(self.graph, self.variables)

    def path(self, step: Step) -> Path:
        """Where the step stands in the file."""
        return self.source.paths[step.index]

    def texts_at(self, step: Step) -> tuple[Text, ...]:
        """The expressions of one step, without those of steps below it."""
        return () if isinstance(step, RepeatAgain) else self.texts_by_step[self.path(step)]

    def model_value(self, step: Step, key: str) -> Any:
        """What stands below a key of the step, as its model has it."""
        return model_at(self.model, (*self.path(step), key))

    def verb_problem(
        self,
        step: Step,
        code: str,
        message: str,
        hint: str | None = None,
        severity: Literal["error", "warning"] = "error",
    ) -> Problem:
        """A problem of a step as a whole, at its verb."""
        return self.problem((*self.path(step), step.verb), code, message, hint, key=True, severity=severity)


class Subject:
    """A loaded project under lint."""

    def __init__(self, loaded: LoadedProject) -> None:
        self.loaded = loaded
        self.project = loaded.project
        self.files = loaded.files
        self.templates = loaded.templates
        self._names_in: dict[ChannelTemplate, frozenset[str]] = {}
        self._asked_by: dict[tuple[str, str], Needs] = {}
        self._printed: dict[tuple[str, str], Mapping[str, tuple[Position, ...]]] = {}
        self.journey_files = tuple(
            JourneyFile(source) if source.journey is None else JourneySubject(source, source.journey)
            for source in loaded.sources.values()
        )
        self.journeys = tuple(file for file in self.journey_files if isinstance(file, JourneySubject))

    def sure(self, kind: str) -> bool:
        """Whether all names of a kind (project, schema, segments, offers, catalogs, journeys) could be read."""
        return kind not in self.files.unsure

    @property
    def complete(self) -> bool:
        """Every journey could be read and compiled, so that what none of them mentions is not used at all."""
        return len(self.journeys) == len(self.journey_files) and not self.files.unsure

    @cached_property
    def asked(self) -> Needs:
        """The segments and offers that expressions ask for, anywhere in the project."""
        return reduce(or_, map(needs_of, set(filter(_asks, self._sources()))), NOTHING)

    def _sources(self) -> Iterator[str]:
        for file in self.journey_files:
            if _asks(file.document.text):
                yield from (text.source for text in file.texts)
        rules = [segment.where for segment in self.project.segments] + [stage.where for stage in self.project.stages]
        yield from (where.source for where in rules if where is not None)
        for variant in self.templates.variants():
            for _, source in variant.uses:
                yield source

    def document(self, path: str) -> Document:
        """A file of the project; an empty one where it is not there."""
        return self.loaded.documents.get(path) or Document(path, "")

    def variants(self, way: ChannelTemplate) -> tuple[TemplateVariant, ...]:
        """The template of a way to send in all its languages; empty where there is none."""
        found: TemplateSet | None = self.templates.get(way.channel, way.template)
        return tuple(found.variants.values()) if found is not None else ()

    def names_in(self, way: ChannelTemplate) -> frozenset[str]:
        """The names that the template of a way reads, in any of its languages."""
        found = self._names_in.get(way)
        if found is None:
            found = frozenset(name for variant in self.variants(way) for name in variant.names)
            self._names_in[way] = found
        return found

    def asked_by(self, variant: TemplateVariant) -> Needs:
        """What the expressions of a template ask for."""
        key = (variant.path, variant.content_hash)
        found = self._asked_by.get(key)
        if found is None:
            found = self._asked_by[key] = reduce(or_, (needs_of(source) for _, source in variant.uses), NOTHING)
        return found

    def printed(self, variant: TemplateVariant) -> Mapping[str, tuple[Position, ...]]:
        """By name, the places at which a template prints a value of it without looking first whether it is there."""
        key = (variant.path, variant.content_hash)
        found = self._printed.get(key)
        if found is None:
            found = self._printed[key] = printed_names(variant)
        return found


def _asks(text: str) -> bool:
    """Whether a text can hold a question for a segment or an offer at all."""
    return "in_segment" in text or "redeemed" in text


def messages(journey: JourneySubject) -> Iterator[Send | Survey]:
    """The steps that send."""
    for step in journey.steps:
        if isinstance(step, (Send, Survey)):
            yield step


def ways_of(step: Send | Survey) -> tuple[ChannelTemplate, ...]:
    """The channels and templates of a step that sends, in the order of the file."""
    return step.ways if isinstance(step, Send) else (step.way,)


def way_path(journey: JourneySubject, step: Send | Survey, number: int) -> Path:
    """Where the n-th way of a message names its template."""
    path = journey.path(step)
    if isinstance(step, Survey):
        has_template = model_at(journey.model, path).survey.template is not None
        return (*path, "survey", "template" if has_template else "name")
    if step.verb != "send":
        return (*path, step.verb, "template")
    listed = "all_of" if step.every_way else "first_of"
    return (*path, "send", listed, number, step.ways[number].channel)


def given(options: MessageOptions) -> frozenset[str]:
    """The names that `with` gives to the template."""
    return frozenset(name for name, _ in options.values)
