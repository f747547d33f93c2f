"""Projects whose journeys are drawn and told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from orchestrator.core.program import Journey
from orchestrator.definitions.load import load_project

PROJECT = """timezone: Europe/Lisbon
topics: {care: {class: service}, promotions: {class: promotional}}
queues: {team: {members: [ana]}}
"""
SCHEMA = """customer: {tier: {type: string, enum: [a, b]}, birthday: {type: date}}
events:
  e1: {n: {type: number}, s: {type: string}}
  e2: {n: {type: number}}
"""
OFFERS = "o1: {title: O, discount: {percent: 5}, codes: {prefix: O, length: 6}, valid_for: 300d}\n"


@pytest.fixture
def journey_of(tmp_path: Path) -> Callable[[str], Journey]:
    """Compiles a journey `j` from the YAML below its first line."""

    def compile_journey(text: str) -> Journey:
        (tmp_path / "journeys").mkdir()
        (tmp_path / "templates" / "email").mkdir(parents=True)
        files = {"project": PROJECT, "schema": SCHEMA, "offers": OFFERS, "j": "journey: j\ntopic: care\n" + text}
        for name, content in files.items():
            (tmp_path / "journeys" / f"{name}.yaml").write_text(content, "utf-8")
        (tmp_path / "templates" / "email" / "m.html").write_text("---\nsubject: x\n---\n<p>x</p>\n")
        loaded = load_project(tmp_path)
        loaded.require_valid()
        return loaded.project.journeys["j"]

    return compile_journey
