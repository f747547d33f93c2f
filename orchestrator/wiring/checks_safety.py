"""What `doctor` says of the breakers: money, quotas of the day, and journeys that let in more than was expected."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from orchestrator.core.circuit import CLOSED
from orchestrator.runtime.alarms import safety_troubles
from orchestrator.runtime.expected_entries import WATCHED_FOR, expectations
from orchestrator.runtime.spending import SPENDING, paused_for
from orchestrator.stores.protocol import Store
from orchestrator.wiring.checks_processes import Finding


def examine_safety(store: Store, now: datetime, real_at: datetime) -> Iterator[Finding]:
    """Each breaker that has tripped, and what is watched. `now` is journey time."""
    record = store.circuits().get(SPENDING, CLOSED)
    wait = paused_for(record, real_at.timestamp())
    if wait:
        words = f"{record.reason}: promotional and service messages wait for {wait:,.0f} s more"
        yield Finding("spending", "wrong", words, "raise `settings: spend_limit`, or `orchestrator lift --spend`")
    for trouble in safety_troubles(store, real_at):
        yield Finding("safety", "wrong", trouble.what, trouble.then)
    watched = [each for each in expectations(store) if now - each.since < WATCHED_FOR]
    if watched:
        named = ", ".join(f"{each.journey} ({each.bound:,})" for each in watched[:5])
        yield Finding("safety", "ok", f"entries are counted, and stopped beyond what was expected: {named}")
