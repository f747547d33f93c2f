"""What can go wrong.

ClientError
├── ItemInvalid          an item that could never be sent: the caller's mistake, raised at once
├── NotReached           no answer: the network, or the server is down
└── ApiProblem           the API's own answer (RFC 9457): status, code, detail, errors
    ├── Forbidden        401, 403: no key, or one that may not
    ├── NotFound         404
    ├── Conflict         409, 412: it is not so that it could be done
    ├── Invalid          400, 405, 413, 415, 422: the request is not as it should be
    └── Unavailable      429, 5xx: come again later
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple


class ClientError(Exception):
    """Everything that the client raises by itself."""


class ItemInvalid(ClientError, ValueError):
    """An item that could never be sent, and why."""


class NotReached(ClientError, ConnectionError):
    """There was no answer. A write may have been done all the same; with its Idempotency-Key it may be sent again."""


class ApiProblem(ClientError):
    """A refusal of the API. `code` is stable and for machines, `detail` for people; `errors` point into the body."""

    def __init__(self, status: int, code: str, detail: str, errors: tuple[dict[str, Any], ...] = ()) -> None:
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = errors
        super().__init__(f"{status} {code}: {detail}")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.status, self.code, self.detail, self.errors)


class Forbidden(ApiProblem):
    """No key, or one that may not."""


class NotFound(ApiProblem):
    """There is no such thing."""


class Conflict(ApiProblem):
    """It is not so that it could be done."""


class Invalid(ApiProblem):
    """The request is not as it should be."""


class Unavailable(ApiProblem):
    """Come again later."""


class DeliveryError(NamedTuple):
    """What `on_error` is given: items that were not taken, as they were sent, and why.

    `retried`: nothing is lost; it is tried again, and somebody has to look at it (an unknown key, a wrong address).
    """

    code: str
    reason: str
    items: tuple[dict[str, Any], ...] = ()
    retried: bool = False


_BY_STATUS: dict[int, type[ApiProblem]] = {
    400: Invalid, 401: Forbidden, 403: Forbidden, 404: NotFound, 405: Invalid, 409: Conflict, 412: Conflict,
    413: Invalid, 415: Invalid, 422: Invalid, 429: Unavailable,
}  # fmt: skip


def problem_of(status: int, body: bytes) -> ApiProblem:
    """The refusal in an answer, whoever wrote it."""
    told = document_of(body)
    code, detail, errors = told.get("code"), told.get("detail"), told.get("errors")
    kind = _BY_STATUS.get(status, Unavailable if status >= 500 else ApiProblem)
    return kind(
        status,
        code if isinstance(code, str) else f"http_{status}",
        detail if isinstance(detail, str) else body[:200].decode("utf-8", "replace"),
        tuple(one for one in errors if isinstance(one, dict)) if isinstance(errors, list) else (),
    )


def document_of(body: bytes) -> dict[str, Any]:
    """The JSON object of an answer; empty where it is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
