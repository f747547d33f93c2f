"""Traits read as the type that schema.yaml declares, and never as anything else than they say."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.project import Attribute
from orchestrator.core.typed_traits import read_as, typed

TIER = Attribute("tier", "string", None, ("basic", "gold"))
values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=20), st.lists(st.integers())
)


@pytest.mark.parametrize(
    ("kind", "value", "read"),
    [
        ("integer", "42", 42),
        ("integer", " -7 ", -7),
        ("integer", 3.0, 3),
        ("integer", 3.5, 3.5),
        ("integer", "3.5", "3.5"),
        ("integer", "٤٢", "٤٢"),
        ("number", "42", 42),
        ("number", "1e3", 1000.0),
        ("number", "1,5", "1,5"),
        ("number", "nan", "nan"),
        ("boolean", "True", True),
        ("boolean", "yes", "yes"),
        ("boolean", 1, 1),
        ("string", 7, "7"),
        ("string", 7.0, "7"),
        ("string", True, "true"),
        ("date", date(2026, 3, 1), "2026-03-01"),
        ("datetime", datetime(2026, 3, 1, tzinfo=UTC), "2026-03-01T00:00:00Z"),
        ("date", " 2026-03-01", "2026-03-01"),
        ("list", "a", "a"),
        ("object", {}, {}),
    ],
)
def test_readings(kind: str, value: Any, read: Any) -> None:
    found = read_as(Attribute("a", kind), value)
    assert found == read and type(found) is type(read)


def test_words_of_an_enum_in_other_letters() -> None:
    assert read_as(TIER, " Gold") == "gold" and read_as(TIER, "silver") == "silver"


@given(st.dictionaries(st.sampled_from("abcdef"), values))
def test_reading_twice_changes_nothing_more(traits: dict[str, Any]) -> None:
    kinds = ("integer", "number", "boolean", "string", "date", "list")
    declared = {name: Attribute(name, kind) for name, kind in zip("abcdef", kinds)}
    once = typed(declared, traits)
    assert typed(declared, once) is once
    assert once.keys() == traits.keys()
