"""From the models of steps to the tree that `flow` lays out: which lists of steps stand below which step, and where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from orchestrator.core.program import OnError
from orchestrator.definitions.compiler.flow import Block, StepNode
from orchestrator.definitions.models.actions import FetchStep, WebhookStep
from orchestrator.definitions.models.flow import ChooseStep, DoStep, IfStep, RepeatStep, SplitStep, SurveyStep, WaitStep
from orchestrator.definitions.models.steps import StepBase
from orchestrator.definitions.source import Path

THEN, ELSE, DEFAULT, DO = "then", "else", "default", "do"
"""Names of blocks; those of a `choose` are numbers from 1, those of a `split` its variants' names."""


def tree_of(steps: Sequence[Any], path: Path) -> tuple[StepNode, ...]:
    """The steps of a list and everything below them; `path` leads to the list."""
    return tuple(_node(step, (*path, number)) for number, step in enumerate(steps))


def _node(step: StepBase, path: Path) -> StepNode:
    blocks = tuple(Block(name, tree_of(steps, (*path, *below))) for name, below, steps in _lists(step))
    return StepNode(step.verb, path, step, blocks, step.id, _error_rule(step))


def _lists(step: StepBase) -> Iterator[tuple[str, Path, Sequence[Any]]]:
    """The lists of steps in a step, in the order of the reference: name, path from the step, steps."""
    match step:
        case IfStep() | WaitStep() | SurveyStep():
            yield THEN, (THEN,), step.then
            yield ELSE, (ELSE,), step.else_
        case ChooseStep():
            for number, choice in enumerate(step.choose):
                yield str(number + 1), ("choose", number, DO), choice.do
            yield DEFAULT, (DEFAULT,), step.default
        case DoStep():
            yield DO, (DO,), step.do
        case SplitStep():
            for name, variant in step.split.variants.items():
                yield name, ("split", "variants", name, DO), variant.do
        case RepeatStep():
            yield DO, ("repeat", DO), step.repeat.do
        case _:
            return


def _error_rule(step: StepBase) -> OnError | None:
    """What the step itself says about errors; a `fetch` with a default takes it unless it says otherwise."""
    match step:
        case FetchStep():
            rule = step.error_rule
            return "default" if rule is None and step.fetch.has_default else rule
        case WebhookStep():
            return step.error_rule
        case _:
            return step.on_error
