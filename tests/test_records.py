"""Classes made by `orchestrator.records` behave as those of the standard library do."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
import typing
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator import records

Decorator = Callable[..., Any]


def family(dataclass: Decorator) -> dict[str, type]:
    """The same classes, made by one decorator or the other."""

    @dataclass(frozen=True, slots=True)
    class Plain:
        a: int
        b: str = "b"
        items: list[int] = field(default_factory=list)
        aside: int = field(default=0, compare=False, kw_only=True)
        hidden: int = field(default=1, repr=False)
        NOTE: ClassVar[str] = "not a field"

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Base:
        first: int
        second: int | None = None

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Derived(Base):
        third: tuple[int, ...] = ()
        total: int = field(init=False, compare=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "total", self.first + sum(self.third))

    @dataclass(frozen=True, slots=True, eq=False)
    class ByIdentity:
        a: int

    @dataclass(frozen=True, slots=True)
    class Own:
        a: int

        def __eq__(self, other: object) -> bool:
            return isinstance(other, type(self))

        def __hash__(self) -> int:
            return 7

        def __repr__(self) -> str:
            return "own"

    @dataclass(frozen=True, slots=True)
    class Nothing:
        pass

    made: dict[str, type] = {cls.__name__: cls for cls in (Plain, Base, Derived, ByIdentity, Own, Nothing)}
    for cls in made.values():
        cls.__qualname__ = cls.__name__
    return made


OURS, THEIRS = family(records.dataclass), family(dataclasses.dataclass)
NUMBERS = st.integers(0, 2)
PLAIN = st.fixed_dictionaries(
    {"a": NUMBERS | st.just(float("nan"))},
    optional={"b": st.text(max_size=1), "aside": NUMBERS, "hidden": NUMBERS},
)
DERIVED = st.fixed_dictionaries(
    {"first": NUMBERS}, optional={"second": st.none() | NUMBERS, "third": st.lists(NUMBERS, max_size=2).map(tuple)}
)
MAKERS: st.SearchStrategy[tuple[str, dict[str, Any]]] = st.one_of(
    PLAIN.map(lambda values: ("Plain", values)),
    DERIVED.map(lambda values: ("Derived", values)),
    st.tuples(st.sampled_from(["Own", "ByIdentity"]), st.fixed_dictionaries({"a": NUMBERS})),
    st.just(("Nothing", {})),
)


def both(maker: tuple[str, dict[str, Any]]) -> tuple[Any, Any]:
    name, values = maker
    return OURS[name](**values), THEIRS[name](**values)


@given(MAKERS, MAKERS)
def test_they_compare_and_show_as_the_standard_ones_do(one: Any, two: Any) -> None:
    (mine, theirs), (my_other, their_other) = both(one), both(two)
    assert (mine == my_other) == (theirs == their_other)
    assert repr(mine) == repr(theirs) or one[0] == "ByIdentity"
    assert mine != theirs
    if one[0] == "Derived":
        assert hash(mine) == hash(theirs)
        assert mine.total == theirs.total


@given(MAKERS)
def test_they_can_be_copied_and_replaced(maker: Any) -> None:
    mine, theirs = both(maker)
    names = [item.name for item in dataclasses.fields(theirs)]
    assert [item.name for item in dataclasses.fields(mine)] == names
    replaced: Any = dataclasses.replace(mine)
    for again in (copy.copy(mine), copy.deepcopy(mine), replaced):
        assert type(again) is type(mine)
        assert repr(again) == repr(mine)


@dataclasses.dataclass(frozen=True, slots=True)
class Standard:
    a: int
    b: tuple[int, ...] = ()


@records.dataclass(frozen=True, slots=True)
class Packed:
    a: int
    b: tuple[int, ...] = ()


@given(NUMBERS, st.lists(NUMBERS).map(tuple))
def test_they_can_be_pickled(a: int, b: tuple[int, ...]) -> None:
    assert pickle.loads(pickle.dumps(Packed(a, b))) == Packed(a, b)
    assert hash(Packed(a, b)) == hash(Standard(a, b))


@pytest.mark.parametrize("name", sorted(OURS))
def test_they_have_the_same_outside(name: str) -> None:
    mine, theirs = OURS[name], THEIRS[name]
    assert inspect.signature(mine).parameters.keys() == inspect.signature(theirs).parameters.keys()
    for one, two in zip(inspect.signature(mine).parameters.values(), inspect.signature(theirs).parameters.values()):
        assert one.kind == two.kind
        assert (one.default is one.empty) == (two.default is two.empty)
    assert mine.__match_args__ == theirs.__match_args__  # type: ignore[attr-defined]
    assert mine.__slots__ == theirs.__slots__  # type: ignore[attr-defined]
    assert hints(mine) == hints(theirs)


def hints(cls: Any) -> list[str]:
    return sorted(typing.get_type_hints(cls.__init__))


def test_they_do_not_change() -> None:
    packed = Packed(1)
    with pytest.raises(FrozenInstanceError):
        packed.a = 2  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        del packed.a
    with pytest.raises(AttributeError):
        packed.other = 2  # type: ignore[attr-defined]
    assert not hasattr(packed, "__dict__")


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(TypeError, match="missing 1 required"):
        Packed()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="positional"):
        OURS["Derived"](1)


def test_other_kinds_of_class_are_the_standard_ones() -> None:
    @records.dataclass(slots=True)
    class Changing:
        a: int

    changing = Changing(1)
    changing.a = 2
    assert changing == Changing(2)


def test_one_that_holds_itself_can_be_shown() -> None:
    holder = OURS["Plain"](1)
    holder.items.append(holder)
    assert repr(holder) == "Plain(a=1, b='b', items=[...], aside=0)"
