"""What every step takes, whatever its verb (the language reference, section 3)."""

from functools import cache
from typing import Annotated, ClassVar, Literal

from orchestrator.definitions.field_kinds import (
    Amount,
    CurrencyCode,
    Expression,
    Name,
    OneOf,
    Plain,
    Positive,
    ZoneOrExpression,
)
from orchestrator.definitions.models.base import FileModel
from orchestrator.definitions.time_kinds import DurationText

OnErrorWord = Literal["fail", "continue", "exit", "default"]


class Retry(FileModel):
    """`retry: {times: 3, backoff: 1m}`."""

    times: Positive
    """How many further attempts."""
    backoff: DurationText | None = None
    """How long before the first; each further pause is twice as long. Default 1m."""


class Cost(FileModel):
    """`cost: {amount: 0.05, currency: EUR}`."""

    amount: Amount
    """What one such step costs."""
    currency: CurrencyCode | None = None
    """In which money; default: the project's."""


class StepBase(FileModel):
    """What every step takes beside its verb."""

    VERB: ClassVar[str] = ""
    """The verb, which is also the key of the step's own part."""

    id: Name | None = None
    """The step's name; default <verb>_<n>. `goto`, `opened`, `clicked`, `visits` need one."""
    note: Plain | None = None
    """A remark for people."""
    skip_if: Expression | None = None
    """The step is left out where this is true."""
    retry: Retry | None = None
    """Further attempts after a failure."""
    on_error: Annotated[Literal["fail", "continue", "exit"], OneOf()] | None = None
    """After the last failed attempt: fail (default), continue with the next step, or exit."""
    cost: Cost | None = None
    """What the step costs, for reports."""
    timezone: ZoneOrExpression | None = None
    """The zone of this step instead of the journey's: `customer`, an IANA zone, or an expression."""

    @property
    def verb(self) -> str:
        """The verb."""
        return self.VERB

    @property
    def error_rule(self) -> OnErrorWord | None:
        """`on_error`, wherever it stands in the step; None where it is not written."""
        inner: OnErrorWord | None = getattr(getattr(self, _own_field(type(self)), None), "on_error", None)
        return inner or self.on_error

    @property
    def zone_rule(self) -> str | None:
        """`timezone`, wherever it stands in the step; None where it is not written."""
        inner: str | None = getattr(getattr(self, _own_field(type(self)), None), "timezone", None)
        return inner or self.timezone


@cache
def _own_field(step: type[StepBase]) -> str:
    """The field that holds what stands behind a step's verb."""
    return step.VERB if step.VERB in step.model_fields else step.VERB + "_"
