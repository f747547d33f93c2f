"""journeys/forms/*.yaml: forms by which people tell about themselves (docs/forms.md)."""

from typing import Annotated, Literal

from pydantic import Field

from orchestrator.definitions.field_kinds import AttributePath, Data, Flag, Name, OneOf, Plain, Positive
from orchestrator.definitions.models.base import FileModel, no_items
from orchestrator.definitions.models.messages import Channel
from orchestrator.definitions.shapes import EmptyWhenNull, OneOrMany, Shorthand
from orchestrator.definitions.time_kinds import FixedDuration

Words = Annotated[dict[Plain, Plain], Shorthand("default", {"type": "string"})]
"""A text, or texts by locale."""


class FieldModel(FileModel):
    """`email: {type: email, required: true, label: {en: E-mail, zh: 电子邮件}}`."""

    type: Annotated[
        Literal["text", "long_text", "email", "phone", "number", "integer", "date", "choice", "checkbox", "hidden"],
        OneOf(),
    ] = "text"
    """What may be answered."""
    label: Words = Field(default_factory=dict)
    """What stands beside it; default: its name."""
    required: Flag = False
    """Without it the form is not taken."""
    options: dict[Plain, Words] = Field(default_factory=dict)
    """Of a choice: values and their labels."""
    to: AttributePath | None = None
    """The attribute of the customer that it fills; default: email and phone fill their own, others are told with the
    event."""
    value: Data = None
    """What a hidden field says; absent: what the page's address says."""


class ConsentModel(FileModel):
    """`{topic: promotions, channels: email, wording: {en: ..., zh: ...}}`."""

    topic: Name
    """The topic."""
    channels: Annotated[list[Channel], OneOrMany()]
    """On which channels."""
    wording: Words
    """What the box says; the consent ledger keeps it."""
    required: Flag = False
    """Without it the form is not taken."""


class LimitModel(FileModel):
    """`limit: {max: 20, per: 1h}`."""

    max: Positive = 20
    """Posts from one address."""
    per: FixedDuration = "1h"
    """In this time."""


class FormModel(FileModel):
    """A form."""

    form: Name
    """The form's id: the file's name."""
    title: Words = Field(default_factory=dict)
    """Its heading; default: the id."""
    intro: Words = Field(default_factory=dict)
    """What stands above it."""
    event: Plain = "form_submitted"
    """The event that tells of it, as schema.yaml declares it."""
    fields: Annotated[dict[Name, Annotated[FieldModel, EmptyWhenNull(dict)]], Field(min_length=1)]
    """The questions, in order."""
    consents: Annotated[list[ConsentModel], OneOrMany()] = Field(default_factory=no_items)
    """Boxes of consent; a topic's double opt-in is asked for by itself."""
    button: Words = Field(default_factory=dict)
    """What its button says."""
    done: Words = Field(default_factory=dict)
    """What is said afterwards."""
    redirect: Annotated[list[Plain], OneOrMany()] = Field(default_factory=no_items)
    """Where it leads afterwards; of several the page may ask for one by `next`."""
    origins: Annotated[list[Plain], OneOrMany()] = Field(default_factory=no_items)
    """Sites that may post it from their own pages: https://www.example.com."""
    limit: LimitModel = Field(default_factory=LimitModel)
    """How often one address may post it."""
    note: Plain | None = None
    """A remark for people."""
