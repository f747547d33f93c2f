"""What a function that compiles a step is given: the step's place, its surroundings, and what all steps share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.core.program import END, Retry
from orchestrator.core.time.durations import parse_duration
from orchestrator.definitions.compiler.fields import Fields
from orchestrator.definitions.compiler.flow import Place
from orchestrator.definitions.compiler.names import Names
from orchestrator.definitions.models.steps import StepBase
from orchestrator.definitions.source import Path
from orchestrator.records import dataclass

DEFAULT_BACKOFF: Final = parse_duration("1m")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the steps of one list, and of all lists below it, share.

    `targets` are the steps that `goto` may name; `currency` is the project's; `carriers` maps the index of a `coupon`
    step to that of the message step which carries its code.
    """

    fields: Fields
    names: Names
    targets: Mapping[str, int]
    currency: str | None
    carriers: Mapping[int, int]

    def target(self, step_id: str, path: Path) -> int:
        """The index of a step by its id. An unknown one is a problem, and stands for the end."""
        found = self.targets.get(step_id)
        if found is None:
            known = sorted(self.targets)
            hint = did_you_mean(step_id, known) or "give the step that is meant an `id`"
            self.fields.complain(path, "unknown_step", f"there is no step '{step_id}' to go on with here", hint)
            return END
        return found


@dataclass(frozen=True, slots=True)
class Spot:
    """One step's place, model, path into the file, surroundings, and the fields that all steps share."""

    place: Place
    around: Surroundings
    shared: Mapping[str, Any]

    @property
    def path(self) -> Path:
        """Where the step stands in the file."""
        return self.place.node.path

    @property
    def fields(self) -> Fields:
        """Reads fields of the file."""
        return self.around.fields

    @property
    def names(self) -> Names:
        """What expressions may name in the step."""
        return self.around.names


def shared_fields(place: Place, around: Surroundings) -> dict[str, Any]:
    """The fields of core.program.StepBase."""
    shared: dict[str, Any] = {
        "index": place.index,
        "id": place.id,
        "verb": place.node.verb,
        "next": place.next,
        "following": place.following,
        "on_error": place.on_error,
        "on_error_next": place.on_error_next,
        "loops": place.loops,
        "in_exit": place.in_exit,
    }
    model: StepBase | None = place.node.model
    if model is None:
        return shared
    fields, path = around.fields, place.node.path
    if model.skip_if is not None:
        shared["skip_if"] = fields.expression(model.skip_if, (*path, "skip_if"), around.names)
    if model.zone_rule is not None:
        inside = model.zone_rule != model.timezone
        zone_path = (*path, model.verb, "timezone") if inside else (*path, "timezone")
        shared["timezone"] = fields.zone_rule(model.zone_rule, zone_path, around.names)
    if model.retry is not None:
        backoff = fields.duration(model.retry.backoff, (*path, "retry", "backoff"))
        shared["retry"] = Retry(model.retry.times, backoff or DEFAULT_BACKOFF)
    if model.cost is not None:
        shared["cost"] = (float(model.cost.amount), model.cost.currency or around.currency or "")
    return shared
