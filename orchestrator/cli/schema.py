"""`orchestrator schema`: the JSON Schemas of every kind of file, so that editors complete and check."""

from __future__ import annotations

import argparse
import json

from orchestrator.cli.problem_list import number_of
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

DESCRIPTION = """Print the JSON Schema of every kind of file, as one object; --write puts them where editors look, below
journeys/.schema/, and tells Visual Studio Code which files they are for. Other editors with the YAML language server
find them by the first line of each file."""
EXAMPLES = """
orchestrator schema --write
orchestrator schema journey > journey.json
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """KIND picks one schema."""
    parser.add_argument(
        "kind", metavar="KIND", nargs="?", help="only this kind of file: journey, project, scenario, ..."
    )
    parser.add_argument("--write", action="store_true", help="write them into the project, with the editor's settings")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Prints or writes the schemas."""
    from orchestrator.definitions.json_schema import schemas, write_schemas

    if args.write:
        if not args.project.is_dir():
            raise UsageError(f"there is no folder {args.project}; give the project's folder as --project DIR")
        written = [path.relative_to(args.project).as_posix() for path in write_schemas(args.project)]
        terminal.data(written)
        for path in written:
            terminal.detail(path)
        terminal.say(
            f"wrote {number_of(len(written), 'file')} for your editor, below {args.project / 'journeys/.schema'}"
        )
        return 0
    found = schemas()
    if args.kind is not None and args.kind not in found:
        from orchestrator.core.expression.nearest import did_you_mean

        hint = did_you_mean(args.kind, found) or f"there are {', '.join(found)}"
        raise UsageError(f"there is no kind of file called '{args.kind}'; {hint}", "unknown_kind")
    wanted = found if args.kind is None else found[args.kind]
    terminal.out.write(json.dumps(wanted, ensure_ascii=False, indent=2) + "\n")
    return 0
