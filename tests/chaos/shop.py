"""The project that is run while its process is killed: four journeys over one kind of order, with waits of seconds.

Every order tells exactly what has to become of it, so that a checker who knows nothing of the engine can count:
a receipt at once (transactional), a care mail after CARE_AFTER (service) unless it was cancelled before, and an offer
with a coupon after OFFER_AFTER (promotional).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

CARE_AFTER: Final = 3
OFFER_AFTER: Final = 5
"""Seconds after the order."""
KINDS: Final = {"receipt": "transactional", "care": "service", "offer": "promotional"}
WAITS: Final[Mapping[str, int]] = {"receipt": 0, "care": CARE_AFTER, "offer": OFFER_AFTER}

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


def _journeys(waits: Mapping[str, int], later_edition: bool) -> dict[str, dict[str, Any]]:
    more = [{"wait": "1s"}] if later_edition else []
    return {
        "receipt": {"topic": "orders", "enter": _ENTER, "steps": [{"email": "receipt"}, *more]},
        "care": {
            "topic": "care",
            "enter": _ENTER,
            "exit": _CANCELLED,
            "steps": [{"wait": f"{waits['care']}s"}, {"email": "care"}],
        },
        "offer": {
            "topic": "promotions",
            "enter": _ENTER,
            "steps": [
                {"wait": f"{waits['offer']}s"},
                {"coupon": {"offer": "thanks", "on_exhausted": "exit"}},
                {"email": "offer"},
                *more,
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


def write_shop(folder: Path, waits: Mapping[str, int] = WAITS, later_edition: bool = False) -> Path:
    """The project's files; returns its folder. `waits`: seconds after the order of each kind; `later_edition`: other
    versions of its journeys and templates, which promise the same."""
    journeys = _journeys(waits, later_edition)
    files = {
        "journeys/project.yaml": _PROJECT,
        "journeys/schema.yaml": _SCHEMA,
        "journeys/offers.yaml": _OFFERS,
        **{f"journeys/{name}.yaml": {"journey": name, **spec} for name, spec in journeys.items()},
    }
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(yaml.safe_dump(content, sort_keys=False))
    for kind in KINDS:
        place = folder / f"templates/email/{kind}.html"
        place.parent.mkdir(parents=True, exist_ok=True)
        code = "<p>{{ coupon.code }}</p>" if kind == "offer" else ""
        code += "<p>As ever.</p>" if later_edition else ""
        place.write_text(f"---\nsubject: {kind} {{{{ entry.order_id }}}}\n---\n<p>{{{{ entry.order_id }}}}</p>{code}\n")
    return folder
