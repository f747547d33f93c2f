"""Small projects for tests: written as text, read by the real loader, run by the real simulator.

`project_of` turns journeys into a loaded project over a stock of topics, templates and offers; `lines_of` runs a
scenario on it and gives its lines as the simulator prints them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from orchestrator.definitions.load import LoadedProject, load_project
from orchestrator.definitions.scenario import load_scenario
from orchestrator.definitions.scenario_items import Scenario
from orchestrator.definitions.yaml_loader import load_document
from orchestrator.testing.scenario_run import simulate_scenario
from orchestrator.testing.simulation import Summary

PROJECT: dict[str, Any] = {
    "brand": {"name": "Harbour", "url": "https://example.com", "address": "1 Harbour Road, Lisbon"},
    "timezone": "UTC",
    "locale": "en",
    "currency": "EUR",
    "topics": {
        "promotions": {"class": "promotional"},
        "care": {"class": "service"},
        "orders": {"class": "transactional"},
    },
    "channels": {"email": {"from": "Harbour <hello@example.com>"}, "sms": {"from": "Harbour"}},
    "queues": {"desk": {"members": ["ana", "li"]}},
}
"""No quiet hours and no caps; tests add what they are about."""

SCHEMA: dict[str, Any] = {
    "customer": {
        "plan": {"type": "string"},
        "tier": {"type": "string", "enum": ["basic", "gold"]},
        "points": {"type": "integer"},
        "renewal": {"type": "date"},
    },
    "events": {
        name: {
            "n": {"type": "integer"},
            "day": {"type": "date"},
            "order": {"type": "string"},
            "total": {"type": "number"},
        }
        for name in ("go", "stop", "ping", "pong", "bought", "changed")
    },
}

TEMPLATES: dict[str, str] = {
    "email/hello.html": "---\nsubject: Hello\n---\n<p>Hello</p>\n",
    "email/second.html": "---\nsubject: Second\n---\n<p>Second</p>\n",
    "email/named.html": "---\nsubject: Hello {{ customer.plan }}\n---\n<p>Hello {{ customer.plan }}</p>\n",
    "email/code.html": "---\nsubject: A code\n---\n<p>{{ coupon.code | default('none') }}</p>\n",
    "email/nps.html": "---\nsubject: How was it?\n---\n<p>{{ survey.url }}</p>\n",
    "sms/hello.txt": "Hello. Reply STOP to end.\n",
}


def project_files(
    journeys: Mapping[str, Mapping[str, Any]],
    *,
    project: Mapping[str, Any] | None = None,
    segments: Mapping[str, Any] | None = None,
    offers: Mapping[str, Any] | None = None,
    schema: Mapping[str, Any] | None = None,
    templates: Mapping[str, str] | None = None,
    catalogs: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The text of every file of a project, by its path. `project` is merged over PROJECT, key by key."""
    files = {
        "journeys/project.yaml": _yaml({**PROJECT, **(project or {})}),
        "journeys/schema.yaml": _yaml(schema or SCHEMA),
        **{f"templates/{path}": text for path, text in (templates or TEMPLATES).items()},
    }
    files |= {f"journeys/catalogs/{name}": text for name, text in (catalogs or {}).items()}
    if segments:
        files["journeys/segments.yaml"] = _yaml(segments)
    if offers:
        files["journeys/offers.yaml"] = _yaml(offers)
    for name, journey in journeys.items():
        files[f"journeys/{name}.yaml"] = _yaml({"journey": name, **journey})
    return files


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    """Write the files below a folder."""
    for path, text in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
    return folder


def project_of(folder: Path, journeys: Mapping[str, Mapping[str, Any]], **parts: Any) -> LoadedProject:
    """A loaded project without errors."""
    return loaded(write_files(folder, project_files(journeys, **parts)))


def loaded(folder: Path) -> LoadedProject:
    """The project in a folder; its errors fail the test with their text."""
    project = load_project(folder)
    assert project.ok, "\n".join(problem.headline() for problem in project.problems)
    return project


def scenario_of(scenario: Mapping[str, Any] | str, folder: Path = Path(".")) -> Scenario:
    """A scenario from its text, or from the mapping that would stand in the file."""
    text = scenario if isinstance(scenario, str) else _yaml({"start": "2026-03-02T10:00:00Z", **scenario})
    found, problems = load_scenario(load_document("scenario.yaml", text), folder)
    assert found is not None, "\n".join(problem.headline() for problem in problems)
    return found


def run(project: LoadedProject, scenario: Scenario, **options: Any) -> tuple[list[dict[str, Any]], Summary]:
    """The lines of a scenario, and the summary."""
    lines: list[dict[str, Any]] = []
    summary = simulate_scenario(project, scenario, lines.append, **options)
    return lines, summary


def lines_of(project: LoadedProject, scenario: Mapping[str, Any] | str, **options: Any) -> list[dict[str, Any]]:
    """The lines of a scenario, without what never changes between two of them (texts, version)."""
    lines, _ = run(project, scenario_of(scenario), **options)
    return [{key: value for key, value in line.items() if key not in ("version", "text", "html")} for line in lines]


def told(lines: Sequence[Mapping[str, Any]], *keys: str) -> list[tuple[Any, ...]]:
    """Lines cut down to some of their keys."""
    return [tuple(line.get(key) for key in keys) for line in lines]


def consenting(id: str = "u1", **more: Any) -> dict[str, Any]:
    """A customer who may be written to on both channels."""
    both = {"email": "in", "sms": "in"}
    return {
        "id": id,
        "email": f"{id}@example.com",
        "phone": "+351912345678",
        "consents": {"promotions": both},
        **more,
    }


def _yaml(value: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(value), sort_keys=False, allow_unicode=True)
