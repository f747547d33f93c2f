"""The published schemas: valid, complete, true to the models, and found by editors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from orchestrator.definitions.field_kinds import KIND_KEY
from orchestrator.definitions.json_schema import SCHEMA_FOLDER, SCHEMAS, SETTINGS, modeline, schemas, write_schemas
from orchestrator.definitions.models.journey import JourneyModel
from orchestrator.definitions.validation import validate
from orchestrator.definitions.yaml_loader import load_document

CASES = Path(__file__).resolve().parent.parent.parent / "cases" / "lint" / "loading"
GOOD = sorted((CASES / "five_journeys").rglob("*.yaml")) + sorted((CASES / "every_key").rglob("*.yaml"))


@cache
def made() -> dict[str, dict[str, Any]]:
    """All schemas; made once, when a test first asks."""
    return dict(schemas())


def errors(name: str, data: Any) -> list[str]:
    validator = jsonschema.Draft202012Validator(made()[name])
    return [error.message for error in validator.iter_errors(data)]


def kind_of(path: Path) -> str:
    return path.stem if path.parent.name == "journeys" else "journey"


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_is_a_valid_schema(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(made()[name])
    assert made()[name]["$schema"].endswith("2020-12/schema")
    json.dumps(made()[name])


@pytest.mark.parametrize("path", GOOD, ids=lambda path: path.name)
def test_accepts_good_files(path: Path) -> None:
    assert errors(kind_of(path), load_document(path.name, path.read_text(encoding="utf-8")).data) == []


@pytest.mark.parametrize(
    "steps",
    [
        "[{emial: a}]", "[{email: a, sms: b}]", "[{email: a, topic: b}]", "[{email: {template: a, topik: b}}]",
        "[{email: 404}]", "[{email: }]", "[{wait: 3}]", "[{wait: {event: e, up_to: 3 days}}]",
        "[{wait: {for: 3d, until: x}}]",
        '[{if: "{{ x }}"}]', "[{split: {variants: {a: []}}}]", "[{send: {first_of: [email]}}]",
        "[{repeat: {times: 0}}]",
        "[exit]", "{email: a}", "[{set: {plan: gold}}]", "[{coupon: {offer: o, on_exhausted: leave}}]",
        "[{collect: {event: a}}]",
    ],
)  # fmt: skip
def test_refuses_what_the_models_refuse(steps: str) -> None:
    document = load_document("a.yaml", f"journey: j\nenter: {{api: true}}\nsteps: {steps}\n")
    assert errors("journey", document.data)
    assert validate(document, JourneyModel)[0] is None


def test_every_field_is_described_and_says_its_kind() -> None:
    for name, schema in made().items():
        for key, part in _properties(schema):
            assert part.get("description"), f"{name}: {key}"
    kinds = {
        part[KIND_KEY] for schema in made().values() for part in _parts(schema) if isinstance(part.get(KIND_KEY), str)
    }
    assert {"expression", "template", "plain", "data"} <= kinds
    fields = dict(_properties(made()["journey"]["$defs"]["Goal"]))
    assert fields["value"][KIND_KEY] == "expression"
    assert "without braces" in fields["value"]["description"]
    assert fields["within"][KIND_KEY] == "plain"


def test_later_keys_are_not_offered() -> None:
    assert "inputs" not in made()["journey"]["properties"]
    assert "winner" not in made()["journey"]["$defs"]["Split"]["properties"]
    assert "collect" not in made()["journey"]["$defs"]["Step"]["properties"]


def test_written_where_files_and_editors_look(tmp_path: Path) -> None:
    (tmp_path / "journeys" / "life").mkdir(parents=True)
    (tmp_path / ".vscode").mkdir()
    (tmp_path / SETTINGS).write_text('{"editor.tabSize": 2, "yaml.schemas": {"x.json": "y"}}', encoding="utf-8")
    written = write_schemas(tmp_path)
    assert {path.name for path in written} >= {"journey.json", "project.json", "settings.json"}
    settings = json.loads((tmp_path / SETTINGS).read_text(encoding="utf-8"))
    assert settings["editor.tabSize"] == 2
    assert settings["yaml.schemas"]["x.json"] == "y"
    assert settings["yaml.schemas"][f"./{SCHEMA_FOLDER}/journey.json"] == ["journeys/life/*.yaml"]
    line = modeline("journeys/life/a.yaml")
    target = line.partition("$schema=")[2]
    assert (tmp_path / "journeys" / "life" / target).resolve() == (tmp_path / SCHEMA_FOLDER / "journey.json").resolve()
    assert write_schemas(tmp_path) == written


def test_settings_that_cannot_be_read_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".vscode").mkdir()
    (tmp_path / SETTINGS).write_text("{ // a comment\n}", encoding="utf-8")
    assert tmp_path / SETTINGS not in write_schemas(tmp_path)
    assert (tmp_path / SETTINGS).read_text(encoding="utf-8") == "{ // a comment\n}"


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from _parts(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _parts(value)


def _properties(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    for part in _parts(schema):
        properties = part.get("properties")
        if isinstance(properties, dict) and all(isinstance(value, dict) for value in properties.values()):
            yield from properties.items()
