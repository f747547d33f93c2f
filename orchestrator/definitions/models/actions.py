"""Steps that do something beside sending: `fetch`, `webhook`, `coupon`, `task`, `set` ... (section 3)."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from orchestrator.definitions.field_kinds import (
    AttributePath,
    Data,
    Flag,
    Name,
    Number,
    OneOf,
    Plain,
    ResultName,
    TemplateData,
    TemplateText,
)
from orchestrator.definitions.models.base import FileModel
from orchestrator.definitions.models.steps import StepBase
from orchestrator.definitions.shapes import OneOrMany, Shorthand, TextOr
from orchestrator.definitions.time_kinds import DurationText, FixedDuration

OnErrorOrDefault = Annotated[Literal["fail", "continue", "exit", "default"], OneOf()]


class Fetch(FileModel):
    """`fetch: {url, as: weather, cache: 1h, timeout: 2s, default: {...}}`."""

    url: TemplateText
    """The address; each inserted value is percent-encoded."""
    headers: dict[str, TemplateText] = Field(default_factory=dict)
    """HTTP headers. No secrets: they belong in the settings."""
    as_: ResultName | None = None
    """What later steps call the answer; default: the step's id. NAME_status holds the code."""
    cache: FixedDuration | None = None
    """Answers are kept this long and shared by equal addresses; d is 24 hours."""
    timeout: FixedDuration | None = None
    """An answer that takes longer counts as failed."""
    default: Data = None
    """Stands in for an answer that cannot be had."""
    on_error: OnErrorOrDefault | None = None
    """After a failure: default (where one is given), else fail; or continue, exit."""

    @property
    def has_default(self) -> bool:
        """`default` is written, be it as null."""
        return "default" in self.model_fields_set


class FetchStep(StepBase):
    """`fetch:`: connected content."""

    VERB: ClassVar[str] = "fetch"
    fetch: Annotated[Fetch, Shorthand("url")]
    """The address and what to do with its answer."""
    on_error: OnErrorOrDefault | None = None  # type: ignore[assignment]
    """After a failure: default (where one is given), else fail; or continue, exit."""


class Webhook(FileModel):
    """`webhook: {url, method, headers, body, as: reply, timeout, on_error}`."""

    url: TemplateText
    """The address; each inserted value is percent-encoded."""
    method: Annotated[Literal["GET", "POST", "PUT", "PATCH", "DELETE"], OneOf()] = "POST"
    """The HTTP method."""
    headers: dict[str, TemplateText] = Field(default_factory=dict)
    """HTTP headers. No secrets: they belong in the settings."""
    body: TemplateData = None
    """What is sent: text, or a mapping that is sent as JSON."""
    as_: ResultName | None = None
    """What later steps call the answer."""
    timeout: FixedDuration | None = None
    """An answer that takes longer counts as failed."""
    on_error: Annotated[Literal["fail", "continue", "exit"], OneOf()] | None = None
    """After the last failed attempt: fail (default), continue with the next step, or exit."""


class WebhookStep(StepBase):
    """`webhook:`: a signed call to another system."""

    VERB: ClassVar[str] = "webhook"
    webhook: Annotated[Webhook, Shorthand("url")]
    """The address and what is sent."""


class GoOn(FileModel):
    """`on_exhausted: {goto: step}`."""

    goto: Name
    """The id of the step to go on with."""


_Exhausted = Annotated[Literal["skip", "exit"], OneOf("{goto: step_id}")]


class Coupon(FileModel):
    """`coupon: {offer: vip10, as: coupon, on_exhausted: skip}`."""

    offer: Name
    """The offer, from offers.yaml."""
    as_: ResultName = "coupon"
    """What later steps and templates call it: {code, expires_at, url}, or none after `skip`."""
    on_exhausted: Annotated[GoOn | Literal["skip", "exit"], TextOr(_Exhausted, GoOn)] = "skip"
    """Where none is granted: skip (go on without), exit, or {goto: step}."""


class CouponStep(StepBase):
    """`coupon:`: a code of an offer."""

    VERB: ClassVar[str] = "coupon"
    coupon: Annotated[Coupon, Shorthand("offer")]
    """The offer, or a mapping with options."""


class Task(FileModel):
    """`task: {queue: care_team, title, body, due: 1d, assign: round_robin, as: call, wait: true}`."""

    queue: Name
    """The team, from project.yaml."""
    title: TemplateText
    """What is to be done."""
    body: TemplateText | None = None
    """More about it."""
    due: DurationText | None = None
    """By when, from now."""
    due_in: DurationText | None = None
    """The same, counted in the business hours of the queue (its `hours`); `d` is one day's hours."""
    assign: Name = "round_robin"
    """round_robin, least_busy, owner (customer.owner), other (anybody but the owner), or a member of the team."""
    owns: Flag = False
    """Who gets the task is `customer.owner` from now on."""
    as_: ResultName | None = None
    """What later steps call its end: {status, outcome, assignee, closed_at}."""
    wait: Flag = False
    """Go on only when it is closed or overdue."""


class TaskStep(StepBase):
    """`task:`: a reminder for staff."""

    VERB: ClassVar[str] = "task"
    task: Task
    """The task."""


class SetStep(StepBase):
    """`set: {customer.plan: gold}`."""

    VERB: ClassVar[str] = "set"
    set_: dict[AttributePath, TemplateData]
    """Customer attributes and their new values."""


class AddTagStep(StepBase):
    """`add_tag: vip`."""

    VERB: ClassVar[str] = "add_tag"
    add_tag: Annotated[list[Plain], OneOrMany()]
    """The tag, or a list."""


class RemoveTagStep(StepBase):
    """`remove_tag: vip`."""

    VERB: ClassVar[str] = "remove_tag"
    remove_tag: Annotated[list[Plain], OneOrMany()]
    """The tag, or a list."""


class StageStep(StepBase):
    """`stage: loyalty`."""

    VERB: ClassVar[str] = "stage"
    stage: Name
    """The stage that the customer is in from now on."""


class ScoreStep(StepBase):
    """`score: {lead: +10}`."""

    VERB: ClassVar[str] = "score"
    score: dict[Name, Number]
    """Points to add, by the score's name; below zero takes some away."""


class Track(FileModel):
    """`track: {event: nudged, properties: {...}}`."""

    event: Plain
    """The event's name."""
    properties: dict[str, TemplateData] = Field(default_factory=dict)
    """Its properties."""


class TrackStep(StepBase):
    """`track:`: an event of this customer."""

    VERB: ClassVar[str] = "track"
    track: Annotated[Track, Shorthand("event")]
    """The event's name, or a mapping with properties."""


class Enroll(FileModel):
    """`enroll: {journey: welcome, with: {...}}`."""

    journey: Name
    """The journey."""
    with_: dict[str, TemplateData] = Field(default_factory=dict)
    """Values that become `entry` there."""


class EnrollStep(StepBase):
    """`enroll: welcome`."""

    VERB: ClassVar[str] = "enroll"
    enroll: Annotated[Enroll, Shorthand("journey")]
    """The journey, or a mapping with values."""


class Unenroll(FileModel):
    """`unenroll: {journey: welcome}`."""

    journey: Name
    """The journey that the customer leaves."""


class UnenrollStep(StepBase):
    """`unenroll: welcome`."""

    VERB: ClassVar[str] = "unenroll"
    unenroll: Annotated[Unenroll, Shorthand("journey")]
    """The journey."""


class GotoStep(StepBase):
    """`goto: step_id`."""

    VERB: ClassVar[str] = "goto"
    goto: Name
    """The id of the step to go on with."""


class ExitStep(StepBase):
    """`exit: reason`."""

    VERB: ClassVar[str] = "exit"
    exit: Plain
    """Why; printed and counted as it stands."""
