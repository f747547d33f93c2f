"""What the checker is told: entries of several triggers, results, catalogs."""

from __future__ import annotations

import pytest

from orchestrator.core.expression.types import (
    BOOLEAN,
    DATE,
    DATETIME,
    INTEGER,
    NUMBER,
    OBJECT,
    STRING,
    UNKNOWN,
    Enum,
    ListOf,
    Record,
)
from orchestrator.definitions.compiler.types import catalog_types, customer_types, event_types, union
from orchestrator.definitions.models.schema import SchemaModel


def entry(source_of, text: str, plan=None):
    return source_of(text + "\nsteps: [{exit: x}]\n", plan).names[0].types.entry


def results(source_of, *steps: str):
    text = "journey: j\nenter: {event: booked}\nsteps:\n" + "".join(f"  - {step}\n" for step in steps)
    return source_of(text).names[0].types.results


def test_the_tracking_plan_as_types():
    schema = SchemaModel.model_validate(
        {
            "customer": {
                "tier": {"type": "string", "enum": ["a", "b"]},
                "tags2": {"type": "list", "of": "string"},
                "home": {"type": "object", "of": {"city": "string", "since": "date"}},
                "bag": "object",
                "things": "list",
            },
            "events": {
                "e": {"n": "integer", "lines": {"type": "list", "of": {"sku": "string", "price": "number"}}},
                "bare": None,
            },
        }
    )
    assert customer_types(schema) == {
        "tier": Enum(("a", "b")),
        "tags2": ListOf(STRING),
        "home": Record({"city": STRING, "since": DATE}),
        "bag": OBJECT,
        "things": ListOf(UNKNOWN),
    }
    assert event_types(schema) == {
        "e": {"n": INTEGER, "lines": ListOf(Record({"sku": STRING, "price": NUMBER}))},
        "bare": {},
    }


@pytest.mark.parametrize(
    ("trigger", "expected"),
    [
        ("{event: booked}", {"booking_id": STRING, "check_in": DATE, "total": STRING}),
        ("{segment: vip}", {"from": STRING, "to": STRING}),
        ("{stage: use}", {"from": STRING, "to": STRING}),
        ("{attribute: customer.visits}", {"from": INTEGER, "to": INTEGER}),
        ('{schedule: "0 9 * * *"}', {"occurrence": STRING}),
        ("{once: 2026-11-27T10:00}", {"occurrence": STRING}),
        ("{date: customer.birthday}", {"date": DATE}),
        ("{inactive: {event: booked, for: 3d}}", {"last_at": DATETIME}),
    ],
)
def test_what_an_entry_holds(source_of, trigger, expected):
    assert entry(source_of, f"journey: j\nenter: {trigger}") == Record(expected)


@pytest.mark.parametrize("trigger", ["{api: true}", "{event: never_declared}"])
def test_an_entry_of_which_nothing_is_known(source_of, trigger):
    assert entry(source_of, f"journey: j\nenter: {trigger}") == OBJECT


def test_several_triggers_and_updates_are_united(source_of):
    found = entry(
        source_of, "journey: j\nenter: [{event: cart_updated}, {event: booked}]\nupdate: {event: order_placed}"
    )
    assert set(found.fields) == {"cart_id", "items", "total", "booking_id", "check_in", "order_id", "currency"}
    assert found.fields["total"] == UNKNOWN and found.fields["cart_id"] == STRING
    assert not found.open


def test_an_enroll_elsewhere_gives_values_to_the_entry(source_of, plan):
    found = entry(
        source_of, "journey: j\nenter: {event: booked}", plan(enrolled_with={"j": frozenset({"why", "total"})})
    )
    assert found.fields["why"] == UNKNOWN and found.fields["total"] == UNKNOWN and found.fields["check_in"] == DATE


def test_union_of_nothing_and_of_open_objects():
    assert union([]) == Record({}, open=False)
    assert union([OBJECT]) == OBJECT
    assert union([OBJECT, Record({"a": STRING})]) == Record({"a": STRING}, open=True)
    assert union([Record({"a": INTEGER}), Record({"a": NUMBER})]) == Record({"a": NUMBER})


def test_results_by_name(source_of):
    found = results(
        source_of,
        "wait: {event: booked, up_to: 1d, as: order}",
        "wait: {when: customer.visits > 1, up_to: 1d, as: seen}",
        "fetch: {url: 'https://x.example/', as: weather}",
        "{id: news, fetch: 'https://x.example/'}",
        "webhook: {url: 'https://x.example/', as: reply}",
        "coupon: vip10",
        "task: {queue: q, title: t, as: call}",
        "survey: {name: s, kind: nps, as: answer}",
    )
    assert found["order"] == Record(
        {"booking_id": STRING, "check_in": DATE, "total": STRING, "name": STRING, "at": DATETIME}
    )
    assert found["seen"] == Record({"name": STRING, "at": DATETIME})
    assert (found["weather"], found["weather_status"], found["news_status"]) == (UNKNOWN, INTEGER, INTEGER)
    assert found["reply"] == UNKNOWN
    assert set(found["coupon"].fields) == {"code", "expires_at", "url"}
    assert set(found["call"].fields) == {"status", "outcome", "assignee", "closed_at"}
    assert {"score", "choice", "text"} <= set(found["answer"].fields)


def test_a_name_that_two_steps_share_is_what_both_give(source_of):
    found = results(
        source_of, "wait: {event: booked, up_to: 1d, as: it1}", "wait: {event: order_placed, up_to: 1d, as: it1}"
    )
    assert {"check_in", "order_id"} <= set(found["it1"].fields)


def test_the_columns_of_a_catalog():
    rows = [{"k": "1", "n": 1, "f": 1.5, "b": True, "e": None}, {"k": "2", "n": 2.5, "f": None, "b": False, "e": None}]
    assert catalog_types(("k", "n", "f", "b", "e"), rows) == {
        "k": STRING,
        "n": NUMBER,
        "f": NUMBER,
        "b": BOOLEAN,
        "e": UNKNOWN,
    }
