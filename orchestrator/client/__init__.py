"""The Python SDK: events out of an application, and calls of the API.

    from orchestrator.client import Client

    with Client("https://journeys.example.com", write_key="...", buffer="/var/lib/shop/events") as client:
        client.track("u1", "order_placed", {"order_id": "o1", "total": 80})

It needs nothing but Python (the asynchronous client: httpx2) and nothing of the server beside it, so this folder may
be copied into another package under another name. docs/client.md tells more.
"""
# ruff: noqa: TID252 (relative, so that the folder may stand elsewhere)

from __future__ import annotations

from .asynchronous import AsyncClient
from .problems import (
    ApiProblem,
    ClientError,
    Conflict,
    DeliveryError,
    Forbidden,
    Invalid,
    ItemInvalid,
    NotFound,
    NotReached,
    Unavailable,
)
from .synchronous import Client

__all__ = [
    "ApiProblem",
    "AsyncClient",
    "Client",
    "ClientError",
    "Conflict",
    "DeliveryError",
    "Forbidden",
    "Invalid",
    "ItemInvalid",
    "NotFound",
    "NotReached",
    "Unavailable",
]
