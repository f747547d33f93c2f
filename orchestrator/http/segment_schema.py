"""The ingest routes in words of OpenAPI 3.1. The requests are read by hand, so they are described by hand."""

from __future__ import annotations

from typing import Any, Final

_ID: Final = {"type": "string", "minLength": 1, "maxLength": 512}
_COMMON: Final[dict[str, Any]] = {
    "userId": {**_ID, "description": "The customer's id; this or anonymousId"},
    "anonymousId": {**_ID, "description": "Makes an anonymous customer where there is no userId"},
    "messageId": {**_ID, "description": "Sent again under the same id, an item is taken once"},
    "timestamp": {"type": "string", "format": "date-time", "description": "When it happened, by the client's clock"},
    "sentAt": {"type": "string", "format": "date-time", "description": "When it was sent, by the same clock"},
    "context": {"type": "object"},
}
_OWN: Final[dict[str, tuple[str, dict[str, Any], list[str]]]] = {
    "identify": ("Who somebody is", {"traits": {"type": "object"}}, []),
    "track": ("What somebody did", {"event": _ID, "properties": {"type": "object"}}, ["event"]),
    "page": ("A page was seen", {"name": {"type": "string"}, "properties": {"type": "object"}}, []),
    "screen": ("A screen was seen", {"name": {"type": "string"}, "properties": {"type": "object"}}, []),
    "group": ("Whom somebody belongs to", {"groupId": _ID, "traits": {"type": "object"}}, ["groupId"]),
    "alias": ("Two ids are one person", {"previousId": _ID}, ["previousId", "userId"]),
}
_PROBLEM: Final = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable, for machines"},
        "detail": {"type": "string"},
        "message": {"type": "string"},
        "success": {"const": False},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}
_DONE: Final = {
    "type": "object",
    "required": ["success"],
    "properties": {
        "success": {"const": True},
        "accepted": {"type": "integer"},
        "refused": {"type": "integer"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "position": {"type": "integer"},
                    "messageId": {"type": ["string", "null"]},
                    "code": {"type": "string"},
                    "reason": {"type": "string"},
                },
            },
        },
    },
}
_REFUSALS: Final = {
    400: "No item could be taken, or nothing could be read",
    401: "The write key is not known",
    408: "The body came too slowly",
    413: "More than 500 KB",
    415: "Another Content-Encoding than gzip",
    503: "Try again after Retry-After seconds",
}


def operation_of(name: str) -> dict[str, Any]:
    """What FastAPI is told about `POST /v1/{name}`."""
    if name in _OWN:
        summary, schema = _OWN[name][0], _item(name)
    else:
        summary = "Many items at once"
        every = [{**_item(kind), "required": ["type", *_OWN[kind][2]]} for kind in _OWN]
        batch = {"type": "array", "items": {"anyOf": every}}
        schema = {
            "type": "object",
            "required": ["batch"],
            "properties": {"batch": batch, "sentAt": _COMMON["sentAt"], "writeKey": {"type": "string"}},
        }
    refusals: dict[int | str, Any] = {
        status: {"description": words, "content": {"application/problem+json": {"schema": _PROBLEM}}}
        for status, words in _REFUSALS.items()
    }
    answer = {"application/json": {"schema": _DONE}}
    done = {"description": "Taken; items that could not be are listed", "content": answer}
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    return {
        "summary": summary,
        "tags": ["tracking"],
        "responses": {200: done, **refusals},
        "openapi_extra": {"requestBody": body, "security": [{"writeKey": []}, {}]},
    }


def _item(kind: str) -> dict[str, Any]:
    _, own, required = _OWN[kind]
    properties = {"type": {"const": kind}, **_COMMON, **own}
    whose = {} if kind == "alias" else {"anyOf": [{"required": ["userId"]}, {"required": ["anonymousId"]}]}
    return {"type": "object", "properties": properties, "required": required, **whose}
