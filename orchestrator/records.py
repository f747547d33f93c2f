"""`dataclass`, made faster to import: Python's own writes and compiles six functions for every frozen class.

That took a quarter of a second of every command before it had read its first file. Frozen classes with slots get one
compiled function here, their `__init__`; equality and hash are written when they are first asked for, and all classes
share the rest. Every other kind of class is handed to the standard library, which type checkers see in any case.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, NoReturn

__all__ = ["dataclass"]

_OURS = frozenset({"frozen", "slots", "kw_only", "eq", "repr"})
_FIELDS = "__record_fields__"
"""Of a class made here: its annotations and its fields by name, those of its bases included."""
_OTHER_KINDS = ("InitVar", "KW_ONLY")


def _dataclass(cls: type | None = None, /, **options: bool) -> Any:
    """What `dataclasses.dataclass` does, with the same options; instances behave the same."""
    if cls is None:
        return lambda decorated: _dataclass(decorated, **options)
    return _record(cls, options) if _is_plain(cls, options) else dataclasses.dataclass(**options)(cls)


if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    dataclass = _dataclass


def _is_plain(cls: type, options: dict[str, bool]) -> bool:
    return (
        options.get("frozen", False)
        and options.get("slots", False)
        and options.keys() <= _OURS
        and all(_FIELDS in vars(base) for base in cls.__mro__[1:] if "__dataclass_fields__" in vars(base))
        and not any(word in str(kind) for kind in cls.__annotations__.values() for word in _OTHER_KINDS)
    )


def _record(cls: type, options: dict[str, bool]) -> type:
    members = dict(cls.__dict__)
    members.pop("__dict__", None)
    members.pop("__weakref__", None)
    kinds: dict[str, Any] = {}
    fields: dict[str, Field[Any]] = {}
    for base in reversed(cls.__mro__[1:]):
        if _FIELDS in vars(base):
            kinds |= vars(base)[_FIELDS][0]
            fields |= vars(base)[_FIELDS][1]
    inherited = frozenset(fields)
    own = {name: kind for name, kind in cls.__annotations__.items() if "ClassVar" not in str(kind)}
    kinds |= own
    for name in own:
        fields[name] = _as_field(members.pop(name, MISSING), options)
    members["__slots__"] = tuple(name for name in fields if name not in inherited)
    members.setdefault("__match_args__", tuple(n for n, field in fields.items() if field.init and not field.kw_only))
    members[_FIELDS] = (kinds, fields)
    for fact in ("__dataclass_fields__", "__dataclass_params__"):
        members[fact] = _Fact()
    members["__setattr__"], members["__delattr__"] = _refuse_setting, _refuse_deleting
    members.setdefault("__getstate__", _state)
    members.setdefault("__setstate__", _set_state)
    if options.get("repr", True):
        members.setdefault("__repr__", _write_repr)
    if options.get("eq", True):
        members.setdefault("__eq__", _write_eq)
        if members.get("__hash__") is None:  # Python itself puts None beside an __eq__
            members["__hash__"] = _write_hash
    made = type(cls)(cls.__name__, cls.__bases__, members)
    made.__qualname__ = cls.__qualname__
    type.__setattr__(made, "__init__", _init(made, kinds, fields))
    return made


def _as_field(declared: Any, options: dict[str, bool]) -> Field[Any]:
    made: Field[Any] = declared if type(declared) is Field else dataclasses.field(default=declared)
    if made.kw_only is MISSING:
        made.kw_only = options.get("kw_only", False)
    return made


def _init(cls: type, kinds: dict[str, Any], fields: dict[str, Field[Any]]) -> Callable[..., None]:
    """The one compiled function. It sets slots by their descriptors, past the `__setattr__` that refuses."""
    known: dict[str, Any] = {"_missing": MISSING}
    parameters: dict[bool, list[str]] = {False: ["self"], True: []}
    body: list[str] = []
    for name, field in fields.items():
        value, default = name, ""
        if field.default_factory is not MISSING:
            known[f"_make_{name}"] = field.default_factory
            made = f"_make_{name}()"
            value, default = (f"{made} if {name} is _missing else {name}" if field.init else made), "=_missing"
        elif field.default is not MISSING:
            known[f"_default_{name}"] = field.default
            value, default = (name if field.init else f"_default_{name}"), f"=_default_{name}"
        elif not field.init:
            continue  # `__post_init__` gives it its value
        known[f"_set_{name}"] = getattr(cls, name).__set__
        if field.init:
            parameters[bool(field.kw_only)].append(name + default)
        body.append(f"_set_{name}(self, {value})")
    if hasattr(cls, "__post_init__"):
        body.append("self.__post_init__()")
    keywords = ["*", *parameters[True]] if parameters[True] else []
    head = f"__init__({', '.join(parameters[False] + keywords)})"
    init = _compiled(cls, head, body or ["pass"], known)
    init.__annotations__ = {**{name: kinds[name] for name, field in fields.items() if field.init}, "return": "None"}
    return init


def _compiled(cls: type, head: str, body: list[str], known: dict[str, Any]) -> Callable[..., Any]:
    """The method `head` of a class, which finds the names `known` in its closure and others in the class's module."""
    lines = "\n  ".join(body)
    source = f"def _outer({', '.join(known)}):\n def {head}:\n  {lines}\n return {head.partition('(')[0]}"
    found: dict[str, Any] = {}
    exec(source, vars(sys.modules[cls.__module__]), found)
    method: Callable[..., Any] = found["_outer"](*known.values())
    method.__qualname__ = f"{cls.__qualname__}.{method.__name__}"
    return method


def _write_eq(self: Any, other: object) -> Any:
    """Equal are two of the same class whose fields are. Stands in until two are first compared."""
    for cls in type(self).__mro__:
        if cls.__dict__.get("__eq__") is _write_eq:
            mine, others = (_tuple(whose, _compared(cls)) for whose in ("self", "other"))
            body = ["if other.__class__ is self.__class__:", f" return {mine} == {others}", "return NotImplemented"]
            type.__setattr__(cls, "__eq__", _compiled(cls, "__eq__(self, other)", body, {}))
    return self.__eq__(other)


def _write_hash(self: Any) -> int:
    """The hash of the fields that are compared. Stands in until the first one is asked for."""
    for cls in type(self).__mro__:
        if cls.__dict__.get("__hash__") is _write_hash:
            body = [f"return hash({_tuple('self', _compared(cls, hashed=True))})"]
            type.__setattr__(cls, "__hash__", _compiled(cls, "__hash__(self)", body, {}))
    return hash(self)


@recursive_repr("...")
def _write_repr(self: Any) -> str:
    """`Name(field=value, ...)`. Stands in until the first one is shown."""
    for cls in type(self).__mro__:
        if cls.__dict__.get("__repr__") is _write_repr:
            shown = (f"{name}={{self.{name}!r}}" for name, field in vars(cls)[_FIELDS][1].items() if field.repr)
            body = [f"return self.__class__.__qualname__ + f'({', '.join(shown)})'"]
            written = _compiled(cls, "__repr__(self)", body, {})
            type.__setattr__(cls, "__repr__", recursive_repr("...")(written))
    return repr(self)


def _compared(cls: type, *, hashed: bool = False) -> list[str]:
    fields = vars(cls)[_FIELDS][1].items()
    return [name for name, field in fields if (field.hash if hashed and field.hash is not None else field.compare)]


def _tuple(owner: str, names: list[str]) -> str:
    return f"({''.join(f'{owner}.{name}, ' for name in names)})"


class _Fact:
    """`__dataclass_fields__` or `__dataclass_params__`: made by the standard library when `replace`, `fields` or a
    derived class first ask."""

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner, self._name = owner, name

    def __get__(self, instance: object, owner: type) -> Any:
        kinds, fields = vars(self._owner)[_FIELDS]
        described = type(self._owner.__name__, (), {"__annotations__": kinds, "__module__": owner.__module__, **fields})
        fact = vars(dataclasses.dataclass(init=False, repr=False, eq=False, frozen=True)(described))[self._name]
        type.__setattr__(self._owner, self._name, fact)
        return fact


def _refuse_setting(self: object, name: str, value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_deleting(self: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, name) for name in getattr(type(self), _FIELDS)[1]]


def _set_state(self: Any, state: list[Any]) -> None:
    for name, value in zip(getattr(type(self), _FIELDS)[1], state, strict=True):
        object.__setattr__(self, name, value)
