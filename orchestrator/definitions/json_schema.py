"""The published JSON Schemas (2020-12) of every kind of file, and how editors are told about them.

`SCHEMAS` is the register: a kind of file is added by adding its model.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from orchestrator.definitions.expectation_models import TestModel, TestsModel
from orchestrator.definitions.field_docs import field_docs
from orchestrator.definitions.field_kinds import KIND_KEY
from orchestrator.definitions.mapping_models import MappingModel
from orchestrator.definitions.models.forms import FormModel
from orchestrator.definitions.models.front_matter import FrontMatter
from orchestrator.definitions.models.journey import JourneyModel
from orchestrator.definitions.models.message_templates import (
    InboxTemplate,
    PushTemplate,
    WechatTemplate,
    WhatsappTemplate,
)
from orchestrator.definitions.models.offers import OffersModel
from orchestrator.definitions.models.project import ProjectModel
from orchestrator.definitions.models.schema import SchemaModel
from orchestrator.definitions.models.segments import SegmentsModel
from orchestrator.definitions.scenario_models import ScenarioModel
from orchestrator.definitions.shapes import SHORT_FOR

DIALECT = "https://json-schema.org/draft/2020-12/schema"

SCHEMAS: dict[str, type[BaseModel]] = {
    "journey": JourneyModel,
    "project": ProjectModel,
    "schema": SchemaModel,
    "segments": SegmentsModel,
    "offers": OffersModel,
    "form": FormModel,
    "tests": TestsModel,
    "scenario": ScenarioModel,
    "mapping": MappingModel,
    "front_matter": FrontMatter,
    "push_template": PushTemplate,
    "whatsapp_template": WhatsappTemplate,
    "wechat_template": WechatTemplate,
    "inbox_template": InboxTemplate,
}
"""Kinds of files and their models."""

_KIND_WORDS = {
    "expression": "An expression, without braces.",
    "template": "A template: {{ }} inserts values.",
    "plain": "",
    "data": "Taken as it stands.",
}


def schemas() -> dict[str, dict[str, Any]]:
    """The schema of every kind of file, by its name."""
    return {name: _schema(name, model) for name, model in SCHEMAS.items()}


def _schema(name: str, model: type[BaseModel]) -> dict[str, Any]:
    schema = model.model_json_schema(schema_generator=_Generator)
    if name == "journey":
        _add_tests(schema)
    title = f"{name.replace('_', ' ')} file"
    schema = {"$schema": DIALECT, "title": title, **schema}
    for part in _parts(schema):
        _spell_short_form(part, schema.get("$defs", {}))
        _tell_kind(part)
    return schema


def _spell_short_form(part: dict[str, Any], definitions: dict[str, Any]) -> None:
    """A short form is checked like the key of the full form that it stands for."""
    short = part.get("then")
    if isinstance(short, dict) and (key := short.get(SHORT_FOR)):
        full = part["else"]
        full = definitions[full["$ref"].rsplit("/", 1)[-1]] if "$ref" in full else full
        meant = full["properties"][key]
        part["then"] = {name: value for name, value in meant.items() if name not in ("description", "default")}


def _add_tests(schema: dict[str, Any]) -> None:
    """A journey's own `tests` are read by another model than the journey."""
    tests = TestModel.model_json_schema(schema_generator=_Generator)
    inner = tests.pop("$defs", {})
    schema["$defs"] |= {name: part for name, part in inner.items() if name not in schema["$defs"]}
    schema["$defs"]["TestModel"] = tests
    described = schema["properties"]["tests"].get("description", "")
    schema["properties"]["tests"] = {
        "type": "array", "items": {"$ref": "#/$defs/TestModel"}, "description": described
    }  # fmt: skip


class _Generator(GenerateJsonSchema):
    """Without the library's titles and nulls, and with the fields' docstrings."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Never: a key is its own title."""
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """A field that may be left out is not one that may be null."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Only defaults that say something: words, numbers and truth values."""
        made = super().default_schema(schema)
        if not isinstance(made.get("default"), (str, int, float)) or made["default"] == "":
            made.pop("default", None)
        return made

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Names of a mapping are checked too."""
        made = super().dict_schema(schema)
        for pattern, values in made.pop("patternProperties", {}).items():
            made["additionalProperties"] = values
            made["propertyNames"] = {"pattern": pattern}
        return made

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """The fields with their docstrings, which stand before what their types say."""
        made = super().model_schema(schema)
        made.pop("title", None)
        model: type[BaseModel] = schema["cls"]
        docs = {name.rstrip("_"): text for name, text in field_docs(model).items()}
        for key, part in made.get("properties", {}).items():
            if key in docs:
                part["description"] = docs[key]
        return made


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from _parts(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _parts(value)


def _tell_kind(part: dict[str, Any]) -> None:
    """Puts a field's kind into its description, where editors show it."""
    kind = part.get(KIND_KEY) if isinstance(part.get(KIND_KEY), str) else None
    words = _KIND_WORDS.get(kind or "", "")
    described = part.get("description")
    if words and isinstance(described, str) and words.split(":")[0].rstrip(".") not in described:
        part["description"] = f"{described} {words}"


# --- editors --------------------------------------------------------------------------------------------------------

SCHEMA_FOLDER = "journeys/.schema"
SETTINGS = ".vscode/settings.json"

_FILES: dict[str, Callable[[Path], list[str]]] = {
    "project": lambda root: ["journeys/project.yaml"],
    "schema": lambda root: ["journeys/schema.yaml"],
    "segments": lambda root: ["journeys/segments.yaml"],
    "offers": lambda root: ["journeys/offers.yaml"],
    "form": lambda root: ["journeys/forms/*.yaml"],
    "tests": lambda root: ["journeys/tests/*.yaml", "journeys/tests/**/*.yaml"],
    "scenario": lambda root: ["scenarios/*.yaml", "*.scenario.yaml"],
    "mapping": lambda root: ["*.mapping.yaml"],
    "journey": lambda root: [f"journeys/{area}/*.yaml" for area in _areas(root)],
    "push_template": lambda root: ["templates/push/*.yaml"],
    "whatsapp_template": lambda root: ["templates/whatsapp/*.yaml"],
    "wechat_template": lambda root: ["templates/wechat/*.yaml"],
    "inbox_template": lambda root: ["templates/inbox/*.yaml"],
}


def write_schemas(root: Path) -> list[Path]:
    """Writes the schemas and the editor association of the project at `root`; the files written, in order.

    Settings of the editor that are there already are kept; a settings file that is not plain JSON is left alone, and
    is then not among the files written.
    """
    folder = root / SCHEMA_FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, schema in schemas().items():
        file = folder / f"{name}.json"
        file.write_text(json.dumps(schema, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(file)
    if settings := _settings(root):
        file = root / SETTINGS
        file.parent.mkdir(exist_ok=True)
        file.write_text(settings, encoding="utf-8")
        written.append(file)
    return written


def modeline(path: str, kind: str = "journey") -> str:
    """The first line that tells editors the schema of the file at `path` (relative to the project, with `/`)."""
    up = "../" * (path.count("/") - 1) or "./"
    return f"# yaml-language-server: $schema={up}.schema/{kind}.json"


def _settings(root: Path) -> str | None:
    file = root / SETTINGS
    settings: Any = {}
    if file.exists():
        try:
            settings = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
    if not isinstance(settings, dict):
        return None
    known = settings.get("yaml.schemas")
    ours = {f"./{SCHEMA_FOLDER}/{name}.json": files(root) for name, files in _FILES.items()}
    settings["yaml.schemas"] = {**(known if isinstance(known, dict) else {}), **ours}
    return json.dumps(settings, indent=2, ensure_ascii=False) + "\n"


def _areas(root: Path) -> list[str]:
    journeys = root / "journeys"
    folders = sorted(entry.name for entry in journeys.iterdir() if entry.is_dir()) if journeys.is_dir() else []
    return [name for name in folders if name not in ("tests", "catalogs", "forms") and not name.startswith(".")]
