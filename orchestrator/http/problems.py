"""Refusals over HTTP: problem details (RFC 9457) with a stable `code`, readable by Segment's clients as well."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from orchestrator.errors import OrchestratorError

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_S = 2
"""Seconds after which a client may try again what a busy database refused."""


class HttpRefusal(OrchestratorError):
    """A request that is answered with `status` and `code`; `detail` says what was found and what to do."""

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})
        super().__init__(detail)


def json_bytes(value: Any) -> bytes:
    """JSON in ASCII: half of a character in somebody's id must not make the answer unwritable."""
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer as JSON."""
    return Response(json_bytes(value), status, headers, "application/json")


def problem(refusal: HttpRefusal, errors: Sequence[Mapping[str, Any]] | None = None) -> Response:
    """The refusal as problem details. `message` repeats `detail`, and `success` is false, for Segment's clients."""
    body: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(refusal.status).phrase,
        "status": refusal.status,
        "code": refusal.code,
        "detail": refusal.detail,
        "message": refusal.detail,
        "success": False,
    }
    if errors is not None:
        body["errors"] = list(errors)
    return Response(json_bytes(body), refusal.status, refusal.headers, PROBLEM_JSON)


def busy() -> HttpRefusal:
    """The database cannot be written just now."""
    after = {"Retry-After": str(RETRY_AFTER_S)}
    return HttpRefusal(503, "busy", "the database cannot be written just now; send this again after a while", after)
