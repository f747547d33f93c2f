"""One condition with loaded facts: how long an evaluation takes, beside the same written in Python by hand."""

from __future__ import annotations

import json
import time
from bisect import bisect_right
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from orchestrator.core.customer import Customer
from orchestrator.core.expression.scope import PastEvent, Scope
from orchestrator.core.facts import TurnFacts
from orchestrator.core.index import Index
from orchestrator.core.pools import WorkingPools
from orchestrator.core.project import Project
from orchestrator.core.turn import CustomerTurn
from orchestrator.core.view import Pools, View
from orchestrator.definitions.expressions import build_expr
from orchestrator.stores.memory_record import CustomerRecord

SOURCE = "customer.tier in ['gold','platinum'] and count('order_placed', within='30d') >= 2"
ROUNDS = 200_000


def scope_with_facts() -> Scope:
    """The scope of a gold customer with forty orders in the last eighty days, as a turn makes it."""
    now = datetime(2026, 3, 1, tzinfo=UTC)
    customer = Customer("u1", now)
    customer.attributes["tier"] = "gold"
    record = CustomerRecord(customer)
    for number in range(40):
        record.history.add(PastEvent(now - timedelta(days=2 * number), "order_placed", {"total": 10}, str(number)))
    view = View(1, "0", Index(Project(ZoneInfo("Europe/Lisbon"))), {}, [])
    turn = CustomerTurn(view, WorkingPools(Pools(), "0"), now)
    turn.begin(record.view())
    assert isinstance(turn.facts, TurnFacts)
    return turn.scope_of(None)


def run() -> dict[str, float]:
    """Microseconds for one evaluation: ours, and by hand."""
    scope = scope_with_facts()
    evaluate = build_expr(SOURCE).evaluate
    assert evaluate(scope) is True
    times = [event.at for event in scope.facts.events("order_placed")]

    def by_hand() -> bool:
        opened_at = scope.now - timedelta(days=30)
        orders = len(times) - bisect_right(times, opened_at)
        return scope.customer.get("tier") in ("gold", "platinum") and orders >= 2

    assert by_hand() is True
    started = time.perf_counter()
    for _ in range(ROUNDS):
        evaluate(scope)
    ours = time.perf_counter() - started
    started = time.perf_counter()
    for _ in range(ROUNDS):
        by_hand()
    hand = time.perf_counter() - started
    return {"ours_us": ours / ROUNDS * 1e6, "hand_us": hand / ROUNDS * 1e6}


if __name__ == "__main__":
    print(json.dumps(run()))
