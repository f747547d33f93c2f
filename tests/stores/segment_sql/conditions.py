"""Random people with random pasts, and random conditions about them, for the tests of conditions in SQL."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

NOW = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
"""Half past one in the night in which the clocks change in Europe."""
ZONES = ("Europe/Lisbon", "Asia/Shanghai", "America/St_Johns", "Pacific/Apia", "UTC")
SCHEMA: dict[str, Any] = {
    "customer": {
        "plan": {"type": "string"},
        "tier": {"type": "string", "enum": ["basic", "gold"], "default": "basic"},
        "points": {"type": "integer"},
        "ratio": {"type": "number"},
        "vip": {"type": "boolean"},
        "renewal": {"type": "date"},
        "seen_at": {"type": "datetime"},
        "address": {"type": "object"},
        "labels": {"type": "list"},
    },
    "events": {
        name: {
            "n": {"type": "integer"},
            "total": {"type": "number"},
            "sku": {"type": "string"},
            "day": {"type": "date"},
        }
        for name in ("bought", "viewed")
    },
}

_numbers = st.one_of(
    st.integers(-3, 5),
    st.sampled_from([0.0, 0.1, 0.2, 0.3, 1.5, 2.5, 1e300, 2**53, 2**53 + 1, -(2**60), 1e-200]),
)
_texts = st.sampled_from(["", "a", "b", "gold", "basic", "prod", "é", "Ω", "naïve", "😀", "it's", "%s", "\\u", "\ud800",
                          "2026-03-01", "10", 'quo"te'])  # fmt: skip
_days = st.one_of(
    st.integers(-40, 40).map(lambda n: (date(2026, 3, 29) + timedelta(days=n)).isoformat()),
    st.sampled_from(["2024-02-29", "2023-02-29", "0000-01-01", "2026-13-01", "9999-12-31", "soon", ""]),
)
_instants = st.one_of(
    st.integers(-50 * 24 * 60, 50 * 24 * 60).map(
        lambda n: (NOW + timedelta(minutes=n)).isoformat().replace("+00:00", "Z")
    ),
    st.sampled_from(["2026-03-28T23:59:59.999999+00:00", "2026-03-29T00:00:00", "2026-03-28T16:00:00.500Z",
                     "2026-03-29", "2026-02-29T00:00:00Z", "2026-03-28T24:00:00Z", "soon"]),
)  # fmt: skip
_odd = st.one_of(_numbers, _texts, st.booleans(), st.just([]), st.just(["a", 1]), st.just({}), st.just({"a": 1}))
_dated = st.one_of(st.just(date(2026, 3, 28)), st.just(NOW - timedelta(days=2)), st.just(timedelta(days=1)))


def _mostly(usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """The usual kind of value, seldom another."""
    return st.one_of(usual, usual, usual, usual, _odd, _dated)


def profiles() -> st.SearchStrategy[dict[str, Any]]:
    """What is known of a customer, as `identify` brings it."""
    return st.fixed_dictionaries(
        {},
        optional={
            "plan": _mostly(_texts),
            "tier": _mostly(st.sampled_from(["basic", "gold"])),
            "points": _mostly(_numbers),
            "ratio": _mostly(_numbers),
            "vip": _mostly(st.booleans()),
            "renewal": _mostly(_days),
            "seen_at": _mostly(_instants),
            "address": _mostly(st.fixed_dictionaries({}, optional={"city": _texts, "zip": _numbers, "$odd": _texts})),
            "labels": _mostly(st.lists(_texts, max_size=3)),
            "tags": st.lists(st.sampled_from(["a", "b", "it's", "😀"]), max_size=3, unique=True),
            "timezone": st.sampled_from(ZONES),
            "country": st.sampled_from(["PT", "US", "CN", ""]),
            "email": st.sampled_from(["a@example.com", "", "no address"]),
            "stage": st.sampled_from(["use", "loyalty"]),
            "consents": st.sampled_from(
                [
                    {"promotions": {"email": "in"}},
                    {"promotions": {"email": "out"}, "care": {"email": "out"}},
                    {"promotions": {"email": {"state": "in", "expires_at": "2026-03-28T00:00:00+00:00"}}},
                    {"care": {"sms": "out"}},
                ]
            ),
        },
    )


def pasts() -> st.SearchStrategy[list[tuple[str, timedelta, dict[str, Any]]]]:
    """(name, how long ago, properties) of past events."""
    properties = st.fixed_dictionaries(
        {},
        optional={
            "n": _mostly(st.integers(0, 3)),
            "total": _mostly(st.one_of(st.integers(0, 100), st.sampled_from([0.1, 0.2, 33.33, 33.34, 49.995]))),
            "sku": _mostly(st.sampled_from(["A1", "B2"])),
            "day": _mostly(_days),
        },
    )
    ago = st.one_of(
        st.integers(0, 40 * 24).map(lambda n: timedelta(hours=n)),
        st.sampled_from([timedelta(days=7), timedelta(days=30), timedelta(days=401), timedelta(microseconds=1)]),
    )
    return st.lists(st.tuples(st.sampled_from(["bought", "viewed"]), ago, properties), max_size=6)


# --- conditions -------------------------------------------------------------------------------------------------------

_paths = st.sampled_from(
    ["customer.plan", "customer.tier", "customer.points", "customer.ratio", "customer.vip", "customer.labels",
     "customer.address", "customer.address.city", "customer.address['zip']", "customer.address['$odd']",
     "customer.attributes.plan", "customer.stage", "customer.country", "customer.timezone", "customer.email",
     "customer.id", "customer.tags", "first('bought').sku", "last('bought').total", "last('viewed').n",
     "last('bought').properties.sku"]
)  # fmt: skip
_constants = st.sampled_from(
    ["none", "true", "false", "0", "1", "2.5", "0.3", "-1", "'gold'", "'a'", "'é'", "'😀'", "'it\\'s'", "''", "'10'",
     "9007199254740993", "1e-200", "'A1'"]
)  # fmt: skip
_orders = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
_windows = st.sampled_from(["", ", within='7d'", ", within='30d'", ", within='1000d'"])
_wheres = st.sampled_from(
    ["", "", "", ", where=it.n >= 2", ", where=it.sku == 'A1' and it.total > 10", ", where=it.sku != 'B2' or it.n == 1",
     ", where=it.day >= date('2026-03-20')", ", where=it.total is not none", ", where=it.total | round > 1",
     ", where=it.at > now - days(3)", ", where=it.sku == customer.plan"]
)  # fmt: skip
_moments = st.sampled_from(
    ["customer.renewal", "customer.seen_at", "customer.created_at", "last('bought').at", "first('viewed').at",
     "last('bought').day"]
)  # fmt: skip


def _figures() -> st.SearchStrategy[str]:
    counted = st.builds("{}('{}'{}{})".format, st.sampled_from(["count", "did"]), st.sampled_from(["bought", "viewed"]),
                        _windows, _wheres)  # fmt: skip
    added = st.builds(
        "{}('bought', '{}'{}{})".format, st.sampled_from(["sum", "avg", "min", "max"]), st.sampled_from(["total", "n"]),
        _windows, _wheres,
    )  # fmt: skip
    return st.one_of(counted, added)


def _simple() -> st.SearchStrategy[str]:
    numbers = st.sampled_from(["0", "1", "2", "100", "33.33", "0.3", "66.67", "none"])
    days = st.sampled_from(["0", "1", "2", "7", "30", "-1", "-7"])
    names = st.sampled_from(["days_since", "days_until"])
    return st.one_of(
        st.builds("{} {} {}".format, _paths, _orders, _constants),
        st.builds("{} {} {}".format, _constants, _orders, _paths),
        st.builds("{} {} {}".format, _paths, _orders, _paths),
        st.builds("{} {} {}".format, _figures(), _orders, numbers),
        st.builds(
            "{} {} {} {}".format, _figures(), st.sampled_from(["+", "-", "*"]), numbers, _orders.map("{} 3".format)
        ),
        st.builds("{}({}) {} {}".format, names, _moments, _orders, days),
        st.builds("{} {} {}".format, days, _orders, st.builds("{}({})".format, names, _moments)),
        st.builds("now - {} {} days({})".format, _moments, _orders, days),
        st.builds("{} {} today".format, st.sampled_from(["customer.renewal", "last('bought').day"]), _orders),
        st.builds("{} {} date('2026-03-28')".format, st.sampled_from(["customer.renewal", "customer.plan"]), _orders),
        st.builds("{} + days(1) {} now".format, _moments, _orders),
        st.builds("customer.points {} customer.ratio {} {}".format, st.sampled_from("+-*/"), _orders, numbers),
        st.builds("(customer.points | default({})) {} {}".format, _constants, _orders, _constants),
        st.builds("({} if {} else {}) {} {}".format, _paths, st.just("customer.vip"), _constants, _orders, _constants),
        st.builds("{} {} ['gold', 'a', 1, none]".format, _paths, st.sampled_from(["in", "not in"])),
        st.builds("'{}' {} customer.tags".format, st.sampled_from(["a", "b", "😀"]), st.sampled_from(["in", "not in"])),
        st.builds("{} is {}none".format, st.one_of(_paths, _moments, _figures()), st.sampled_from(["", "not "])),
        st.one_of(_paths, _figures(), _moments),
        st.sampled_from(
            ["consented('promotions', 'email')", "consented('care', 'email')", "consented('orders', 'sms')",
             "reachable('email')", "reachable('sms')", "in_segment('buyers')", "in_segment('lovers')",
             "first('bought') is none", "last('viewed')", "customer.plan | lower == 'a'", "customer.points | int > 1",
             "customer.labels | length > 1", "'a' in customer.labels", "customer.plan ~ 'x' == 'ax'", "true", "none",
             "0 < customer.points <= 2", "entered('waits')", "in_journey('waits')", "received('hello')"]
        ),
    )  # fmt: skip


def conditions() -> st.SearchStrategy[str]:
    """Conditions as a marketer may write them, and some that nobody would."""
    return st.recursive(
        _simple(),
        lambda inner: st.one_of(
            st.builds("({} and {})".format, inner, inner),
            st.builds("({} or {})".format, inner, inner),
            st.builds("(not {})".format, inner),
            st.builds("({} if {} else {})".format, inner, inner, inner),
        ),
        max_leaves=5,
    )
