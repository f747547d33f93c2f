"""`orchestrator init`: a new project that works, to change and to grow."""

from __future__ import annotations

import argparse
import shlex
import shutil
from pathlib import Path

from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

DESCRIPTION = """Make a new project: two working journeys with their templates in English and Chinese, tests, a
scenario to play with, and the schemas by which editors complete and check."""
EXAMPLES = """
orchestrator init harbour
"""

TEMPLATE = Path(__file__).resolve().parent.parent / "project_template"
RENAMED = {"gitignore": ".gitignore"}
"""Files that would mean something where the template lies."""
WELCOME_BESIDE = frozenset({".git"})
"""What a folder may hold already: a fresh repository is empty for our purposes."""
MOST_NAMED = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """DIR."""
    parser.add_argument("directory", metavar="DIR", type=Path, help="the new project's folder; must be new or empty")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Copies the template and says what to do next."""
    from orchestrator.definitions.json_schema import write_schemas

    target: Path = args.directory
    _refuse_used(target)
    copied = _copy(target)
    write_schemas(target)
    terminal.data({"project": str(target), "files": copied})
    terminal.say(f"made {target}: two journeys, their templates and tests\n\nnext:")
    steps = [
        ("see that nothing is wrong", "orchestrator lint"),
        ("run the tests of the journeys", "orchestrator test"),
        ("watch three customers go through them", "orchestrator simulate --scenario scenarios/first.yaml"),
        ("ask why Li was not called", "orchestrator why li --scenario scenarios/first.yaml"),
        ("look at a message", "orchestrator preview email/welcome --open"),
    ]
    if target != Path("."):
        terminal.say(f"  cd {shlex.quote(str(target))}")
    widest = max(len(command) for _, command in steps)
    for what, command in steps:
        terminal.say(f"  {command:<{widest}}   {terminal.paint('# ' + what, 'dim')}")
    return 0


def _refuse_used(target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise UsageError(f"{target} is a file; give the name of a new folder", "not_a_folder")
    if not target.is_dir():
        return
    there = sorted(entry.name for entry in target.iterdir() if entry.name not in WELCOME_BESIDE)
    if there:
        named = ", ".join(there[:MOST_NAMED]) + (", ..." if len(there) > MOST_NAMED else "")
        other = target / "journeys-project" if target == Path(".") else f"{target}-2"
        raise UsageError(
            f"{target} is not empty (it holds {named}), and nothing is overwritten; give a new folder, such as {other}",
            "folder_not_empty",
        )


def _copy(target: Path) -> list[str]:
    copied = []
    for source in sorted(TEMPLATE.rglob("*")):
        inside = source.relative_to(TEMPLATE)
        if not source.is_file() or "__pycache__" in inside.parts:
            continue
        place = target / inside.parent / RENAMED.get(inside.name, inside.name)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, place)  # not its mode: an installed package may be read-only
        copied.append(place.relative_to(target).as_posix())
    return copied
