"""Section 4 of the language reference, one case a sentence."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from orchestrator.core.expression.expr import Expr
from orchestrator.core.expression.scope import Scope
from orchestrator.core.expression.types import DATE, DATETIME, Enum, ListOf, Record, Types
from orchestrator.definitions.expressions import build_expr
from orchestrator.errors import EvaluationError, FactUnavailable, NotLoaded

Run = Callable[..., Any]

CUSTOMER: dict[str, Any] = {
    "tier": "gold",
    "age": 40,
    "ratio": 2.5,
    "vip": True,
    "tags": ["a", "b"],
    "born": "1990-05-17",
    "seen": "2026-03-10T23:30:00",
    "address": {"city": "Porto", "lines": ["one", "two"]},
    "nothing": None,
    "zero": 0,
    "empty": "",
    "none_left": [],
}

VALUES = [
    # literals and structure
    ("14", 14),
    ("1_000", 1000),
    ("2.5", 2.5),
    ("'it''s'", "its"),
    ('"double"', "double"),
    ("true", True),
    ("False", False),
    ("none", None),
    ("[1, 'a', none]", [1, "a", None]),
    ("(1, 2)", [1, 2]),
    ("()", []),
    ("{'a': 1, 'b': {'c': 2}}", {"a": 1, "b": {"c": 2}}),
    # data first, never a method
    ("customer.address.city", "Porto"),
    ("customer['address']['city']", "Porto"),
    ("customer.address.lines[1]", "two"),
    ("customer.address.lines.0", "one"),
    ("customer.address.lines[-1]", "two"),
    ("customer.address.lines[2]", None),
    ("customer.address.items", None),
    ("customer.missing", None),
    ("customer.missing.deeper.still", None),
    ("customer.missing[0]", None),
    ("event.anything", None),
    # and, or, not, if: no more than needed is looked at, and the deciding operand is the value
    ("true and 1 < 2", True),
    ("false and customer.age < 'x'", False),
    ("true or customer.age < 'x'", True),
    ("customer.nothing or 'friend'", "friend"),
    ("customer.tier and 'there'", "there"),
    ("not customer.nothing", True),
    ("not customer.vip", False),
    ("'a' if customer.vip else customer.age < 'x'", "a"),
    ("'a' if customer.nothing else 'b'", "b"),
    ("'a' if customer.nothing", None),
    ("1 if false else 2 if false else 3", 3),
    # as a condition none is false; 0 and what is empty as well
    ("'y' if customer.zero else 'n'", "n"),
    ("'y' if customer.empty else 'n'", "n"),
    ("'y' if customer.none_left else 'n'", "n"),
    ("'y' if customer.tags else 'n'", "y"),
    # comparison
    ("1 == 1.0", True),
    ("1 == true", False),
    ("0 == false", False),
    ("1 == '1'", False),
    ("true == true", True),
    ("[1, {'a': 2}] == [1.0, {'a': 2}]", True),
    ("[1] == [true]", False),
    ("'a' < 'b'", True),
    ("'Z' < 'a'", True),
    ("'z' < '\u00e9'", True),
    ("'\uffff' < '\U0001f600'", True),
    ("1 < 2 < 3", True),
    ("1 < 2 < 2", False),
    ("3 >= 2.5", True),
    ("duration('1d') == hours(24)", True),
    ("duration('1w') > days(6.5)", True),
    # in
    ("'a' in customer.tags", True),
    ("'z' not in customer.tags", True),
    ("'ol' in customer.tier", True),
    ("'city' in customer.address", True),
    ("1 in [1.0]", True),
    ("true in [1]", False),
    # missing data
    ("none == none", True),
    ("none != 'prod'", True),
    ("customer.nothing == 'prod'", False),
    ("none in [none]", True),
    ("none in [1]", False),
    ("none not in [1]", True),
    ("'a' in none", False),
    ("'a' not in none", True),
    ("none in 'text'", False),
    ("none < 1", False),
    ("none <= none", False),
    ("none > 1", False),
    ("1 >= none", False),
    ("not (none < 1)", True),
    ("none + 1", None),
    ("1 - none", None),
    ("none * none", None),
    ("none / 2", None),
    ("-customer.nothing", None),
    ("1 / 0", None),
    ("1 // 0", None),
    ("1 % 0", None),
    ("1.5 / 0.0", None),
    ("days(1) / 0", None),
    ("customer.nothing is none", True),
    ("customer.tier is not none", True),
    ("customer.tier is none", False),
    # arithmetic
    ("7 + 2 - 1", 8),
    ("7 / 2", 3.5),
    ("7 // 2", 3),
    ("-7 // 2", -4),
    ("-7 % 3", 2),
    ("2 + 3 * 4", 14),
    ("(2 + 3) * 4", 20),
    ("-customer.age", -40),
    ("+customer.age", 40),
    ("- -3", 3),
    ("days(2) * 3 == days(6)", True),
    ("3 * hours(2) == hours(6)", True),
    ("days(1) / hours(6)", 4.0),
    ("days(1) // hours(7)", 3),
    ("days(1) / 2 == hours(12)", True),
    # ~ writes none as nothing, true and false in small letters, whole numbers without a fraction, dates as ISO 8601
    ("'a' ~ 1 ~ none ~ true ~ 2.0 ~ 2.5", "a1true22.5"),
    ("'on ' ~ date('2026-03-01')", "on 2026-03-01"),
    ("now ~ ''", "2026-03-11T10:00:00Z"),
    ("'' ~ [1, 'a'] ~ hours(1)", "1, a3600s"),
    # dates
    ("date('2026-03-01') + days(2)", date(2026, 3, 3)),
    ("date('2026-03-01') - duration('1w')", date(2026, 2, 22)),
    ("days(1) + date('2026-03-01')", date(2026, 3, 2)),
    ("date('2026-03-01') + hours(36)", datetime(2026, 3, 2, 12, tzinfo=UTC)),
    ("date('2026-03-31') - date('2026-03-01')", 30),
    ("date('2026-03-01T10:00:00Z') - date('2026-03-01T09:30:00Z') == duration('30m')", True),
    ("date('2026-03-01T12:00:00Z') - date('2026-03-01') == hours(12)", True),
    ("'2026-03-10' - '2026-03-01'", 9),
    ("'2026-03-01' + days(1)", date(2026, 3, 2)),
    ("date('2026-03-01') == '2026-03-01'", True),
    ("date('2026-03-01') < '2026-03-02'", True),
    ("date('2026-03-01') in ['2026-02-01', '2026-03-01']", True),
    ("date('2026-03-01') < now", True),
    ("date('2026-03-11') == now", False),
    ("now == '2026-03-11T12:00:00+02:00'", True),
    ("now > '2026-03-11T09:59'", True),
    ("today", date(2026, 3, 11)),
    ("today == '2026-03-11'", True),
    ("date('2015 July 1', '%Y %B %d')", date(2015, 7, 1)),
    ("date('01.02.2026 14:30', format='%d.%m.%Y %H:%M')", datetime(2026, 2, 1, 14, 30, tzinfo=UTC)),
    ("date('2026-03-01T10:00')", datetime(2026, 3, 1, 10, tzinfo=UTC)),
    ("date(none)", None),
    ("days_since('2026-03-01')", 10),
    ("days_until('2026-03-21')", 10),
    ("days_since(now)", 0),
    ("days_until(none)", None),
    ("next_weekday('2026-03-11', 'wed')", date(2026, 3, 11)),
    ("next_weekday('2026-03-11', 'tue')", date(2026, 3, 17)),
    ("next_weekday(now, 'sun')", date(2026, 3, 15)),
    ("next_weekday(none, 'mon')", None),
    ("days(none)", None),
    ("duration(none)", None),
    ("now - days(1) < now", True),
]


@pytest.mark.parametrize(("source", "expected"), VALUES)
def test_value(run: Run, source: str, expected: object) -> None:
    found = run(source, CUSTOMER)
    assert found == expected
    assert type(found) is type(expected)


ERRORS = [
    ("customer.age < 'x'", "cannot order"),
    ("true < false", "cannot order"),
    ("[1] < [2]", "cannot order"),
    ("now - customer.seen > '7d'", "duration('7d')"),
    ("customer.tier + 1", "no meaning"),
    ("'a' + 'b'", "write ~"),
    ("true + 1", "no meaning"),
    ("'%s' % 3", "no meaning"),
    ("'a' * 3", "no meaning"),
    ("[1] * 3", "no meaning"),
    ("-customer.tier", "no meaning"),
    ("-customer.vip", "no meaning"),
    ("date('2026-03-01') + 3", "days(3)"),
    ("5 in 'abc'", "cannot be in"),
    ("1 in 5", "nothing can be in"),
    ("customer.tier.city", "no property"),
    ("customer.age.real", "no property"),
    ("customer.tags.count", "no property"),
    ("customer.tier[0]", "no item"),
    ("customer.tags['a']", "no property"),
    ("customer.address[0]", "no item"),
    ("9223372036854775807 + customer.age", "64 bits"),
    ("-9223372036854775808 - customer.age", "64 bits"),
    ("9223372036854775807 * customer.age", "64 bits"),
    ("1e308 * 10 * customer.ratio", "too large"),
    ("customer.tier - '2026-03-01'", "found 'gold'"),
    ("date('2026-02-30')", "2026-02-30"),
    ("date(customer.tier)", "expected an ISO date"),
    ("date('2026-03-01') == customer.tier", "expected an ISO date"),
    ("date('9999-12-31') + days(1)", "years 1 to 9999"),
    ("days(1e300)", "beyond"),
    ("hours('x')", "takes a number"),
    ("days(true)", "takes a number"),
    ("duration(customer.age)", "takes a text"),
    ("duration('1mo')", "no fixed length"),
    ("duration('1y')", "no fixed length"),
    ("date('1 Foo 2026', '%d %B %Y')", "does not fit"),
    ("next_weekday(today, customer.tier)", "where a day stands"),
    ("rank(customer.tier)", "enum"),
    ("days_since(customer.age)", "where a date stands"),
    ("catalog('hotels', customer.tags)", "key of a catalog"),
]


@pytest.mark.parametrize(("source", "message"), ERRORS)
def test_error_is_neither_true_nor_false(run: Run, source: str, message: str) -> None:
    with pytest.raises(EvaluationError, match=r".*") as caught:
        run(source, CUSTOMER)
    assert message in str(caught.value)
    assert caught.value.source == source
    assert 0 <= caught.value.offset < len(source)


def test_error_points_at_its_spot(run: Run) -> None:
    with pytest.raises(EvaluationError) as caught:
        run("customer.vip and customer.age < 'x'", CUSTOMER)
    assert caught.value.offset == len("customer.vip and ")


def test_error_never_takes_the_else(run: Run) -> None:
    with pytest.raises(EvaluationError):
        run("1 if customer.age < 'x' else 2", CUSTOMER)


def test_bounds_hold_at_run_time(run: Run) -> None:
    with pytest.raises(EvaluationError, match="10000"):
        run("customer.a ~ customer.a", {"a": "x" * 6000})
    with pytest.raises(EvaluationError, match="1000"):
        run("customer.a | length", {"a": [0] * 1001})
    with pytest.raises(EvaluationError, match="1000"):
        run("1 in customer.a", {"a": [0] * 1001})
    assert run("customer.a | length", {"a": [0] * 1000}) == 1000


@pytest.mark.parametrize(
    ("zone", "day", "hour"), [("UTC", date(2026, 3, 11), 0), ("Asia/Shanghai", date(2026, 3, 11), -8)]
)
def test_local_dates_are_in_the_zone_in_force(run: Run, zone: str, day: date, hour: int) -> None:
    assert run("today", zone=zone) == day
    midnight = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=hour)
    assert run("date('2026-03-01T00:00')", zone=zone) == midnight
    assert run("date('2026-03-01') == entry.at", zone=zone, entry={"at": midnight}) is True
    assert run("days_since(entry.at)", zone=zone, entry={"at": midnight}) == 10


def test_today_turns_at_local_midnight(run: Run) -> None:
    late = datetime(2026, 3, 11, 16, 30, tzinfo=UTC)
    assert run("today", zone="Asia/Shanghai", at=late) == date(2026, 3, 12)
    assert run("today", zone="UTC", at=late) == date(2026, 3, 11)


def test_a_local_time_in_a_gap_is_the_first_instant_after_it(run: Run) -> None:
    gap = run("date('2026-03-29T01:30')", zone="Europe/Lisbon")
    assert gap == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)
    fold = run("date('2026-10-25T01:30')", zone="Europe/Lisbon")
    assert fold == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


# Declared types ------------------------------------------------------------------------------------------------------

TYPES = Types(
    customer={"tier": Enum(("basic", "gold", "platinum")), "born": DATE, "seen": DATETIME},
    entry=Record({"check_in": DATE, "stay": Record({"from": DATE})}),
    events={"stay_booked": {"check_in": DATE, "nights": ListOf(DATE)}},
    catalogs={"hotels": {"opens": DATE}},
)


def test_declared_dates_are_read_when_they_are_accessed(run: Run) -> None:
    assert run("customer.born", CUSTOMER, TYPES) == date(1990, 5, 17)
    assert run("customer.seen", CUSTOMER, TYPES) == datetime(2026, 3, 10, 23, 30, tzinfo=UTC)
    assert run("customer.seen", CUSTOMER, TYPES, zone="Asia/Shanghai") == datetime(2026, 3, 10, 15, 30, tzinfo=UTC)
    assert run("customer.born", {"born": "1990-05-17T23:00:00Z"}, TYPES, zone="Asia/Shanghai") == date(1990, 5, 18)
    entry = {"check_in": "2026-03-20", "stay": {"from": "2026-03-21"}}
    assert run("entry.check_in - entry.stay.from", {}, TYPES, entry=entry) == -1
    assert run("entry['check_in']", {}, TYPES, entry=entry) == date(2026, 3, 20)
    assert run("entry.check_in", {}, TYPES, entry={}) is None


def test_declared_dates_order_as_dates_and_not_as_texts(run: Run) -> None:
    types = Types(customer={"a": DATE, "b": DATE})
    assert run("customer.a < customer.b", {"a": "20260401", "b": "2026-05-01"}) is False
    assert run("customer.a < customer.b", {"a": "20260401", "b": "2026-05-01"}, types) is True


def test_declared_dates_of_past_events_and_catalogs(run: Run, past: Any, facts_of: Any) -> None:
    facts = facts_of(
        past={"stay_booked": [past("stay_booked", timedelta(days=1), check_in="20260320")]},
        rows={("hotels", "h1"): {"opens": "20260101"}},
    )
    assert run("count('stay_booked', where=it.check_in > '2026-03-19')", {}, TYPES, facts=facts) == 1
    assert run("last('stay_booked').check_in", {}, TYPES, facts=facts) == date(2026, 3, 20)
    assert run("max('stay_booked', 'check_in')", {}, TYPES, facts=facts) == date(2026, 3, 20)
    assert run("catalog('hotels', 'h1').opens", {}, TYPES, facts=facts) == date(2026, 1, 1)


@pytest.mark.parametrize("value", ["soon", "", 5, True, ["2026-01-01"], "2026-13-01", "0000-01-01", "23:59:60"])
def test_an_unreadable_declared_date_is_an_error(run: Run, value: object) -> None:
    with pytest.raises(EvaluationError):
        run("customer.born > '2000-01-01'", {"born": value}, TYPES)


def test_rank_is_the_place_in_the_enum(run: Run) -> None:
    assert run("rank(customer.tier)", {"tier": "basic"}, TYPES) == 0
    assert run("rank(customer.tier) >= 1", {"tier": "platinum"}, TYPES) is True
    assert run("rank(customer.tier)", {"tier": "bronze"}, TYPES) is None
    assert run("rank(customer.tier)", {}, TYPES) is None


# Names and facts -----------------------------------------------------------------------------------------------------


def test_names_mean_reserved_then_variables_then_results(scope_of: Callable[..., Scope]) -> None:
    scope = scope_of({"a": 1}, results={"weather": {"kind": "rain"}, "a": 5}, loop={"index": 2})
    twice = build_expr("customer.a * 2")
    variables: dict[str, Expr] = {"a": twice, "now": twice}
    assert build_expr("a", vars=variables).evaluate(scope) == 2
    assert build_expr("a").evaluate(scope) == 5
    assert build_expr("now", vars=variables).evaluate(scope) == scope.now
    assert build_expr("weather.kind == 'rain'").truth(scope) is True
    assert build_expr("nothing_yet").evaluate(scope) is None
    assert build_expr("loop.index").evaluate(scope) == 2


def test_facts(run: Run, facts_of: Any) -> None:
    facts = facts_of(
        running={"welcome"},
        opens={"first"},
        clicks={"first"},
        redemptions={"vip10"},
        segments={"vips"},
        consents={("promotions", "email")},
        addresses={"email"},
        visit_counts={"nudge": 3},
        rows={("hotels", "h1"): {"city": "Porto"}, ("sizes", "42"): {"label": "large"}},
    )
    for source in [
        "in_journey('welcome') and not in_journey('other')",
        "opened('first') and not opened('second')",
        "clicked('first') and not clicked('second')",
        "redeemed('vip10') and not redeemed('other')",
        "in_segment('vips') and not in_segment('others')",
        "consented('promotions', 'email') and not consented('promotions', 'sms')",
        "reachable('email') and not reachable('sms')",
        "visits('nudge') == 3 and visits('other') == 0",
        "catalog('hotels', entry.hotel).city == 'Porto'",
        "catalog('sizes', 42).label == 'large' and catalog('sizes', 42.0).label == 'large'",
        "catalog('hotels', 'h2') is none and catalog('hotels', none).city is none",
    ]:
        assert run(source, facts=facts, entry={"hotel": "h1"}) is True, source


def test_facts_that_cannot_be_read_pass_through(scope_of: Callable[..., Scope], facts_of: Any) -> None:
    class Failing(facts_of):  # type: ignore[misc]
        def __init__(self, error: Exception) -> None:
            super().__init__()
            self.error = error

        def in_segment(self, name: str) -> bool:
            raise self.error

    for error in (NotLoaded("vips"), FactUnavailable("vips")):
        with pytest.raises(type(error)):
            build_expr("in_segment('vips') or true").evaluate(scope_of(facts=Failing(error)))
