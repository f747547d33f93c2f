"""Our `dataclass` beside the library's: whatever can be seen of a class and its instances is the same."""

from __future__ import annotations

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.frozen import dataclass as ours

std = dataclasses.dataclass


@ours(frozen=True, slots=True)
class Point:
    """At module level, where pickle finds it."""

    x: int
    y: int = 0


def _family(dataclass: Callable[..., Any]) -> list[type]:
    @dataclass(frozen=True, slots=True)
    class Empty:
        """No fields."""

    @dataclass(frozen=True, slots=True)
    class One:
        """One field."""

        a: Any

    @dataclass(frozen=True, slots=True)
    class Many:
        """Every kind of field."""

        a: Any
        b: Any = 1
        c: list[Any] = field(default_factory=list)
        d: Any = field(default=2, compare=False)
        e: Any = field(default=3, repr=False)
        f: Any = field(default=4, init=False)
        g: list[Any] = field(default_factory=lambda: [5], init=False)
        h: Any = field(default=0, hash=False)
        i: Any = field(default=6, kw_only=True)
        j: Any = field(init=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "j", (self.a, self.b))

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Base:
        """A parent whose fields are given by name."""

        a: Any
        b: Any = 1

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Child(Base):
        """A child with a field more, and another default."""

        b: Any = 2
        c: Any

    @dataclass(frozen=True, slots=True, eq=False)
    class Itself:
        """Equal to itself alone."""

        a: Any

    @dataclass(frozen=True, slots=True)
    class Written:
        """With methods of its own."""

        a: Any

        def __repr__(self) -> str:
            return "written"

        def __hash__(self) -> int:
            return 7

    @dataclass(frozen=True, slots=True)
    class OwnEq:
        """With an equality of its own."""

        a: Any

        def __eq__(self, other: object) -> bool:
            return isinstance(other, type(self)) and self.a is other.a

    @dataclass(slots=True)
    class Open:
        """Not frozen: the library's own."""

        a: Any

    return [Empty, One, Many, Base, Child, Itself, Written, OwnEq, Open]


PAIRS = list(zip(_family(ours), _family(std), strict=True))
NAN = float("nan")
VALUES = st.one_of(st.integers(0, 3), st.none(), st.text(max_size=2), st.just([1]), st.just(NAN))
ARGUMENTS = st.tuples(st.lists(VALUES, max_size=5), st.dictionaries(st.sampled_from("abcdefghij"), VALUES, max_size=5))


def _made(cls: type, args: list[Any], named: dict[str, Any]) -> Any:
    try:
        return cls(*args, **named)
    except TypeError:
        return None


def _changed(it: Any) -> str:
    try:
        return repr(dataclasses.replace(it, a=9))
    except TypeError:
        return "refused"


def _hashes(it: Any) -> bool:
    try:
        return isinstance(hash(it), int)
    except TypeError:
        return False


@pytest.mark.parametrize(("mine", "theirs"), PAIRS, ids=[mine.__name__ for mine, _ in PAIRS])
@given(first=ARGUMENTS, second=ARGUMENTS)
def test_instances_are_alike(mine: type, theirs: type, first: Any, second: Any) -> None:
    one, one_std = _made(mine, *first), _made(theirs, *first)
    two, two_std = _made(mine, *second), _made(theirs, *second)
    assert (one is None, two is None) == (one_std is None, two_std is None)
    if one is None or two is None:
        return
    names = [item.name for item in dataclasses.fields(one)]
    assert repr(one) == repr(one_std)
    assert [getattr(one, name) for name in names] == [getattr(one_std, name) for name in names]
    assert [getattr(copy.copy(one), name) for name in names] == [getattr(one, name) for name in names]
    assert _changed(one) == _changed(one_std)
    assert (one == two, one != two, one == one_std) == (one_std == two_std, one_std != two_std, False)
    assert _hashes(one) == _hashes(one_std)
    assert one != two or not _hashes(one) or hash(one) == hash(two)


@pytest.mark.parametrize(("mine", "theirs"), PAIRS, ids=[mine.__name__ for mine, _ in PAIRS])
def test_classes_are_alike(mine: type, theirs: type) -> None:
    assert mine.__match_args__ == theirs.__match_args__  # type: ignore[attr-defined]
    assert mine.__slots__ == theirs.__slots__  # type: ignore[attr-defined]
    assert mine.__doc__ == theirs.__doc__
    assert list(inspect.signature(mine).parameters) == list(inspect.signature(theirs).parameters)
    assert vars(mine)["__init__"].__annotations__ == vars(theirs)["__init__"].__annotations__
    assert (mine.__hash__ is None) == (theirs.__hash__ is None)
    assert not hasattr(mine, "__dict__") or "__dict__" not in mine.__slots__  # type: ignore[attr-defined]


def test_nothing_can_be_set_or_deleted() -> None:
    point = Point(1)
    for name in ("x", "z"):
        with pytest.raises(FrozenInstanceError):
            setattr(point, name, 2)
        with pytest.raises(FrozenInstanceError):
            delattr(point, name)
    assert point == Point(1, 0)


def test_it_can_be_pickled_and_copied_deeply() -> None:
    point = Point(1, 2)
    assert pickle.loads(pickle.dumps(point)) == point
    assert copy.deepcopy(point) == point


def test_a_value_that_holds_itself_can_be_shown() -> None:
    held: list[Any] = []
    point = Point(held)  # type: ignore[arg-type]
    held.append(point)
    assert repr(point) == "Point(x=[...], y=0)"


def test_a_match_reads_the_fields() -> None:
    match Point(1, 2):
        case Point(x, y):
            assert (x, y) == (1, 2)
