"""The shape of timeline items, one model a kind, told apart by the key that names the kind."""
# ruff: noqa: RUF012  (a model copies its defaults)

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from typing_extensions import TypeAliasType

from orchestrator.definitions.field_kinds import Data, OneOf, OnlyTrue, whole
from orchestrator.definitions.models.base import FileModel
from orchestrator.definitions.models.messages import Channel
from orchestrator.definitions.scenario_kinds import FreeText, Ident, Instant, Number, Source, StallFor, State, When
from orchestrator.definitions.shapes import ByKey, TextOr


class ItemBase(FileModel):
    """What every timeline item takes."""

    KIND: ClassVar[str] = ""

    at: When
    """An instant, or an offset from the start such as +1h; order in the file breaks ties."""

    @property
    def kind(self) -> str:
        """The key that tells the item: event, identify, consent ..."""
        return self.KIND


class CustomerItemBase(ItemBase):
    """An item about one customer."""

    customer: Ident | None = None
    """Whom it is about; in a test with one `customer` him."""


class EventModel(CustomerItemBase):
    """An event arrives; `at` is both its timestamp and its arrival."""

    KIND: ClassVar[str] = "event"
    event: Ident
    """The event's name."""
    id: Ident | None = None
    """The event's messageId."""
    properties: dict[str, Data] = {}
    """The event's properties."""


class IdentifyModel(CustomerItemBase):
    """Traits arrive."""

    KIND: ClassVar[str] = "identify"
    identify: dict[str, Data]
    """Attributes, and email, phone, timezone, locale, country, consents, tags."""


class Choice(FileModel):
    """`consent: {topic: promotions, channel: email, state: out}`."""

    customer: Ident | None = None
    """Whose choice, where it is not said beside `consent`."""
    topic: Ident
    """The topic."""
    channel: Channel
    """The channel."""
    state: State
    """in or out."""
    source: Source | None = None
    """Where the choice was made."""
    wording: FreeText | None = None
    """The text that was shown."""
    proof: dict[str, Data] | None = None
    """What proves it: ip, user_agent, url, message."""
    expires_at: Instant | None = None
    """When implied consent ends."""


class ConsentModel(CustomerItemBase):
    """A customer chooses for one topic on one channel."""

    KIND: ClassVar[str] = "consent"
    consent: Choice
    """The choice."""


class Answering(FileModel):
    """`provider: {channel: email, outcome: bounce}`."""

    channel: Channel
    """The channel."""
    outcome: Annotated[Literal["accept", "bounce", "complaint", "timeout", "reject"], OneOf()]
    """What the provider answers from then on."""


class ProviderModel(ItemBase):
    """The provider of a channel answers otherwise from now on."""

    KIND: ClassVar[str] = "provider"
    provider: Answering
    """The channel and the answer."""


class Returned(FileModel):
    """`receipt: {customer: u1, channel: email, kind: click, step: nudge}`."""

    customer: Ident | None = None
    """Who, where it is not said beside `receipt`."""
    channel: Channel
    """The channel."""
    kind: Annotated[Literal["open", "click", "reply"], OneOf()]
    """What came back."""
    step: Ident | None = None
    """The step that sent the message; default: the latest message on the channel."""
    text: FreeText | None = None
    """What a reply says."""
    url: FreeText | None = None
    """What was clicked."""


class ReceiptModel(CustomerItemBase):
    """An open, a click or a reply comes back."""

    KIND: ClassVar[str] = "receipt"
    receipt: Returned
    """What came back, and for what."""


class HttpReply(FileModel):
    """`http: {url: "https://weather.*", status: 200, json: {kind: rain}}`, or `error: true`, or `timeout: true`."""

    url: Ident
    """The URL; * stands for any characters."""
    status: Annotated[int, whole(100, 599)] | None = None
    """The status; default 200."""
    json_: Data = None
    """The body."""
    error: OnlyTrue | None = None
    """The connection fails."""
    timeout: OnlyTrue | None = None
    """No answer comes."""


class HttpModel(ItemBase):
    """Fetches and webhooks to matching URLs get this from now on."""

    KIND: ClassVar[str] = "http"
    http: HttpReply
    """The URL and the answer."""


class ClosedTask(FileModel):
    """`task: {customer: u1, step: call, outcome: reached}`."""

    customer: Ident | None = None
    """Whose task, where it is not said beside `task`."""
    step: Ident
    """The step that made the task."""
    outcome: FreeText | None = None
    """How it went."""
    assignee: FreeText | None = None
    """Who closed it."""


class TaskModel(CustomerItemBase):
    """A member of staff closes a task."""

    KIND: ClassVar[str] = "task"
    task: ClosedTask
    """Which task, and how it went."""


class Answer(FileModel):
    """`survey: {customer: u1, name: nps_stay, score: 9}`."""

    customer: Ident | None = None
    """Who answers, where it is not said beside `survey`."""
    name: Ident
    """The survey's name."""
    score: Number | None = None
    """The score that was given."""
    choice: FreeText | None = None
    """The choice that was made."""
    text: FreeText | None = None
    """What was written."""


class SurveyModel(CustomerItemBase):
    """The customer answers a survey."""

    KIND: ClassVar[str] = "survey"
    survey: Answer
    """Which survey, and the answer."""


class Redemption(FileModel):
    """`redeem: {customer: u1, offer: vip10, order_id: o1, total: 80}`."""

    customer: Ident | None = None
    """Who redeems, where it is not said beside `redeem`."""
    offer: Ident
    """The offer."""
    order_id: Ident
    """The order; the same one twice is one redemption."""
    total: Number | None = None
    """What the order is worth."""
    code: Ident | None = None
    """The code; default: the latest that the customer holds."""


class RedeemModel(CustomerItemBase):
    """The customer redeems a coupon."""

    KIND: ClassVar[str] = "redeem"
    redeem: Redemption
    """The offer and the order."""


class PauseModel(ItemBase):
    """`pause: abandoned_cart`."""

    KIND: ClassVar[str] = "pause"
    pause: Ident
    """The journey."""


class ResumeModel(ItemBase):
    """`resume: abandoned_cart`."""

    KIND: ClassVar[str] = "resume"
    resume: Ident
    """The journey."""


class StopModel(ItemBase):
    """`stop: abandoned_cart`."""

    KIND: ClassVar[str] = "stop"
    stop: Ident
    """The journey."""


class Switch(FileModel):
    """`{channel: sms}` or `{journey: J}`."""

    channel: Channel | None = None
    """One channel."""
    journey: Ident | None = None
    """One journey."""


_All = Annotated[Literal["all"], OneOf()]
Target = Annotated[Literal["all"] | Switch, TextOr(_All, Switch)]


class KillModel(ItemBase):
    """The kill switch: nothing more goes out."""

    KIND: ClassVar[str] = "kill"
    kill: Target
    """all, {channel: sms} or {journey: J}."""


class LiftModel(ItemBase):
    """The kill switch is lifted."""

    KIND: ClassVar[str] = "lift"
    lift: Target
    """all, {channel: sms} or {journey: J}."""


class DeployModel(ItemBase):
    """`deploy: ../v2`."""

    KIND: ClassVar[str] = "deploy"
    deploy: Ident
    """Another project's folder, relative to this file."""


class Merged(FileModel):
    """`merge: {from: anon-1, into: u1}`."""

    from_: Ident
    """The customer who ceases to be one of his own."""
    into: Ident
    """The customer who stays."""


class MergeModel(ItemBase):
    """Two customers turn out to be one."""

    KIND: ClassVar[str] = "merge"
    merge: Merged
    """Both customers."""


class StallModel(ItemBase):
    """The engine is down: events are stored, nothing is decided; then it catches up."""

    KIND: ClassVar[str] = "stall"
    stall: StallFor
    """For how long, such as 3d."""


class Enrolled(FileModel):
    """`enroll: {journey: j, customer: u1, with: {}}`."""

    journey: Ident
    """The journey."""
    customer: Ident | None = None
    """Who, where it is not said beside `enroll`."""
    with_: dict[str, Data] = {}
    """What `entry` holds."""


class EnrollModel(CustomerItemBase):
    """A customer is enrolled by hand."""

    KIND: ClassVar[str] = "enroll"
    enroll: Enrolled
    """Who, into what, with what."""


class CatalogEdit(FileModel):
    """`catalog: {name: products, key: P1, set: {price: 9}}`, or `remove: true`."""

    name: Ident
    """The catalog, which project.yaml keeps as rows."""
    key: Ident
    """The row's key."""
    set_: dict[str, Data] | None = None
    """Columns and their new values; a row that is not there is added."""
    remove: OnlyTrue | None = None
    """The row is deleted."""


class CatalogModel(ItemBase):
    """A row of a catalog changes."""

    KIND: ClassVar[str] = "catalog"
    catalog: CatalogEdit
    """Which row, and how."""


ITEMS: dict[str, type[ItemBase]] = {
    model.KIND: model
    for model in (
        EventModel, IdentifyModel, ConsentModel, ProviderModel, ReceiptModel, HttpModel, TaskModel, SurveyModel,
        RedeemModel, PauseModel, ResumeModel, StopModel, KillModel, LiftModel, DeployModel, MergeModel, StallModel,
        EnrollModel, CatalogModel,
    )
}  # fmt: skip
"""The kinds of timeline items by their key."""

ItemModel = TypeAliasType(
    "ItemModel",
    Annotated[
        EventModel | IdentifyModel | ConsentModel | ProviderModel | ReceiptModel | HttpModel | TaskModel | SurveyModel
        | RedeemModel | PauseModel | ResumeModel | StopModel | KillModel | LiftModel | DeployModel | MergeModel
        | StallModel | EnrollModel | CatalogModel,
        ByKey(
            "a timeline item",
            lambda: ITEMS,
            ("no_item", "two_items"),
            common=frozenset({"at", "customer", "id", "properties"}),
        ),
    ],
)  # fmt: skip
