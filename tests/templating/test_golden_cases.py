"""Golden cases: template files with the problems people read, and whole messages from template files and frozen values.

One file holds a case, in sections that begin with ``=== name``; names with a slash are template files.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from orchestrator.templating.failure import RenderError
from orchestrator.templating.loading import load_template_files
from orchestrator.templating.render import Renderer

CASES = Path(__file__).resolve().parent.parent / "cases" / "templates"
REWRITE = os.environ.get("REWRITE_CASES") == "1"
"""Write what came out instead of comparing it; the difference is then reviewed as text."""


def read_case(path: Path) -> dict[str, str]:
    """The sections by name, in order; each text without the line break before the next section."""
    sections: dict[str, str] = {}
    name = ""
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        if line.startswith("=== "):
            name = line[4:].strip()
            sections[name] = ""
        else:
            sections[name] += line
    return {name: text.removesuffix("\n") if "/" not in name else text for name, text in sections.items()}


def compare(path: Path, expected: dict[str, str]) -> None:
    """Compare the sections named with what the case holds, or rewrite the case."""
    held = read_case(path)
    if REWRITE:
        merged = {**held, **expected}
        text = "".join(f"=== {name}\n{body}{'' if '/' in name else chr(10)}" for name, body in merged.items())
        path.write_text(text, encoding="utf-8")
        return
    for name, text in expected.items():
        assert text == held.get(name), f"{path.name}, section {name}"


@pytest.mark.parametrize("path", sorted((CASES / "problems").glob("*.case")), ids=lambda path: path.stem)
def test_problems(path: Path) -> None:
    files = {name: text for name, text in read_case(path).items() if "/" in name}
    library = load_template_files(files)
    lines = [f"{problem.severity}: {problem.headline()}" for problem in library.problems]
    compare(path, {"problems": "\n".join(lines)})


BRAND: dict[str, object] = {"name": "Blue Harbour", "url": "https://example.com", "address": "1 Harbour Road, Lisbon"}


@pytest.mark.parametrize("path", sorted((CASES / "render").glob("*.case")), ids=lambda path: path.stem)
def test_rendered(path: Path) -> None:
    case = read_case(path)
    library = load_template_files({name: text for name, text in case.items() if "/" in name})
    assert not [problem.headline() for problem in library.problems if problem.severity == "error"]
    how: dict[str, Any] = json.loads(case["how"])
    variant = library.pick(how["channel"], how["name"], how.get("locale"))
    assert variant is not None
    renderer = Renderer(library, BRAND)
    footer = how.get("append_footer", False)
    expected = {"uses": "\n".join(key for key, _ in variant.uses)}
    try:
        message = renderer.render(variant, how["values"], how.get("extras", {}), append_footer=footer)
    except RenderError as error:
        compare(path, {**expected, "error": str(error)})
        return
    assert renderer.render(variant, how["values"], how.get("extras", {}), append_footer=footer) == message
    parts = {"subject": message.subject, "preheader": message.preheader}
    parts |= {"from": message.from_, "reply_to": message.reply_to}
    headers = "\n".join(f"{name}: {value}" for name, value in parts.items() if value is not None)
    fields = "".join(f"{name}: {value}\n" for name, value in message.fields)
    expected |= {"headers": headers, "text": message.text}
    if fields:
        expected["fields"] = fields
    if message.html is not None:
        expected["html"] = message.html
    compare(path, expected)
