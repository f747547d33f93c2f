"""Templates that are YAML files (language reference, section 7): what editors know of them. They are read by
orchestrator.templating.structured, whose keys these are."""

from typing import Annotated, Literal

from orchestrator.definitions.field_kinds import Name, OneOf, TemplateText
from orchestrator.definitions.models.base import FileModel


class PushTemplate(FileModel):
    """`templates/push/<name>.yaml`: a push message."""

    title: TemplateText
    """The first line."""
    body: TemplateText
    """The text below it."""
    image: TemplateText | None = None
    """A picture: a file below templates/assets/, or an address."""
    url: TemplateText | None = None
    """Where a tap leads: a page, or a link into the app."""
    data: dict[Name, TemplateText] | None = None
    """Values for the app, by their names."""
    ttl: TemplateText | None = None
    """How long it is kept for a device that is off: `12h`; default: three days."""
    collapse: TemplateText | None = None
    """Of messages with the same word only the last is shown."""
    urgency: Annotated[Literal["very-low", "low", "normal", "high"], OneOf()] | None = None
    """Whether it may wake a sleeping device; default: normal."""
    topic: Name | None = None
    """The topic of its messages."""


class WhatsappHeader(FileModel):
    """`header: {image: "https://..."}`: one of these."""

    text: TemplateText | None = None
    """The value in a header of text."""
    image: TemplateText | None = None
    """The address of a picture."""
    video: TemplateText | None = None
    """The address of a film."""
    document: TemplateText | None = None
    """The address of a document."""


class WhatsappButton(FileModel):
    """`{url: "{{ order.id }}"}`: one of these."""

    url: TemplateText | None = None
    """What ends the button's address."""
    payload: TemplateText | None = None
    """What a quick reply says to us."""
    code: TemplateText | None = None
    """The code that is copied."""


class WhatsappTemplate(FileModel):
    """`templates/whatsapp/<name>.yaml`: an approved template, or a free text."""

    template: TemplateText | None = None
    """The name under which WhatsApp approved it."""
    language: TemplateText | None = None
    """Its language there: `en_US`."""
    header: WhatsappHeader | None = None
    """The value in its header."""
    parameters: list[TemplateText] | dict[Name, TemplateText] | None = None
    """The values in its text: a list, or by name."""
    buttons: list[WhatsappButton] | None = None
    """The values of its buttons, in their order."""
    body: TemplateText | None = None
    """Without a template: the text, to whoever wrote within the last day. Beside one: how the message reads, for
    people who look at it here."""
    topic: Name | None = None
    """The topic of its messages."""


class Miniprogram(FileModel):
    """`miniprogram: {appid: wx..., page: pages/order}`."""

    appid: TemplateText
    """The mini-program."""
    page: TemplateText | None = None
    """The page in it."""


class WechatTemplate(FileModel):
    """`templates/wechat/<name>.yaml`: a template or subscription message, or a text."""

    template: TemplateText | None = None
    """The template's id on WeChat's platform."""
    data: dict[Name, TemplateText] | None = None
    """The values in it, by the names there: thing1, time2."""
    url: TemplateText | None = None
    """Where a tap leads."""
    miniprogram: Miniprogram | None = None
    """The mini-program where a tap leads instead."""
    page: TemplateText | None = None
    """The page of the mini-program that sends it."""
    title: TemplateText | None = None
    """The title of a card of WeCom."""
    body: TemplateText | None = None
    """Without a template: the text. Beside one: how the message reads, for people who look at it here."""
    topic: Name | None = None
    """The topic of its messages."""


class InboxTemplate(FileModel):
    """`templates/inbox/<name>.yaml`: an entry of the inbox in the brand's app."""

    title: TemplateText
    """The first line."""
    body: TemplateText
    """The text below it."""
    url: TemplateText | None = None
    """Where a tap leads."""
    image: TemplateText | None = None
    """A picture: a file below templates/assets/, or an address."""
    action: TemplateText | None = None
    """What the button says."""
    expires: TemplateText | None = None
    """When it leaves the inbox: a time after its sending (`7d`), or an instant; default: after 90 days."""
    data: dict[Name, TemplateText] | None = None
    """Values for the app, by their names."""
    topic: Name | None = None
    """The topic of its messages."""
