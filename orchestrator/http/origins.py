"""Which pages in browsers may send events (CORS). No cookies and no credentials of a browser are ever asked for: the
write key is all that a page sends, and it stands in the page's source."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from orchestrator.http.problems import HttpRefusal

ANY: Final = "*"
_DAY: Final = "86400"
_HEADERS: Final = "Authorization, Content-Type, Content-Encoding, AnonymousId"
"""What browsers' libraries send; RudderStack's names the anonymous id in a header of its own."""


def allowed_origin(origins: Sequence[str], origin: str | None) -> str | None:
    """What the answer says of who may read it: `*`, the origin itself, or None: nobody is told anything.

    `https://*.example.com` among `origins` lets in every host below example.com.
    """
    if not origins:
        return ANY
    if origin is None:
        return None
    asked = origin.lower()
    return origin if any(_is(asked, one.lower()) for one in origins) else None


def refuse_origin(origins: Sequence[str], origin: str | None) -> None:
    """Raises HttpRefusal (403) for a page that is not on the list. What is no browser names no origin."""
    if origin is not None and allowed_origin(origins, origin) is None:
        detail = "pages of this origin may not send events; ORCHESTRATOR_ORIGINS lists those that may"
        raise HttpRefusal(403, "origin_not_allowed", detail)


def with_origin(answer: Response, origins: Sequence[str], request: Request) -> Response:
    """The answer, readable by a page that may send."""
    allowed = allowed_origin(origins, request.headers.get("origin"))
    if allowed is not None:
        answer.headers["Access-Control-Allow-Origin"] = allowed
    if origins:
        answer.headers["Vary"] = "Origin"
    return answer


def preflight(origins: Sequence[str], request: Request, methods: str = "POST") -> Response:
    """The answer to a browser that asks before it sends."""
    answer = with_origin(Response(None, 204), origins, request)
    if "access-control-allow-origin" in answer.headers:
        answer.headers["Access-Control-Allow-Methods"] = methods
        answer.headers["Access-Control-Allow-Headers"] = _HEADERS
        answer.headers["Access-Control-Max-Age"] = _DAY
    return answer


def _is(asked: str, one: str) -> bool:
    scheme, found, rest = one.partition("://*.")
    if not found:
        return asked == one
    return asked.startswith(f"{scheme}://") and asked.endswith(f".{rest}")
