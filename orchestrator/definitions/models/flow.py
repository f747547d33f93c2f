"""Steps that branch, wait and repeat, and `Step`: any step (the language reference, section 3)."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, model_validator
from typing_extensions import TypeAliasType

from orchestrator.definitions.faults import fault
from orchestrator.definitions.field_kinds import Expression, Name, Percent, Positive, PositiveAmount
from orchestrator.definitions.models.actions import (
    AddTagStep,
    CouponStep,
    EnrollStep,
    ExitStep,
    FetchStep,
    GotoStep,
    RemoveTagStep,
    ScoreStep,
    SetStep,
    StageStep,
    TaskStep,
    TrackStep,
    UnenrollStep,
    WebhookStep,
)
from orchestrator.definitions.models.base import FileModel, no_items
from orchestrator.definitions.models.messages import (
    EmailStep,
    InboxStep,
    PushStep,
    SendStep,
    SmsStep,
    Survey,
    WechatStep,
    WhatsappStep,
)
from orchestrator.definitions.models.steps import StepBase
from orchestrator.definitions.models.waits import Wait
from orchestrator.definitions.shapes import ByKey, EmptyWhenNull, StepsOrMapping
from orchestrator.definitions.time_kinds import DurationText

_LATER = {
    "collect": "(gathering events) is no step yet",
    "use": "(a journey pattern) is no step yet",
}


def _bare_step(value: Any) -> Any:
    """`- exit` alone: a verb without its mapping."""
    if isinstance(value, str) and value in STEPS:
        raise fault("wrong_type", f"`{value}` stands here as text, and a step is a mapping", f"write `{value}: ...`")
    raise fault("wrong_type", "a step is a mapping such as `email: template_name`", "start it with a verb and a colon")


Step = TypeAliasType(
    "Step",
    Annotated[
        "WaitStep | IfStep | ChooseStep | DoStep | SplitStep | EmailStep | SmsStep | PushStep | WhatsappStep"
        " | WechatStep | InboxStep | SendStep | FetchStep | WebhookStep | CouponStep | TaskStep | SurveyStep | SetStep"
        " | AddTagStep | RemoveTagStep | StageStep | ScoreStep | TrackStep | EnrollStep | UnenrollStep | RepeatStep"
        " | GotoStep | ExitStep",
        ByKey(
            "a step",
            lambda: STEPS,
            ("no_verb", "two_verbs"),
            common=StepBase.known_keys() | {"then", "else", "default"},
            later=_LATER,
            scalar=_bare_step,
            what="verb",
        ),
    ],
)
"""Any step. The models are named, not given, so that the lists of steps in them need not be resolved later."""

Steps = Annotated[list[Step], EmptyWhenNull()]
"""A list of steps; nothing behind the colon is an empty one."""


class WaitStep(StepBase):
    """`wait:` for a time, or for something that happens."""

    VERB: ClassVar[str] = "wait"
    wait: Wait
    """A duration, or a mapping that says until when or for what."""
    then: Steps = Field(default_factory=no_items)
    """Steps when it happened."""
    else_: Steps = Field(default_factory=no_items)
    """Steps when `up_to` has passed."""

    @model_validator(mode="after")
    def _branches_need_something(self) -> Self:
        if not self.wait.FOR_SOMETHING:
            for field, key in (("then", "then"), ("else_", "else")):
                if field in self.model_fields_set:
                    hint = "write the steps below the wait, in the same list"
                    raise fault(
                        "bad_value", f"`{key}` stands only with a wait for an event, when, segment or any", hint, at=key
                    )
        return self


class SurveyStep(StepBase):
    """`survey:` with `then` when it was answered and `else` when time was up."""

    VERB: ClassVar[str] = "survey"
    survey: Survey
    """The survey and the message that carries it."""
    then: Steps = Field(default_factory=no_items)
    """Steps after an answer."""
    else_: Steps = Field(default_factory=no_items)
    """Steps when `up_to` has passed without one."""


class IfStep(StepBase):
    """`if:` with `then` and `else`."""

    VERB: ClassVar[str] = "if"
    if_: Expression
    """The condition; none is false."""
    then: Steps = Field(default_factory=no_items)
    """Steps where it is true."""
    else_: Steps = Field(default_factory=no_items)
    """Steps where it is not."""

    INSTEAD: ClassVar[Mapping[str, str]] = {"default": "else", "otherwise": "else", "steps": "then"}


class Choice(FileModel):
    """`{when: EXPR, do: [...]}` of `choose`."""

    when: Expression
    """The condition; the first true one wins."""
    do: Steps = Field(default_factory=no_items)
    """Steps where it is true."""

    INSTEAD: ClassVar[Mapping[str, str]] = {"then": "do", "steps": "do", "if": "when"}


class ChooseStep(StepBase):
    """`choose:` with `default`."""

    VERB: ClassVar[str] = "choose"
    choose: list[Choice]
    """Branches; the first whose condition is true is taken, and no other."""
    default: Steps = Field(default_factory=no_items)
    """Steps where none is true."""

    INSTEAD: ClassVar[Mapping[str, str]] = {"else": "default", "otherwise": "default"}


class DoStep(StepBase):
    """`do:`: a block."""

    VERB: ClassVar[str] = "do"
    do: Steps
    """The steps of the block; skip_if and on_error apply to all of it."""


class Variant(FileModel):
    """`{weight: 50, do: [...]}`."""

    weight: PositiveAmount = 1
    """Its share relative to the other variants'."""
    do: Steps = Field(default_factory=no_items)
    """Steps of those who are in it."""


class Split(FileModel):
    """`split: {name: subject_test, variants: {a: ..., b: ...}, control: 10}`."""

    name: Name
    """The test's name; the same name and customer always give the same variant."""
    variants: dict[Name, Annotated[Variant, StepsOrMapping()]]
    """Variants by name: {weight, do}, or just a list of steps."""
    control: Percent = 0.0
    """The percentage of all who skip the branches."""

    LATER: ClassVar[Mapping[str, str]] = {"winner": "choosing a winner by itself"}

    @model_validator(mode="after")
    def _has_variants(self) -> Self:
        if not self.variants:
            raise fault(
                "missing_key", "a split needs at least one variant", "write {a: [...], b: [...]}", at="variants"
            )
        if "control" in self.variants:
            hint = "call it something else, or use `control: 10` beside `variants`"
            raise fault("bad_value", "no variant can be called 'control'", hint, at="variants")
        return self


class SplitStep(StepBase):
    """`split:`: a sticky random split."""

    VERB: ClassVar[str] = "split"
    split: Split
    """The test."""


class Repeat(FileModel):
    """`repeat: {times: 3, every: 2d, while: EXPR, do: [...]}`."""

    times: Positive
    """At most so often."""
    every: DurationText | None = None
    """Each pass begins this long after the one before."""
    while_: Expression | None = None
    """Only as long as this is true."""
    do: Steps = Field(default_factory=no_items)
    """The steps of one pass; `loop.index` counts from 1."""


class RepeatStep(StepBase):
    """`repeat:`: a bounded loop."""

    VERB: ClassVar[str] = "repeat"
    repeat: Repeat
    """How often, how far apart, and what."""


STEPS: dict[str, type[StepBase]] = {
    model.VERB: model
    for model in (
        WaitStep, IfStep, ChooseStep, DoStep, SplitStep, EmailStep, SmsStep, PushStep, WhatsappStep, WechatStep,
        InboxStep, SendStep, FetchStep, WebhookStep, CouponStep, TaskStep, SurveyStep, SetStep, AddTagStep,
        RemoveTagStep, StageStep, ScoreStep, TrackStep, EnrollStep, UnenrollStep, RepeatStep, GotoStep, ExitStep,
    )
}  # fmt: skip
"""The steps by their verb."""
