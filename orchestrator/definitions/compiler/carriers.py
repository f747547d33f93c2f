"""Which message carries a coupon's code: the one whose guards are asked before a code is spent (section 8)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from orchestrator.definitions.compiler.flow import StepNode
from orchestrator.definitions.compiler.names import names_asked
from orchestrator.definitions.compiler.template_text import Hole, Miswritten, cut
from orchestrator.definitions.models.actions import CouponStep, ExitStep, GotoStep, TaskStep
from orchestrator.definitions.models.flow import RepeatStep, SplitStep, SurveyStep, WaitStep
from orchestrator.definitions.models.messages import MessageOptions, MessageStep, SendStep

TemplateNames = Callable[[str, str], frozenset[str]]
"""The names at the root of a template's values, by channel and template; empty for an unknown template."""


class _Search(NamedTuple):
    """What came of looking through a list. `unclear`: nobody can say, or time goes by first; `goes_on`: the flow may
    reach the list's end."""

    carrier: StepNode | None = None
    unclear: bool = False
    goes_on: bool = True


def carriers(
    nodes: Sequence[StepNode], template_names: TemplateNames, behind: Sequence[Sequence[StepNode]] = ()
) -> dict[StepNode, StepNode]:
    """For each `coupon` step the message step that carries its code, where that can be seen.

    It is the first message behind the coupon and before any wait that mentions the coupon's name: in the same list,
    below it, or where the flow goes on when it leaves the list (`behind`: the lists that follow, the innermost first).
    Where branches that exclude each other carry it both, nobody can say beforehand: none is named.
    """
    found: dict[StepNode, StepNode] = {}
    for number, node in enumerate(nodes):
        if not node.blocks and not isinstance(node.model, CouponStep):
            continue
        after = (nodes[number + 1 :], *behind)
        if isinstance(node.model, CouponStep):
            carrier = _first_of_all(after, node.model.coupon.as_, template_names)
            if carrier is not None:
                found[node] = carrier
        # The body of a repeat is followed by itself, which would issue another code.
        after = () if isinstance(node.model, RepeatStep) else after
        for block in node.blocks:
            found |= carriers(block.steps, template_names, after)
    return found


def _first_of_all(lists: Sequence[Sequence[StepNode]], name: str, template_names: TemplateNames) -> StepNode | None:
    """The first carrier in lists of steps that the flow takes one after another."""
    for nodes in lists:
        search = _first(nodes, name, template_names)
        if search.carrier is not None or search.unclear or not search.goes_on:
            return search.carrier
    return None


def _first(nodes: Sequence[StepNode], name: str, template_names: TemplateNames) -> _Search:
    """The first carrier in a list of steps."""
    for node in nodes:
        if _mentions(node.model, name, template_names):
            return _Search(carrier=node)
        if _lets_time_pass(node.model) or _issues(node.model, name):
            return _Search(unclear=True)
        if isinstance(node.model, (GotoStep, ExitStep)):
            return _Search(goes_on=False)
        if node.blocks:
            below = _below(node, name, template_names)
            if below.carrier is not None or below.unclear or not below.goes_on:
                return below
    return _Search()


def _below(node: StepNode, name: str, template_names: TemplateNames) -> _Search:
    """What a step's blocks come to together: one carrier among them is the carrier, two are none."""
    searches = [_first(block.steps, name, template_names) for block in node.blocks]
    named = [search.carrier for search in searches if search.carrier is not None]
    if len(named) > 1 or any(search.unclear for search in searches):
        return _Search(unclear=True)
    skips_all = isinstance(node.model, (SplitStep, RepeatStep))
    return _Search(named[0] if named else None, False, skips_all or any(search.goes_on for search in searches))


def _lets_time_pass(step: Any) -> bool:
    match step:
        case WaitStep():
            return True
        case SurveyStep(survey=survey):
            return survey.up_to is not None
        case TaskStep(task=task):
            return task.wait
        case RepeatStep(repeat=repeat):
            return repeat.every is not None
        case _:
            return False


def _issues(step: Any, name: str) -> bool:
    """Another coupon takes the name."""
    return isinstance(step, CouponStep) and step.coupon.as_ == name


def _mentions(step: Any, name: str, template_names: TemplateNames) -> bool:
    match step:
        case MessageStep():
            message = step.message
            return _in_options(message, name) or name in template_names(step.channel, message.template)
        case SendStep(send=send):
            ways = ((choice.channel, choice.message.template) for choice in send.choices)
            return _in_options(send, name) or any(name in template_names(*way) for way in ways)
        case SurveyStep(survey=survey):
            template = survey.template or survey.name
            return _in_options(survey, name) or name in template_names(survey.via, template)
        case _:
            return False


def _in_options(options: MessageOptions, name: str) -> bool:
    return any(name in names_in(value) for value in (options.subject, options.with_, options.to, options.locale))


def names_in(value: Any) -> frozenset[str]:
    """The names at the root of the expressions in a template field: results and variables, not the reserved ones."""
    match value:
        case str():
            try:
                holes = [piece.source for piece in cut(value) if isinstance(piece, Hole)]
            except Miswritten:
                return frozenset()
            return frozenset().union(*(names_asked(source) for source in holes))
        case list():
            return frozenset().union(*(names_in(item) for item in value))
        case Mapping():
            return frozenset().union(*(names_in(item) for item in value.values()))
        case _:
            return frozenset()
