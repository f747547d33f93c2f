"""The type checker: types of good expressions, and findings with code, place and way out for bad ones."""

from __future__ import annotations

import pytest

from orchestrator.core.expression.check import check
from orchestrator.core.expression.types import (
    BOOLEAN,
    DATE,
    DATETIME,
    DURATION,
    INTEGER,
    NUMBER,
    OBJECT,
    STRING,
    UNKNOWN,
    Enum,
    ListOf,
    Record,
    Type,
    Types,
    either,
    type_name,
)
from orchestrator.definitions.expressions import parse

TIER = Enum(("basic", "gold", "platinum"))
TYPES = Types(
    customer={"first_name": STRING, "tier": TIER, "age": INTEGER, "vip": BOOLEAN, "born": DATE, "blob": OBJECT},
    event=Record({"total": NUMBER, "sku": STRING, "name": STRING}),
    entry=Record(
        {"items": ListOf(Record({"sku": STRING, "price": NUMBER, "kind": TIER})), "check_in": DATE, "any": UNKNOWN}
    ),
    results={"weather": OBJECT, "call": Record({"status": STRING})},
    vars={"basket": INTEGER},
    events={"order_placed": {"total": NUMBER, "sku": STRING, "at_day": DATE, "gift": BOOLEAN}},
    segments=frozenset({"shoppers"}),
    journeys=frozenset({"welcome"}),
    templates=frozenset({"hello"}),
    offers=frozenset({"vip10"}),
    topics=frozenset({"promotions"}),
    channels=frozenset({"email", "sms"}),
    steps=frozenset({"nudge"}),
    catalogs={"hotels": {"city": STRING, "rooms": INTEGER}},
)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("customer.tier == 'gold'", BOOLEAN),
        ("customer.tier in ['gold', 'platinum'] and count('order_placed', within='30d') >= 2", BOOLEAN),
        ("customer.age + 1", INTEGER),
        ("customer.age / 2", NUMBER),
        ("customer.age * 1.5", NUMBER),
        ("customer.tags", ListOf(STRING)),
        ("'x' in customer.tags", BOOLEAN),
        ("customer.created_at", DATETIME),
        ("customer.attributes.age", INTEGER),
        ("customer['age']", INTEGER),
        ("customer.blob.whatever.deep", UNKNOWN),
        ("weather.kind == 'rain'", BOOLEAN),
        ("call.status", STRING),
        ("basket > 2", BOOLEAN),
        ("event.total", NUMBER),
        ("event.properties.name", STRING),
        ("entry.any > 5 and entry.any == 'x'", BOOLEAN),
        ("entry.items | length > 0", BOOLEAN),
        ("entry.items | map(attribute='price')", ListOf(NUMBER)),
        ("entry.items | map(attribute='price') | sum", NUMBER),
        ("entry.items | sum(attribute='price')", NUMBER),
        ("(entry.items | first).sku", STRING),
        ("entry.items[0].price", NUMBER),
        ("entry.items | selectattr('price', 'gt', 3) | length", INTEGER),
        ("entry.check_in - days(3)", DATE),
        ("entry.check_in - hours(3)", DATETIME),
        ("entry.check_in - days(basket)", UNKNOWN),
        ("entry.check_in - today", INTEGER),
        ("entry.check_in >= '2026-03-01'", BOOLEAN),
        ("now - entry.at > days(3)", BOOLEAN),
        ("now - entry.at", DURATION),
        ("days(2) * 3", DURATION),
        ("days(2) / hours(1)", NUMBER),
        ("now + duration('7d')", DATETIME),
        ("today", DATE),
        ("loop.index", INTEGER),
        ("did('order_placed')", BOOLEAN),
        ("sum('order_placed', 'total', within='30d')", NUMBER),
        ("max('order_placed', 'at_day')", DATE),
        ("last('order_placed').total", NUMBER),
        ("last('order_placed').at", DATETIME),
        ("count('order_placed', where=it.total > 5 and it.sku == event.sku)", INTEGER),
        ("did('message_sent', where=it.template == 'hello')", BOOLEAN),
        ("last('survey_answered').score >= 9", BOOLEAN),
        ("catalog('hotels', entry.any).rooms", INTEGER),
        ("rank(customer.tier) >= 1", BOOLEAN),
        ("in_segment('shoppers') and consented('promotions', 'sms') and reachable('email')", BOOLEAN),
        ("received('hello') or received('welcome', within='3d')", BOOLEAN),
        ("opened('nudge') or clicked('nudge') or visits('nudge') > 1", BOOLEAN),
        ("redeemed('vip10') or entered('welcome') or in_journey('welcome')", BOOLEAN),
        ("date('2026-03-01')", DATE),
        ("date('2026-03-01T10:00')", DATETIME),
        ("date(event.sku, '%d.%m.%Y')", DATE),
        ("date(event.sku, '%d.%m.%Y %H:%M')", DATETIME),
        ("next_weekday(today, 'mon')", DATE),
        ("days_since(entry.at)", INTEGER),
        ("customer.first_name | default('friend')", STRING),
        ("customer.first_name | upper", STRING),
        ("customer.age | string", STRING),
        ("customer.first_name | int", INTEGER),
        ("event.total | round(2)", NUMBER),
        ("entry.check_in | date('%d %B')", STRING),
        ("entry.at | date", DATE),
        ("event.total | money('EUR')", STRING),
        ("customer.age if customer.vip else none", INTEGER),
        ("customer.age if customer.vip else 'x'", UNKNOWN),
        ("customer.first_name or 'friend'", STRING),
        ("'a' ~ customer.age", STRING),
        ("customer.age < none", BOOLEAN),
        ("customer.nothing_known", UNKNOWN),
    ],
)
def test_types(source: str, expected: Type) -> None:
    kind, findings = check(parse(source), TYPES)
    if source != "customer.nothing_known":
        assert findings == []
    assert kind == expected


FINDINGS = [
    # names, with the nearest known one
    ("customer.teir == 'gold'", "unknown_attribute", "teir", "did you mean 'tier'?"),
    ("customer.attributes.teir", "unknown_attribute", "teir", "did you mean 'tier'?"),
    ("customer['teir']", "unknown_attribute", "teir", "did you mean 'tier'?"),
    ("customer.zodiac", "unknown_attribute", "zodiac", "declare it under 'customer' in schema.yaml"),
    ("event.totl > 3", "unknown_property", "totl", "did you mean 'total'?"),
    ("entry.check_out", "unknown_property", "check_out", "did you mean 'check_in'?"),
    ("call.state", "unknown_property", "state", "did you mean 'status'?"),
    ("(entry.items | first).pirce", "unknown_property", "pirce", "did you mean 'price'?"),
    ("entry.items | map(attribute='pirce')", "unknown_property", "'pirce'", "did you mean 'price'?"),
    ("catalog('hotels', 'h').town", "unknown_property", "town", None),
    ("last('order_placed').totl", "unknown_property", "totl", "did you mean 'total'?"),
    ("count('order_placed', where=it.totl > 3)", "unknown_property", "totl", "did you mean 'total'?"),
    ("sum('order_placed', 'totl')", "unknown_property", "'totl'", "did you mean 'total'?"),
    ("customer.first_name.length", "unknown_property", "length", None),
    ("entry.items.sku", "unknown_property", "sku", "a list is asked by a filter, as in x | first"),
    ("count('order_place')", "unknown_event", "'order_place'", "did you mean 'order_placed'?"),
    ("did('mesage_sent')", "unknown_event", "'mesage_sent'", "did you mean 'message_sent'?"),
    ("in_segment('shopper')", "unknown_segment", "'shopper'", "did you mean 'shoppers'?"),
    ("redeemed('vip1')", "unknown_offer", "'vip1'", "did you mean 'vip10'?"),
    ("consented('promotion', 'email')", "unknown_topic", "'promotion'", "did you mean 'promotions'?"),
    ("consented('promotions', 'emial')", "unknown_channel", "'emial'", "did you mean 'email'?"),
    ("reachable('push')", "unknown_channel", "'push'", "known: email, sms"),
    ("in_journey('welcom')", "unknown_journey", "'welcom'", "did you mean 'welcome'?"),
    ("entered('welcom')", "unknown_journey", "'welcom'", "did you mean 'welcome'?"),
    ("opened('nuge')", "unknown_step", "'nuge'", "did you mean 'nudge'?"),
    ("visits('nuge')", "unknown_step", "'nuge'", "did you mean 'nudge'?"),
    ("received('helo')", "unknown_template", "'helo'", "did you mean 'hello'?"),
    ("catalog('hotel', 1)", "unknown_catalog", "'hotel'", "did you mean 'hotels'?"),
    ("baskte > 2", "unknown_name", "baskte", "did you mean 'basket'?"),
    ("tier == 'gold'", "unknown_name", "tier", "did you mean customer.tier?"),
    ("check_in", "unknown_name", "check_in", "did you mean entry.check_in?"),
    ("total", "unknown_name", "total", "did you mean event.total?"),
    ("null", "unknown_name", "null", "write none"),
    ("it.total", "unknown_name", "it", None),
    # values that can never meet
    ("customer.first_name < 5", "type_clash", "customer.first_name", "a text becomes a number by | int or | float; "),
    ("customer.age == '40'", "type_clash", "customer.age", "a text becomes a number by | int or | float; "),
    ("customer.age == true", "type_clash", "customer.age", None),
    ("customer.vip < true", "type_clash", "customer.vip", None),
    ("entry.items > 3", "type_clash", "entry.items", None),
    ("now - entry.at > 3", "type_clash", "n", "write a length of time as duration('7d'), days(3) or hours(12)"),
    ("now - entry.at > '7d'", "type_clash", "n", "write a length of time as duration('7d'), days(3) or hours(12)"),
    ("entry.check_in < 3", "type_clash", "entry.check_in", "count days with days_since(x) or days_until(x)"),
    ("entry.check_in < 'soon'", "type_clash", "'soon'", None),
    ("entry.check_in == '2026-02-30'", "type_clash", "'2026-02-30'", None),
    ("customer.tier == 'silver'", "enum_value", "'silver'", "it is one of basic, gold, platinum"),
    ("'glod' == customer.tier", "enum_value", "'glod'", "did you mean 'gold'?"),
    ("customer.tier in ['gold', 'plat']", "enum_value", "'plat'", "did you mean 'platinum'?"),
    ("'glod' in (entry.items | map(attribute='kind'))", "enum_value", "'glod'", "did you mean 'gold'?"),
    ("3 in customer.tags", "type_clash", "3", None),
    ("customer.age in ['a']", "type_clash", "customer.age", "a text becomes a number by | int or | float; "),
    ("3 in customer.first_name", "type_clash", "3", None),
    ("'x' in customer.age", "type_clash", "customer.age", None),
    ("customer.first_name + 'x'", "type_clash", "customer.first_name", "to join texts, write ~"),
    ("customer.first_name * 2", "type_clash", "customer.first_name", "a text becomes a number by | int or | float"),
    ("entry.check_in + 3", "type_clash", "entry.check_in", "write a number of days as days(3)"),
    ("customer.vip + 1", "type_clash", "customer.vip", None),
    ("entry.any + [1]", "type_clash", "entry.any", None),
    ("-customer.first_name", "type_clash", "customer.first_name", None),
    ("'soon' + days(1)", "type_clash", "'soon'", None),
    ("customer.tags['x']", "unknown_property", "x", None),
    ("customer.age[0]", "type_clash", "customer.age", None),
    # functions and filters
    (
        "rank(customer.age)",
        "type_clash",
        "customer.age",
        "give it an 'enum' in schema.yaml: the rank is its place there",
    ),
    ("days('x')", "type_clash", "'x'", None),
    ("hours(customer.vip)", "type_clash", "customer.vip", None),
    ("duration(3)", "type_clash", "3", None),
    ("duration('3 days')", "type_clash", "'3 days'", None),
    ("duration('1mo')", "type_clash", "'1mo'", None),
    ("date('1.2.2026')", "type_clash", "'1.2.2026'", None),
    ("date('x', '%q')", "type_clash", "'x'", None),
    ("days_since(customer.age)", "type_clash", "customer.age", None),
    ("days_until(customer.tier)", "type_clash", "customer.tier", None),
    ("sum('order_placed', 'sku')", "type_clash", "'sku'", None),
    ("max('order_placed', 'gift')", "type_clash", "'gift'", None),
    ("catalog('hotels', customer.tags)", "type_clash", "customer.tags", None),
    ("customer.age | upper", "type_clash", "customer.age", "make it one by | string"),
    ("customer.first_name | round", "type_clash", "customer.first_name", "a text becomes a number by | float"),
    ("customer.age | length", "type_clash", "customer.age", None),
    ("customer.first_name | join", "type_clash", "customer.first_name", None),
    ("entry.items | sum(attribute='sku')", "type_clash", "entry.items", None),
    ("today | date('%q')", "type_clash", "'%q'", None),
]


@pytest.mark.parametrize(("source", "code", "underlined", "hint"), FINDINGS)
def test_findings(source: str, code: str, underlined: str, hint: str | None) -> None:
    _, findings = check(parse(source), TYPES)
    assert [finding.code for finding in findings] == [code]
    (finding,) = findings
    assert source[finding.offset : finding.offset + finding.length] == underlined
    assert finding.message
    if hint is not None:
        assert finding.hint is not None
        assert finding.hint.startswith(hint)


def test_all_findings_at_once_in_source_order() -> None:
    _, findings = check(parse("customer.teir == 1 and did('x') and customer.age < 'y' and baskte"), TYPES)
    assert [finding.code for finding in findings] == [
        "unknown_attribute",
        "unknown_event",
        "type_clash",
        "unknown_name",
    ]
    assert [finding.offset for finding in findings] == sorted(finding.offset for finding in findings)


def test_names_that_are_not_given_are_not_checked() -> None:
    source = "in_segment('a') and opened('b') and received('c') and redeemed('d') and reachable('e') and entered('f')"
    assert check(parse(source), Types())[1] == []
    assert check(parse("received('c')"), Types(templates=frozenset()))[1] == []


@pytest.mark.parametrize("source", ["event.total", "entry.at", "event", "did('message_sent', since_entry=true)"])
def test_where_there_is_no_event_or_entry(source: str) -> None:
    findings = check(parse(source), Types())[1]
    assert [finding.code for finding in findings] == ["unknown_name"]


def test_open_records_never_complain() -> None:
    types = Types(event=OBJECT, entry=Record({"a": INTEGER}, open=True))
    assert check(parse("event.x + entry.y > entry.a and event.properties.z"), types)[1] == []
    assert check(parse("entry.at - entry.z"), types)[1] == []


def test_variables_hide_results() -> None:
    types = Types(vars={"x": STRING}, results={"x": INTEGER})
    assert check(parse("x"), types)[0] == STRING


def test_either() -> None:
    assert either([]) == UNKNOWN
    assert either([INTEGER, NUMBER]) == NUMBER
    assert either([NUMBER, INTEGER]) == NUMBER
    assert either([TIER, STRING]) == STRING
    assert either([ListOf(INTEGER), ListOf(NUMBER)]) == ListOf(NUMBER)
    assert either([INTEGER, STRING]) == UNKNOWN


def test_type_names_read_well() -> None:
    assert type_name(TIER) == "one of basic, gold, platinum"
    assert type_name(Enum(tuple("abcdefgh"))) == "one of a, b, c, d, e, f, ..."
    assert (type_name(ListOf(STRING)), type_name(OBJECT), type_name(DATETIME)) == (
        "a list",
        "an object",
        "a date with a time",
    )
