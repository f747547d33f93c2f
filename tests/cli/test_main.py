"""The command line as a whole: finding the command, global options, and what each kind of failure ends with."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import commands, graph
from orchestrator.cli.commands import COMMANDS, load_command
from orchestrator.errors import UsageError

ROOT = Path(__file__).resolve().parents[2]


def run_process(*words: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "orchestrator.cli.main", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        timeout=120,
        check=False,
    )


def test_help_names_every_command(cli: Any) -> None:
    done = cli("--help")
    assert done.code == 0 and done.err == ""
    for name, command in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(command.help)}$", done.out, re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str, cli: Any) -> None:
    for words in ([name, "--help"], ["help", name], ["-h", name]):
        done = cli(*words)
        assert done.code == 0 and done.err == ""
        assert f"usage: orchestrator {name}" in done.out
        assert f"  orchestrator {name}" in done.out.partition("examples:")[2]
        assert "--project DIR" in done.out
        assert max(map(len, done.out.splitlines())) <= 120


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_command_lines_that_are_understood(name: str) -> None:
    import shlex

    from orchestrator.cli.arguments import command_parser, find_command

    module = load_command(name)
    for line in module.EXAMPLES.strip().splitlines():
        words = shlex.split(line.partition(" | ")[0].partition(" > ")[0])
        command, rest = find_command(words[1:])
        assert command == name
        parser = command_parser(name, module.DESCRIPTION, module.EXAMPLES)
        module.add_arguments(parser)
        parser.read(rest)


def test_without_a_command_the_help_goes_to_stderr(cli: Any) -> None:
    done = cli()
    assert done.code == 2 and done.out == "" and "commands:" in done.err


def test_version(cli: Any) -> None:
    import orchestrator

    assert cli("--version").out == f"orchestrator {orchestrator.__version__}\n"


@pytest.mark.parametrize(
    ("word", "meant"), [("lnit", "lint"), ("simulat", "simulate"), ("grph", "graph"), ("Test", "test")]
)
def test_an_unknown_command_gets_the_nearest(word: str, meant: str, cli: Any) -> None:
    done = cli(word)
    assert done.code == 2 and done.out == ""
    assert f"there is no command '{word}'; did you mean '{meant}'?" in done.err


def test_an_unknown_option_gets_the_nearest(cli: Any, project: Path) -> None:
    assert "there is no option --jnuit; did you mean --junit?" in cli("test", "--jnuit", "x").err
    assert cli("lint", "--jsn").code == 2
    assert "'extra' is one word too many" in cli("graph", "welcome", "extra").err
    assert "did you mean svg?" in cli("graph", "welcome", "--format", "svgg").err
    assert "TEMPLATE" in cli("preview").err


def test_global_options_stand_before_or_after_the_command(
    cli: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    before = cli("--project", project, "--json", "lint")
    after = cli("lint", "--json", f"--project={project}")
    assert before == after
    assert before.code == 0 and before.json == []
    assert "no problems in 2 journeys" in before.err


def test_json_leaves_stdout_to_the_machine(cli: Any, project: Path) -> None:
    done = cli("test", "--json")
    assert [test["passed"] for test in done.json] == [True] * 7
    assert "7 tests passed" in done.err


def test_a_project_that_is_not_there(cli: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("--project", "nowhere", "lint").code == 2
    done = cli("lint")
    assert done.code == 1 and "no folder journeys/" in done.out and "orchestrator init" in done.out


def test_a_bug_of_ours_says_what_to_report(cli: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(args: object, terminal: object) -> int:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setattr(graph, "run", explode)
    done = cli("graph", "a journey")
    assert done.code == 3 and done.out == ""
    assert "a bug of ours" in done.err and "ZeroDivisionError: by nothing at" in done.err
    assert "orchestrator graph 'a journey'" in done.err and "Traceback" not in done.err
    assert "Traceback" in cli("-v", "graph", "x").err


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "interrupted"),
        (UsageError("do it otherwise"), 2, "do it otherwise"),
        (PermissionError(13, "Permission denied", "x.svg"), 2, "x.svg: Permission denied"),
        (OSError(28, "No space left on device"), 2, "No space left"),
        (BrokenPipeError(), 0, ""),
    ],
)
def test_what_failures_end_with(
    error: BaseException, code: int, words: str, cli: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(args: object, terminal: object) -> int:
        raise error

    monkeypatch.setattr(graph, "run", fail)
    monkeypatch.setattr("orchestrator.cli.main.discard_output", lambda: None)
    done = cli("graph", "x")
    assert done.code == code and words in done.err and done.out == ""
    assert len(done.err.splitlines()) <= 1


def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys; from orchestrator.cli.main import main; main(['--help']); main(['lnit']);"
        "heavy = {'pydantic', 'jinja2', 'yaml', 'rich', 'sqlalchemy', 'asyncio', 'orchestrator.core.program'};"
        "sys.exit(','.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "locale", [{"LC_ALL": "C"}, {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_utf8_in_every_locale(locale: dict[str, str], project: Path) -> None:
    done = run_process("test", cwd=project, **locale)
    assert done.returncode == 0, done.stderr.decode()
    assert "✓ signed up at midnight" in done.stdout.decode("utf-8")
    done = run_process("simulate", "--scenario", "scenarios/first.yaml", "--json", cwd=project, **locale)
    assert "李，欢迎您" in done.stdout.decode("utf-8")


@pytest.mark.slow
def test_a_reader_that_goes_away_is_no_failure(project: Path) -> None:
    command = f"{sys.executable} -m orchestrator.cli.main schema | head -c 10; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.endswith("0\n") and done.stderr == ""


@pytest.mark.slow
def test_pipes_get_no_colours_and_no_bars(project: Path) -> None:
    done = run_process("test", cwd=project)
    assert b"\x1b" not in done.stdout + done.stderr and done.stderr == b""


def test_every_command_module_has_what_the_table_expects() -> None:
    for name in commands.COMMANDS:
        module = load_command(name)
        assert module.DESCRIPTION and module.EXAMPLES
        assert callable(module.run) and callable(module.add_arguments)
