"""The operations of the API in words of OpenAPI 3.1: every parameter, body, answer and refusal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from orchestrator.http.api.once import LONGEST
from orchestrator.http.api.operation import Operation
from orchestrator.http.api.values import LONGEST_ID, Parameter
from orchestrator.http.problems import PROBLEM_JSON

_Mode = Literal["validation", "serialization"]
Refs = Mapping[tuple[Any, _Mode], dict[str, Any]]
"""Where each model stands in the document."""
_REF: Final = "#/components/schemas/{model}"
PROBLEM: Final[dict[str, Any]] = {
    "type": "object",
    "description": "Problem details (RFC 9457)",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable, for machines"},
        "detail": {"type": "string", "description": "What was found, what was expected, and what to do"},
        "message": {"type": "string"},
        "success": {"const": False},
        "errors": {"type": "array", "items": {"type": "object"}},
    },
}
_EVERYWHERE: Final = {
    400: "The request cannot be read: its parameters, cursor or JSON",
    401: "There is no key, or none that is known",
    403: "The key may not do this",
    429: "The key sends too many requests; see Retry-After",
    500: "The mistake is ours",
    503: "Try again after Retry-After seconds",
}
_OF_BODIES: Final = {
    408: "The body came too slowly",
    413: "The body is too large",
    415: "The body is no JSON, or packed otherwise than with gzip",
    422: "The body is not what is expected; `errors` lists where",
}
_OF_WRITES: Final = {
    409: "The same write is being done just now",
    422: "The Idempotency-Key was sent with another request",
}
_CHANGED: Final = {412: "It was changed since it was read (If-Match)"}


def paths_of(operations: Iterable[Operation], prefix: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """`paths` and `components.schemas` of the document."""
    operations = list(operations)
    found: dict[tuple[Any, _Mode], None] = {}
    for operation in operations:
        found |= dict.fromkeys((model, "validation") for model in _models_in(operation.body))
        found |= dict.fromkeys((model, "serialization") for model in _models_in(operation.answer))
    refs, document = models_json_schema(list(found), ref_template=_REF)
    paths: dict[str, Any] = {}
    for operation in operations:
        paths.setdefault(prefix + operation.path, {})[operation.method.lower()] = _described(operation, refs)
    return paths, {"Problem": PROBLEM, **document.get("$defs", {})}


def _models_in(schema: Any) -> Iterator[type[BaseModel]]:
    if isinstance(schema, type):
        yield schema
    elif isinstance(schema, Mapping):
        for inner in schema.values():
            yield from _models_in(inner)


def _described(operation: Operation, refs: Refs) -> dict[str, Any]:
    out: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "security": [{"apiKey": []}, {"apiKeyBasic": []}, {}],
        "x-scope": operation.scope,
        "parameters": [*_path(operation), *map(_parameter, operation.query), *_headers(operation)],
        "responses": _responses(operation, refs),
    }
    words = [operation.description, f"Scope: `{operation.scope}`."]
    out["description"] = "\n\n".join(word for word in words if word)
    if operation.body is not None:
        content = {"application/json": {"schema": _schema(operation.body, "validation", refs)}}
        out["requestBody"] = {"required": operation.body_required, "content": content}
    return out


def _schema(schema: Any, mode: _Mode, refs: Refs) -> Any:
    """A schema as the document has it: in place of models, where they stand in it."""
    if isinstance(schema, type):
        return refs[schema, mode]
    if isinstance(schema, Mapping):
        return {name: _schema(inner, mode, refs) for name, inner in schema.items()}
    return schema


def _path(operation: Operation) -> list[dict[str, Any]]:
    names = [part[1:-1] for part in operation.segments if part.startswith("{")]
    one = {"type": "string", "minLength": 1, "maxLength": LONGEST_ID}
    return [{"name": name, "in": "path", "required": True, "schema": one} for name in names]


def _parameter(parameter: Parameter) -> dict[str, Any]:
    name, description, schema, _, required, place = parameter
    return {"name": name, "in": place, "required": required, "description": description, "schema": schema}


def _headers(operation: Operation) -> list[dict[str, Any]]:
    out = []
    if operation.writes:
        described = "Sent again under the same key, a write is answered again and not done again (24 hours)"
        key = {"type": "string", "minLength": 1, "maxLength": LONGEST, "pattern": "^[\\x21-\\x7e]+$"}
        out.append({"name": "Idempotency-Key", "in": "header", "description": described, "schema": key})
    if operation.versioned:
        described = "The ETag of what was read: refused with 412 where it was changed since"
        out.append({"name": "If-Match", "in": "header", "description": described, "schema": _TAG})
    if operation.tagged:
        described = "The ETag of what is known: answered with 304 where nothing changed"
        out.append({"name": "If-None-Match", "in": "header", "description": described, "schema": _TAG})
    return out


_TAG: Final = {"type": "string"}


def _responses(operation: Operation, refs: Refs) -> dict[str, Any]:
    responses: dict[str, Any] = {str(operation.status): _done(operation, refs)}
    if operation.tagged:
        responses["304"] = {"description": "Nothing changed since"}
    refusals: dict[int, str] = dict(_EVERYWHERE)
    if "{" in operation.path:
        refusals[404] = "There is no such thing"
    parts: list[Mapping[int, str]] = []
    if operation.writes:
        parts.append(_OF_WRITES)
    if operation.body is not None:
        parts.append(_OF_BODIES)
    if operation.versioned:
        parts.append(_CHANGED)
    parts.append(operation.refusals)
    for part in parts:
        for status, words in part.items():
            known = refusals.get(status)
            refusals[status] = f"{words}. {known}" if known and known != words else words
    content = {PROBLEM_JSON: {"schema": {"$ref": _REF.format(model="Problem")}}}
    for status in sorted(refusals):
        responses[str(status)] = {"description": refusals[status], "content": content}
    return responses


def _done(operation: Operation, refs: Refs) -> dict[str, Any]:
    headers: dict[str, Any] = {"X-Request-Id": {"schema": {"type": "string"}}}
    if operation.tagged:
        headers["ETag"] = {"schema": {"type": "string"}}
    if operation.answer is None:
        out: dict[str, Any] = {"description": "Done" if operation.writes else "As asked", "headers": headers}
        if operation.status != 204:
            out["content"] = {operation.media: {"schema": {"type": "string"}}}
        return out
    schema = _schema(operation.answer, "serialization", refs)
    if operation.paged:
        schema = {
            "type": "object",
            "required": ["items", "next_cursor"],
            "properties": {
                "items": {"type": "array", "items": schema},
                "next_cursor": {"type": ["string", "null"], "description": "For the next page; null: there is none"},
            },
        }
    content = {operation.media: {"schema": schema}}
    return {"description": "Done" if operation.writes else "As asked", "headers": headers, "content": content}
