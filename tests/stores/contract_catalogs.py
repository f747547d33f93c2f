"""The contract of catalogs that are kept as rows: rows and versions, changes told once, and what goes with what."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any

import pytest

from orchestrator.core.inbox import Event
from orchestrator.core.index import Index
from orchestrator.runtime.catalogs import spread_once
from orchestrator.stores import catalog_links
from orchestrator.stores.postgres import catalogs as postgres_catalogs
from orchestrator.stores.protocol import Store, StoreBusy
from orchestrator.stores.protocol_catalogs import Edit
from orchestrator.stores.sqlite import catalogs as sqlite_catalogs
from tests.stores.driving import START, arrive, create, event, index_of, later, lines, turns

PRODUCTS = "sku,title,price,stock,category\nA,Lamp,100,3,light\nB,Chair,50,0,seat\nC,Desk,200,1,seat\n"
DROPS: dict[str, Any] = {
    "enter": {"catalog": "products", "on": ["price_drop", "back_in_stock", "removed"], "by": "10%"},
    "steps": [
        {
            "set": {
                "customer.plan": "{{ entry.change }} {{ entry.before.price }} "
                "{{ catalog('products', entry.key).price | default('gone') }}"
            }
        }
    ],
}
EVENTS = {
    "customer": {"plan": {"type": "string"}},
    "events": {
        "viewed": {"sku": {"type": "string"}},
        "bought": {"items": {"type": "list", "of": {"sku": "string"}}},
        "go": {"order": {"type": "string"}},
    },
}


def catalogs_of(fold: str = "0s", journeys: Any = None) -> Index:
    """The look-ups of a shop whose products are rows."""
    options = {
        "rows": True,
        "fold": fold,
        "viewed": {"event": "viewed", "property": "sku", "within": "10d"},
        "bought": {"event": "bought", "property": "items.sku", "within": "300d"},
    }
    return index_of(
        {"drops": DROPS} if journeys is None else journeys,
        schema=EVENTS,
        project={"catalogs": {"products": options}},
        catalogs={"products.csv": PRODUCTS},
    )


def tell(store: Store, at: Any, budget: int = 1_000) -> None:
    """All changes that are due, and the turns of those whom they concern."""
    for _ in range(200):
        done = spread_once(store, at, budget)
        if not turns(store, at) + done:
            return
    raise AssertionError("the changes do not come to an end")


def link(store: Store, at: Any) -> None:
    """All steps of working out links anew."""
    for _ in range(200):
        if not store.link_catalogs(at, timedelta(0)):
            return
    raise AssertionError("the links do not come to an end")


def told(store: Store) -> list[tuple[str, str, str]]:
    """(customer, journey's key, what was said) of the lines since the last call."""
    found = [line for line in lines(store) if line["type"] == "attribute"]
    return [(line["customer"], line["key"], line["value"]) for line in found]


class CatalogContract:
    """Tests of CatalogStore."""

    @pytest.fixture
    def shop(self, make_store: Callable[..., Store]) -> Store:
        store = make_store()
        store.deploy(catalogs_of(), START)
        return store

    def test_rows_begin_with_the_file_and_are_changed_since(self, shop: Store) -> None:
        assert shop.catalog_version("products") == 1
        assert shop.catalog_version("others") is None
        assert [row.key for row in shop.catalog_page("products", "", 2)] == ["A", "B"]
        assert [row.key for row in shop.catalog_page("products", "B", 2)] == ["C"]
        row = shop.catalog_row("products", "A")
        assert row is not None
        assert (row.data["price"], row.data["title"], row.version, row.updated_at) == (100, "Lamp", 1, START)
        made = shop.change_catalog(
            "products",
            [
                Edit("A", {"price": 80}, merge=True),
                Edit("B", {"sku": "B", "price": 50, "stock": 0, "title": "Chair", "category": "seat"}),
                Edit("C", None),
                Edit("D", {"sku": "D", "price": 5}),
                Edit("E", {"price": 5}, merge=True),
                Edit("F", None),
            ],
            later(1),
        )
        assert (made.version, made.added, made.changed, made.removed, made.same) == (2, 1, 1, 1, 1)
        assert (made.missing, made.stale) == (("E", "F"), ())
        assert [(row.key, row.version) for row in shop.catalog_page("products", "", 9)] == [
            ("A", 2),
            ("B", 1),
            ("D", 2),
        ]
        assert shop.catalog_row("products", "C") is None
        row = shop.catalog_row("products", "A")
        assert row is not None
        assert (row.data["price"], row.data["title"], row.updated_at) == (80, "Lamp", later(1))
        shop.deploy(catalogs_of(), later(2))
        assert shop.catalog_row("products", "C") is None, "the file is the first content only"

    def test_a_version_guards_against_overwriting_what_somebody_else_wrote(self, shop: Store) -> None:
        edits = [
            Edit("A", {"price": 1}, merge=True, version=1),
            Edit("A", {"price": 2}, merge=True, version=1),
            Edit("B", {"price": 3}, merge=True, version=7),
            Edit("A", {"price": 4}, merge=True, version=0),
            Edit("N", {"sku": "N", "price": 5}, version=0),
        ]
        made = shop.change_catalog("products", edits, later(1))
        assert made.stale == ("A", "B", "A")
        row = shop.catalog_row("products", "A")
        assert row is not None
        assert row.data["price"] == 1
        assert shop.catalog_row("products", "N") is not None

    def test_a_replacement_ends_with_what_it_named(self, shop: Store) -> None:
        create(shop, "u1")
        arrive(shop, "u1", event("viewed", sku="C"), later(1))
        turns(shop, later(1))
        tell(shop, later(1))
        began = shop.catalog_version("products")
        assert began is not None
        shop.change_catalog("products", [Edit("B", {"price": 50}, merge=True), Edit("Z", {"sku": "Z"})], later(2))
        assert shop.finish_catalog("products", began, later(2), 1) == 1
        assert shop.finish_catalog("products", began, later(2), 1) == 1
        assert shop.finish_catalog("products", began, later(2), 1) == 0
        assert [row.key for row in shop.catalog_page("products", "", 9)] == ["B", "Z"]
        tell(shop, later(2))
        assert told(shop) == [("u1", "C", "removed 200 gone")]

    def test_turns_see_rows_as_they_stand(self, shop: Store) -> None:
        says = "is {{ catalog('products', entry.order).price | default('none') }}"
        looks = {"enter": {"event": "go", "reentry": "always"}, "steps": [{"set": {"customer.plan": says}}]}
        shop.deploy(catalogs_of(journeys={"looks": looks}), START)
        create(shop, "u1")
        said = []
        for minute, edit in enumerate(
            [None, Edit("A", {"price": 7}, merge=True), Edit("A", None), Edit("A", {"price": 9, "sku": "A"})]
        ):
            if edit is not None:
                shop.change_catalog("products", [edit], later(minute))
            arrive(shop, "u1", event(at=later(minute), order="A"), later(minute))
            turns(shop, later(minute))
            said += [value for _, _, value in told(shop)]
        assert said == ["is 100", "is 7", "is none", "is 9"]

    def test_a_change_reaches_those_whom_it_concerns_once(self, shop: Store) -> None:
        create(shop, "old", "new", "other", "past")
        shop.lay_history("old", [Event("viewed", START - timedelta(days=9), {"sku": "A"}, "h1")])
        shop.lay_history("past", [Event("viewed", START - timedelta(days=11), {"sku": "A"}, "h2")])
        for number, (customer, sku) in enumerate([("new", "A"), ("new", "A"), ("other", "B")]):
            arrive(shop, customer, event("viewed", later(number), sku=sku), later(number))
        turns(shop, later(5))
        shop.change_catalog("products", [Edit("A", {"price": 95}, merge=True)], later(6))
        tell(shop, later(6))
        assert told(shop) == [], "less than ten percent"
        shop.change_catalog("products", [Edit("A", {"price": 60}, merge=True)], later(7))
        tell(shop, later(7), budget=1)
        assert sorted(told(shop)) == [("new", "A", "price_drop 95 60"), ("old", "A", "price_drop 95 60")]
        tell(shop, later(8))
        assert told(shop) == []
        shop.change_catalog("products", [Edit("B", {"stock": 4}, merge=True)], later(9))
        tell(shop, later(9))
        assert told(shop) == [("other", "B", "back_in_stock 50 50")]

    def test_changes_within_a_while_are_one(self, make_store: Callable[..., Store]) -> None:
        store = make_store()
        store.deploy(catalogs_of(fold="5m"), START)
        create(store, "u1")
        arrive(store, "u1", event("viewed", sku="A"), START)
        turns(store, START)
        tell(store, START)
        store.change_catalog("products", [Edit("A", {"price": 1}, merge=True)], later(1))
        store.change_catalog("products", [Edit("A", {"price": 50}, merge=True)], later(2))
        store.change_catalog("products", [Edit("B", {"price": 1}, merge=True)], later(2))
        store.change_catalog("products", [Edit("B", {"price": 50}, merge=True)], later(3))
        assert store.next_catalog_at() == later(6)
        tell(store, later(5))
        assert told(store) == []
        tell(store, later(6))
        assert told(store) == [("u1", "A", "price_drop 100 50")]
        tell(store, later(60))
        assert store.next_catalog_at() is None

    def test_who_was_there_before_anybody_asked_is_found(self, make_store: Callable[..., Store]) -> None:
        store = make_store()
        store.deploy(index_of(schema=EVENTS), START)
        create(store, "u1", "u2")
        arrive(store, "u1", event("viewed", later(1), sku="A"), later(1))
        turns(store, later(1))
        store.deploy(catalogs_of(), later(2))
        turns(store, later(2))
        tell(store, later(2))
        store.change_catalog("products", [Edit("A", {"price": 10}, merge=True)], later(3))
        tell(store, later(3))
        assert told(store) == [("u1", "A", "price_drop 100 10")]

    def test_an_erased_customer_is_told_nothing(self, shop: Store) -> None:
        create(shop, "u1", "u2")
        for customer in ("u1", "u2"):
            arrive(shop, customer, event("viewed", later(1), sku="A"), later(1))
        turns(shop, later(1))
        tell(shop, later(1))
        shop.change_catalog("products", [Edit("A", {"price": 10}, merge=True)], later(2))
        assert shop.erase("u1", later(2), later(2), "test") is not None
        tell(shop, later(3))
        assert [customer for customer, *_ in told(shop)] == ["u2"]

    def test_what_goes_with_what(self, shop: Store) -> None:
        baskets = {"u1": ["A", "B"], "u2": ["A", "B"], "u3": ["A", "C"], "u4": ["A", "B", "C"], "u5": ["B"]}
        create(shop, *baskets)
        for number, (customer, skus) in enumerate(baskets.items()):
            items = [{"sku": sku} for sku in skus]
            arrive(shop, customer, event("bought", later(number), items=items), later(number))
            arrive(shop, customer, event("viewed", later(number), sku=skus[-1]), later(number))
        turns(shop, later(9))
        tell(shop, later(9))
        link(shop, later(10))
        together = shop.catalog_links("products", "bought", "A")
        assert [(link.item, round(link.score, 4)) for link in together] == [("B", 9 / 16), ("C", 0.5)]
        assert [link.item for link in shop.catalog_links("products", "bought", "C")] == ["A"]
        popular = shop.catalog_links("products", "popular", "")
        assert [(link.item, link.score) for link in popular] == [("B", 3.0), ("C", 2.0)]
        assert [link.item for link in shop.catalog_links("products", "popular", "seat")] == ["B", "C"]
        shop.change_catalog("products", [Edit("B", None)], later(11))
        link(shop, later(11))
        assert [link.item for link in shop.catalog_links("products", "popular", "")] == ["C"]

    def test_a_wave_that_is_broken_off_goes_on_where_it_was(self, shop: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        customers = [f"u{number}" for number in range(5)]
        create(shop, *customers)
        for customer in customers:
            arrive(shop, customer, event("viewed", later(1), sku="A"), later(1))
        turns(shop, later(1))
        tell(shop, later(1))
        shop.change_catalog("products", [Edit("A", {"price": 10}, merge=True)], later(2))
        calls = []

        def breaking(put: Callable[..., None]) -> Callable[..., None]:
            def put_and_break(c: Any, rows: Any) -> None:
                put(c, rows)
                calls.append(1)
                if len(calls) % 2:
                    raise StoreBusy("gone in the middle")

            return put_and_break

        for module in (sqlite_catalogs, postgres_catalogs):
            monkeypatch.setattr(module, "put_items", breaking(module.put_items))
        for _ in range(60):
            with suppress(StoreBusy):
                if not spread_once(shop, later(2), 2) + turns(shop, later(2)):
                    break
        assert sorted(told(shop)) == [(customer, "A", "price_drop 100 10") for customer in customers]

    def test_links_are_worked_out_in_steps_once_a_day(self, shop: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(catalog_links, "LOOKED_AT", 2)
        create(shop, "u1", "u2")
        for number, customer in enumerate(("u1", "u2")):
            items = [{"sku": sku} for sku in ("A", "B", "Z")]
            arrive(shop, customer, event("bought", later(number), items=items), later(number))
            arrive(shop, customer, event("viewed", later(number), sku="C"), later(number))
        turns(shop, later(9))
        tell(shop, later(9))
        assert [link.item for link in shop.catalog_links("products", "bought", "B")] == ["A", "Z"]
        shop.deploy(catalogs_of(), later(10))
        assert (shop.link_catalogs(later(11)), shop.next_catalog_at()) == (0, None)
        assert [link.item for link in shop.catalog_links("products", "popular", "")] == ["C"]
        aged = START + timedelta(days=20)
        assert shop.link_catalogs(aged) > 0
        tell(shop, aged)
        assert [link.item for link in shop.catalog_links("products", "bought", "B")] == ["A", "Z"]
        assert [*shop.catalog_links("products", "popular", "")] == [], "nobody looked for ten days"
        link(shop, START + timedelta(days=400))
        assert [*shop.catalog_links("products", "bought", "B")] == []

    def test_of_two_who_become_one_the_later_look_counts(self, shop: Store) -> None:
        create(shop, "u1", "u2")
        shop.lay_history("u1", [Event("viewed", START - timedelta(days=9), {"sku": "A"}, "h1")])
        shop.lay_history("u2", [Event("viewed", START - timedelta(days=1), {"sku": "A"}, "h2")])
        tell(shop, START)
        assert shop.merge("u2", "u1", later(1), "ana").outcome == "merged"
        turns(shop, later(1))
        soon = START + timedelta(days=5)
        shop.change_catalog("products", [Edit("A", {"price": 10}, merge=True)], soon)
        tell(shop, soon)
        assert told(shop) == [("u1", "A", "price_drop 100 10")]

    def test_what_nobody_asked_for_meanwhile_is_looked_for_again(self, shop: Store) -> None:
        create(shop, "u1", "u2")
        arrive(shop, "u1", event("viewed", later(1), sku="A"), later(1))
        turns(shop, later(1))
        tell(shop, later(1))
        nobody = {"rows": True, "viewed": {"event": "go", "property": "order", "within": "10d"}}
        others = index_of(
            schema=EVENTS, project={"catalogs": {"products": nobody}}, catalogs={"products.csv": PRODUCTS}
        )
        shop.deploy(others, later(2))
        tell(shop, later(2))
        link(shop, later(3))
        arrive(shop, "u2", event("viewed", later(4), sku="A"), later(4))
        turns(shop, later(4))
        shop.deploy(catalogs_of(), later(5))
        turns(shop, later(5))
        tell(shop, later(5))
        shop.change_catalog("products", [Edit("A", {"price": 10}, merge=True)], later(6))
        tell(shop, later(6))
        assert sorted(told(shop)) == [("u1", "A", "price_drop 100 10"), ("u2", "A", "price_drop 100 10")]

    def test_what_is_recommended(self, make_store: Callable[..., Store]) -> None:
        says = {
            "enter": {"event": "go", "reentry": "always"},
            "steps": [{"set": {"customer.plan": "{{ recommended('products') | map(attribute='sku') | join(' ') }}"}}],
        }
        store = make_store()
        store.deploy(catalogs_of(journeys={"says": says}), START)
        baskets = {"u1": ["A", "C"], "u2": ["A", "C"], "u3": ["A"], "u4": [], "u5": []}
        create(store, *baskets)
        store.change_catalog("products", [Edit("B", {"stock": 2}, merge=True)], START)
        for customer, skus in baskets.items():
            items = [{"sku": sku} for sku in skus]
            arrive(store, customer, event("bought", later(1), items=items), later(1))
        for number, sku in enumerate("ACB"):
            arrive(store, "u4", event("viewed", later(2 + number), sku=sku), later(2 + number))
        arrive(store, "u3", event("viewed", later(5), sku="B"), later(5))
        turns(store, later(6))
        tell(store, later(6))
        link(store, later(7))
        store.change_catalog("products", [Edit("A", {"stock": 0}, merge=True)], later(8))
        for customer in baskets:
            arrive(store, customer, event(at=later(9), order="x"), later(9))
        turns(store, later(9))
        said = {customer: value for customer, _, value in told(store)}
        assert said == {
            "u1": "B",  # popular; what it bought is not said again
            "u2": "B",
            "u3": "B C",  # looked at; bought together with A by others
            "u4": "B C",  # A is sold out
            "u5": "B C",
        }
