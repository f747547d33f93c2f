"""`computed:` of an attribute in schema.yaml: what events add up to (the language reference, section 12)."""

from typing import ClassVar, Self

from pydantic import model_validator

from orchestrator.definitions.faults import fault
from orchestrator.definitions.field_kinds import Expression, Plain
from orchestrator.definitions.models.base import FileModel


class ComputedModel(FileModel):
    """`computed: {sum: order_placed, property: total, where: event.currency == 'EUR'}`."""

    count: Plain | None = None
    """How many of these events there were; with `property`, how many values it had."""
    sum: Plain | None = None
    """The sum of a property of these events."""
    min: Plain | None = None
    """The least value of a property."""
    max: Plain | None = None
    """The greatest value of a property."""
    first: Plain | None = None
    """The instant of the first of these events, or the first value of a property."""
    last: Plain | None = None
    """The instant of the last of these events, or the last value of a property."""
    most: Plain | None = None
    """The most frequent value of a property."""
    property_: Plain | None = None
    """The event's property; `items.category` looks into a list."""
    where: Expression | None = None
    """Only events for which this is true; it reads `event` alone."""

    KINDS: ClassVar[tuple[str, ...]] = ("count", "sum", "min", "max", "first", "last", "most")
    BARE: ClassVar[frozenset[str]] = frozenset({"count", "first", "last"})
    """Kinds that need no property."""

    @property
    def kind(self) -> str:
        """What is computed."""
        return next(kind for kind in self.KINDS if getattr(self, kind) is not None)

    @property
    def event(self) -> str:
        """Of which events."""
        event: str = getattr(self, self.kind)
        return event

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [kind for kind in self.KINDS if getattr(self, kind) is not None]
        if not given:
            hint = "write one of " + ", ".join(f"`{kind}:`" for kind in self.KINDS) + " with an event"
            raise fault("missing_key", "nothing says what is computed", hint)
        if len(given) > 1:
            raise fault("bad_value", f"`{given[0]}` and `{given[1]}` cannot stand together", at=given[1])
        if self.property_ is None and given[0] not in self.BARE:
            hint = f"add `property:` to say of what the {given[0]} is taken"
            raise fault("missing_key", f"`{given[0]}` needs a property", hint, at=given[0])
        return self
