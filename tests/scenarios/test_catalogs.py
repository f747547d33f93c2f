"""Changes of a catalog's rows in scenarios: the same lines in memory, on SQLite and on PostgreSQL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.errors import ProjectInvalid
from orchestrator.stores.postgres import store as postgres
from orchestrator.stores.sqlite import store as sqlite
from tests.servers.postgres import clean_database
from tests.small_projects import project_of, run, scenario_of

PRODUCTS = "sku,title,price,stock,kind\nA,Lamp,100,3,light\nB,Chair,50,0,seat\nC,Desk,200,1,seat\n"
SCHEMA: dict[str, Any] = {
    "customer": {"plan": {"type": "string"}},
    "events": {
        "viewed": {"sku": {"type": "string"}, "kind": {"type": "string"}},
        "bought": {"items": {"type": "list", "of": {"sku": "string"}}},
    },
}
SAYS = [
    {
        "set": {
            "customer.plan": "{{ entry.change }} {{ entry.key }} "
            "{{ catalog('products', entry.key).price | default('gone') }}"
        }
    }
]
JOURNEYS: dict[str, Any] = {
    "drops": {"enter": {"catalog": "products", "on": ["price_drop", "back_in_stock"], "by": "10%"}, "steps": SAYS},
    "news": {
        "enter": {
            "catalog": "products", "on": "added",
            "who": [
                {"event": "viewed", "property": "kind", "field": "kind"}, {"event": "bought", "property": "items.sku"},
            ],
            "where": "entry.after.price < 100", "key": "'news'", "reentry": {"after": "1d"},
        },
        "steps": [{"set": {"customer.plan": "{{ entry.change }} {{ entry.after.sku }} {{ entry.after.price }}"}}],
    },
    "gone": {
        "enter": {"catalog": "products", "on": "removed", "who": {"event": "bought", "property": "items.sku"}},
        "steps": SAYS,
    },
}  # fmt: skip
CATALOG = {"rows": True, "fold": "1m", "viewed": {"event": "viewed", "property": "sku"}}


def change(at: str, key: str, **values: Any) -> dict[str, Any]:
    return {"at": at, "catalog": {"name": "products", "key": key, **({"set": values} if values else {"remove": True})}}


SCENARIO: dict[str, Any] = {
    "seed": 7,
    "until": "+40d",
    "customers": [{"id": f"u{n}", "email": f"u{n}@example.com"} for n in range(6)],
    "history": [
        {"at": "-3d", "customer": "u1", "event": "viewed", "properties": {"sku": "A", "kind": "light"}},
        {"at": "-50d", "customer": "u2", "event": "viewed", "properties": {"sku": "A"}},
        {"at": "-3d", "customer": "u3", "event": "bought", "properties": {"items": [{"sku": "C"}, {"sku": "A"}]}},
    ],
    "timeline": [
        {"at": "+1h", "customer": "u4", "event": "viewed", "properties": {"sku": "B", "kind": "seat"}},
        change("+2h", "A", price=95),
        change("+3h", "A", price=10),
        change("+3h20s", "A", price=70),
        change("+4h", "B", stock=9),
        change("+5h", "D", title="Stool", price=20, kind="seat"),
        change("+6h", "E", title="Sofa", price=900, kind="seat"),
        change("+7h", "F", title="Bench", price=20, kind="seat"),
        change("+8h", "C"),
        {"at": "+9h", "pause": "drops"},
        change("+9h", "A", price=50),
        {"at": "+10h", "resume": "drops"},
        {"at": "+11h", "stall": "1d"},
        change("+12h", "A", price=30),
        {"at": "+35d", "customer": "u5", "event": "viewed", "properties": {"sku": "A"}},
        change("+36d", "A", price=5),
    ],
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("project")
    parts: dict[str, Any] = {"project": {"catalogs": {"products": CATALOG}}, "catalogs": {"products.csv": PRODUCTS}}
    return project_of(folder, JOURNEYS, schema=SCHEMA, **parts)


@pytest.fixture(scope="module")
def lines(project: Any) -> list[dict[str, Any]]:
    return run(project, scenario_of(SCENARIO))[0]


def test_who_hears_of_what(lines: list[dict[str, Any]]) -> None:
    said = [(line["at"], line["customer"], line.get("value", line.get("reason"))) for line in lines
            if line["type"] in ("attribute", "refused")]  # fmt: skip
    assert said == [
        ("2026-03-02T13:01:00Z", "u1", "price_drop A 70"),
        ("2026-03-02T14:01:00Z", "u4", "back_in_stock B 50"),
        ("2026-03-02T15:01:00Z", "u4", "added D 20"),
        ("2026-03-02T16:01:00Z", "u4", "where"),
        ("2026-03-02T17:01:00Z", "u4", "reentry"),
        ("2026-03-02T18:01:00Z", "u3", "removed C gone"),
        ("2026-03-02T19:01:00Z", "u1", "paused"),
        ("2026-03-03T21:00:00Z", "u1", "price_drop A 30"),
        ("2026-04-07T10:01:00Z", "u5", "price_drop A 5"),
    ]


def test_every_store_prints_the_same(project: Any, lines: list[dict[str, Any]], tmp_path: Path) -> None:
    scenario = scenario_of(SCENARIO)

    def printed_by(store: Any) -> list[dict[str, Any]]:
        try:
            return run(project, scenario, open_store=lambda salt, forced: store)[0]
        finally:
            store.close()

    assert printed_by(sqlite.open_store(tmp_path / "s.db", salt="7", durable=False, drains=True)) == lines
    with clean_database() as url:
        assert printed_by(postgres.open_store(url, salt="7", durable=False, drains=True)) == lines


@pytest.mark.parametrize("values", [{"colour": 1}, {"price": "cheap"}, {"sku": "Z"}])
def test_a_row_that_the_catalog_cannot_keep_stops_the_run(project: Any, values: dict[str, Any]) -> None:
    with pytest.raises(ProjectInvalid):
        run(project, scenario_of({"timeline": [change("+1h", "A", **values)]}))
