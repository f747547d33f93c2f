"""Steps that only say where to go: `if`, `choose`, `do`, `split`, `repeat`, `goto`, `exit`."""

from __future__ import annotations

from orchestrator.core.program import Branch, Choose, Do, Goto, Leave, Repeat, Split, Variant
from orchestrator.definitions.compiler.spot import Spot
from orchestrator.definitions.compiler.tree import DEFAULT, DO, ELSE, THEN
from orchestrator.definitions.models.actions import ExitStep, GotoStep
from orchestrator.definitions.models.flow import ChooseStep, DoStep, IfStep, RepeatStep, SplitStep


def compile_if(model: IfStep, spot: Spot) -> Choose:
    """`if:` with `then` and `else`."""
    when = spot.fields.expression(model.if_, (*spot.path, "if"), spot.names)
    targets = spot.place.targets
    branch = Branch(THEN, when, targets[THEN])
    return Choose(branches=(branch,), otherwise=targets[ELSE], otherwise_label=ELSE, **spot.shared)


def compile_choose(model: ChooseStep, spot: Spot) -> Choose:
    """`choose:` with `default`."""
    targets = spot.place.targets
    branches = []
    for number, choice in enumerate(model.choose):
        when = spot.fields.expression(choice.when, (*spot.path, "choose", number, "when"), spot.names)
        branches.append(Branch(str(number + 1), when, targets[str(number + 1)]))
    return Choose(branches=tuple(branches), otherwise=targets[DEFAULT], otherwise_label=DEFAULT, **spot.shared)


def compile_do(model: DoStep, spot: Spot) -> Do:
    """`do:`."""
    return Do(first=spot.place.targets[DO], **spot.shared)


def compile_split(model: SplitStep, spot: Spot) -> Split:
    """`split:`."""
    split = model.split
    variants = tuple(
        Variant(name, float(variant.weight), spot.place.targets[name]) for name, variant in split.variants.items()
    )
    return Split(name=split.name, variants=variants, control=split.control / 100, **spot.shared)


def compile_repeat(model: RepeatStep, spot: Spot) -> Repeat:
    """`repeat:`. Its body ends in a RepeatAgain."""
    repeat = model.repeat
    every = spot.fields.duration(repeat.every, (*spot.path, "repeat", "every"))
    condition = spot.fields.optional(repeat.while_, (*spot.path, "repeat", "while"), spot.names)
    again = spot.place.again
    assert again is not None  # `lay_out` gives every repeat its end
    return Repeat(
        times=repeat.times,
        every=every,
        condition=condition,
        first=spot.place.targets[DO],
        again=again,
        **spot.shared,
    )


def compile_goto(model: GotoStep, spot: Spot) -> Goto:
    """`goto:`."""
    return Goto(target=spot.around.target(model.goto, (*spot.path, "goto")), **spot.shared)


def compile_exit(model: ExitStep, spot: Spot) -> Leave:
    """`exit:`."""
    return Leave(reason=model.exit, **spot.shared)
