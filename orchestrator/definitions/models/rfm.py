"""`rfm:` of project.yaml: classes by recency, frequency and value (the language reference, section 9)."""

from typing import Annotated

from orchestrator.definitions.field_kinds import Plain, whole
from orchestrator.definitions.models.base import FileModel
from orchestrator.definitions.time_kinds import CronText, FixedDuration


class Rfm(FileModel):
    """`rfm: {event: order_placed, value: total, every: "0 4 * * MON"}`."""

    event: Plain
    """What counts as a purchase."""
    value: Plain
    """The event's property that it is worth."""
    classes: Annotated[int, whole(2, 10)] = 5
    """Into so many classes of equal size."""
    every: CronText = "0 4 * * MON"
    """When classes are worked out anew, in the project's zone: five fields."""
    within: FixedDuration | None = None
    """How far back it looks; d is 24 hours; default: `settings.history`."""
