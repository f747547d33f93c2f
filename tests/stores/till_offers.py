"""Offers that tests of races share: ten codes in all, a public code of ten uses, a budget counted at the till."""

from __future__ import annotations

from typing import Any, Final

from tests.stores.driving import index_of

_GIVES: Final[dict[str, Any]] = {
    "topic": "orders",
    "enter": {"event": "go", "key": "event.order", "reentry": "always"},
}
INDEX: Final = index_of(
    {
        "gives": {**_GIVES, "steps": [{"coupon": {"offer": "ten", "as": "coupon"}}]},
        "spends": {
            "topic": "orders",
            "enter": {"event": "spend", "key": "event.order", "reentry": "always"},
            "steps": [{"coupon": {"offer": "money", "as": "coupon"}}],
        },
        "many": {
            "topic": "orders",
            "enter": {"event": "more", "key": "event.order", "reentry": "always"},
            "steps": [{"coupon": {"offer": "many", "as": "coupon"}}],
        },
        "sends": {
            "topic": "orders",
            "enter": {"event": "send", "key": "event.order", "reentry": "always"},
            "steps": [{"coupon": {"offer": "sent", "as": "coupon"}}, {"email": "code"}],
        },
    },
    offers={
        "ten": {"discount": {"percent": 10}, "codes": {"prefix": "TEN", "length": 8}, "limits": {"total": 10}},
        "many": {"discount": {"percent": 10}, "codes": {"prefix": "MANY", "length": 8}},
        "sent": {"discount": {"percent": 10}, "codes": {"prefix": "SENT", "length": 8}, "limits": {"total": 100}},
        "all": {"discount": {"percent": 5}, "codes": {"public": "ALL10"}, "limits": {"total": 10}},
        "money": {
            "discount": {"percent": 10},
            "codes": {"prefix": "EUR", "length": 8},
            "limits": {"budget": {"amount": 100, "currency": "EUR"}},
        },
    },
)
