"""The description of the API: valid OpenAPI 3.1, complete, and never broken for those who built on it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from orchestrator.http.api.frame import PREFIX
from orchestrator.http.app import make_app
from tests.http.api_tables import PAGE, with_tables
from tests.http.installation import BASE, installation

SHAPE = Path(__file__).parent / "openapi_shape.json"
"""What clients rely on, as it was when it was written. `python -m tests.http.test_api_document` adds what is new."""


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    answer = TestClient(make_app(installation()), base_url=BASE).get("/openapi.json")
    assert answer.status_code == 200
    found: dict[str, Any] = answer.json()
    return found


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in sorted(document["paths"].items()):
        if path.startswith(PREFIX):
            for method, operation in sorted(methods.items()):
                yield f"{method.upper()} {path}", operation


def _all(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from _all(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _all(inner)


def _resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def shape_of(document: dict[str, Any]) -> dict[str, Any]:
    """What a client relies on: parameters, fields of bodies, statuses, fields of answers."""
    shape = {}
    for name, operation in _operations(document):
        body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        body = _resolved(document, body)
        answers = {}
        for status, answer in operation["responses"].items():
            if status.startswith("2"):
                content = answer.get("content", {})
                answers[status] = sorted(set(_fields(document, next(iter(content.values()), {}).get("schema", {}))))
        shape[name] = {
            "scope": operation["x-scope"],
            "parameters": sorted(one["name"] for one in operation["parameters"]),
            "required": sorted(one["name"] for one in operation["parameters"] if one.get("required")),
            "body": sorted(body.get("properties", {})),
            "body_required": sorted(body.get("required", [])),
            "answers": answers,
        }
    return shape


def _fields(document: dict[str, Any], schema: dict[str, Any], before: str = "", depth: int = 0) -> Iterator[str]:
    schema = _resolved(document, schema)
    if "items" in schema and depth < 4:
        yield from _fields(document, schema["items"], before + "[]", depth + 1)
    for name, inner in schema.get("properties", {}).items():
        yield f"{before}.{name}"
        if depth < 4:
            yield from _fields(document, inner, f"{before}.{name}", depth + 1)


def test_it_is_openapi_3_1(document: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema", reason="schemathesis brings it")
    assert document["openapi"].startswith("3.1.")
    for name, schema in document["components"]["schemas"].items():
        jsonschema.Draft202012Validator.check_schema(schema)
        assert re.fullmatch(r"[A-Za-z0-9]+", name), f"{name}: two areas have a model of one name"
    for one in _all(document):
        if "$ref" in one:
            assert one["$ref"].rpartition("/")[2] in document["components"]["schemas"], one
    ids = [operation["operationId"] for _, operation in _operations(document)]
    assert len(ids) == len(set(ids)) > 50


def test_every_operation_is_whole(document: dict[str, Any]) -> None:
    for name, operation in _operations(document):
        assert operation["summary"] and operation["tags"] and operation["security"], name
        statuses = operation["responses"].keys()
        assert {"400", "401", "403", "429", "500", "503"} <= statuses, name
        in_path = {one["name"] for one in operation["parameters"] if one["in"] == "path"}
        assert in_path == set(re.findall(r"{(\w+)}", name)), name
        assert ("404" in statuses) == bool(in_path) or "404" in statuses, name
        if not name.startswith("GET"):
            assert "Idempotency-Key" in {one["name"] for one in operation["parameters"]}, name
        for schema in _all(operation.get("requestBody", {})):
            assert schema.get("type") != "object" or "properties" in schema or "additionalProperties" in schema, name


def test_nothing_is_broken_for_clients(document: dict[str, Any]) -> None:
    now, known = shape_of(document), json.loads(SHAPE.read_text(encoding="utf-8"))
    broken = []
    for name, before in known.items():
        after = now.get(name)
        if after is None:
            broken.append(f"{name} is gone")
            continue
        gone = set(before["parameters"]) - set(after["parameters"]) | set(before["body"]) - set(after["body"])
        broken += [f"{name} takes no {one} any more" for one in sorted(gone)]
        for part in ("required", "body_required"):
            broken += [f"{name} needs {one} now" for one in sorted(set(after[part]) - set(before[part]))]
        for status, fields in before["answers"].items():
            left = set(fields) - set(after["answers"].get(status, []))
            broken += [f"{name} answers {status} without {one}" for one in sorted(left)]
        if before["scope"] != after["scope"]:
            broken.append(f"{name} needs the scope {after['scope']} now")
    assert broken == []
    assert now.keys() == known.keys(), "new routes: python -m tests.http.test_api_document"


def test_the_tables_of_the_page_are_those_of_the_code() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert with_tables(text, installation()) == text, "python -m tests.http.api_tables writes them"


if __name__ == "__main__":
    made = shape_of(TestClient(make_app(installation()), base_url=BASE).get("/openapi.json").json())
    SHAPE.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
