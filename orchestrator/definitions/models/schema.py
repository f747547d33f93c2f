"""schema.yaml: the tracking plan, that is, typed customer attributes and events (language reference, section 12)."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator
from typing_extensions import TypeAliasType

from orchestrator.definitions.faults import described, fault
from orchestrator.definitions.field_kinds import Data, Expression, Flag, OneOf, Plain
from orchestrator.definitions.models.base import FileModel
from orchestrator.definitions.models.computed import ComputedModel
from orchestrator.definitions.shapes import EmptyWhenNull, OneOrMany, Shorthand, TextOr

TypeWord = Literal["string", "integer", "number", "boolean", "date", "datetime", "list", "object"]
_Word = Annotated[TypeWord, OneOf()]
_SHORT = {"enum": ["string", "integer", "number", "boolean", "date", "datetime", "list", "object"]}

Of = TypeAliasType("Of", Annotated[dict[Plain, "Property"] | TypeWord, TextOr(_Word, dict[Plain, "Property"])])
"""What a list or object holds: a type word, or the fields of a mapping."""


class PropertySpec(FileModel):
    """`cart_id: {type: string, required: true}`."""

    type: _Word
    """string, integer, number, boolean, date, datetime, list or object."""
    required: Flag = False
    """An event without it is noted as incomplete."""
    enum: Annotated[list[Plain], OneOrMany()] | None = None
    """The values that a string may have, in their order."""
    of: Of | None = None
    """What the items of a list, or the fields of an object, are."""
    pii: Flag = False
    """Personal: left out of logs and exports by default."""
    description: Plain | None = None
    """What it means."""

    @model_validator(mode="after")
    def _fits_type(self) -> Self:
        if self.enum is not None and self.type != "string":
            raise fault("bad_value", f"`enum` stands only with `type: string`, not {self.type}", at="enum")
        if self.of is not None and self.type not in ("list", "object"):
            raise fault("bad_value", f"`of` stands only with `type: list` or object, not {self.type}", at="of")
        return self


class AttributeSpec(PropertySpec):
    """`tier: {type: string, enum: [basic, gold], default: basic}`."""

    default: Data = None
    """Stands in where none was ever given."""
    computed: ComputedModel | None = None
    """What events add up to: nobody else sets it."""
    formula: Expression | None = None
    """An expression that stands wherever the attribute is read: nobody sets it."""

    @model_validator(mode="after")
    def _default_fits(self) -> Self:
        if self.computed is not None and self.formula is not None:
            raise fault("bad_value", "`computed` and `formula` cannot stand together", at="formula")
        if self.default is not None and (self.computed is not None or self.formula is not None):
            hint = "remove it; a formula may say what stands in, as in customer.orders | default(0)"
            raise fault("bad_value", "what is computed has no default", hint, at="default")
        if self.computed is not None and self.enum is not None:
            raise fault("bad_value", "what is computed takes the values that events have", at="enum")
        if self.default is None:
            return self
        if self.enum is not None and self.default not in self.enum:
            raise fault("bad_value", f"the default {described(self.default)} is not one of `enum`", at="default")
        if not _fits(self.default, self.type):
            raise fault(
                "wrong_type", f"the default of type {self.type} cannot be {described(self.default)}", at="default"
            )
        return self


def _fits(value: Any, kind: str) -> bool:
    match kind:
        case "boolean":
            return isinstance(value, bool)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "list":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case _:
            return isinstance(value, str)


Property = TypeAliasType("Property", Annotated[PropertySpec, Shorthand("type", _SHORT)])
"""A property: its type word, or a mapping."""


class SchemaModel(FileModel):
    """The tracking plan."""

    customer: dict[Plain, Annotated[AttributeSpec, Shorthand("type", _SHORT)]] = Field(default_factory=dict)
    """Customer attributes by name."""
    events: dict[Plain, Annotated[dict[Plain, Property], EmptyWhenNull(dict)]] = Field(default_factory=dict)
    """Events by name, each with its properties by name."""
