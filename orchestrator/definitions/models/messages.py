"""Steps that send: the channels, `send`, `survey` (the language reference, sections 3 and 7)."""

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from orchestrator.definitions.faults import fault, listed
from orchestrator.definitions.field_kinds import (
    Name,
    OneOf,
    Plain,
    ResultName,
    TemplateData,
    TemplateName,
    TemplateText,
    ZoneOrExpression,
)
from orchestrator.definitions.models.base import FileModel, no_items
from orchestrator.definitions.models.steps import StepBase
from orchestrator.definitions.shapes import OneOrMany, Shorthand
from orchestrator.definitions.time_kinds import DurationText

CHANNELS = ("email", "sms", "push", "whatsapp", "wechat", "inbox")
"""The channels of the language. Where one is not configured nobody is reachable on it."""

Channel = Annotated[Literal["email", "sms", "push", "whatsapp", "wechat", "inbox"], OneOf()]
Hold = Annotated[Literal["hold", "skip", "exit"], OneOf()]


class CalendarEntry(FileModel):
    """`calendar: {start: "{{ entry.check_in }}", end: "{{ entry.check_out }}", title: Your stay}`."""

    start: TemplateText
    """When it begins: an instant, or a date for a whole day; without a zone, in that of the message."""
    end: TemplateText | None = None
    """When it ends, a day included; default: an hour later, or the same day."""
    title: TemplateText
    """What the calendar shows."""
    location: TemplateText | None = None
    """Where it is."""
    description: TemplateText | None = None
    """More about it."""
    url: TemplateText | None = None
    """A page about it."""
    uid: TemplateText | None = None
    """What it is known by; a later entry with the same takes its place. Default: the enrollment and the step."""
    method: Annotated[Literal["publish", "request", "cancel"], OneOf()] = "publish"
    """publish: it can be added; request: an invitation that can be answered; cancel: it does not take place."""


class Attached(FileModel):
    """A file, `terms.pdf`, or a calendar entry, `{calendar: {...}}`."""

    file: Plain | None = None
    """A file below templates/assets/."""
    calendar: CalendarEntry | None = None
    """An entry for the reader's calendar (invite.ics)."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.file is None) == (self.calendar is None):
            raise fault("bad_value", "an attachment is a `file` or a `calendar` entry", "write one of the two")
        return self


BareOrAttached = Annotated[Attached, Shorthand("file")]


class MessageOptions(FileModel):
    """What every message takes."""

    topic: Name | None = None
    """The topic, which sets the class; default: the template's, else the journey's."""
    subject: TemplateText | None = None
    """Instead of the template's subject."""
    with_: dict[str, TemplateData] = Field(default_factory=dict)
    """Values for the template beside the customer's and the entry's."""
    to: TemplateText | None = None
    """Another address than the customer's."""
    locale: TemplateText | None = None
    """Another language than the customer's."""
    valid_for: DurationText | None = None
    """Not sent later than this after the step was first due."""
    on_quiet: Hold = "hold"
    """In quiet hours: hold, skip this message, or exit."""
    on_cap: Hold = "skip"
    """Where a cap is reached: skip this message, hold, or exit."""
    from_: Plain | None = None
    """Another sender than the channel's."""
    reply_to: Plain | None = None
    """Another address for answers than the channel's."""
    attachments: Annotated[list[BareOrAttached], OneOrMany()] = Field(default_factory=no_items)
    """What an email carries: files below templates/assets/, calendar entries."""
    timezone: ZoneOrExpression | None = None
    """The zone of its quiet hours: `customer`, an IANA zone, or an expression."""


class Message(MessageOptions):
    """One message: a template's name, or a mapping with options."""

    template: TemplateName
    """The template's name, without channel and ending."""


BareOrMessage = Annotated[Message, Shorthand("template")]


class MessageStep(StepBase):
    """A step that sends on one channel: `email: cart_first`."""

    @property
    def channel(self) -> str:
        """The channel, which is the verb."""
        return self.verb

    @property
    def message(self) -> Message:
        """What is sent."""
        message: Message = getattr(self, self.verb)
        return message


class EmailStep(MessageStep):
    """`email: cart_first`."""

    VERB: ClassVar[str] = "email"
    email: BareOrMessage
    """The email: a template's name, or options."""


class SmsStep(MessageStep):
    """`sms: cart_first`."""

    VERB: ClassVar[str] = "sms"
    sms: BareOrMessage
    """The text message: a template's name, or options."""


class PushStep(MessageStep):
    """`push: cart_first`."""

    VERB: ClassVar[str] = "push"
    push: BareOrMessage
    """The push notification: a template's name, or options."""


class WhatsappStep(MessageStep):
    """`whatsapp: cart_first`."""

    VERB: ClassVar[str] = "whatsapp"
    whatsapp: BareOrMessage
    """The WhatsApp message: a template's name, or options."""


class WechatStep(MessageStep):
    """`wechat: cart_first`."""

    VERB: ClassVar[str] = "wechat"
    wechat: BareOrMessage
    """The WeChat message: a template's name, or options."""


class InboxStep(MessageStep):
    """`inbox: cart_first`."""

    VERB: ClassVar[str] = "inbox"
    inbox: BareOrMessage
    """The message in the app's inbox: a template's name, or options."""


class ChannelChoice(FileModel):
    """One way of `send`: a channel and its template, such as `{sms: cart_first}`."""

    email: BareOrMessage | None = None
    """By email."""
    sms: BareOrMessage | None = None
    """By text message."""
    push: BareOrMessage | None = None
    """By push notification."""
    whatsapp: BareOrMessage | None = None
    """By WhatsApp."""
    wechat: BareOrMessage | None = None
    """By WeChat."""
    inbox: BareOrMessage | None = None
    """In the app's inbox."""

    @model_validator(mode="after")
    def _one_channel(self) -> Self:
        found = [channel for channel in CHANNELS if getattr(self, channel) is not None]
        if not found:
            raise fault("missing_key", f"a way of `send` names a channel: {listed(CHANNELS)}")
        if len(found) > 1:
            hint = "make them separate entries of the list"
            raise fault("bad_value", f"a way of `send` has one channel, and this has {len(found)}", hint, at=found[1])
        return self

    @property
    def channel(self) -> str:
        """The channel."""
        return next(channel for channel in CHANNELS if getattr(self, channel) is not None)

    @property
    def message(self) -> Message:
        """What is sent on it."""
        message: Message = getattr(self, self.channel)
        return message


class Send(MessageOptions):
    """`send: {first_of: [{push: x}, {email: y}]}` with the options of all its messages."""

    first_of: list[ChannelChoice] = Field(default_factory=no_items)
    """The first channel that passes address, suppression and consent."""
    all_of: list[ChannelChoice] = Field(default_factory=no_items)
    """Every channel that passes."""

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if bool(self.first_of) == bool(self.all_of):
            missing = "needs `first_of` or `all_of` with at least one channel"
            message = "takes `first_of` or `all_of`, not both" if self.first_of else missing
            raise fault("bad_value" if self.first_of else "missing_key", f"{{it}} {message}")
        return self

    @property
    def choices(self) -> Sequence[ChannelChoice]:
        """The ways, in order."""
        return self.first_of or self.all_of


class SendStep(StepBase):
    """`send:`: on the first channel that works, or on all."""

    VERB: ClassVar[str] = "send"
    send: Send
    """The channels in order, and options."""


class Survey(MessageOptions):
    """`survey: {name: nps_stay, kind: nps, via: email, up_to: 7d, as: answer}`."""

    name: Name
    """The survey's name."""
    kind: Annotated[Literal["nps", "csat", "ces", "choice", "text"], OneOf()]
    """What is asked: nps (0 to 10), csat, ces, one of several choices, or free text."""
    via: Channel = "email"
    """The channel it is sent on."""
    template: TemplateName | None = None
    """The template; default: the survey's name."""
    choices: list[Plain] = Field(default_factory=no_items)
    """The answers of a survey of kind choice."""
    up_to: DurationText | None = None
    """Waits for the answer this long; without it the journey goes on at once."""
    as_: ResultName | None = None
    """What later steps call the answer: {score, choice, text}, or none when time was up."""
