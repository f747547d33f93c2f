"""`orchestrator schema`: what editors complete and check by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator


@pytest.mark.slow
def test_prints_a_schema_for_every_kind_of_file(cli: Any) -> None:
    found = cli("schema").json
    assert {"journey", "project", "schema", "segments", "offers", "tests", "scenario"} <= set(found)
    for schema in found.values():
        Draft202012Validator.check_schema(schema)
    assert cli("schema", "journey").json == found["journey"]


@pytest.mark.slow
def test_write_puts_them_where_the_first_lines_of_files_point(cli: Any, project: Path) -> None:
    done = cli("schema", "--write")
    assert done.code == 0 and "journeys/.schema" in done.out
    for file in project.rglob("*.yaml"):
        pointing = [line for line in file.read_text("utf-8").splitlines() if "yaml-language-server" in line]
        assert pointing, f"{file} does not say its schema"
        target = (file.parent / pointing[0].partition("$schema=")[2]).resolve()
        json.loads(target.read_text("utf-8"))
    assert cli("lint").code == 0


def test_an_unknown_kind_gets_the_nearest(cli: Any) -> None:
    done = cli("schema", "jurney")
    assert done.code == 2 and "did you mean 'journey'?" in done.err
