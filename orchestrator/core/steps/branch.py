"""`if`, `choose`, `do`, `split`, `repeat`, `goto`, `exit`: steps that only say where to go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.core.advance import STOP, leave, stand
from orchestrator.core.enrollment import Enrollment, LoopState
from orchestrator.core.identity import split_draw
from orchestrator.core.program import Choose, Do, Goto, Journey, Leave, Repeat, RepeatAgain, Split
from orchestrator.core.waiting import journey_repeat, look_ahead, next_pass_at

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn


def run_choose(turn: CustomerTurn, e: Enrollment, journey: Journey, step: Choose) -> int:
    """Take the first branch whose condition is true. An error is neither true nor false, and takes none."""
    values: dict[str, object] = {}
    scope = turn.scope_of(e, journey=journey)
    for branch in step.branches:
        taken = branch.when.evaluate(scope)
        values |= branch.when.explain(scope)
        if taken:
            turn.say("branched", {"branch": branch.label}, e, step.id, values)
            return branch.target
    turn.say("branched", {"branch": step.otherwise_label}, e, step.id, values)
    return step.otherwise


def run_do(turn: CustomerTurn, e: Enrollment, journey: Journey, step: Do) -> int:
    """Walk into the block."""
    return step.first


def run_split(turn: CustomerTurn, e: Enrollment, journey: Journey, step: Split) -> int:
    """Draw a variant by hash: the same customer always draws the same. Control persons skip the branches."""
    variant = turn.view.forced.get(step.name)
    if variant is None:
        drawn_as = turn.customer.drawn_as(f"split:{step.name}") if turn.customer.draws else e.customer_id
        variant = drawn_variant(step, split_draw(turn.view.salt, step.name, drawn_as))
    turn.say("assigned", {"split": step.name, "variant": variant}, e, step.id)
    for candidate in step.variants:
        if candidate.name == variant:
            return candidate.target
    return step.next


def drawn_variant(step: Split, share: float) -> str:
    """The variant at a place in [0, 1): control first, then the variants in file order, by weight."""
    if share < step.control:
        return "control"
    total = sum(variant.weight for variant in step.variants)
    edge = step.control
    for variant in step.variants:
        edge += (1 - step.control) * variant.weight / total
        if share < edge:
            return variant.name
    return step.variants[-1].name


def run_repeat(turn: CustomerTurn, e: Enrollment, journey: Journey, step: Repeat) -> int:
    """Begin the first pass."""
    e.loops[step.id] = LoopState(1, turn.t)
    return _pass(turn, e, step)


def run_repeat_again(turn: CustomerTurn, e: Enrollment, journey: Journey, step: RepeatAgain) -> int:
    """The body's end: begin the next pass, `every` x passes after the anchor, or go on."""
    repeat = journey_repeat(turn, e, step)
    state = e.loops[repeat.id]
    if state.number >= repeat.times:
        return finish_loop(e, repeat)
    if repeat.every is None:
        return next_pass(turn, e, repeat)
    end = next_pass_at(turn, e, repeat, repeat.every)
    e.base_at = turn.t
    e.past = False
    e.until_at = max(end, turn.t)
    turn.say("waiting", {"until": e.until_at}, e, repeat.id, {"zone": turn.zone_of(e, repeat.timezone).link})
    stand(turn, e, "wait", e.until_at, look_ahead(turn, e))
    return STOP


def next_pass(turn: CustomerTurn, e: Enrollment, repeat: Repeat) -> int:
    """Count up and walk into the body again. A pass that begins late is the new anchor: no others follow at once."""
    state = e.loops[repeat.id]
    number = state.number + 1
    late = repeat.every is not None and turn.t > next_pass_at(turn, e, repeat, repeat.every)
    e.loops[repeat.id] = LoopState(number, turn.t, number) if late else state._replace(number=number)
    return _pass(turn, e, repeat)


def _pass(turn: CustomerTurn, e: Enrollment, repeat: Repeat) -> int:
    if repeat.condition is not None and not turn.truth(repeat.condition, e):
        return finish_loop(e, repeat)
    return repeat.first


def finish_loop(e: Enrollment, repeat: Repeat) -> int:
    """Leave the loop."""
    e.loops.pop(repeat.id, None)
    return repeat.next


def run_goto(turn: CustomerTurn, e: Enrollment, journey: Journey, step: Goto) -> int:
    """Go on at another step."""
    return step.target


def run_leave(turn: CustomerTurn, e: Enrollment, journey: Journey, step: Leave) -> int:
    """`exit: reason`."""
    leave(turn, e, step.reason)
    return STOP
