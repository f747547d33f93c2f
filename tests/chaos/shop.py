"""The project that is run while its process is killed: four journeys over one kind of order, with waits of seconds.

Every order tells exactly what has to become of it, so that a checker who knows nothing of the engine can count:
a receipt at once (transactional), a care mail after CARE_AFTER (service) unless it was cancelled before, and an offer
with a coupon after OFFER_AFTER (promotional).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import yaml

CARE_AFTER: Final = 3
OFFER_AFTER: Final = 5
"""Seconds after the order."""
KINDS: Final = {"receipt": "transactional", "care": "service", "offer": "promotional"}

_PROJECT: Final[dict[str, Any]] = {
    "brand": {"name": "Harbour", "url": "https://example.com", "address": "1 Harbour Road, Lisbon"},
    "timezone": "UTC",
    "locale": "en",
    "currency": "EUR",
    "topics": {
        "promotions": {"class": "promotional"},
        "care": {"class": "service"},
        "orders": {"class": "transactional"},
    },
    "channels": {"email": {"from": "Harbour <hello@example.com>"}},
    "settings": {"late_tolerance": "1h"},
}
_SCHEMA: Final[dict[str, Any]] = {
    "customer": {},
    "events": {
        "order_placed": {"order_id": {"type": "string", "required": True}},
        "order_cancelled": {"order_id": {"type": "string", "required": True}},
    },
}
_ENTER: Final = {"event": "order_placed", "key": "event.order_id", "reentry": "never"}
_CANCELLED: Final = [{"event": "order_cancelled", "where": "event.order_id == entry.order_id"}]
_JOURNEYS: Final[dict[str, dict[str, Any]]] = {
    "receipt": {"topic": "orders", "enter": _ENTER, "steps": [{"email": "receipt"}]},
    "care": {
        "topic": "care",
        "enter": _ENTER,
        "exit": _CANCELLED,
        "steps": [{"wait": f"{CARE_AFTER}s"}, {"email": "care"}],
    },
    "offer": {
        "topic": "promotions",
        "enter": _ENTER,
        "steps": [
            {"wait": f"{OFFER_AFTER}s"},
            {"coupon": {"offer": "thanks", "on_exhausted": "exit"}},
            {"email": "offer"},
        ],
    },
}
_OFFERS: Final[dict[str, Any]] = {
    "thanks": {
        "title": "Thanks",
        "discount": {"percent": 10},
        "codes": {"prefix": "T", "length": 10},
        "valid_for": "30d",
    }
}


def write_shop(folder: Path) -> Path:
    """The project's files; returns its folder."""
    files = {
        "journeys/project.yaml": _PROJECT,
        "journeys/schema.yaml": _SCHEMA,
        "journeys/offers.yaml": _OFFERS,
        **{f"journeys/{name}.yaml": {"journey": name, **spec} for name, spec in _JOURNEYS.items()},
    }
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(yaml.safe_dump(content, sort_keys=False))
    for kind in KINDS:
        place = folder / f"templates/email/{kind}.html"
        place.parent.mkdir(parents=True, exist_ok=True)
        code = "<p>{{ coupon.code }}</p>" if kind == "offer" else ""
        place.write_text(f"---\nsubject: {kind} {{{{ entry.order_id }}}}\n---\n<p>{{{{ entry.order_id }}}}</p>{code}\n")
    return folder
