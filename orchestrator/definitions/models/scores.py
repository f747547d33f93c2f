"""`scores:` of project.yaml: points that rules add and time takes away (the language reference, section 9)."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from orchestrator.definitions.faults import fault
from orchestrator.definitions.field_kinds import Expression, Number, Plain
from orchestrator.definitions.models.base import FileModel, no_items
from orchestrator.definitions.shapes import OneOrMany
from orchestrator.definitions.time_kinds import FixedDuration


class ScoreRule(FileModel):
    """`{event: page_viewed, where: event.path == '/pricing', add: 10}`, or without `event`: what stands by itself."""

    event: Plain | None = None
    """Each of these events earns the points; absent: the points stand as long as `where` holds, and do not fade."""
    where: Expression | None = None
    """Only events, or customers, for whom this is true."""
    add: Number
    """So many points; below zero takes some away."""

    @model_validator(mode="after")
    def _has_reason(self) -> Self:
        if self.event is None and self.where is None:
            hint = "add `event: page_viewed`, or `where: customer.role == 'CTO'`"
            raise fault("missing_key", "a rule of a score needs an event or a condition", hint, at="add")
        if not self.add:
            raise fault("bad_value", "a rule that adds 0 points does nothing", "remove it", at="add")
        return self


class Score(FileModel):
    """`lead: {half_life: 30d, min: 0, max: 100, rules: [...]}`."""

    title: Plain | None = None
    """What people call it."""
    half_life: FixedDuration | None = None
    """After this long half of the earned points are gone; d is 24 hours; default: they stay."""
    min: Number | None = None
    """The score is never below this; default: no bound."""
    max: Number | None = None
    """The score is never above this; default: no bound."""
    rules: Annotated[list[ScoreRule], OneOrMany()] = Field(default_factory=no_items)
    """What earns points; steps may add some, too."""

    @model_validator(mode="after")
    def _bounds_fit(self) -> Self:
        if self.min is not None and self.max is not None and self.min >= self.max:
            raise fault("bad_value", f"`min` ({self.min:g}) is not below `max` ({self.max:g})", at="min")
        return self
