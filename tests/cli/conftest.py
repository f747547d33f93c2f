"""A project to run commands on, and the command line in this process."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orchestrator.cli.main import main

TEMPLATE = Path(__file__).resolve().parents[2] / "orchestrator" / "project_template"


class Run(NamedTuple):
    """What a command line ended with, and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.out.splitlines()]


RunCli = Callable[..., Run]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> RunCli:
    """Runs a command line: ``cli('lint', '--json')``."""
    monkeypatch.setenv("COLUMNS", "100")

    def run(*words: str | Path) -> Run:
        capsys.readouterr()
        code = main([str(word) for word in words])
        printed = capsys.readouterr()
        return Run(code, printed.out, printed.err)

    return run


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project that `init` makes, as the working folder; a folder of its own for each test."""
    root = tmp_path / "project"
    shutil.copytree(TEMPLATE, root)
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def waking(project: Path) -> Path:
    """The same without quiet hours, for what runs on the real clock: at night its mails would wait for the morning."""
    path = project / "journeys" / "project.yaml"
    lines = path.read_text().splitlines(keepends=True)
    kept = [line for line in lines if not line.startswith("quiet_hours:")]
    assert len(kept) == len(lines) - 1
    path.write_text("".join(kept))
    return project
