"""segments.yaml: named segments (the language reference, section 12)."""

from typing import Any

from pydantic import ConfigDict, RootModel

from orchestrator.definitions.field_kinds import Expression, Name, Plain
from orchestrator.definitions.models.base import FileModel


class Segment(FileModel):
    """`shoppers: {title: Browsing now, where: EXPR}`."""

    title: Plain | None = None
    """What people call it."""
    where: Expression
    """Customers for whom this is true are in it."""
    note: Plain | None = None
    """A remark for people."""


class SegmentsModel(RootModel[Any]):
    """Segments by name."""

    model_config = ConfigDict(defer_build=True)

    root: dict[Name, Segment]
