"""The frame of `/api/v1`: how an area adds a route, and what every request goes through.

    def add_things_api(api: Api) -> None:
        api.add("GET", "/things", _list, scope="offers:read", tag="things", summary="List things", answer=Thing,
                paged=True, query=(values.text("name", "Only of this name"),))
        api.add("GET", "/things/{id}", _get, scope="offers:read", tag="things", summary="Read a thing", answer=Thing,
                refusals={404: "There is no such thing"})
        api.add("POST", "/things/{id}/close", _close, scope="coupons:write", tag="things", summary="Close a thing",
                body=Closing, answer=Thing, refusals={404: "There is no such thing", 409: "It is closed already"})

    class Thing(values.Shown): ...        # describes the answer (or a JSON schema); fields: values.InstantShown, ...
    class Closing(values.Body): ...       # a pydantic model that is read strictly; call.body is one (or a JSON schema:
                                          # call.body is then plain JSON, unread)

    def _list(call: Call) -> Answer:      # a plain `def`: it runs in the thread pool, and may block
        found = call.store.things(call.query["name"], call.after, call.limit + 1)     # keyset: one more than `limit`
        return call.page(found, _shown, lambda thing: (thing.name, thing.id))         # items, next_cursor

    def _get(call: Call) -> Answer:
        thing = call.store.thing(call.path["id"])
        if thing is None:
            raise unknown("unknown_thing", "there is no thing of this id")            # any HttpRefusal: problem details
        return Answer(_shown(thing))                                                  # ETag and If-None-Match by itself

`add_things_api` is called in http/api/routes.py. Paths are below /api/v1; a name in braces is one segment, decoded
(`a%2Fb` is one). `call` has store, service, caller, actor (for `store.audit`), now (journey time), real_at, path,
query, body, limit, after, once (an id of this write: the message id of what it sends to `ingest_once`).
`call.must_match(document)` in a write with `versioned=True` refuses (412) what was changed since the caller read it:
`document` is what GET answers. `Answer(document, status)`; `Answer(status=204)`; `Answer(body=..., media=...)`.

What no route needs to do: authentication (Bearer or Basic user) and the scope; 401, 403, 429 with RateLimit headers;
unknown or malformed parameters (400); bodies that are no JSON, too large, not of the model (400, 413, 415, 422); texts
that no database takes (422); Idempotency-Key on every write; ETag on every GET; StoreBusy (503); X-Request-Id. Each
operation stands in /openapi.json with all of its statuses: `refusals` names those of its own only (404 of a path with
names, 409, 422 ...). What the tests need: tests/http/test_api_roles.py walks all operations by itself;
tests/http/api_schemathesis.py calls them with generated data against its schema.
"""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import FastAPI
from pydantic import TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.core.expression.nearest import nearest
from orchestrator.errors import UsageError
from orchestrator.http.api.access import KeyRing, caller_of, check_scope, refuse_strangers, ring_of
from orchestrator.http.api.call import Answer, Call, Caller, tag_of
from orchestrator.http.api.cursors import LONGEST_CURSOR, key_of
from orchestrator.http.api.once import HEADER, done_once, fingerprint_of, given_key, write_id
from orchestrator.http.api.operation import Endpoint, Method, Operation, Schema, decoded
from orchestrator.http.api.values import Parameter, text, unfit, whole
from orchestrator.http.problems import RETRY_AFTER_S, HttpRefusal, busy, json_bytes, problem
from orchestrator.http.raw_body import read_body, unpacked
from orchestrator.http.service import Service
from orchestrator.http.strict_json import read_json, text_of
from orchestrator.http.write_key import given_secret
from orchestrator.runtime.scopes import SCOPES
from orchestrator.stores.protocol import StoreBusy

PREFIX: Final = "/api/v1"
LARGEST_BODY: Final = 256 * 1024
"""Bytes, unpacked, unless an operation says otherwise."""
PAGE: Final = 50
MOST_ITEMS: Final = 200
_PAGING: Final = (
    whole("limit", f"How many items a page has; {PAGE} by default", 1, MOST_ITEMS),
    text("cursor", "`next_cursor` of the page before; with the same filters", LONGEST_CURSOR),
)
_METHODS: Final = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"]
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9._-]{1,100}")
_JSON_MEDIA: Final = re.compile(r"application/(?:[a-z0-9.+-]+\+)?json", re.IGNORECASE)

_log = logging.getLogger(__name__)


class Api:
    """The operations of `/api/v1`."""

    def __init__(self, service: Service, ring: KeyRing | None = None) -> None:
        self.service = service
        self.ring = ring if ring is not None else ring_of(service.store)
        self.operations: list[Operation] = []
        self._readers: dict[tuple[str, str], TypeAdapter[Any]] = {}

    def add(
        self,
        method: Method,
        path: str,
        endpoint: Endpoint,
        *,
        scope: str,
        tag: str,
        summary: str,
        description: str = "",
        answer: Schema | None = None,
        status: int = 200,
        media: str = "application/json",
        body: Schema | None = None,
        body_required: bool = True,
        query: Iterable[Parameter] = (),
        paged: bool = False,
        versioned: bool = False,
        refusals: Mapping[int, str] | None = None,
        longest_body: int = LARGEST_BODY,
    ) -> None:
        """Add a route. `answer` None: no content (204). `paged`: `answer` describes one item; the query gets `limit`
        and `cursor`. `versioned`: a write that minds If-Match. `refusals`: what else it may answer, and when."""
        assert scope in SCOPES, scope
        operation = Operation(
            method, path, tuple(path.strip("/").split("/")), endpoint, scope, summary, description, tag,
            _name_of(method, path), answer, 204 if answer is None and media == "application/json" else status, media,
            body, body_required, (*query, *(_PAGING if paged else ())), paged, method == "GET", versioned,
            dict(refusals or {}), longest_body,
        )  # fmt: skip
        self.operations.append(operation)
        if isinstance(body, type):
            self._readers[_key(operation)] = TypeAdapter(body)

    def mount(self, app: FastAPI) -> None:
        """Serve the operations, and every other path below /api/v1."""

        async def endpoint(request: Request) -> Response:
            return await self.answer(request)

        app.add_route(PREFIX + "/{rest:path}", endpoint, methods=_METHODS, include_in_schema=False)

    # --- one request --------------------------------------------------------------------------------------------------

    async def answer(self, request: Request) -> Response:
        """The answer to a request, whatever it is."""
        asked = request.headers.get("x-request-id", "")
        request_id = asked if _REQUEST_ID.fullmatch(asked) else secrets.token_hex(8)
        headers: dict[str, str] = {"X-Request-Id": request_id, "Cache-Control": "no-store"}
        try:
            operation, path = self._found(request)
            caller = await run_in_threadpool(self._admitted, request, operation, headers)
            body = b""
            if operation.body is not None:
                raw = await read_body(request, operation.longest_body)
                body = unpacked(raw, request.headers.get("content-encoding"), operation.longest_body)
            made = await run_in_threadpool(self._answered, request, operation, path, caller, body, request_id)
        except _Invalid as invalid:
            made = problem(HttpRefusal(422, invalid.code, invalid.detail), invalid.errors)
        except HttpRefusal as refusal:
            made = problem(refusal)
        except StoreBusy:
            made = problem(busy())
        except UsageError as error:  # nothing is deployed yet
            made = problem(HttpRefusal(503, error.code, str(error), {"Retry-After": str(RETRY_AFTER_S)}))
        except Exception:
            _log.exception("request %s to the API failed", request_id)
            detail = f"the mistake is ours; it is in the server's log as request {request_id}"
            made = problem(HttpRefusal(500, "internal", detail))
        for name, value in headers.items():
            made.headers.setdefault(name, value)
        return made

    def _found(self, request: Request) -> tuple[Operation, dict[str, str]]:
        segments = tuple(_raw_path(request).strip("/").split("/"))
        others = set()
        for operation in self.operations:
            given = operation.match(segments)
            if given is None:
                continue
            if operation.method != request.method:
                others.add(operation.method)
                continue
            values = decoded(given)
            if values is None:
                raise HttpRefusal(404, "no_such_address", "nothing can have such a name")
            return operation, values
        if others:
            allow = ", ".join(sorted(others))
            raise HttpRefusal(405, "method_not_allowed", f"possible here: {allow}", {"Allow": allow})
        raise HttpRefusal(404, "no_such_address", "there is nothing at this address; /openapi.json lists what there is")

    def _admitted(self, request: Request, operation: Operation, headers: dict[str, str]) -> Caller:
        service, real_at = self.service, self.service.real_now()
        given = given_secret(request.headers.get("authorization"))
        caller = caller_of(self.ring, service.api_keys, service.write_keys, given, real_at)
        refuse_strangers(caller, request.headers, service.base_url)
        check_scope(caller, operation.scope)
        if caller.rate is not None:
            allowance = self.ring.take(caller.id, caller.rate, 1, real_at)
            burst = int(max(caller.rate, 1.0))
            headers["RateLimit-Policy"] = f'"key";q={burst};w={max(1, round(burst / caller.rate))}'
            headers["RateLimit"] = f'"key";r={allowance.left or 0};t={allowance.after}'
            if not allowance.allowed:
                detail = f"this key may send {caller.rate:g} requests a second; come again after {allowance.after} s"
                raise HttpRefusal(429, "too_many_requests", detail, {"Retry-After": str(allowance.after)})
        return caller

    def _answered(
        self, request: Request, operation: Operation, path: dict[str, str], caller: Caller, body: bytes, id: str
    ) -> Response:
        query = _query(operation, request.scope.get("query_string", b""))
        key = given_key(request.headers.get(HEADER)) if operation.writes else None
        document = self._body(operation, request, body)
        real_at = self.service.real_now()
        call = Call(
            self.service, caller, _place(operation, path, query), path, query, document,
            self.service.journey_now(), real_at,
            write_id(caller.id, key) if key is not None else "api-" + secrets.token_hex(16),
            if_match=_tags(request.headers.get("if-match")), request_id=id, headers=request.headers,
        )  # fmt: skip
        if operation.paged:
            call.limit = query.get("limit") or PAGE
            cursor = query.get("cursor")
            call.after = key_of(self.service.secret, call.place, cursor) if cursor is not None else None
        if key is not None:
            target = f"{request.url.path}?{request.url.query} {request.headers.get('if-match', '')}"
            fingerprint = fingerprint_of(operation.method, target, body)
            store = self.service.store
            made = done_once(store, caller.id, key, fingerprint, real_at, lambda: operation.endpoint(call))
        else:
            made = operation.endpoint(call)
        return _response(operation, made, _tags(request.headers.get("if-none-match")))

    def _body(self, operation: Operation, request: Request, body: bytes) -> Any:
        if operation.body is None:
            return None
        media = request.headers.get("content-type", "").partition(";")[0].strip()
        if media and not _JSON_MEDIA.fullmatch(media):
            raise HttpRefusal(415, "no_json", "send JSON: Content-Type: application/json")
        if not body and not operation.body_required:
            return None
        document = read_json(text_of(body))
        if (b"\\u" in body or b"\0" in body) and unfit(document):
            detail = "a text holds U+0000 or half of a character, which no database takes"
            raise HttpRefusal(422, "unfit_text", detail)
        reader = self._readers.get(_key(operation))
        if reader is None:
            return document
        try:
            return reader.validate_python(document, strict=True)
        except ValidationError as error:
            raise _Invalid(error) from None
        except RecursionError:
            raise HttpRefusal(400, "nested_too_deeply", "the JSON is nested too deeply") from None


class _Invalid(Exception):
    """A body that is not of its model: every place where it is not."""

    def __init__(self, error: ValidationError) -> None:
        found = error.errors(include_url=False, include_context=False, include_input=False)[:100]
        self.code = "invalid_body"
        self.errors = [
            {
                "pointer": "/" + "/".join(str(part).replace("~", "~0").replace("/", "~1") for part in one["loc"]),
                "code": one["type"],
                "detail": one["msg"].removeprefix("Value error, "),
            }
            for one in found
        ]
        first = self.errors[0]
        self.detail = f"the body is not what is expected: {first['pointer']}: {first['detail']}"
        super().__init__(self.detail)


def _key(operation: Operation) -> tuple[str, str]:
    return (operation.method, operation.path)


def _name_of(method: str, path: str) -> str:
    words = [part.strip("{}") for part in path.strip("/").split("/")]
    return "_".join([method.lower(), *(re.sub(r"[^a-z0-9]+", "_", word) for word in words)])


def _raw_path(request: Request) -> str:
    """The path below /api/v1, still encoded: an id may hold a slash."""
    raw = request.scope.get("raw_path")
    path = str(raw.decode("latin-1") if raw else request.scope["path"]).partition("?")[0]
    root = str(request.scope.get("root_path", "")).rstrip("/")
    if root and path.startswith(root + "/"):
        path = path[len(root) :]
    return path.removeprefix(PREFIX)


def _query(operation: Operation, query_string: bytes) -> dict[str, Any]:
    known = {parameter.name: parameter for parameter in operation.query}
    values: dict[str, Any] = dict.fromkeys(known)
    try:
        given = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, errors="strict", max_num_fields=50)
    except ValueError:
        raise HttpRefusal(400, "bad_parameter", "the query cannot be read: it has to be UTF-8, in %XX") from None
    seen = set()
    for name, value in given:
        parameter = known.get(name)
        if parameter is None:
            near = nearest(name, known)
            why = f"did you mean {near}?" if near else f"possible: {', '.join(known) or 'none'}"
            raise HttpRefusal(400, "unknown_parameter", f"there is no parameter {name[:60]!a}; {why}")
        if name in seen:
            raise HttpRefusal(400, "bad_parameter", f"{name} stands twice")
        seen.add(name)
        try:
            if unfit(value):
                raise ValueError("it holds a character that no database takes")
            values[name] = parameter.read(value)
        except ValueError as error:
            raise HttpRefusal(400, "bad_parameter", ascii(f"{name}: {error}")[1:-1]) from None
    for name, parameter in known.items():
        if parameter.required and name not in seen:
            raise HttpRefusal(400, "missing_parameter", f"{name} is needed: {parameter.description}")
    return values


def _place(operation: Operation, path: Mapping[str, str], query: Mapping[str, Any]) -> str:
    filters = sorted((name, str(value)) for name, value in query.items() if name not in ("limit", "cursor"))
    return f"{operation.name} {sorted(path.items())} {filters}"


def _tags(header: str | None) -> tuple[str, ...]:
    return tuple(one.strip().removeprefix("W/") for one in header.split(",")) if header else ()


def _response(operation: Operation, made: Answer, unless: tuple[str, ...]) -> Response:
    headers = dict(made.headers)
    if made.body is None and made.document is None:
        return Response(None, made.status if made.status != 200 else 204, headers)
    data = made.body if made.body is not None else json_bytes(made.document)
    if operation.tagged and made.status == 200:
        headers["ETag"] = tag = tag_of(data)
        headers.setdefault("Cache-Control", "private, no-cache")
        if tag in unless or "*" in unless:
            return Response(None, 304, headers)
    return Response(data, made.status, headers, made.media)
