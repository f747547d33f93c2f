"""A journey compiled: an immutable program that the engine walks.

The nested lists of steps of a journey file become one flat tuple. Every step knows its `next`: where the flow goes when
it is done, be it the following step of its list, the step after the enclosing block, or `END`. Branching steps name the
first step of each branch. So "where does it go from here" is one look-up, and an enrollment's place is one step id.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, time, timedelta
from typing import Literal, TypeAlias
from zoneinfo import ZoneInfo

from orchestrator.core.catalogs import Interest
from orchestrator.core.expression.expr import Expr
from orchestrator.core.interpolation import Template
from orchestrator.core.time.cron import Cron
from orchestrator.core.time.durations import Duration
from orchestrator.core.time.waits import Window
from orchestrator.records import dataclass

END = -1
"""Pseudo index: the flow has reached the end of the journey (or of an exit's `do` list)."""

Channel: TypeAlias = str
CHANNELS: tuple[Channel, ...] = ("email", "sms", "push", "whatsapp", "wechat", "inbox")
MessageClass: TypeAlias = Literal["promotional", "service", "transactional"]
OnError: TypeAlias = Literal["fail", "continue", "exit", "default"]
IfPast: TypeAlias = Literal["continue", "skip_next", "exit"]
Days: TypeAlias = frozenset[int] | None
"""Days of the week, Monday is 0; None is every day."""


@dataclass(frozen=True, slots=True)
class ZoneRule:
    """What a `timezone:` key says. `expr` yields a zone's name; both None: the customer's own zone."""

    zone: ZoneInfo | None = None
    expr: Expr | None = None


CUSTOMER_ZONE = ZoneRule()


@dataclass(frozen=True, slots=True)
class Retry:
    """Further attempts of a failed step: the n-th comes `backoff` times 2^(n-1) after the failure."""

    times: int
    backoff: Duration


@dataclass(frozen=True, slots=True, kw_only=True)
class StepBase:
    """What every step has. `following` is the next step of the same list (None at its end): `skip_next` jumps over it.

    `on_error_next` is where `on_error: continue` goes on: after this step, or after the enclosing `do` whose rule it
    is.
    `loops` are the ids of the enclosing `repeat` steps, outermost first.
    """

    index: int
    id: str
    verb: str
    next: int
    following: int | None = None
    skip_if: Expr | None = None
    retry: Retry | None = None
    on_error: OnError = "fail"
    on_error_next: int = END
    loops: tuple[str, ...] = ()
    timezone: ZoneRule | None = None
    in_exit: bool = False
    cost: tuple[float, str] | None = None


# --- waits for time -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitFor(StepBase):
    """`wait: 3d`. `expr` is set when the duration is computed."""

    duration: Duration | None = None
    expr: Expr | None = None
    if_past: IfPast = "continue"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitUntilTime(StepBase):
    """`wait: {until: "09:00", on: [...]}`."""

    time: time
    days: Days = None
    if_past: IfPast = "continue"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitUntilDate(StepBase):
    """`wait: {until: EXPR, offset:, at:, on:, if_past:}`."""

    until: Expr
    offset: Duration | None = None
    offset_expr: Expr | None = None
    at: time | None = None
    days: Days = None
    if_past: IfPast = "continue"


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitWindow(StepBase):
    """`wait: {window: "08:00-20:00", on: [...]}`."""

    window: Window
    days: Days = None
    if_past: IfPast = "continue"


WaitTime: TypeAlias = WaitFor | WaitUntilTime | WaitUntilDate | WaitWindow


# --- waits for something --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class UntilEvent:
    """An event of this name, for which `where` holds, after the wait began."""

    event: str
    where: Expr | None = None


@dataclass(frozen=True, slots=True)
class UntilTrue:
    """A condition; also `segment: S` as the condition `in_segment(S)`."""

    when: Expr
    segment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitSomething(StepBase):
    """`wait: {event|when|segment|any: ..., up_to:, as:}` with `then` and `else`. First true wins, then list order."""

    alternatives: tuple[UntilEvent | UntilTrue, ...]
    up_to: Duration | None = None
    as_name: str | None = None
    then: int
    otherwise: int


# --- branching ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Branch:
    """One branch: `label` is what `branched` prints (then, or the number from 1)."""

    label: str
    when: Expr
    target: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose(StepBase):
    """`if` and `choose`: the first branch whose condition is true; else `otherwise`, printed as `otherwise_label`."""

    branches: tuple[Branch, ...]
    otherwise: int
    otherwise_label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Do(StepBase):
    """A block."""

    first: int


@dataclass(frozen=True, slots=True)
class Variant:
    """One variant of a split. `weight` is relative to the other variants'."""

    name: str
    weight: float
    target: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(StepBase):
    """A sticky random split. `control` is a share of all, 0 to 1; variants share the rest by weight, in file order."""

    name: str
    variants: tuple[Variant, ...]
    control: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeat(StepBase):
    """`repeat`: `first` is the body's first step; the n-th pass begins `every` x (n - 1) after the first."""

    times: int
    every: Duration | None = None
    condition: Expr | None = None
    first: int
    again: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RepeatAgain(StepBase):
    """Not written by anyone: the end of a repeat's body, from where the flow returns to `repeat`."""

    repeat: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Goto(StepBase):
    target: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Leave(StepBase):
    """`exit: reason`."""

    reason: str


# --- messages -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ChannelTemplate:
    """One way to send: this template on this channel."""

    channel: Channel
    template: str


@dataclass(frozen=True, slots=True)
class MessageOptions:
    """Options that all message verbs share. Texts are templates; None leaves the template file's own."""

    topic: str | None = None
    subject: Template | None = None
    values: tuple[tuple[str, Template], ...] = ()
    to: Template | None = None
    locale: Template | None = None
    valid_for: Duration | None = None
    on_quiet: Literal["hold", "skip", "exit"] = "hold"
    on_cap: Literal["hold", "skip", "exit"] = "skip"
    sender: str | None = None
    reply_to: str | None = None
    attachments: tuple[str | tuple[tuple[str, Template], ...], ...] = ()
    """Names of files, and the texts of calendar entries by their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Send(StepBase):
    """`email`, `sms`, ... (one channel) and `send` (`first_of`, `all_of`)."""

    ways: tuple[ChannelTemplate, ...]
    every_way: bool = False
    options: MessageOptions = MessageOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey(StepBase):
    """A survey sent as a message; with `up_to` it waits for the answer. Without, it goes on to `next`."""

    name: str
    kind: Literal["nps", "csat", "ces", "choice", "text"]
    way: ChannelTemplate
    options: MessageOptions = MessageOptions()
    up_to: Duration | None = None
    as_name: str | None = None
    then: int
    otherwise: int


SURVEY_SCALES: Mapping[str, range] = {"nps": range(11), "csat": range(1, 6), "ces": range(1, 8)}
"""The scores of the kinds of surveys that have some."""


# --- everything else ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch(StepBase):
    """Connected content. `has_default` tells a `default` of null from none given."""

    url: Template
    headers: tuple[tuple[str, Template], ...] = ()
    as_name: str
    cache: timedelta | None = None
    timeout: timedelta
    has_default: bool = False
    default: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook(StepBase):
    url: Template
    method: str = "POST"
    headers: tuple[tuple[str, Template], ...] = ()
    body: Template | None = None
    as_name: str | None = None
    timeout: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class IssueCoupon(StepBase):
    """`coupon`. `carrier` is the message step that carries the code, where it can be seen: its guards are asked
    first."""

    offer: str
    as_name: str
    on_exhausted: Literal["skip", "exit", "goto"]
    exhausted_target: int = END
    carrier: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTask(StepBase):
    queue: str
    title: Template
    body: Template | None = None
    due: Duration | None = None
    assign: str = "round_robin"
    as_name: str | None = None
    wait: bool = False
    owns: bool = False
    """Who gets it becomes the customer's owner."""
    due_in: Duration | None = None
    """As `due`, counted in the business hours of the queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAttributes(StepBase):
    """`set`: names without the `customer.` prefix."""

    values: tuple[tuple[str, Template], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag(StepBase):
    """`add_tag`, `remove_tag`: `more` are further tags of the same step."""

    tag: str
    add: bool
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SetStage(StepBase):
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AddScore(StepBase):
    """`score`: points to add, by the score's name."""

    points: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Track(StepBase):
    event: str
    properties: tuple[tuple[str, Template], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Enroll(StepBase):
    journey: str
    values: tuple[tuple[str, Template], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unenroll(StepBase):
    journey: str


Step: TypeAlias = (
    WaitFor
    | WaitUntilTime
    | WaitUntilDate
    | WaitWindow
    | WaitSomething
    | Choose
    | Do
    | Split
    | Repeat
    | RepeatAgain
    | Goto
    | Leave
    | Send
    | Survey
    | Fetch
    | Webhook
    | IssueCoupon
    | OpenTask
    | SetAttributes
    | Tag
    | SetStage
    | AddScore
    | Track
    | Enroll
    | Unenroll
)


# --- triggers -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reentry:
    """When the same key may enter again. `after` None: `never` (or always, if `always`)."""

    always: bool = False
    after: timedelta | None = None
    since: Literal["entry", "exit", "message"] = "entry"


NEVER = Reentry()
ALWAYS = Reentry(always=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerBase:
    """What every trigger has. `id` is what `entry.trigger` says: the trigger's own id, else its kind."""

    id: str
    where: Expr | None = None
    key: Expr | None = None
    reentry: Reentry = NEVER
    overlap: Literal["refuse", "restart", "parallel"] = "refuse"
    unless_in: tuple[str, ...] = ()
    include_existing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OnEvent(TriggerBase):
    event: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OnSegment(TriggerBase):
    segment: str
    edge: Literal["entered", "left"] = "entered"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnAttribute(TriggerBase):
    """The stored value changed. `has_from`/`has_to` tell `from: null` from no `from`."""

    attribute: str
    has_from: bool = False
    from_value: object = None
    has_to: bool = False
    to_value: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnSchedule(TriggerBase):
    """A recurring schedule. `zone` None: each customer's own."""

    cron: Cron
    segment: str | None = None
    zone: ZoneInfo | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnceAt(TriggerBase):
    """A one-off campaign at a local minute. `spread` smears the entries over that long."""

    local: datetime
    segment: str | None = None
    zone: ZoneInfo | None = None
    spread: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OnDate(TriggerBase):
    attribute: str
    offset: Duration | None = None
    at: time = time(0, 0)
    every: Literal["once", "year", "month"] = "once"
    calendar: Literal["gregorian", "chinese"] = "gregorian"
    if_missed: Literal["skip", "enter"] = "skip"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnInactive(TriggerBase):
    event: str
    idle_for: timedelta
    or_never: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class OnStage(TriggerBase):
    to: str | None = None
    from_stage: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OnScore(TriggerBase):
    """A score crosses a bound: upwards from below it to at least it, downwards from at least it to below it."""

    score: str
    bound: float
    direction: Literal["up", "down"] = "up"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnCatalog(TriggerBase):
    """A row of a catalog changed: it concerns those whom `who` finds. `kinds`: orchestrator.core.catalogs.ChangeKind;
    `by`: the least share of a price drop; `fields`: of `changed`, only these (empty: any)."""

    catalog: str
    kinds: tuple[str, ...]
    who: tuple[Interest, ...]
    by: float = 0.0
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OnInbound(TriggerBase):
    """Something was written back on a channel. `keywords` as `reply_words.spelled` gives them; empty: whatever it
    says."""

    channel: Literal["sms", "email", "whatsapp", "wechat"]
    keywords: frozenset[str] = frozenset()

    @property
    def event(self) -> str:
        """The built-in event that tells of it."""
        return f"{self.channel}_received"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnApi(TriggerBase):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class OnUpload(TriggerBase):
    """A row of a table that is uploaded under this name."""

    upload: str


Trigger: TypeAlias = (
    OnEvent
    | OnSegment
    | OnAttribute
    | OnSchedule
    | OnceAt
    | OnDate
    | OnInactive
    | OnStage
    | OnInbound
    | OnApi
    | OnCatalog
    | OnScore
    | OnUpload
)


# --- the journey ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ExitRule:
    """Ends the enrollment on an event, or as soon as `when` is true. `do` is the first step of its list, or END.

    `left_segment: S` is the condition `not in_segment('S')`.
    """

    reason: str
    event: str | None = None
    where: Expr | None = None
    when: Expr | None = None
    do: int = END


@dataclass(frozen=True, slots=True)
class UpdateRule:
    event: str
    where: Expr | None = None


@dataclass(frozen=True, slots=True)
class Goal:
    event: str
    where: Expr | None = None
    within: timedelta | None = None
    value: Expr | None = None
    currency: Expr | None = None
    exit: bool = False


@dataclass(frozen=True, slots=True)
class Throttle:
    max: int
    per: timedelta


@dataclass(frozen=True, slots=True)
class Limits:
    entries_per_day: int | None = None
    messages_total: int | None = None


@dataclass(frozen=True, slots=True)
class Late:
    after: timedelta
    then: Literal["continue", "skip_messages", "exit"] = "continue"


@dataclass(frozen=True, slots=True)
class Migration:
    """`migrate`: who waits in an older version goes on in this one. `versions` None: any of them.

    `names` maps ids of their steps to those of this file; ids that are not named are the same. `removed`: what becomes
    of those whose step is in neither.
    """

    versions: frozenset[str] | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    removed: Literal["next", "exit"] = "next"

    def concerns(self, version: str) -> bool:
        """Whether those in this version move."""
        return self.versions is None or version in self.versions


@dataclass(frozen=True, slots=True)
class Journey:
    """One version of one journey file. `version` is the first 12 hex digits of the hash of its content.

    `steps` holds the journey's steps and those of the exits' `do` lists; `first` is where an enrollment begins.
    `vars` are the journey's named expressions, for the templates of its messages (in its own expressions they are
    written out). `events` are the names of all events that a running enrollment listens to (goals, exits, updates,
    waits).
    """

    id: str
    version: str
    triggers: tuple[Trigger, ...]
    steps: tuple[Step, ...]
    first: int
    title: str = ""
    stage: str | None = None
    topic: str | None = None
    timezone: ZoneRule = CUSTOMER_ZONE
    exits: tuple[ExitRule, ...] = ()
    updates: tuple[UpdateRule, ...] = ()
    goal: Goal | None = None
    holdout: float = 0.0
    priority: int = 50
    throttle: Throttle | None = None
    limits: Limits = Limits()
    late: Late | None = None
    migrate: Migration | None = None
    events: frozenset[str] = frozenset()
    vars: tuple[tuple[str, Expr], ...] = ()
    by_id: Mapping[str, int] = field(default_factory=dict)
    watches: tuple[ExitRule, ...] = field(init=False, repr=False, compare=False)
    """The exits that are conditions, looked at on every change and at the instants of time-made changes."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "watches", tuple(rule for rule in self.exits if rule.when is not None))
