"""Shapes that a field may take beside its full one, and mappings that a key tells apart.

Each brings its check and its JSON Schema, so that files may use the short form, models hold the full one, and editors
know both. Branches are chosen before anything is checked, so that a mistake is told once and for the branch it is in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from typing import Any, ClassVar

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

from orchestrator.core.expression.nearest import did_you_mean, nearest
from orchestrator.definitions.faults import fault, listed, shown, wrong_type
from orchestrator.definitions.field_kinds import Schema
from orchestrator.records import dataclass

SHORT_FOR = "x-short-for"
"""Marks, in a JSON Schema being made, a short form by the key of the full form that it stands for."""

TAG = "="
"""Starts the names of branches in error locations, where they are skipped."""


@dataclass(frozen=True, slots=True)
class Converted:
    """A value is converted before it is checked; `short` is the JSON Schema of what is converted."""

    nullable = False
    tell_short: ClassVar[Schema] = {"not": {"type": "object"}}
    """What values in the short form have in common, so that editors complain about the form that is meant."""

    def convert(self, value: Any) -> Any:
        """The full form of a value; what has no short form comes back as it is."""
        raise NotImplementedError

    def short(self, full: Schema) -> Schema:
        """The JSON Schema of the short form, given that of the full one."""
        raise NotImplementedError

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_before_validator_function(self.convert, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        full = handler(schema)
        return {"if": self.tell_short, "then": self.short(full), "else": full}


@dataclass(frozen=True, slots=True)
class Shorthand(Converted):
    """A bare value stands for a mapping with just `key`: ``email: x`` for ``email: {template: x}``.

    `schema` is the JSON Schema of the bare value where it is not that of the key.
    """

    key: str
    schema: Schema | None = field(default=None, hash=False)

    def convert(self, value: Any) -> Any:
        return value if isinstance(value, (dict, list)) or value is None else {self.key: value}

    def short(self, full: Schema) -> Schema:
        return self.schema or {SHORT_FOR: self.key}


@dataclass(frozen=True, slots=True)
class OneOrMany(Converted):
    """One item stands for a list of one."""

    tell_short: ClassVar[Schema] = {"not": {"type": "array"}}

    def convert(self, value: Any) -> Any:
        return value if isinstance(value, list) or value is None else [value]

    def short(self, full: Schema) -> Schema:
        items: Schema = full.get("items", {})
        return items


@dataclass(frozen=True, slots=True)
class ListOrMapping(Converted):
    """A list of names stands for a mapping of these names to nothing."""

    tell_short: ClassVar[Schema] = {"type": "array"}

    def convert(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        names: dict[str, Any] = {}
        for name in value:
            if not isinstance(name, str):
                raise wrong_type(name, "a list of names")
            if name in names:
                raise fault("bad_value", f"{{it}} names '{name}' twice")
            names[name] = {}
        return names

    def short(self, full: Schema) -> Schema:
        return {"type": "array", "items": {"type": "string"}}


@dataclass(frozen=True, slots=True)
class StepsOrMapping(Converted):
    """A list of steps stands for a mapping with just `do`."""

    tell_short: ClassVar[Schema] = {"type": "array"}

    def convert(self, value: Any) -> Any:
        return {"do": value} if isinstance(value, list) else value

    def short(self, full: Schema) -> Schema:
        return {SHORT_FOR: "do"}


@dataclass(frozen=True, slots=True)
class EmptyWhenNull(Converted):
    """Nothing behind the colon is an empty list or mapping."""

    nullable = True
    tell_short: ClassVar[Schema] = {"type": "null"}
    empty: Callable[[], Any] = list

    def convert(self, value: Any) -> Any:
        return self.empty() if value is None else value

    def short(self, full: Schema) -> Schema:
        return {"type": "null"}


@dataclass(frozen=True, slots=True)
class TextOr:
    """A mapping or list is checked as the type `full`, anything else as the type `bare`."""

    bare: Any = field(hash=False)
    full: Any = field(hash=False)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        choices = {f"{TAG}bare": handler.generate_schema(self.bare), f"{TAG}full": handler.generate_schema(self.full)}
        return core_schema.tagged_union_schema(
            choices, lambda value: f"{TAG}full" if isinstance(value, (dict, list)) else f"{TAG}bare"
        )

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        bare, full = handler(schema)["oneOf"]
        return {"if": {"type": ["object", "array"]}, "then": full, "else": bare}


@dataclass(frozen=True, slots=True)
class ByKey:
    """A mapping whose kind is told by the one key of `choices` that it has.

    `noun` names such a mapping with its article; `codes` are the problems for none and for several of these keys.
    `yields` maps a key to those beside which it is a mere option (`segment` beside `schedule`). `later` are keys that
    are planned, each with the words that say so. `scalar` makes a mapping of a bare value, whose JSON Schema is `bare`.
    `what` is what its telling key is called; `several` is the way out where there are several of these keys.
    """

    noun: str
    choices: Callable[[], Mapping[str, Any]] = field(hash=False)
    codes: tuple[str, str]
    common: frozenset[str] = frozenset()
    yields: Mapping[str, frozenset[str]] = field(default_factory=dict, hash=False)
    later: Mapping[str, str] = field(default_factory=dict, hash=False)
    scalar: Callable[[Any], Any] | None = field(default=None, hash=False)
    bare: Schema | None = field(default=None, hash=False)
    what: str = "kind"
    several: str = "make them separate entries, each with its own dash"

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        choices = self.choices()
        branches = {TAG + key: handler.generate_schema(model) for key, model in choices.items()}
        union = core_schema.tagged_union_schema(branches, lambda value: TAG + self._found(value, choices)[0])
        return core_schema.no_info_before_validator_function(lambda value: self._checked(value, choices), union)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        choices = list(self.choices())
        refs: Sequence[Schema] = handler(schema)["oneOf"]
        branches: list[Schema] = []
        for key, ref in zip(choices, refs, strict=True):
            over = self.yields.get(key, frozenset())
            tell: Schema = {"type": "object", "required": [key]}
            if over:
                tell["not"] = {"anyOf": [{"required": [other]} for other in sorted(over)]}
            branches.append({"if": tell, "then": ref})
        full: Schema = {
            "type": "object",
            "properties": {key: {"description": _first_line(model)} for key, model in self.choices().items()},
            "anyOf": [{"required": [key]} for key in choices],
            "allOf": branches,
        }
        return {"if": {"type": "object"}, "then": full, "else": self.bare} if self.bare else full

    def _found(self, value: dict[str, Any], choices: Mapping[str, Any]) -> list[str]:
        found = [key for key in value if key in choices]
        if len(found) > 1 and self.yields:
            found = [key for key in found if not self.yields.get(key, frozenset()) & value.keys()] or found
        return found

    def _checked(self, value: Any, choices: Mapping[str, Any]) -> Any:
        if type(value) is not dict:
            if self.scalar is not None and not isinstance(value, list) and value is not None:
                value = self.scalar(value)
            else:
                raise self._no_mapping(value, choices)
        found = self._found(value, choices)
        if len(found) == 1:
            return value
        if not found:
            raise self._none(value, choices)
        first = found[0]
        if value[first] is None and all(knows_below(choices[first], first, key) for key in found[1:]):
            return value
        named = listed([f"`{key}`" for key in found]).replace(" or ", " and ")
        message = f"{self.noun} has one {self.what}, and this has {len(found)}: {named}"
        raise fault(self.codes[1], message, self.several, at=found[1])

    def _no_mapping(self, value: Any, choices: Mapping[str, Any]) -> Exception:
        if isinstance(value, str):
            word = value.split(":")[0].strip()
            meant = word if word in choices else nearest(word, choices)
            hint = f"write `{meant}: ...`" if meant else f"it has one of {listed(list(choices))}"
            return fault("wrong_type", f"{self.noun} is a mapping, not the text '{shown(value)}'", hint)
        return wrong_type(value, f"{self.noun}, which is a mapping", f"it has one of {listed(list(choices))}")

    def _none(self, value: dict[str, Any], choices: Mapping[str, Any]) -> Exception:
        for key in value:
            if key in self.later:
                return fault("not_yet", f"`{key}` {self.later[key]}", "it comes later", at=key)
        strange = [key for key in value if key not in self.common]
        for key in strange:
            if hint := did_you_mean(key, choices):
                return fault(self.codes[0], f"`{shown(key)}` is not known here", hint, at=key)
        hint = f"it has one of {listed(list(choices))}"
        if strange:
            return fault(self.codes[0], f"`{shown(strange[0])}` is not known here", hint, at=strange[0])
        return fault(self.codes[0], f"{self.noun} has a {self.what}, and this has none", hint)


def _first_line(model: type) -> str:
    return (model.__doc__ or "").strip().split("\n")[0]


def knows_below(model: Any, field_key: str, key: str) -> bool:
    """Whether the value of `model`'s field `field_key` would know `key`."""
    from orchestrator.definitions.known_places import models_below

    return any(key in below.known_keys() for below in models_below(model).get(field_key, ()))
