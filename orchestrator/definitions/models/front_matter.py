"""The front matter of a template: what stands between the `---` lines at its top (language reference, section 12)."""

from orchestrator.definitions.field_kinds import Name, Plain, TemplateText
from orchestrator.definitions.models.base import FileModel


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
