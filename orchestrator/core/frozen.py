"""`dataclass`, as the standard library has it, for classes that are frozen and have slots: quicker to make and to fill.

The library writes six functions a class and compiles each by itself, and its frozen `__init__` sets every field by
name: that took a tenth of a command's start, and made a compiled step of sixteen fields three times as dear. Here only
`__init__` is written, and it fills the slots directly; the other methods are shared. Everything else (`fields`,
`replace`, `match`, `copy`, pickling, `FrozenInstanceError`) works as usual; classes of other kinds are the library's
own. Frozen classes that inherit from each other take their decorator from one of the two places.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, Field, FrozenInstanceError
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

T = TypeVar("T")


def _dataclass(cls: type[T] | None = None, /, *, frozen: bool = False, slots: bool = False, **more: Any) -> Any:
    """The decorator: all options of the library's own."""

    def made(cls: type[T]) -> type[T]:
        if frozen and slots and more.keys() <= {"eq", "kw_only"}:
            return _frozen(cls, more.get("eq", True), more.get("kw_only", False))
        return dataclasses.dataclass(frozen=frozen, slots=slots, **more)(cls)

    return made if cls is None else made(cls)


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:
    dataclass = _dataclass


def _frozen(plain: type[T], eq: bool, kw_only: bool) -> type[T]:
    written = set(plain.__dict__)
    # Python itself notes None as the hash of a class that writes `__eq__` alone.
    hash_written = "__hash__" in written and not ("__eq__" in written and plain.__dict__["__hash__"] is None)
    cls: Any = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)(plain)
    fields = dataclasses.fields(cls)
    methods: dict[str, Callable[..., Any]] = {
        "__init__": _init(cls, fields),
        "__repr__": _repr([field.name for field in fields if field.repr]),
        "__setattr__": _refuse_to_set,
        "__delattr__": _refuse_to_delete,
        "__getstate__": _state,
        "__setstate__": _set_state,
    }
    if eq:
        methods["__eq__"] = _eq(_values([field.name for field in fields if field.compare]))
        if not hash_written:
            hashed = (field for field in fields if (field.compare if field.hash is None else field.hash))
            cls.__hash__ = _hash(_values([field.name for field in hashed]))
    for name, method in methods.items():
        if name not in written:
            setattr(cls, name, method)
    made: type[T] = cls
    return made


def _init(cls: type, fields: tuple[Field[Any], ...]) -> Callable[..., None]:
    """An `__init__` that fills each field's slot by the slot's own setter."""
    names: dict[str, Any] = {"_missing": MISSING}
    positional: list[str] = ["self"]
    keyword: list[str] = []
    body: list[str] = []
    for field in fields:
        name, default, factory = field.name, field.default, field.default_factory
        names[f"_set_{name}"] = _slot(cls, name).__set__
        names[f"_default_{name}"], names[f"_make_{name}"] = default, factory
        value, parameter = name, name
        if factory is not MISSING:
            value = f"_make_{name}() if {name} is _missing else {name}" if field.init else f"_make_{name}()"
            parameter = f"{name}=_missing"
        elif default is not MISSING:
            parameter = f"{name}=_default_{name}"
            value = name if field.init else f"_default_{name}"
        elif not field.init:
            continue  # `__post_init__` sets it
        if field.init:
            (keyword if field.kw_only else positional).append(parameter)
        body.append(f" _set_{name}(self, {value})")
    if hasattr(cls, "__post_init__"):
        body.append(" self.__post_init__()")
    parameters = ", ".join([*positional, "*", *keyword] if keyword else positional)
    exec("\n".join([f"def __init__({parameters}):", *body, " return None"]), names)
    init: Callable[..., None] = names["__init__"]
    init.__qualname__ = f"{cls.__qualname__}.__init__"
    init.__annotations__ = {field.name: field.type for field in fields if field.init} | {"return": None}
    return init


def _slot(cls: type, name: str) -> Any:
    """The descriptor of a slot, the class's own or an inherited one."""
    return next(base.__dict__[name] for base in cls.__mro__ if name in base.__dict__)


def _values(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """What reads the fields as a tuple."""
    if not names:
        return lambda self: ()
    read: Callable[[Any], tuple[Any, ...]] = attrgetter(*names, *(names if len(names) == 1 else ()))
    return read


def _eq(values: Callable[[Any], tuple[Any, ...]]) -> Callable[[Any, object], bool]:
    def __eq__(self: Any, other: object) -> bool:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    return __eq__


def _hash(values: Callable[[Any], tuple[Any, ...]]) -> Callable[[Any], int]:
    def __hash__(self: Any) -> int:
        return hash(values(self))

    return __hash__


def _repr(names: list[str]) -> Callable[[Any], str]:
    @recursive_repr()
    def __repr__(self: Any) -> str:
        return f"{self.__class__.__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    return __repr__


def _refuse_to_set(self: object, name: str, value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(self: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _state(self: Any) -> list[Any]:
    return [getattr(self, field.name) for field in dataclasses.fields(self)]


def _set_state(self: Any, state: list[Any]) -> None:
    for field, value in zip(dataclasses.fields(self), state, strict=True):
        object.__setattr__(self, field.name, value)
