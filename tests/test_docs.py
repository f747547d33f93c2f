"""The documents tell the truth: what they show is run, what they list exists, where they point there is something.

One convention, for README.md and every page under docs/:

- A fenced block ``yaml file=journeys/x.yaml`` (or ``html file=...``, any language) is written to that file.
- A fenced block ``console`` is run. Lines that start with ``$ `` are commands, the lines below one are what it prints
  (both streams together). ``...`` stands for anything inside a line, and on a line of its own for any number of lines;
  a command under which nothing is shown may print what it likes. Every command has to end with status 0, unless the
  next one is ``$ echo $?``, which shows what it ended with.
- A fenced block ``yaml`` must parse. All other blocks are only read by people.

The blocks of a page are taken in order, in one shell, in an empty folder of the page's own.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

import orchestrator

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "orchestrator" / "README.md", *ROOT.glob("docs/*.md")]
COMMAND_TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Block:
    """One fenced block: the line it starts on, its language, the file it is to be written to, its text."""

    line: int
    language: str
    file: str | None
    text: str


class Command(NamedTuple):
    line: int
    words: str
    shown: list[str]


def blocks_of(text: str) -> Iterator[Block]:
    fence = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
    for match in fence.finditer(text):
        language, _, rest = match["info"].strip().partition(" ")
        file = re.search(r"file=(\S+)", rest)
        line = text.count("\n", 0, match.start()) + 1
        yield Block(line, language, file[1] if file else None, match["body"])


def commands_of(block: Block) -> list[Command]:
    commands: list[Command] = []
    for number, line in enumerate(block.text.splitlines(), block.line + 1):
        if line.startswith("$ "):
            commands.append(Command(number, line[2:], []))
        elif commands:
            commands[-1].shown.append(line.rstrip())
    return commands


def agrees(shown: list[str], printed: list[str]) -> bool:
    """Whether what a command printed is what the page shows, ``...`` standing for anything."""
    pattern = ""
    for line in shown:
        if line.strip() == "...":
            pattern += r"(?:[^\n]*\n)*?"
        else:
            pattern += r"[^\n]*".join(re.escape(part) for part in line.split("...")) + r"\n"
    return re.fullmatch(pattern, "".join(f"{line.rstrip()}\n" for line in printed)) is not None


class Shell:
    """One shell for all commands of a page, with this tree's `orchestrator` on its path."""

    def __init__(self, folder: Path, programs: Path) -> None:
        programs.mkdir()
        program = programs / "orchestrator"
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m orchestrator.cli.main "$@"\n', encoding="utf-8")
        program.chmod(0o755)
        self._folder = folder
        self._state = programs / "state"
        self._state.write_text(f"cd '{folder}'\n", encoding="utf-8")
        self._status = 0
        self._environment = os.environ | {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "120",
            "NO_COLOR": "1",
        }

    def run(self, words: str) -> tuple[int, list[str]]:
        """Status and lines of one command; the working folder carries over to the next."""
        script = "\n".join(
            [
                f". '{self._state}'; (exit {self._status})",
                words,
                f"status=$?; printf 'cd %q\\n' \"$PWD\" > '{self._state}'; exit $status",
            ]
        )
        done = subprocess.run(
            ["bash", "-c", script],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_TIMEOUT_SECONDS,
            check=False,
        )
        self._status = done.returncode
        return done.returncode, done.stdout.splitlines()

    def write(self, name: str, text: str) -> None:
        """Write a file of the page below the present working folder."""
        _, printed = self.run("pwd")
        path = (Path(printed[0]) / name).resolve()
        assert path.is_relative_to(self._folder.resolve()), f"{name} lies outside the page's folder"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=_relative)
def test_what_a_page_shows_is_what_happens(page: Path, tmp_path: Path) -> None:
    folder = tmp_path / "page"
    folder.mkdir()
    shell = Shell(folder, tmp_path / "bin")
    for block in blocks_of(page.read_text(encoding="utf-8")):
        if block.file:
            shell.write(block.file, block.text)
        if block.language != "console":
            continue
        commands = commands_of(block)
        for command, following in zip(commands, [*commands[1:], None], strict=True):
            where = f"{_relative(page)}:{command.line}: $ {command.words}"
            status, printed = shell.run(command.words)
            if following is None or following.words != "echo $?":
                assert status == 0, "\n".join([f"{where} ended with {status}", *printed])
            if command.shown:
                assert agrees(command.shown, printed), "\n".join([where, "shows", *command.shown, "prints", *printed])


@pytest.mark.parametrize("page", PAGES, ids=_relative)
def test_yaml_on_a_page_parses(page: Path) -> None:
    for block in blocks_of(page.read_text(encoding="utf-8")):
        if block.language == "yaml":
            try:
                yaml.compose(block.text, yaml.SafeLoader)
            except yaml.YAMLError as problem:
                pytest.fail(f"{_relative(page)}:{block.line}: {problem}")


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=_relative)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{_relative(page)} points at {target}, which does not exist"
        if anchor:
            assert anchor in _anchors(linked), f"{_relative(page)} points at {target}: there is no such heading"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/design.md", "orchestrator/README.md"])
def test_paths_named_in_the_text_exist(page: str) -> None:
    named = re.findall(
        r"`((?:orchestrator|tests|docs|core|definitions|runtime)/[^`\s]*)`", (ROOT / page).read_text("utf-8")
    )
    # `steps/<verb>.py` stands for any file of that folder, so the folder has to exist.
    paths = {name.partition("<")[0] for name in named}
    assert {
        path for path in paths if not any((base / path).exists() for base in (ROOT, ROOT / "orchestrator"))
    } == set()


def test_the_map_names_every_folder() -> None:
    text = (ROOT / "orchestrator" / "README.md").read_text(encoding="utf-8")
    folders = {path.parent.name for path in (ROOT / "orchestrator").glob("*/__init__.py")}
    assert {name for name in folders if f"`{name}/`" not in text} == set()


def test_the_changelog_knows_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## {re.escape(orchestrator.__version__)}\b", text, re.MULTILINE)


def test_a_page_that_lies_is_caught(tmp_path: Path) -> None:
    assert agrees(["one", "...", "last ... line"], ["one", "two", "three", "last 3 line"])
    assert agrees(["...", "done"], ["done"])
    assert not agrees(["one"], ["one", "two"])
    assert not agrees(["a.c"], ["abc"])
    (tmp_path / "page").mkdir()
    shell = Shell(tmp_path / "page", tmp_path / "bin")
    assert shell.run("mkdir inner && cd inner && false") == (1, [])
    assert shell.run("echo $?; pwd") == (0, ["1", str(tmp_path / "page" / "inner")])
