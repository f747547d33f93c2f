"""What does not fit the tracking plan is found, counted off the hot path, and shown without personal data."""

from __future__ import annotations

import json
import time
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.core.inbox import Identified
from orchestrator.core.tracking_plan import Violation
from orchestrator.runtime.ingest import Incoming, Told, ingest_once
from orchestrator.runtime.violations import MOST_KEYS, ViolationBook, shown_example
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import StoreBusy
from tests.stores.driving import START, index_of

PLAN: dict[str, Any] = {
    "customer": {"tier": {"type": "string", "enum": ["basic", "gold"]}, "visits": "integer", "name_day": "date"},
    "events": {
        "go": {
            "order": {"type": "string", "required": True}, "n": "integer", "price": "number", "when": "date",
            "at": "datetime", "gift": "boolean", "lines": "list", "box": "object",
            "how": {"type": "string", "enum": ["web", "app"]}, "secret": {"type": "string", "pii": True},
        }
    },
}  # fmt: skip
FIT: dict[str, Any] = {
    "order": "o", "n": 1, "price": 1, "when": "2026-03-02", "at": "2026-03-02T10:00:00Z", "gift": False, "lines": [],
    "box": {}, "how": "web", "secret": "s",
}  # fmt: skip


def store_of(**project: Any) -> MemoryStore:
    store = MemoryStore()
    store.deploy(index_of({}, schema=PLAN, project=project), START)
    return store


def test_what_fits_is_no_violation() -> None:
    items = [Incoming("u", "go", {**FIT, "price": price}) for price in (1.5, 2, None)]
    items.append(Incoming("u", "page_viewed", {"path": "/"}))
    fits = Told("u", Identified({"tier": "gold", "visits": 3.0, "name_day": "2026-06-24", "email": "a@b.co"}))
    assert ingest_once(store_of(), [*items, fits], START).violations == ()


@pytest.mark.parametrize(
    ("property", "value", "kind"),
    [
        ("n", "1", "mistyped"), ("n", 1.5, "mistyped"), ("n", True, "mistyped"), ("price", "9.90", "mistyped"),
        ("price", False, "mistyped"), ("when", "tomorrow", "mistyped"), ("when", 7, "mistyped"),
        ("at", "25:00", "mistyped"), ("gift", "yes", "mistyped"), ("gift", 1, "mistyped"), ("lines", {}, "mistyped"),
        ("box", [], "mistyped"), ("order", 42, "mistyped"), ("how", "post", "not_allowed"), ("how", 3, "mistyped"),
        ("colour", "red", "unknown_property"), ("order", None, "missing_property"),
    ],
)  # fmt: skip
def test_each_kind_is_found_and_nothing_is_refused(property: str, value: Any, kind: str) -> None:
    counts = ingest_once(store_of(), [Incoming("u", "go", {**FIT, property: value})], START)
    assert counts.accepted == 1
    assert [(v.event, v.property, v.kind) for v in counts.violations] == [("go", property, kind)]


def test_events_that_nobody_declared_are_counted_where_there_is_a_plan() -> None:
    counts = ingest_once(store_of(), [Incoming("u", "went", {"a": 1})], START)
    assert counts.violations == (Violation("went", "", "unknown_event"),) and counts.accepted == 1
    store = MemoryStore()
    store.deploy(index_of({}, schema={"customer": {}, "events": {}}), START)
    assert ingest_once(store, [Incoming("u", "went", {"a": 1})], START).violations == ()


@pytest.mark.parametrize(("policy", "kept"), [("keep", {"tier", "shoe"}), ("drop", {"tier"}), ("reject", None)])
def test_attributes_are_looked_at_too(policy: str, kept: set[str] | None) -> None:
    store = store_of(settings={"unknown_properties": policy})
    counts = ingest_once(store, [Told("u", Identified({"tier": "gold", "shoe": 43}), "m")], START)
    assert [(v.event, v.property, v.kind) for v in counts.violations] == [("identify", "shoe", "unknown_property")]
    if kept is None:
        assert counts.refused == ((0, "the attribute 'shoe' is not declared in schema.yaml"),)
    else:
        [view] = store.load(START, 10).customers
        [body] = [item.body for item in view.inbox]
        assert isinstance(body, Identified) and set(body.traits) == kept


# --- the book -------------------------------------------------------------------------------------------------------


def book_of(store: Any, every: float = 0.01) -> tuple[ViolationBook, Counter[str]]:
    figures: Counter[str] = Counter()
    return ViolationBook(store, figures.update, every), figures


def test_counts_reach_the_store_soon_and_at_the_end() -> None:
    store = MemoryStore()
    book, figures = book_of(store)
    red = Violation("go", "colour", "unknown_property", "red")
    book.note("http", [red, red._replace(value="blue"), red], START, frozenset())
    for _ in range(500):
        if store.violations(1):
            break
        time.sleep(0.01)
    [found] = store.violations(9)
    assert (found.times, found.examples, found.first_at) == (3, ("'red'", "'blue'"), START)
    book, _ = book_of(store, every=60)
    book.note("http", [red], START + timedelta(hours=1), frozenset())
    assert store.violations(9)[0].times == 3
    book.close()
    assert store.violations(9)[0].times == 4
    assert figures == {"violation:unknown_property": 3}


def test_a_busy_database_loses_no_count() -> None:
    class Busy(MemoryStore):
        busy = True

        def keep_violations(self, found: Any) -> None:
            if self.busy:
                raise StoreBusy("just now")
            super().keep_violations(found)

    store = Busy()
    book, _ = book_of(store, every=60)
    red = Violation("go", "colour", "unknown_property", "red")
    book.note("http", [red], START, frozenset())
    assert not book.flush()
    book.note("http", [red], START + timedelta(hours=1), frozenset())
    store.busy = False
    assert book.flush()
    [found] = store.violations(9)
    assert (found.times, found.first_at, found.last_at) == (2, START, START + timedelta(hours=1))
    book.close()


def test_names_without_end_are_bounded() -> None:
    store = MemoryStore()
    book, _ = book_of(store, every=60)
    book.note("http", [Violation(f"e{n}", "", "unknown_event") for n in range(MOST_KEYS + 50)], START, frozenset())
    book.note("http", [Violation("\x00\ud800" + "x" * 999, "p", "mistyped")], START, frozenset())
    book.close()
    found = store.violations(5_000)
    assert len(found) == MOST_KEYS + 2
    assert {one.times for one in found if one.event == "*" and one.kind == "unknown_event"} == {50}
    assert all("\x00" not in one.event and len(one.event) <= 200 for one in found)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("red", "'red'"), (42, "42"), (True, "True"), ("u1@example.com", "(text of 14 characters, maybe personal)"),
        ("+351 912 345 678", "(text of 16 characters, maybe personal)"), ({"a": "Mary"}, "(an object of 1)"),
        (["Mary"], "(a list of 1)"), (4111111111111111, "(a number, maybe personal)"), ("\ud800", "'\\ud800'"),
    ],
)  # fmt: skip
def test_examples_show_nobody(value: Any, shown: str) -> None:
    assert shown_example("x", value, frozenset()) == shown
    assert "red" not in shown_example("x", "red", {"x"})


def test_values_called_personal_are_not_kept() -> None:
    store = store_of()
    book, _ = book_of(store)
    counts = ingest_once(store, [Incoming("u", "go", {**FIT, "secret": 17})], START)
    book.note("http", counts.violations, START, store.index.project.personal)
    book.close()
    assert json.dumps(store.violations(9)[0].examples) == '["(a number, personal)"]'


INSIDE: dict[str, Any] = {
    "customer": {"home": {"type": "object", "of": {"zip": "string"}}},
    "events": {
        "go": {
            "items": {
                "type": "list",
                "of": {
                    "sku": {"type": "string", "required": True}, "price": "number",
                    "size": {"type": "string", "enum": ["s", "l"]}, "tags": {"type": "list", "of": "string"},
                },
            },
            "box": {"type": "object", "of": "integer"}, "order": "string",
        }
    },
}  # fmt: skip


def test_what_is_inside_of_lists_and_objects_is_looked_at() -> None:
    store = MemoryStore()
    rejecting = {"settings": {"unknown_properties": "reject"}}
    store.deploy(index_of({}, schema=INSIDE, project=rejecting), START)
    fits: dict[str, Any] = {
        "items": [{"sku": "a", "price": 1.5, "size": "s", "tags": ["x"], "more": 1}, {"sku": "b"}], "box": {"x": 1},
    }  # fmt: skip
    assert ingest_once(store, [Incoming("u", "go", fits)], START).violations == ()
    wrong = {"items": [{"sku": 7}, {"price": "1"}, {"sku": "a", "size": "m", "tags": [1, "x"]}, "y"], "box": {"x": "1"}}
    done = ingest_once(store, [Incoming("u", "go", wrong)], START)
    assert {(one.property, one.kind) for one in done.violations} == {
        ("items.sku", "mistyped"), ("items.sku", "missing_property"), ("items.price", "mistyped"),
        ("items.size", "not_allowed"), ("items.tags", "mistyped"), ("items", "mistyped"), ("box", "mistyped"),
    }  # fmt: skip
    assert (done.accepted, done.refused) == (1, ())
    many = ingest_once(store, [Incoming("u", "go", {"items": [{"sku": 7}] * 500})], START)
    assert len(many.violations) == 1
    home = ingest_once(
        store, [("u", Identified({"home": {"zip": 7}})), ("u", Identified({"home": {"zip": "7"}}))], START
    )
    assert [(one.property, one.kind) for one in home.violations] == [("home", "mistyped")] and len(home.refused) == 1
    assert shown_example("items.sku", "a", {"items"}) == "(text of 1 characters, personal)"


def test_names_that_are_somebodys_are_not_kept() -> None:
    store = MemoryStore()
    book = ViolationBook(store, store.count, 60)
    book.note("http", [Violation("go", "ana@example.com", "unknown_property", 1)], START, frozenset())
    book.close()
    assert [one.property for one in store.violations(9)] == ["(personal)"]
