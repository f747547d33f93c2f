"""What a client sends, and what of it the inbox holds."""

from __future__ import annotations

from base64 import b64encode
from datetime import datetime, timedelta
from typing import Any

from orchestrator.core.inbox import Identified, Occurred
from tests.http.installation import START, Installation

GO = {"userId": "u1", "event": "go", "properties": {"order": "o1"}}


def bodies(site: Installation) -> list[Any]:
    """Everything in the inbox, with its customer."""
    views = site.store.load(START + timedelta(days=999), 999).customers
    return [(view.customer.id, item.body) for view in views for item in view.inbox]


def events(site: Installation) -> list[tuple[str, str, dict[str, Any], datetime]]:
    """Events in the inbox: customer, name, properties, instant."""
    return [
        (customer, body.event.name, dict(body.event.properties), body.event.at)
        for customer, body in bodies(site)
        if isinstance(body, Occurred)
    ]


def traits(site: Installation) -> list[dict[str, Any]]:
    """Traits in the inbox."""
    return [dict(body.traits) for _, body in bodies(site) if isinstance(body, Identified)]


def basic(key: str) -> dict[str, str]:
    """The header of a write key."""
    return {"Authorization": "Basic " + b64encode(f"{key}:".encode()).decode()}


def batch(*items: Any, **more: Any) -> dict[str, Any]:
    """A batch of items; `more` stands beside them."""
    return {"batch": list(items), **more}
