"""Steps: a place of the flow and its model become a step of the program, each verb by one small function.

To add a verb: its model, its class in core/program.py, its function in one of the steps_*.py, and a line in COMPILERS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from orchestrator.core.program import RepeatAgain, Step
from orchestrator.definitions.compiler import steps_action, steps_flow, steps_message, steps_wait
from orchestrator.definitions.compiler.flow import AGAIN, Place
from orchestrator.definitions.compiler.spot import Spot, Surroundings, shared_fields
from orchestrator.definitions.models.messages import CHANNELS

COMPILERS: Final[Mapping[str, Callable[[Any, Spot], Step]]] = {
    "wait": steps_wait.compile_wait,
    "if": steps_flow.compile_if,
    "choose": steps_flow.compile_choose,
    "do": steps_flow.compile_do,
    "split": steps_flow.compile_split,
    "repeat": steps_flow.compile_repeat,
    "goto": steps_flow.compile_goto,
    "exit": steps_flow.compile_exit,
    **dict.fromkeys(CHANNELS, steps_message.compile_message),
    "send": steps_message.compile_send,
    "survey": steps_message.compile_survey,
    "fetch": steps_action.compile_fetch,
    "webhook": steps_action.compile_webhook,
    "coupon": steps_action.compile_coupon,
    "task": steps_action.compile_task,
    "set": steps_action.compile_set,
    "add_tag": steps_action.compile_add_tag,
    "remove_tag": steps_action.compile_remove_tag,
    "stage": steps_action.compile_stage,
    "score": steps_action.compile_score,
    "track": steps_action.compile_track,
    "enroll": steps_action.compile_enroll,
    "unenroll": steps_action.compile_unenroll,
}
"""One function a verb."""


def compile_step(place: Place, around: Surroundings) -> Step:
    """One step of the program; what is wrong with it is among the problems of `around.fields`."""
    spot = Spot(place, around, shared_fields(place, around))
    if place.node.verb == AGAIN:
        return RepeatAgain(repeat=place.next, **spot.shared)
    return COMPILERS[place.node.verb](place.node.model, spot)
