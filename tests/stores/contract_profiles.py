"""What events add up to, kept by a store: the same journal everywhere, and what an import lays into the past counts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from orchestrator.core.inbox import Event, Identified, TaskClosed
from orchestrator.core.index import Index
from orchestrator.core.rfm import Buyer, RfmSpec, attribute_of, bounds_of, classes_of
from orchestrator.core.time.cron import parse_cron
from orchestrator.definitions.load import load_project
from orchestrator.runtime.classing import tell_classes
from orchestrator.runtime.imports import ImportedEvent, import_events_once
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.instants import micros
from orchestrator.stores.protocol import Store
from orchestrator.testing.scenario_run import simulate_scenario
from tests.small_projects import scenario_of
from tests.stores.driving import index_of

SCORES = Path(__file__).resolve().parent.parent / "cases" / "histories" / "scores"
NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)


def order(customer: str, n: int, days: int, revenue: float, category: str = "hats") -> ImportedEvent:
    bought = {"revenue": revenue, "items": [{"category": category}]}
    return ImportedEvent(n, customer, "order_completed", NOW - timedelta(days=days), bought, f"o{n}")


class ProfilesContract:
    """Signed by every store."""

    def test_scores_and_computed_attributes_give_the_same_journal(self, make_store: Callable[..., Store]) -> None:
        scenario = scenario_of((SCORES / "scenario.yaml").read_text(encoding="utf-8"), SCORES)
        lines: list[dict[str, Any]] = []

        def opened(salt: str | None, forced: Any) -> Store:
            return make_store(salt or "0", forced)

        simulate_scenario(load_project(SCORES), scenario, lines.append, open_store=opened)
        told = [json.dumps(line, ensure_ascii=False) for line in lines]
        assert told == (SCORES / "expected.jsonl").read_text(encoding="utf-8").splitlines()

    def test_what_an_import_lays_into_the_past_counts_once(self, make_store: Callable[..., Store]) -> None:
        store = make_store()
        store.deploy(Index(load_project(SCORES).project), NOW)

        def attributes(customer: str) -> dict[str, Any]:
            turn_once(store, NOW)
            card = store.card(customer)
            assert card is not None and card.customer is not None
            return {name: value for name, value in card.customer.attributes.items() if name != "role"}

        bought = {"revenue": 5, "items": [{"category": "hats"}]}
        ingest_once(store, [Incoming("u1", "order_completed", bought, NOW, "now")], NOW)
        assert attributes("u1") == {
            "lifetime_value": 5, "orders": 1, "last_order_at": "2026-03-01T10:00:00Z", "favourite_category": "hats",
        }  # fmt: skip
        rows = [order("u1", 1, 9, 30.1, "shoes"), order("u1", 2, 8, 30.2, "shoes"), order("u2", 3, 7, 4)]
        for _ in range(2):  # and again, as somebody does who is not sure
            import_events_once(store, rows, {}, NOW)
            assert attributes("u1") == {
                "lifetime_value": 65.3, "orders": 3, "last_order_at": "2026-03-01T10:00:00Z",
                "favourite_category": "shoes",
            }  # fmt: skip
            assert attributes("u2")["orders"] == 1
        assert store.drain_journal() is not None

    def test_nobody_else_writes_what_is_computed(self, make_store: Callable[..., Store]) -> None:
        store = make_store()
        store.deploy(Index(load_project(SCORES).project), NOW)
        counts = ingest_once(store, [("u1", Identified({"orders": 99, "role": "CTO"}))], NOW)
        turn_once(store, NOW)
        card = store.card("u1")
        assert card is not None and card.customer is not None and card.customer.attributes == {"role": "CTO"}
        assert [(found.property, found.kind) for found in counts.violations] == [("orders", "computed")]

    def test_a_definition_that_changed_is_worked_out_anew(self, make_store: Callable[..., Store]) -> None:
        store = make_store()
        project = load_project(SCORES).project
        store.deploy(Index(project), NOW)
        store.lay_history("u1", [Event("order_completed", NOW - timedelta(days=1), {"revenue": 7}, "a")])
        ingest_once(store, [("u1", Identified({}, silent=True))], NOW)
        turn_once(store, NOW)
        orders = replace(project.accumulators["orders"], kind="sum", path=("revenue",), mark="another")
        store.deploy(Index(replace(project, accumulators={"orders": orders})), NOW + timedelta(hours=1))
        turn_once(store, NOW + timedelta(hours=1))
        card = store.card("u1")
        assert card is not None and card.customer is not None
        assert card.customer.attributes["orders"] == 7

    def test_two_customers_who_are_one_have_what_both_had(self, make_store: Callable[..., Store]) -> None:
        store = make_store()
        store.deploy(Index(load_project(SCORES).project), NOW)
        pricing = {"path": "/pricing"}
        ingest_once(
            store,
            [
                Incoming("u1", "order_completed", {"revenue": 30.1}, NOW, "a"),
                Incoming("u2", "order_completed", {"revenue": 30.2}, NOW, "b"),
                Incoming("u1", "page_viewed", pricing, NOW, "c"),
                Incoming("u2", "page_viewed", pricing, NOW, "d"),
            ],
            NOW,
        )
        everything_due(store)
        assert store.merge("u2", "u1", NOW, "test").outcome == "merged"
        everything_due(store)
        card = store.card("u1")
        assert card is not None and card.customer is not None
        assert card.customer.attributes["lifetime_value"] == 60.3 and card.customer.attributes["orders"] == 2
        assert card.customer.scores["lead"].value == 20
        assert store.unmerge("u2", NOW, "test").outcome == "unmerged"
        everything_due(store)
        for id, worth in (("u1", 30.1), ("u2", 30.2)):
            card = store.card(id)
            assert card is not None and card.customer is not None
            assert card.customer.attributes["lifetime_value"] == worth
            assert card.customer.scores["lead"].value == 10

    def test_an_event_before_the_news_of_a_deploy_counts_under_what_did_not_change(
        self, make_store: Callable[..., Store]
    ) -> None:
        store = make_store()
        project = load_project(SCORES).project
        store.deploy(Index(project), NOW)
        first = [
            Incoming("u1", "order_completed", {"revenue": 30.1}, NOW, "a"),
            Incoming("u1", "page_viewed", {"path": "/pricing"}, NOW, "b"),
        ]
        ingest_once(store, first, NOW)
        everything_due(store)
        changed = replace(project.accumulators["orders"], mark="another")
        later = [Incoming("u1", item.name, item.properties, NOW, f"{item.message_id}2") for item in first]
        ingest_once(store, later, NOW)  # stands in the inbox, and the deploy behind it
        everything = {**project.accumulators, "orders": changed}
        store.deploy(Index(replace(project, accumulators=everything)), NOW)
        everything_due(store)
        card = store.card("u1")
        assert card is not None and card.customer is not None
        assert card.customer.attributes["lifetime_value"] == 60.2 and card.customer.attributes["orders"] == 2
        assert card.customer.scores["lead"].value == 20

    def test_history_laid_before_the_news_of_a_deploy_counts_once(self, make_store: Callable[..., Store]) -> None:
        store = make_store()
        project = load_project(SCORES).project
        store.deploy(Index(project), NOW)
        ingest_once(store, [Incoming("u1", "order_completed", {"revenue": 5}, NOW, "now")], NOW)
        everything_due(store)
        import_events_once(store, [order("u1", 1, 9, 30.1, "shoes")], {}, NOW)
        changed = replace(project.accumulators["orders"], mark="another")
        store.deploy(Index(replace(project, accumulators={**project.accumulators, "orders": changed})), NOW)
        everything_due(store)
        card = store.card("u1")
        assert card is not None and card.customer is not None
        assert card.customer.attributes["lifetime_value"] == 35.1 and card.customer.attributes["orders"] == 2

    def test_whoever_joins_before_a_first_turn_takes_nothing_away(self, make_store: Callable[..., Store]) -> None:
        """What is kept knows of events that the history has forgotten: it is not worked out anew from there."""
        store = make_store()
        project = load_project(SCORES).project
        store.deploy(Index(project), NOW)
        ingest_once(store, [Incoming("u1", "order_completed", {"revenue": 5}, NOW, "a")], NOW)
        everything_due(store)
        far = NOW + project.settings.history + timedelta(days=9)
        while store.retain(far, 1_000):
            pass
        ingest_once(store, [Incoming("u2", "order_completed", {"revenue": 2}, far, "b")], far)
        assert store.merge("u2", "u1", far, "test").outcome == "merged"
        while turn_once(store, far).customers:
            pass
        card = store.card("u1")
        assert card is not None and card.customer is not None
        assert card.customer.attributes["lifetime_value"] == 7

    def test_standing_points_go_with_their_last_rule(self, make_store: Callable[..., Store]) -> None:
        store = make_store()
        project = load_project(SCORES).project
        store.deploy(Index(project), NOW)
        ingest_once(store, [("u1", Identified({"role": "CTO"}))], NOW)
        everything_due(store)
        card = store.card("u1")
        assert card is not None and card.customer is not None and card.customer.scores["lead"].standing
        lead = project.scores["lead"]
        bare = replace(lead, rules=tuple(rule for rule in lead.rules if rule.event is not None))
        store.deploy(Index(replace(project, scores={**project.scores, "lead": bare})), NOW)
        everything_due(store)
        card = store.card("u1")
        assert card is not None and card.customer is not None and card.customer.scores["lead"].standing == 0


class EscalationContract:
    """Tasks that nobody closes in time."""

    def test_a_late_task_goes_on_to_others_each_step_once(self, make_store: Callable[..., Store]) -> None:
        overdue = [{"reassign": "other", "owns": True}, {"after": "1h", "reassign": "bosses"}]
        queues = {"desk": {"members": ["ana", "li"], "overdue": overdue}, "bosses": {"members": ["zoe"]}}
        calls = {
            "topic": "care", "enter": {"event": "go", "reentry": "always"},
            "steps": [{"task": {"queue": "desk", "title": "Call", "due": "1h", "assign": "least_busy"}}],
        }  # fmt: skip
        store = make_store()
        store.deploy(index_of({"calls": calls}, project={"queues": queues}), NOW)
        ingest_once(store, [Incoming("u1", "go", {}, NOW, "a"), Incoming("u2", "go", {}, NOW, "b")], NOW)
        seen = []
        for minutes in (0, 60, 60, 120, 120, 600):
            at = NOW + timedelta(minutes=minutes)
            if minutes == 120 and len(seen) == 3:
                open_now = store.open_task("u2", None)
                assert open_now is not None
                ingest_once(store, [("u2", TaskClosed(open_now.id, "reached"))], at)
            while turn_once(store, at).customers:
                pass
            cards = [card for card in (store.card("u1"), store.card("u2")) if card is not None]
            seen.append([(t.queue, t.assignee, t.closed_at is None) for card in cards for t in card.tasks])
        first, second = [("desk", "ana", True), ("desk", "li", True)], [("desk", "li", True), ("desk", "ana", True)]
        last = [("bosses", "zoe", True), ("desk", "ana", False)]
        assert seen == [first, second, second, last, last, last]
        card = store.card("u1")
        assert card is not None and card.customer is not None and card.customer.attributes == {"owner": "li"}


class RfmContract:
    """Classes over all customers, worked out by the store."""

    def test_bounds_and_changes_are_the_references(self, make_store: Callable[..., Store]) -> None:
        store = make_store()
        spec = RfmSpec("order_completed", ("revenue",), 5, parse_cron("0 4 * * MON"), timedelta(days=300))
        store.deploy(Index(replace(load_project(SCORES).project, rfm=spec)), NOW)
        draw = Random(7)
        pasts = {
            f"u{n}": [
                Event("order_completed", NOW - timedelta(hours=draw.randrange(1, 9_000)), bought(draw), f"{n}-{k}")
                for k in range(draw.choice((1, 1, 1, 2, 3, 8)))
            ]
            for n in range(300)
        }
        store.lay_histories(pasts)
        inside = {
            id: [event for event in events if event.at > NOW - spec.within] for id, events in pasts.items()
        }  # fmt: skip
        buyers = {
            id: Buyer(micros(max(e.at for e in events)), len(events), round(sum(map(worth, events)), 4))
            for id, events in inside.items()
            if events
        }
        expected = bounds_of(list(buyers.values()), 5)
        assert store.rfm_begin("2026-03-01T10:00", NOW, spec) and not store.rfm_begin("2026-03-01T10:00", NOW, spec)
        last = store.rfm_last()
        assert last is not None and last.bounds == expected and last.customers == len(buyers)
        assert tell_classes(store, NOW) == len(buyers)
        everything_due(store)
        placed = {id: classes_of(buyer, expected) for id, buyer in buyers.items()}
        for id in ("u1", "u7", "u200"):
            card = store.card(id)
            assert card is not None and card.customer is not None
            assert card.customer.attributes.get("rfm") == (attribute_of(placed[id], 5) if id in placed else None)
        assert store.rfm_sizes() == Counter(placed.values())
        assert store.rfm_next(spec) is None and tell_classes(store, NOW) == 0

    def test_only_those_whose_classes_changed_are_told_again(self, make_store: Callable[..., Store]) -> None:
        store = make_store()
        spec = RfmSpec("order_completed", ("revenue",), 2, parse_cron("0 4 * * MON"), timedelta(days=300))
        store.deploy(Index(replace(load_project(SCORES).project, rfm=spec)), NOW)
        for n in range(8):
            store.lay_history(f"u{n}", [Event("order_completed", NOW - timedelta(days=n + 1), {"revenue": 9 - n}, "a")])
        assert store.rfm_begin("first", NOW, spec) and tell_classes(store, NOW) == 8
        later = NOW + timedelta(days=1)
        assert store.rfm_begin("second", later, spec) and tell_classes(store, later) == 0
        store.lay_history("u7", [Event("order_completed", later, {"revenue": 1}, "b")])
        assert store.rfm_begin("third", later + timedelta(days=1), spec)
        part = store.rfm_next(spec)
        assert part is not None
        changed = set()
        while part is not None:  # broken off before a part was noted: it comes again
            assert store.rfm_next(spec) == part
            changed |= {change.customer for change in part[1]}
            store.rfm_done(*part)
            store.rfm_done(*part)
            part = store.rfm_next(spec)
        assert changed == {"u3", "u7"}

    def test_a_week_without_anybody(self, make_store: Callable[..., Store]) -> None:
        store = make_store()
        spec = RfmSpec("order_completed", ("revenue",), 5, parse_cron("0 4 * * MON"), timedelta(days=30))
        store.deploy(Index(replace(load_project(SCORES).project, rfm=spec)), NOW)
        assert store.rfm_begin("first", NOW, spec) and tell_classes(store, NOW) == 0
        store.lay_history("u1", [Event("order_completed", NOW, {"revenue": "much", "x": 1}, "a")])
        assert store.rfm_begin("second", NOW + timedelta(days=1), spec) and tell_classes(store, NOW) == 1
        assert store.rfm_begin("third", NOW + timedelta(days=90), spec) and tell_classes(store, NOW) == 1
        turn_once(store, NOW)
        card = store.card("u1")
        assert card is not None and card.customer is not None and "rfm" not in card.customer.attributes


def everything_due(store: Store) -> None:
    """A turn of a database takes some shards only."""
    while turn_once(store, NOW).customers:
        pass


def bought(draw: Random) -> dict[str, Any]:
    """A property that is a number, mostly."""
    return {"revenue": draw.choice((round(draw.uniform(1, 99), 2), draw.randrange(1, 50), None, "free"))}


def worth(event: Event) -> float:
    value = event.properties["revenue"]
    return value if isinstance(value, (int, float)) else 0.0
