"""JSON-RPC 2.0 as the Model Context Protocol uses it: what a line means, and how answers are written."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

VERSIONS: Final = ("2025-06-18", "2025-03-26", "2024-11-05")
"""The latest first."""
LONGEST_LINE: Final = 2 << 20
"""Bytes of a message."""
MOST_IN_BATCH: Final = 50

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
NO_SUCH_METHOD: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
NO_SUCH_RESOURCE: Final = -32002

Json = dict[str, Any]


class Refusal(Exception):
    """A request that is answered by an error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        self.code = code
        self.data = data
        super().__init__(message)


class Request(NamedTuple):
    """A request; a notification has no id, and gets no answer."""

    id: str | int | float | None
    method: str
    params: Json
    notification: bool


def read_message(line: bytes) -> Any:
    """The JSON of a line. Raises Refusal."""
    if len(line) > LONGEST_LINE:
        raise Refusal(PARSE_ERROR, f"a message may have {LONGEST_LINE:,} bytes")
    try:
        return json.loads(line.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise Refusal(PARSE_ERROR, f"this is no JSON in UTF-8: {str(error)[:200]}") from None


def read_request(message: Any) -> Request | None:
    """What a message asks; None: it is an answer, and we ask nothing. Raises Refusal."""
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise Refusal(INVALID_REQUEST, 'a message is an object with "jsonrpc": "2.0"')
    if "method" not in message and ("result" in message or "error" in message):
        return None
    method, id, params = message.get("method"), message.get("id"), message.get("params", {})
    if not isinstance(method, str):
        raise Refusal(INVALID_REQUEST, "a request has a method")
    if "id" in message and (isinstance(id, bool) or not isinstance(id, (str, int, float))):
        raise Refusal(INVALID_REQUEST, "the id of a request is a text or a number")
    if not isinstance(params, dict):
        raise Refusal(INVALID_PARAMS, "params are an object")
    return Request(id, method, params, "id" not in message)


def id_of(message: Any) -> Any:
    """The id to answer to, where a message has one that can be used."""
    id = message.get("id") if isinstance(message, dict) else None
    return id if isinstance(id, (str, int, float)) and not isinstance(id, bool) else None


def result(id: Any, found: Json) -> Json:
    """An answer."""
    return {"jsonrpc": "2.0", "id": id, "result": found}


def failure(id: Any, refusal: Refusal) -> Json:
    """An error as an answer."""
    error: Json = {"code": refusal.code, "message": str(refusal)}
    if refusal.data is not None:
        error["data"] = refusal.data
    return {"jsonrpc": "2.0", "id": id, "error": error}


def line_of(answer: Any) -> bytes:
    """One line in ASCII: nothing in it can break a line, whatever stands in somebody's id."""
    return json.dumps(answer, separators=(",", ":")).encode("ascii") + b"\n"


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} is no number in JSON")
