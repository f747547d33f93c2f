"""What `doctor` says of the breakers: money, quotas of the day, and journeys that let in more than was expected."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from orchestrator.core.circuit import CLOSED
from orchestrator.core.project import Project
from orchestrator.runtime.alarms import safety_troubles
from orchestrator.runtime.canary import held
from orchestrator.runtime.daily_quota import USED_UP, day_of
from orchestrator.runtime.domain_gates import MAIL_TO, plan_of_limit
from orchestrator.runtime.expected_entries import WATCHED_FOR, expectations
from orchestrator.runtime.spending import SPENDING, paused_for
from orchestrator.stores.protocol import Store
from orchestrator.wiring.checks_processes import Finding


def examine_safety(store: Store, live: Project | None, now: datetime, real_at: datetime) -> Iterator[Finding]:
    """Each breaker that has tripped, and what is watched. `now` is journey time; `live` None: nothing is deployed."""
    record = store.circuits().get(SPENDING, CLOSED)
    wait = paused_for(record, real_at.timestamp())
    if wait:
        words = f"{record.reason}: promotional and service messages wait for {wait:,.0f} s more"
        yield Finding("spending", "wrong", words, "raise `settings: spend_limit`, or `orchestrator lift --spend`")
    for trouble in safety_troubles(store, real_at):
        yield Finding("safety", "wrong", trouble.what, trouble.then)
    for canary in store.switches().canaries:
        if canary.state == "on":
            words = f"a canary of {canary.journey} runs until {canary.until_at:%Y-%m-%d %H:%M} UTC"
            others = f"{canary.share * 100:.4g}% go first, {held(store)[canary.journey]:,} are held"
            yield Finding("safety", "ok", f"{words}: {others}")
    if live is not None:
        yield from _domains(store, live, real_at)
    watched = [each for each in expectations(store) if now - each.since < WATCHED_FOR]
    if watched:
        named = ", ".join(f"{each.journey} ({each.bound:,})" for each in watched[:5])
        yield Finding("safety", "ok", f"entries are counted, and stopped beyond what was expected: {named}")


def _domains(store: Store, project: Project, real_at: datetime) -> Iterator[Finding]:
    """How much of today's mail to the mailboxes of one operator has gone."""
    for limit in project.domain_limits:
        plan = plan_of_limit(limit)
        if plan is not None:
            day = day_of(plan, real_at, project.timezone)
            bucket = f"{USED_UP}{MAIL_TO}{limit.name}:{day.name}"
            left = store.take_quota(bucket, 0.0, day.quota, 0, day.starts_at).left if day.quota else 0
            yield Finding("safety", "ok", f"mail to {limit.name}: {day.quota - left:,} of {day.quota:,} today")


AUDIT_TAIL: Final = 1_000
"""Rows of the audit log that `doctor` looks at: all of them are `audit verify`'s."""


def examine_audit(store: Store) -> Iterator[Finding]:
    """Whether the end of the audit log still is what was written."""
    found = store.verify_audit_tail(AUDIT_TAIL)
    if found.fault is not None:
        words = f"row {found.fault.id} of the audit log does not fit: {found.fault.why}"
        yield Finding("audit", "wrong", words, "`orchestrator audit verify` looks at all of it; compare with a backup")
    else:
        yield Finding("audit", "ok", f"the last {found.rows:,} rows of the audit log fit each other")
