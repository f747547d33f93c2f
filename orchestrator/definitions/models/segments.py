"""segments.yaml: named segments (the language reference, section 12)."""

from typing import Any, Self

from pydantic import ConfigDict, RootModel, model_validator

from orchestrator.definitions.faults import fault
from orchestrator.definitions.field_kinds import Expression, Name, OnlyTrue, Plain
from orchestrator.definitions.models.base import FileModel


class Segment(FileModel):
    """`shoppers: {title: Browsing now, where: EXPR}`."""

    title: Plain | None = None
    """What people call it."""
    where: Expression | None = None
    """Customers for whom this is true are in it."""
    list: OnlyTrue | None = None
    """Customers whom somebody put on it are in it: `orchestrator import list NAME FILE`, or the API."""
    note: Plain | None = None
    """A remark for people."""

    @model_validator(mode="after")
    def _says_who_is_in_it(self) -> Self:
        if self.where is None and not self.list:
            raise fault("missing_key", "{it} needs `where`, or `list: true`", "add `where: ...` and a condition")
        if self.where is not None and self.list:
            message = "a segment has a condition or is a list, not both"
            raise fault("bad_value", message, "keep `where` or `list`", at="list")
        return self


class SegmentsModel(RootModel[Any]):
    """Segments by name."""

    model_config = ConfigDict(defer_build=True)

    root: dict[Name, Segment]
