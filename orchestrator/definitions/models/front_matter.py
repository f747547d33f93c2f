"""The front matter of a template: what stands between the `---` lines at its top (language reference, section 12)."""

from typing import Annotated, Literal

from pydantic import Field

from orchestrator.definitions.field_kinds import Name, OneOf, Plain, TemplateText
from orchestrator.definitions.models.base import FileModel, no_items
from orchestrator.definitions.models.messages import BareOrAttached
from orchestrator.definitions.shapes import OneOrMany


class FrontMatter(FileModel):
    """A template's own settings; a step's options go before them."""

    subject: TemplateText | None = None
    """The subject."""
    preheader: TemplateText | None = None
    """The line that mailboxes show behind the subject."""
    topic: Name | None = None
    """The topic of its messages."""
    from_: Plain | None = None
    """Another sender than the channel's."""
    reply_to: Plain | None = None
    """Another address for answers than the channel's."""
    attachments: Annotated[list[BareOrAttached], OneOrMany()] = Field(default_factory=no_items)
    """What an email carries: files below templates/assets/, calendar entries."""
    images: Annotated[Literal["linked", "inline"], OneOf()] = "linked"
    """Whether an email's pictures of templates/assets/ are loaded from the server (linked) or travel in it."""
