"""What the models of all files share: keys that are known, keys without a value, and aliases for Python's words.

The modules of models do without `from __future__ import annotations`: it would make texts of their annotations, and the
library would compile each of these anew for every class that inherits it. Lists and mappings that may be left out have
a `default_factory`: other defaults are copied deeply for every instance. That of lists is `no_items`: the library looks
at the signature of each factory, and Python takes most of a millisecond to find that of `list`.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, ModelWrapValidatorHandler, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from orchestrator.core.expression.nearest import nearest
from orchestrator.definitions.faults import MARK, fault, listed, shown, wrong_type
from orchestrator.definitions.known_places import belongs_hint, elsewhere_hint, models_below


def no_items() -> list[Any]:
    """A new list without items."""
    return []


class FileModel(BaseModel):
    """A mapping of a definition file. Fields are called as their keys, with a `_` behind Python's own words.

    A key that is unknown, or that has no value, is a problem at that key; all other problems of the mapping are told
    beside it.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        alias_generator=lambda name: name.rstrip("_"),
        defer_build=True,
        protected_namespaces=(),
    )

    LATER: ClassVar[Mapping[str, str]] = {}
    """Keys that are planned, each with what they are for."""
    INSTEAD: ClassVar[Mapping[str, str]] = {}
    """Words that people take from elsewhere, each with the key that means it here."""
    _known: ClassVar[frozenset[str]]
    _nullable: ClassVar[frozenset[str]]

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        fields = cls.model_fields.items()
        cls._known = frozenset(name.rstrip("_") for name, _ in fields)
        cls._nullable = frozenset(
            name.rstrip("_") for name, info in fields if any(getattr(m, "nullable", False) for m in info.metadata)
        )

    @classmethod
    def known_keys(cls) -> frozenset[str]:
        """The keys that a file may write here."""
        return cls._known

    @model_validator(mode="wrap")
    @classmethod
    def _keys(cls, data: Any, handler: ModelWrapValidatorHandler[Any]) -> Any:
        if type(data) is not dict:
            if isinstance(data, cls):
                return data
            keys = listed([f"`{key}`" for key in cls._ordered_keys()], most=6)
            raise wrong_type(data, "a mapping", f"write `key: value` lines; keys are {keys}")
        if data.keys() <= cls._known and None not in data.values():
            return handler(data)
        return cls._with_key_faults(data, handler)

    @classmethod
    def _ordered_keys(cls) -> list[str]:
        return [name.rstrip("_") for name in cls.model_fields]

    @classmethod
    def _with_key_faults(cls, data: dict[str, Any], handler: ModelWrapValidatorHandler[Any]) -> Any:
        unknown = [key for key in data if key not in cls._known]
        empty = [key for key, value in data.items() if value is None and key in cls._known - cls._nullable]
        told: list[tuple[str, PydanticCustomError]] = []
        silent = set(empty)
        for key in empty:
            slipped = [
                other for other in unknown if any(other in m.known_keys() for m in models_below(cls).get(key, ()))
            ]
            if slipped:
                named = listed([f"`{other}`" for other in slipped]).replace(" or ", " and ")
                verbs = ("belong", "stand") if len(slipped) > 1 else ("belongs", "stands")
                message = f"{named} {verbs[0]} to `{key}`, but {verbs[1]} beside it"
                told.append((slipped[0], fault("indentation", message, "indent these lines by two more")))
                unknown = [other for other in unknown if other not in slipped]
            else:
                hint = "write it behind the colon, or remove the line"
                told.append((key, fault("no_value", f"`{key}` has no value", hint)))
        for key in unknown:
            meant = nearest(key, cls._known - data.keys())
            silent |= {meant} if meant else set()
            told.append((key, cls._unknown_key(key, data, meant)))
        kept = {key: value for key, value in data.items() if key in cls._known and key not in empty}
        errors = [InitErrorDetails(type=error, loc=(key,), input=data[key]) for key, error in told]
        try:
            made = handler(kept)
        except ValidationError as error:
            others = error.errors(include_url=False)
            errors += [_again(details) for details in others if not _follows(details, silent)]
        else:
            if not errors:
                return made
        raise ValidationError.from_exception_data(cls.__name__, errors)

    @classmethod
    def _unknown_key(cls, key: str, data: dict[str, Any], meant: str | None) -> PydanticCustomError:
        if key in cls.LATER:
            message = f"`{key}` ({cls.LATER[key]}) is not part of the language yet"
            return fault("not_yet", message, "it comes later")
        nearby = None if key in cls.INSTEAD else belongs_hint(cls, key, data)
        meant = cls.INSTEAD.get(key, meant)
        hint = nearby or (f"did you mean '{meant}'?" if meant else elsewhere_hint(key))
        if hint is None:
            free = [known for known in cls._ordered_keys() if known not in data]
            hint = f"known here: {listed(free, most=12)}" if free else "remove it"
        return fault("unknown_key", f"unknown key `{shown(key)}`", hint, null=data[key] is None)


def _follows(details: Any, silent: set[str]) -> bool:
    """Whether an error only follows from a key that is told already: nothing is there because it was mistyped."""
    if details["type"] == "missing":
        return bool(details["loc"]) and details["loc"][0] in silent
    return details["type"] == "missing_key" and not details["loc"]


def _again(details: Any) -> InitErrorDetails:
    """An error that the library reported, to be raised once more beside others."""
    context = details.get("ctx", {})
    if MARK in context:
        kind: Any = PydanticCustomError(details["type"], "{message}", context)
    else:
        kind = details["type"]
    return InitErrorDetails(type=kind, loc=details["loc"], input=details["input"], ctx=context)
