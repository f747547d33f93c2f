"""`webhooks:` of project.yaml: others hear what is decided (docs/webhooks.md)."""

from typing import Annotated

from pydantic import Field

from orchestrator.core.webhooks import MOST_LINES
from orchestrator.definitions.field_kinds import Expression, Flag, Plain, whole
from orchestrator.definitions.models.base import FileModel
from orchestrator.definitions.shapes import OneOrMany
from orchestrator.definitions.time_kinds import FixedDuration


class Webhook(FileModel):
    """`crm: {url: https://crm.example.com/journeys, lines: [message, outcome, exited]}`."""

    url: Plain
    """Where to: an address, or the name of one in ORCHESTRATOR_WEBHOOKS, where secret ones stand."""
    lines: Annotated[list[Plain], OneOrMany(), Field(min_length=1)]
    """The types of lines of the journal that are told."""
    where: Expression | None = None
    """Only lines for which this is true; the line is `line`."""
    batch: Annotated[int, whole(1, MOST_LINES)] = MOST_LINES
    """So many lines in one call at most."""
    personal: Flag = False
    """Tell all that a line says, personal data included."""
    timeout: FixedDuration = "10s"
    """How long an answer may take, up to 30s."""
    give_up_after: FixedDuration = "24h"
    """After failing for this long a batch is put aside, and the next one goes."""
    stop_on_failure: Flag = False
    """Stop there instead, until somebody says `orchestrator webhooks retry`."""
    past: Flag = False
    """Begin with the oldest line that is kept, and not with what comes from now on."""
    note: Plain | None = None
    """A remark for people."""
