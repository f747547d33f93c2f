"""Scenario cases: what the language reference says, sentence by sentence, against what the engine prints.

Each file below tests/cases/scenarios/ (except base/, the stock project) holds one case, or several under `cases:`:

    project:                    # for all cases of the file, merged over base/; a case's own `project:` over that
      journeys/j.yaml: {...}    # a mapping (merged key by key; null removes) or the text of the file; null: no such
      file
    journey: {...}              # short for project: {journeys/j.yaml: {...}}; also in a case
    scenario: {...}             # what the cases' scenarios share, merged likewise
    cases:
      - name: short_name        # the pytest id is folder/file::short_name
        rule: "the sentence, quoted"
        project: {...}
        projects: {v2: {...}}   # other folders beside the project, for `deploy: v2`; merged over the case's project
        scenario: {...}         # a mapping, or text where the source matters; `start` defaults to START
        expect: [...]           # the lines of the run in order
        only: [message, exited] # optional: compare lines of these types only
        exact: true             # optional: lines have exactly the keys given (version aside)
        absent: [...]           # optional: no line may match any of these
        error: code             # instead of expect: lint or the scenario's reading refuses with this code
        warning: code           # lint also says this

A line is expected as a mapping, matched as a subset: `type` always; `at` an instant or an offset from the start; null
for a key that must be missing; text that begins with `~` is a regular expression for the whole value. In a journey
given as a mapping, `journey:` may be left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.definitions.lint import lint_project
from orchestrator.definitions.scenario import load_scenario
from orchestrator.definitions.yaml_loader import load_document
from orchestrator.errors import ProjectInvalid
from orchestrator.testing.scenario_run import simulate_scenario

CASES = Path(__file__).resolve().parent.parent / "cases" / "scenarios"
BASE = CASES / "base"
START = "2026-03-02T10:00:00Z"
"""A Monday."""
CASE_KEYS = {
    "name", "rule", "project", "projects", "journey", "scenario", "expect", "only", "exact", "absent", "error",
    "warning"
}  # fmt: skip
Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """One case, with what its file gives to all."""

    id: str
    body: Mapping[str, Any]
    shared: Mapping[str, Any]


class _CoreLoader(yaml.CSafeLoader):
    """YAML 1.2's core schema: `no`, `18:00` and dates are text."""


_CoreLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"true|false|True|False|TRUE|FALSE", "tTfF"),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", "-+.0123456789"),
    ("null", r"~|null|Null|NULL|", "~nN\0"),
):
    _CoreLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"(?:{_pattern})\Z"), list(_first))


def _read(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_CoreLoader)


def _cases() -> Iterator[Case]:
    for path in sorted(CASES.rglob("*.yaml")):
        if path.is_relative_to(BASE):
            continue
        content = _read(path)
        place = path.relative_to(CASES).with_suffix("").as_posix()
        if "cases" not in content:
            yield Case(place, content, {})
            continue
        names = [case["name"] for case in content["cases"]]
        assert len(names) == len(set(names)), f"{place}: a name stands twice"
        for case in content["cases"]:
            yield Case(f"{place}::{case['name']}", case, content)


@cache
def _base() -> dict[str, str]:
    files = (path for path in BASE.rglob("*") if path.is_file())
    return {path.relative_to(BASE).as_posix(): path.read_text(encoding="utf-8") for path in files}


def _merged(under: Any, over: Any) -> Any:
    if not isinstance(under, dict) or not isinstance(over, dict):
        return over
    result = {key: _merged(under.get(key), value) if key in under else value for key, value in over.items()}
    return {key: value for key, value in {**under, **result}.items() if value is not None}


def _merged_files(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Files over files. Mappings are merged into what stands there, text takes its place, null takes it away."""
    files = dict(under)
    for path, content in over.items():
        known = files.get(path)
        if isinstance(content, dict) and isinstance(known, str):
            known = yaml.load(known, Loader=_CoreLoader)
        files[path] = _merged(known, content) if isinstance(content, dict) and known is not None else content
    return {path: content for path, content in files.items() if content is not None}


def _write(folder: Path, files: Mapping[str, Any]) -> None:
    for path, content in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content if isinstance(content, str) else _text(path, content), encoding="utf-8")


def _text(path: str, content: Mapping[str, Any]) -> str:
    """JSON is YAML, and says of every value what it is. One key a line at the top, so that positions mean something."""
    place = Path(path)
    if "steps" in content and place.parts[:1] == ("journeys",) and "journey" not in content:
        content = {"journey": place.stem, **content}
    return "".join(f"{json.dumps(key)}: {json.dumps(value, ensure_ascii=False)}\n" for key, value in content.items())


def _run(case: Case, folder: Path) -> tuple[datetime, list[dict[str, Any]]]:
    """The start and the lines. Raises ProjectInvalid where the project, or the scenario, has errors."""
    files: dict[str, Any] = _base()
    for level in (case.shared, case.body):
        files = _merged_files(files, level.get("project") or {})
        if "journey" in level:
            files = _merged_files(files, {"journeys/j.yaml": level["journey"]})
    _write(folder / "project", files)
    for name, changes in (case.body.get("projects") or {}).items():
        _write(folder / name, _merged_files(files, changes))
    loaded, problems = lint_project(folder / "project")
    if code := case.body.get("warning"):
        assert code in {problem.code for problem in problems}, [problem.headline() for problem in problems]
    if any(problem.severity == "error" for problem in problems):
        raise ProjectInvalid(problems)
    scenario = case.body.get("scenario") or {}
    if not isinstance(scenario, str):
        scenario = _text("scenario", _merged({"start": START, **(case.shared.get("scenario") or {})}, scenario))
    found, refused = load_scenario(load_document("scenario.yaml", scenario), folder)
    if found is None:
        raise ProjectInvalid(refused)
    lines: list[dict[str, Any]] = []
    simulate_scenario(loaded, found, lines.append)
    return found.start, lines


_OFFSET = re.compile(r"([+-])((?:\d+[dhms])+)\Z")
_UNITS = {"d": "days", "h": "hours", "m": "minutes", "s": "seconds"}


def _instant(text: str, start: datetime) -> str:
    """An instant as lines have it; offsets are elapsed time from the start."""
    offset = _OFFSET.match(text)
    if offset is None:
        at = datetime.fromisoformat(text).astimezone(UTC)
    else:
        parts = re.findall(r"(\d+)([dhms])", offset[2])
        span = sum((timedelta(**{_UNITS[unit]: int(number)}) for number, unit in parts), timedelta())
        at = start + span if offset[1] == "+" else start - span
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _matches(expected: Any, found: Any) -> bool:
    if isinstance(expected, str) and expected.startswith("~"):
        return isinstance(found, str) and re.fullmatch(expected[1:], found, re.DOTALL) is not None
    if isinstance(expected, dict):
        return isinstance(found, dict) and all(_matches(value, found.get(key)) for key, value in expected.items())
    return bool(expected == found) and isinstance(expected, bool) == isinstance(found, bool)


_INSTANTS = ("at", "until", "due_at", "expires_at")


def _expected(line: Line, start: datetime) -> dict[str, Any]:
    assert "type" in line, f"an expected line needs a type: {line}"
    return {
        key: _instant(value, start) if key in _INSTANTS and value is not None else value for key, value in line.items()
    }


def _shown(line: Line, keys: set[str] | None = None) -> str:
    hidden = {"version", "html"} if keys is None else {"version", "html", "text"} - keys
    return json.dumps({key: value for key, value in line.items() if key not in hidden}, ensure_ascii=False)


def _compare(case: Case, start: datetime, lines: list[dict[str, Any]]) -> None:
    only, exact = case.body.get("only"), case.body.get("exact", False)
    wanted = [_expected(line, start) for line in case.body["expect"]]
    seen = [line for line in lines if only is None or line["type"] in only]
    report: list[str] = []
    for number in range(max(len(wanted), len(seen))):
        want = wanted[number] if number < len(wanted) else None
        have = seen[number] if number < len(seen) else None
        keys_differ = (
            exact and want is not None and have is not None and set(want) | {"version"} != set(have) | {"version"}
        )
        ok = want is not None and have is not None and _matches(want, have) and not keys_differ
        report.append(f"{' ' if ok else '!'} {_shown(have, set(want or ())) if have is not None else '(no line)'}")
        if not ok:
            report.append(f"  wanted {_shown(want) if want is not None else 'no line'}")
    assert not any(line.startswith("!") for line in report), "\n".join([case.body["rule"], *report])
    for line in case.body.get("absent") or ():
        unwanted = _expected({"type": "~.*", **line}, start)
        assert not [found for found in lines if _matches(unwanted, found)], f"{case.body['rule']}\nfound {line}"


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in _cases()])
def test_scenario(case: Case, tmp_path: Path) -> None:
    """The run prints what the rule promises."""
    assert case.body.get("rule") and case.body.keys() <= CASE_KEYS, f"keys: {sorted(case.body)}"
    if "error" not in case.body:
        _compare(case, *_run(case, tmp_path))
        return
    with pytest.raises(ProjectInvalid) as refused:
        _run(case, tmp_path)
    errors = [problem for problem in refused.value.problems if problem.severity == "error"]
    assert case.body["error"] in {problem.code for problem in errors}, [problem.headline() for problem in errors]
