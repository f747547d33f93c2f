"""Change tracking: between now and `changes_at`, time alone changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.expression.scope import PastEvent, Scope
from orchestrator.core.expression.types import DATE, DATETIME, Record, Types
from orchestrator.definitions.expressions import build_expr

NOW = datetime(2026, 3, 11, 10, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
TICK = timedelta(microseconds=1)

TYPES = Types(entry=Record({"check_in": DATE, "starts": DATETIME}))


def changes(source: str, scope: Scope, types: Types | None = TYPES, **variables: str) -> datetime | None:
    known: dict[str, Any] = {}
    for name, text in variables.items():
        known[name] = build_expr(text, types=types, vars=known)
    scope.tracking, scope.changes_at = True, None
    build_expr(source, types=types, vars=known).evaluate(scope)
    return scope.changes_at


@pytest.fixture(scope="module")
def scope(scope_of: Callable[..., Scope], facts_of: Any, past: Callable[..., PastEvent]) -> Scope:
    facts = facts_of(
        past={
            "e": [past("e", 20 * DAY, n=1), past("e", 5 * DAY, n=2), past("e", 2 * DAY, n=3)],
            "soon": [past("soon", 2 * DAY), past("soon", -HOUR)],
        },
        entries={"j": [NOW - 9 * DAY, NOW - 3 * DAY]},
        messages={"m": [NOW - 3 * DAY]},
    )
    entry = {"at": NOW - 3 * DAY, "check_in": "2026-03-20", "starts": "2026-03-20T15:00:00Z"}
    return scope_of({}, facts=facts, entry=entry, zone="Asia/Shanghai")


IN = [
    # a window changes when an event leaves it: the oldest that counts, or the newest where one is enough
    ("count('e', within='7d') >= 2", 2 * DAY),
    ("sum('e', 'n', within='7d')", 2 * DAY),
    ("did('e', within='7d')", 5 * DAY),
    ("last('e', within='7d').n", 5 * DAY),
    ("first('e', within='7d').n", 2 * DAY),
    ("count('e', within='7d', where=it.n == 3)", 5 * DAY),
    ("did('e', within='7d', where=it.n == 2)", 2 * DAY),
    ("count('e', where=it.n == 1)", 380 * DAY),
    ("sum('e', 'n')", 380 * DAY),
    ("count('e', within='1h')", None),
    ("count('e')", None),
    ("last('e').n", None),
    ("count('soon', within='1d')", HOUR),
    ("entered('j', within='4d')", DAY),
    ("received('m', within='4d')", DAY),
    ("received('m')", None),
    # what is not looked at does not count
    ("false and did('e', within='7d')", None),
    ("true or did('e', within='7d')", None),
    ("1 if entry.key == 'x' else count('e', within='7d')", 2 * DAY),
    # local dates change at midnight, 16:00 UTC in Shanghai
    ("today", 6 * HOUR),
    ("days_since(entry.at) > 3", 6 * HOUR),
    ("days_until(entry.check_in) < 3", 6 * HOUR),
    ("entry.check_in == today", 6 * HOUR),
    ("now | date", 6 * HOUR),
    ("next_weekday(now, 'mon')", 6 * HOUR),
    ("next_weekday(entry.check_in, 'mon')", None),
    # comparisons that move with now tip over at one instant
    ("now >= entry.starts", 9 * DAY + 5 * HOUR),
    ("now > entry.starts", 9 * DAY + 5 * HOUR + TICK),
    ("now < entry.starts", 9 * DAY + 5 * HOUR),
    ("now <= entry.starts", 9 * DAY + 5 * HOUR + TICK),
    ("entry.starts <= now", 9 * DAY + 5 * HOUR),
    ("now == entry.starts", 9 * DAY + 5 * HOUR),
    ("now >= entry.check_in", 8 * DAY + 6 * HOUR),
    ("now >= entry.at", None),
    ("now == entry.at", None),
    ("now != '2026-03-11T10:00:00Z'", TICK),
    ("now - entry.at > days(4)", DAY + TICK),
    ("now - entry.at >= days(4)", DAY),
    ("now - entry.at > days(2)", None),
    ("entry.starts - now < hours(5)", 9 * DAY + TICK),
    ("now - days(1) >= entry.starts", 10 * DAY + 5 * HOUR),
    ("(now - entry.at) * 2 >= days(8)", DAY),
    ("(now - entry.at) / days(1) >= 4", DAY),
    ("-(now - entry.at) <= days(-4)", DAY),
    ("now - entry.at > now - entry.starts", None),
    ("entry.missing < now", None),
    ("count('e', within='7d') * days(2) <= now - entry.at", DAY),
    ("now < entry.starts and did('e', within='7d')", 5 * DAY),
    ("entry.at < now < entry.starts", 9 * DAY + 5 * HOUR),
    ("count('e', where=it.at > now - days(3))", DAY),
    # every other use of now: a minute later
    ("now ~ ''", timedelta(minutes=1)),
    ("now", timedelta(minutes=1)),
    ("(now | datetime('%H')) == '10'", timedelta(minutes=1)),
    ("now in [entry.at]", timedelta(minutes=1)),
    ("(now if entry.at else now) > entry.starts", timedelta(minutes=1)),
]


@pytest.mark.parametrize(("source", "ahead"), IN)
def test_changes_in(scope: Scope, source: str, ahead: timedelta | None) -> None:
    expected = None if ahead is None else NOW + ahead
    assert changes(source, scope) == expected


def test_variables_move_as_what_they_stand_for(scope: Scope) -> None:
    assert changes("age >= days(4)", scope, age="now - entry.at") == NOW + DAY
    assert changes("older >= days(5)", scope, age="now - entry.at", older="age + days(1)") == NOW + DAY
    assert changes("n >= 2", scope, n="count('e', within='7d')") == NOW + 2 * DAY
    assert changes("count('e', where=it.at > start) == 1", scope, start="now - days(3)") == NOW + DAY


def test_without_tracking_nothing_is_noted(scope: Scope) -> None:
    scope.tracking, scope.changes_at = False, None
    build_expr("now > entry.starts or did('e', within='7d')", types=TYPES).evaluate(scope)
    assert scope.changes_at is None


def test_evaluation_leaves_the_scope_as_it_was(scope: Scope) -> None:
    changes("now - entry.at > days(4)", scope)
    assert scope.now == NOW
    assert scope.tracking is True


# The property --------------------------------------------------------------------------------------------------------

PIECES = [
    "count('e', within='{d}') >= {n}",
    "did('e', within='{d}')",
    "sum('e', 'n', within='{d}') > {n}",
    "avg('e', 'n', within='{d}') > {n}",
    "max('e', 'n', within='{d}') == {n}",
    "min('e', 'n', within='{d}') == {n}",
    "first('e', within='{d}').n == {n}",
    "last('e', within='{d}').n == {n}",
    "count('e', within='{d}', where=it.n == {n}) > 0",
    "did('e', within='{d}', where=it.n > {n})",
    "last('e', within='{d}', where=it.n > {n}).n == 3",
    "first('e', within='{d}', where=it.n < {n}).n == 2",
    "count('e', within='{d}', where=it.at > now - hours({n})) == 1",
    "count('e', since_entry=true) > {n}",
    "entered('j', within='{d}')",
    "now - entry.at > hours({n} * 7)",
    "now - entry.at >= duration('{d}')",
    "now >= entry.at + hours({n} * 5)",
    "entry.starts - now < duration('{d}')",
    "entry.starts > now + hours({n})",
    "(now - entry.at) * {n} < duration('{d}') * 3",
    "(now - entry.at) / hours(1) > {n} * 3.7",
    "(now - last('e', within='{d}').at) > hours({n})",
    "count('e', within='{d}') * hours(3) > now - entry.at",
    "now >= entry.check_in",
    "today >= entry.check_in",
    "days_since(entry.at) > {n}",
    "days_until(entry.check_in) < {n}",
    "(today | date('%d')) == '{n}'",
    "next_weekday(now, 'fri') == entry.check_in",
    "age > hours({n})",
    "late",
]
VARIABLES = {"age": "now - entry.at", "late": "now - last('e').at > hours(9)"}


WITHINS = {"1h": HOUR, "5h": 5 * HOUR, "1d": DAY, "3d": 3 * DAY, "400d": 400 * DAY}
LENGTHS = [*WITHINS.values(), *(HOUR * n for n in range(-40, 41)), TICK, 2 * TICK]
"""Near these distances from what is known, something may happen."""


@st.composite
def conditions(draw: st.DrawFn) -> str:
    def piece() -> str:
        text = draw(st.sampled_from(PIECES))
        return text.format(d=draw(st.sampled_from(sorted(WITHINS))), n=draw(st.integers(0, 5)))

    shape = draw(st.sampled_from(["{}", "{}", "{} and {}", "{} or {}", "not ({})", "({}) if {} else ({})"]))
    return shape.format(*(piece() for _ in range(shape.count("{}"))))


hours = st.integers(-20 * 60, 20 * 60).map(lambda minutes: timedelta(minutes=minutes))


@settings(max_examples=200)
@given(
    condition=conditions(),
    past_at=st.lists(st.tuples(hours, st.integers(0, 4)), max_size=6),
    entry_at=hours,
    starts=hours,
    zone=st.sampled_from(["UTC", "Asia/Shanghai", "America/Sao_Paulo", "Pacific/Apia"]),
    probes=st.lists(st.floats(0, 1), max_size=8),
)
def test_nothing_changes_before(
    scope_of: Any,
    facts_of: Any,
    condition: str,
    past_at: list[tuple[timedelta, int]],
    entry_at: timedelta,
    starts: timedelta,
    zone: str,
    probes: list[float],
) -> None:
    events = [PastEvent(NOW + at, "e", {"n": n}, f"{at}") for at, n in sorted(past_at)]
    facts = facts_of(past={"e": events}, entries={"j": [event.at for event in events]}, entry_at=NOW + entry_at)
    entry = {"at": NOW + entry_at, "check_in": date(2026, 3, 12), "starts": NOW + starts}
    variables: dict[str, Any] = {name: build_expr(text) for name, text in VARIABLES.items()}
    expr = build_expr(condition, vars=variables)
    scope = scope_of({}, facts=facts, entry=entry, zone=zone, tracking=True)
    value = expr.evaluate(scope)
    changes_at = scope.changes_at
    scope.tracking = False
    assert expr.evaluate(scope) == value
    assert changes_at is None or changes_at > NOW
    end = changes_at or NOW + 500 * DAY
    instants = {end - TICK, NOW + TICK, *(NOW + (end - NOW) * share for share in probes)}
    known = [NOW, entry["at"], entry["starts"], *(event.at for event in events)]
    instants |= {at + length for at in known for length in LENGTHS}
    for instant in instants:
        if NOW < instant < end:
            scope.now = instant
            assert expr.evaluate(scope) == value, (condition, instant)
