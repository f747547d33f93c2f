"""A small project with the webhook `crm`."""

from __future__ import annotations

from typing import Any

from orchestrator.core.index import Index
from tests.small_projects import PROJECT
from tests.stores.driving import WAITS_AN_HOUR, index_of

JOURNEYS = {"waits": {**WAITS_AN_HOUR, "steps": [{"track": {"event": "pong", "properties": {"n": 7}}}]}}


def index_for(**options: Any) -> Index:
    """Its look-ups; `options` are the webhook's."""
    given = {"url": "crm", "lines": ["entered", "event", "completed"], "past": True, **options}
    return index_of(JOURNEYS, project={**PROJECT, "webhooks": {"crm": given}})
