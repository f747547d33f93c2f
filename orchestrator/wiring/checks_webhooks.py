"""What `doctor` says of the webhooks that are told what is decided."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from orchestrator.core.project import Project
from orchestrator.errors import UsageError
from orchestrator.runtime.webhook_care import Standing, standings
from orchestrator.settings import Settings
from orchestrator.stores.protocol import Store
from orchestrator.wiring.checks_processes import Finding
from orchestrator.wiring.webhooks import WebhookPlaces


def examine_webhooks(store: Store, project: Project, settings: Settings, now: datetime) -> Iterator[Finding]:
    """Whether each has an address and a key, takes what it is told, and how far behind it is. `now`: journey time."""
    places = WebhookPlaces(settings)
    if settings.test_mode != "off":
        yield Finding("webhooks", "note", "test mode: no webhook is told what is decided")
    for one in standings(store, project.webhooks, now):
        webhook = project.webhooks[one.name]
        try:
            places(webhook)
        except UsageError as error:
            yield Finding("webhooks", "wrong", f"{one.name} has no address: {error}")
            continue
        if not places.signs(webhook):
            hint = "set ORCHESTRATOR_WEBHOOK_SECRET, so that the receiver can tell who calls"
            yield Finding("webhooks", "note", f"{one.name} is not signed", hint)
        yield from _standing(one)


def _standing(one: Standing) -> Iterator[Finding]:
    retry = f"`orchestrator webhooks retry {one.name}`"
    if one.state == "paused":
        words = f"{one.name} is told nothing any more: {one.reason}"
        yield Finding("webhooks", "wrong", words, f"mend the receiver, then {retry}")
    elif one.state == "failing":
        since = f" since {one.since:%Y-%m-%d %H:%M:%S}Z" if one.since is not None else ""
        words = f"{one.name} fails{since}, {one.lag.total_seconds():,.0f} s behind: {one.reason}"
        yield Finding("webhooks", "wrong", words, "it is tried again by itself; see whether the receiver answers")
    else:
        behind = f", {one.lag.total_seconds():,.0f} s behind" if one.lag else ""
        yield Finding("webhooks", "ok", f"{one.name} took {one.batches:,} batches{behind}")
    if one.put_aside:
        words = f"{one.name} would not take {one.put_aside:,} lines, which are put aside"
        yield Finding("webhooks", "wrong", words, f"{retry} sends them again")
