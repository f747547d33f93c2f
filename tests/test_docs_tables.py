"""Tables of the documents against the code: expressions and their values, settings, triggers, verbs, lint's words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from orchestrator.cli.commands import COMMANDS
from orchestrator.core.expression.signatures import FILTERS, FUNCTIONS
from orchestrator.definitions.models.flow import STEPS
from orchestrator.definitions.models.triggers import TRIGGERS
from orchestrator.settings import PREFIX, Settings
from orchestrator.stores.protocol import Store
from tests.doc_blocks import blocks_of
from tests.doc_shell import ROOT, Shell

DOCS = ROOT / "docs"
_ROW = re.compile(r"^\| `(?P<expression>(?:[^`])+)` \| (?P<value>.+) \|$", re.MULTILINE)


def rows_of(page: Path) -> Iterator[tuple[str, str]]:
    """(expression, shown value) of every row whose first cell is code."""
    for found in _ROW.finditer(page.read_text(encoding="utf-8")):
        yield found["expression"].replace("\\|", "|"), found["value"]


def value_of(shown: str) -> Any:
    """The value that a cell shows: numbers, words and lists as YAML reads them; dates stay text."""
    if shown == "none":
        return None
    if not shown.startswith("`"):
        return json.loads(shown)
    text = shown.strip("`")
    return yaml.safe_load(text) if text.startswith("[") else text


def test_expressions_are_worth_what_the_page_says(tmp_path: Path) -> None:
    page = DOCS / "authoring" / "expressions.md"
    rows = list(rows_of(page))
    assert len(rows) > 60
    (tmp_path / "page").mkdir()
    shell = Shell(tmp_path / "page", tmp_path / "bin")
    for source in (DOCS / "authoring.md", page):
        for block in blocks_of(source.read_text(encoding="utf-8")):
            if block.file and "alone" not in block.words:
                shell.write(block.file, block.text)
    values = {f"x{number}": f"{{{{ {expression} }}}}" for number, (expression, _) in enumerate(rows)}
    journey = {
        "journey": "examples",
        "topic": "care",
        "enter": {"event": "cart_updated"},
        "steps": [
            {"webhook": {"url": "https://example.com/worth", "body": values}},
            {"wait": "1h"},
            {"id": "hello", "email": "note"},
        ],
    }
    shell.write("journeys/examples.yaml", yaml.safe_dump(journey, allow_unicode=True, width=10_000))
    status, printed = shell.run("orchestrator simulate --scenario story.yaml --json")
    assert status == 0, "\n".join(printed)
    lines = [json.loads(line) for line in printed if line.startswith("{")]
    [found] = [line["body"] for line in lines if line["type"] == "webhook"]
    wrong = {
        expression: found.get(f"x{number}")
        for number, (expression, shown) in enumerate(rows)
        if found.get(f"x{number}") != value_of(shown)
    }
    assert wrong == {}


def test_every_function_and_filter_is_shown() -> None:
    text = "\n".join(expression for expression, _ in rows_of(DOCS / "authoring" / "expressions.md"))
    assert {name for name in FUNCTIONS if f"{name}(" not in text} == set()
    assert {name for name in FILTERS if not re.search(rf"\| {name}\b", text)} == set()


def _example_journeys() -> str:
    pages = [DOCS / "authoring.md", DOCS / "profiles.md", DOCS / "catalogs.md", *(DOCS / "authoring").glob("*.md")]
    blocks = [block for page in pages for block in blocks_of(page.read_text(encoding="utf-8"))]
    return "\n".join(block.text for block in blocks if (block.file or "").startswith("journeys/"))


def test_every_verb_and_trigger_has_an_example() -> None:
    examples = _example_journeys()
    without_provider = {"push", "whatsapp", "wechat", "inbox"}
    named = {*STEPS, *TRIGGERS} - without_provider
    assert {name for name in named if not re.search(rf"\b{name}:", examples)} == set()


def test_the_table_of_settings_is_complete() -> None:
    text = (DOCS / "operations.md").read_text(encoding="utf-8")
    shown = re.findall(rf"^\| `({PREFIX}[A-Z_]+)` \|", text, re.MULTILINE)
    assert sorted(shown) == sorted(PREFIX + name.upper() for name in Settings.model_fields)


def test_every_command_is_listed() -> None:
    text = "".join((DOCS / name).read_text(encoding="utf-8") for name in ("interfaces.md", "operations.md"))
    assert {name for name in COMMANDS if not re.search(rf"^\| [^|]*`{name}\b", text, re.MULTILINE)} == set()


def test_every_method_of_a_store_stands_in_the_guide() -> None:
    methods = {
        name for name, held in vars(Store).items() if name[0] != "_" and (callable(held) or isinstance(held, property))
    }
    text = (DOCS / "add-a-store.md").read_text(encoding="utf-8")
    table = "".join(line for line in text.splitlines() if line.startswith("|"))
    assert methods - set(re.findall(r"`([a-z_]+)`", table)) == set()
