"""`orchestrator init`: a project that works from the first minute."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.reply_words import STOP_WORDS

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_new_project_is_clean_and_its_tests_pass(cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = cli("init", "harbour")
    assert done.code == 0 and done.err == ""
    assert "cd harbour" in done.out and "orchestrator lint" in done.out
    monkeypatch.chdir(tmp_path / "harbour")
    assert cli("lint").code == 0
    assert cli("lint", "--json").json == []
    assert cli("test").code == 0
    for line in done.out.splitlines():
        command = line.strip().partition("   #")[0].strip()
        if command.startswith("orchestrator ") and "--open" not in command:
            assert cli(*command.split()[1:]).code == 0, command


def test_every_file_arrives(cli: Any, tmp_path: Path) -> None:
    done = cli("init", tmp_path / "new folder" / "harbour", "--json")
    files = set(done.json["files"])
    root = tmp_path / "new folder" / "harbour"
    assert files <= {path.relative_to(root).as_posix() for path in root.rglob("*")}
    assert {".gitignore", "README.md", "journeys/welcome.yaml", "journeys/care/after_purchase.yaml"} <= files
    assert {"templates/email/welcome.zh.mjml", "templates/sms/welcome_reminder.txt", "scenarios/first.yaml"} <= files
    assert ".orchestrator/" in (root / ".gitignore").read_text()
    assert "'" in done.err, "a folder with a space is quoted for the shell"


def test_nothing_is_overwritten(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "notes.txt").write_text("mine")
    done = cli("init", tmp_path / "used")
    assert done.code == 2 and "notes.txt" in done.err and "used-2" in done.err
    assert [path.name for path in (tmp_path / "used").iterdir()] == ["notes.txt"]
    (tmp_path / "file").write_text("")
    assert cli("init", tmp_path / "file").code == 2


@pytest.mark.slow
def test_an_empty_folder_and_a_fresh_repository_are_fine(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert cli("init", tmp_path / "empty").code == 0
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    assert cli("init", tmp_path / "repo").code == 0


def test_the_words_that_a_text_names_end_it() -> None:
    """Whoever answers with the word that the text names must be heard."""
    named = {}
    for root in (REPOSITORY, REPOSITORY / "orchestrator" / "project_template"):
        for path in (root / "templates" / "sms").glob("*.txt"):
            named[path] = re.findall(r"(?:回复?|Reply )([A-Z]+|退订)", path.read_text("utf-8"))
    assert len(named) > 20
    assert {path.name: words for path, words in named.items() if not set(words) <= STOP_WORDS} == {}
    chinese = "orchestrator/project_template/templates/sms/welcome_reminder.zh.txt"
    assert named[REPOSITORY / chinese] == ["T"]
