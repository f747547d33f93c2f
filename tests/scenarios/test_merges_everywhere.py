"""A scenario with merges prints the same lines in memory, on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.definitions.load import LoadedProject
from orchestrator.definitions.scenario import load_scenario
from orchestrator.definitions.yaml_loader import load_document
from orchestrator.stores.postgres.store import open_store as open_postgres
from orchestrator.stores.protocol import Store
from orchestrator.stores.sqlite.store import open_store as open_sqlite
from orchestrator.testing.scenario_run import simulate_scenario
from tests.servers.postgres import clean_database
from tests.small_projects import project_of

JOURNEYS: Mapping[str, Mapping[str, Any]] = {
    "basket": {
        "topic": "promotions",
        "enter": {"event": "cart", "key": "event.cart", "reentry": {"after": "1d"}},
        "exit": {"event": "order"},
        "goal": {"event": "order", "within": "7d", "value": "event.total"},
        "holdout": "20%",
        "throttle": {"max": 2, "per": "1h"},
        "steps": [
            {"split": {"name": "tone", "variants": {"a": {"weight": 1, "do": []}, "b": {"weight": 1, "do": []}}}},
            {"wait": "2h"},
            {"coupon": {"offer": "vip", "as": "coupon", "on_exhausted": "skip"}},
            {"email": "hello"},
            {"wait": {"when": "count('order') > 1", "up_to": "2d"}, "then": [{"email": "hello"}]},
        ],
    },
    "calls": {
        "enter": {"segment": "buyers"},
        "steps": [{"task": {"queue": "care", "title": "Call", "as": "call", "wait": True}}, {"wait": "1d"}],
    },
}
PARTS: Mapping[str, Any] = {
    "project": {"queues": {"care": {"members": ["ana", "li"]}}, "caps": [{"max": 2, "per": "7d"}]},
    "offers": {
        "vip": {"discount": {"percent": 10}, "codes": {"prefix": "V", "length": 6}, "limits": {"per_customer": 1}}
    },
    "segments": {"buyers": {"where": "count('order') > 0"}},
    "schema": {
        "customer": {},
        "events": {"cart": {"cart": {"type": "string"}}, "order": {"total": {"type": "number"}}},
    },
}
SAID = ("in", "out", "out")
SCENARIO = (
    """
start: 2026-03-01T10:00:00Z
until: +20d
seed: 7
customers:
"""
    + "".join(
        f"  - {{id: {kind}{n}, email: {kind}{n}@example.com, consents: {{promotions: {{email: in}}}}}}\n"
        for n in range(6)
        for kind in "au"
    )
    + "timeline:\n"
    + "".join(
        f"""  - {{at: +{n}m, customer: a{n}, event: cart, properties: {{cart: c1}}}}
  - {{at: +{n + 10}m, customer: u{n}, event: cart, properties: {{cart: c{1 + n % 2}}}}}
  - {{at: +{20 + 200 * n}m, customer: a{n}, event: order, properties: {{total: 5}}}}
  - {{at: +{40 + 60 * n}m, merge: {{from: a{n}, into: u{n}}}}}
  - {{at: +{n + 8}h, customer: a{n}, event: cart, properties: {{cart: c3}}}}
  - {{at: +{n + 9}h, receipt: {{customer: a{n}, channel: email, kind: click}}}}
  - {{at: +{n + 10}h, task: {{customer: a{n}, step: task_1, outcome: reached}}}}
  - {{at: +{n + 11}h, customer: a{n}, consent: {{topic: promotions, channel: email, state: {SAID[n % 3]}}}}}
  - {{at: +{n + 30}h, customer: u{n}, event: cart, properties: {{cart: c1}}}}
  - {{at: +{n + 40}h, redeem: {{customer: a{n}, offer: vip, order_id: o{n}, total: 80}}}}
"""
        for n in range(6)
    )
    + """  - {at: +3d, merge: {from: u0, into: u1}}
  - {at: +3d, merge: {from: u1, into: u2}}
  - {at: +4d, customer: a0, event: order, properties: {total: 9}}
  - {at: +5d, customer: a1, event: cart, properties: {cart: c9}}
"""
)


def lines(project: LoadedProject, folder: Path, store: Store | None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    scenario, problems = load_scenario(load_document("scenario.yaml", SCENARIO), folder)
    assert scenario is not None, problems
    opened = None if store is None else (lambda salt, forced: store)
    simulate_scenario(project, scenario, found.append, open_store=opened)
    return found


def test_the_same_lines_everywhere(tmp_path: Path) -> None:
    project = project_of(tmp_path, JOURNEYS, **PARTS)
    in_memory = lines(project, tmp_path, None)
    told = {line["type"] for line in in_memory}
    assert told >= {"exited", "goal", "coupon", "task", "message", "segment", "assigned", "completed", "held"}, told
    assert sum(line.get("reason") == "merged" for line in in_memory) > 1
    sqlite = open_sqlite(tmp_path / "x.db", salt="7", durable=False, drains=True)
    try:
        assert lines(project, tmp_path, sqlite) == in_memory
    finally:
        sqlite.close()
    with clean_database() as url:
        postgres = open_postgres(url, salt="7", durable=False, drains=True)
        try:
            assert lines(project, tmp_path, postgres) == in_memory
        finally:
            postgres.close()
