"""Every filter: what it gives, and what it has no meaning for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.expression.signatures import FILTERS
from orchestrator.definitions.expressions import build_expr
from orchestrator.errors import EvaluationError

Run = Callable[..., Any]

DATA: dict[str, Any] = {
    "name": "Ana Maria",
    "total": 1234.5,
    "day": "2026-03-01",
    "at": "2026-03-01T22:05:00Z",
    "prices": [3, 1, None, 2.5],
    "words": ["b", "a", "b"],
    "items": [
        {"sku": "A1", "price": 30, "kind": "shirt", "maker": {"city": "Porto"}},
        {"sku": "B2", "price": 9.5, "kind": "gift", "maker": {"city": "Faro"}},
        {"sku": "A1", "price": None, "kind": "shirt"},
    ],
}

VALUES = [
    ("customer.missing | default('friend')", "friend"),
    ("customer.name | default('friend')", "Ana Maria"),
    ("'' | default('friend')", ""),
    ("0 | default(1)", 0),
    ("customer.name | length", 9),
    ("customer.items | length", 3),
    ("{'a': 1} | length", 1),
    ("customer.missing | length", None),
    ("customer.missing | length > 0", False),
    ("'ÀB' | lower", "àb"),
    ("'straße' | upper", "STRASSE"),
    ("' a b\n' | trim", "a b"),
    ("2.5 | round", 3),
    ("-2.5 | round", -3),
    ("3.5 | round", 4),
    ("2.675 | round(2)", 2.68),
    ("1.005 | round(2)", 1.01),
    ("1250 | round(-2)", 1300),
    ("2.1 | round(0, 'ceil')", 3),
    ("-2.1 | round(method='floor')", -3),
    ("7 | round(2)", 7.0),
    ("'42' | int", 42),
    ("' -42 ' | int", -42),
    ("'42.9' | int", 42),
    ("-42.9 | int", -42),
    ("true | int", 1),
    ("'NA' | int", None),
    ("'NA' | int(0)", 0),
    ("'1_000' | int", None),
    ("'1e3' | int", 1000),
    ("[] | int", None),
    ("'1.5' | float", 1.5),
    ("3 | float", 3.0),
    ("'x' | float(default=0.5)", 0.5),
    ("'inf' | float", None),
    ("'nan' | float", None),
    ("1.0 | string", "1"),
    ("true | string", "true"),
    ("date(customer.day) | string", "2026-03-01"),
    ("customer.missing | string", None),
    ("-3 | abs", 3),
    ("hours(-2) | abs == hours(2)", True),
    ("customer.words | first", "b"),
    ("customer.words | last", "b"),
    ("'abc' | first", "a"),
    ("[] | first", None),
    ("[] | last", None),
    ("customer.prices | min", 1),
    ("customer.prices | max", 3),
    ("customer.prices | sum", 6.5),
    ("[] | sum", 0),
    ("[] | min", None),
    ("customer.items | sum(attribute='price')", 39.5),
    ("customer.items | sum('price')", 39.5),
    ("(customer.items | max(attribute='price')).sku", "A1"),
    ("(customer.items | min(attribute='price')).sku", "B2"),
    ("['2026-03-02', '2026-03-10'] | max", "2026-03-10"),
    ("customer.prices | sort", [1, 2.5, 3, None]),
    ("customer.prices | sort(true)", [3, 2.5, 1, None]),
    ("customer.words | sort(reverse=true)", ["b", "b", "a"]),
    ("customer.items | sort(attribute='price') | map(attribute='sku')", ["B2", "A1", "A1"]),
    ("customer.words | unique", ["b", "a"]),
    ("[1, 1.0, true, '1', none, none] | unique", [1, True, "1", None]),
    ("customer.items | unique(attribute='kind') | map(attribute='kind')", ["shirt", "gift"]),
    ("[[1], [1.0], {'a': 1}, {'a': 1}] | unique | length", 2),
    ("customer.words | join(', ')", "b, a, b"),
    ("[1, none, true] | join('-')", "1--true"),
    ("customer.words | join", "bab"),
    ("customer.items | join(' ', attribute='sku')", "A1 B2 A1"),
    ("customer.items | map(attribute='maker.city')", ["Porto", "Faro", None]),
    ("[['a', 'b'], []] | map(attribute='0')", ["a", None]),
    ("customer.items | selectattr('price') | length", 2),
    ("customer.items | selectattr('price', 'gt', 10) | map(attribute='sku')", ["A1"]),
    ("customer.items | selectattr('price', 'le', 30) | length", 2),
    ("customer.items | selectattr('price', 'none') | length", 1),
    ("customer.items | selectattr('kind', 'eq', 'gift') | length", 1),
    ("customer.items | selectattr('kind', 'in', ['gift', 'book']) | length", 1),
    ("customer.items | selectattr('maker.city', '==', 'Porto') | length", 1),
    ("customer.items | rejectattr('kind', 'equalto', 'gift') | length", 2),
    ("customer.items | rejectattr('price', '!=', none) | length", 1),
    ("'a-b-c' | replace('-', '')", "abc"),
    ("'abc' | replace('', '-')", "-a-b-c-"),
    ("customer.day | date", date(2026, 3, 1)),
    ("customer.day | date('%-d %B %Y')", "1 March 2026"),
    ("customer.day | date('%a %d %b %y, %j')", "Sun 01 Mar 26, 060"),
    ("customer.at | datetime", datetime(2026, 3, 1, 22, 5, tzinfo=UTC)),
    ("customer.at | datetime('%Y-%m-%d %H:%M')", "2026-03-02 06:05"),
    ("customer.at | datetime('%-I:%M %p %z')", "6:05 AM +0800"),
    ("customer.at | date", date(2026, 3, 2)),
    ("customer.at | date('100%% %d')", "100% 02"),
    ("date('2026-03-01') | datetime", datetime(2026, 2, 28, 16, tzinfo=UTC)),
    ("customer.total | money('EUR')", "1234.50 EUR"),
    ("1234.5 | money('JPY')", "1235 JPY"),
    ("1.0005 | money('KWD')", "1.001 KWD"),
    ("-0.001 | money('EUR')", "0.00 EUR"),
    ("1e20 | money('EUR')", "100000000000000000000.00 EUR"),
    ("customer.name | truncate(20)", "Ana Maria"),
    ("'one two three' | truncate(10)", "one two..."),
    ("'one two three' | truncate(9)", "one..."),
    ("'one two three' | truncate(9, true)", "one tw..."),
    ("'one two three' | truncate(8, end='~')", "one two~"),
    ("'onetwothree' | truncate(5)", "on..."),
    ("'abc' | truncate(2)", ".."),
]


@pytest.mark.parametrize(("source", "expected"), VALUES)
def test_value(run: Run, source: str, expected: object) -> None:
    found = run(source, DATA, zone="Asia/Shanghai")
    assert found == expected
    assert type(found) is type(expected)


def test_every_filter_has_a_case() -> None:
    shown = " ".join(source for source, _ in VALUES)
    assert [name for name in FILTERS if f"| {name}" not in shown] == []


@pytest.mark.parametrize(
    "source",
    [
        "5 | length",
        "5 | lower",
        "[] | upper",
        "5 | trim",
        "'x' | round",
        "2.5 | round(99)",
        "2.5 | round('x')",
        "true | round",
        "1e300 | int",
        "'99999999999999999999' | int",
        "'x' | abs",
        "5 | first",
        "{'a': 1} | last",
        "5 | sum",
        "['a', 'b'] | sum",
        "['a'] | sum",
        "[true] | sum",
        "[1, 'a'] | min",
        "[1, 'a'] | sort",
        "[{'a': 1}, {'a': 2}] | sort",
        "'abc' | sort",
        "5 | unique",
        "'abc' | join",
        "[5] | map(attribute='a')",
        "[5] | selectattr('a')",
        "[{'a': 'x'}] | selectattr('a', 'gt', 5)",
        "5 | replace('a', 'b')",
        "'a' | replace(1, 'b')",
        "'soon' | date",
        "5 | datetime",
        "today | date(5)",
        "today | date('%q')",
        "'x' | money('EUR')",
        "5 | money(5)",
        "5 | truncate(3)",
        "'abcdef' | truncate(0)",
        "'abcdef' | truncate('x')",
    ],
)
def test_no_meaning(run: Run, source: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        run(source, DATA)
    assert caught.value.source == source
    assert source[caught.value.offset :].startswith(tuple(FILTERS))


@given(st.floats(-1e9, 1e9), st.integers(0, 4))
def test_rounding_is_to_the_nearest_and_away_from_zero(scope_of: Any, number: float, places: int) -> None:
    rounded = build_expr(f"customer.n | round({places})").evaluate(scope_of({"n": number}))
    assert isinstance(rounded, (int, float))
    assert abs(rounded - number) <= 0.5 * 10**-places * (1 + 1e-6) + 1e-6


@given(st.text(max_size=80), st.integers(1, 60), st.booleans())
def test_truncate_keeps_its_length(scope_of: Any, text: str, length: int, kill: bool) -> None:
    found = build_expr("customer.t | truncate(customer.n, customer.k)").evaluate(
        scope_of({"t": text, "n": length, "k": kill})
    )
    assert isinstance(found, str)
    assert len(found) <= length
    assert found == text or len(text) > length
