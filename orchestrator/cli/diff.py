"""`orchestrator diff`: what a deploy of the project's files would change, for whom, and who would move where."""

from __future__ import annotations

import argparse
from pathlib import Path

from orchestrator.cli.differing import difference_as_dict, lines_for
from orchestrator.cli.project_loading import load_valid
from orchestrator.cli.terminal import Terminal

DESCRIPTION = """Compare the project's files with what is deployed (or with the files in DIR): journeys and their steps,
templates, offers, segments, topics. Against what is deployed it counts, by version and step, the enrollments that go on
as they are, that `migrate` would move, and that would leave. Nothing is written."""
EXAMPLES = """
orchestrator diff
orchestrator diff --against ../last-week --json
"""
DEPLOYED = "deployed"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to compare with."""
    parser.add_argument(
        "--against", metavar="deployed|DIR", default=DEPLOYED, help="what is deployed (default), or another project"
    )


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Prints the difference; 0 whether or not there is one."""
    from orchestrator.runtime.deployment import revive
    from orchestrator.runtime.differences import difference
    from orchestrator.wiring.databases import database_of
    from orchestrator.wiring.installation import installation, settings_of

    loaded = load_valid(args.project, terminal)
    if args.against != DEPLOYED:
        found = difference(load_valid(Path(args.against), terminal), loaded, {})
    elif not database_of(settings_of(args.database, args.broker), args.project).exists:
        found = difference(None, loaded, {})
    else:
        with installation(args.project, args.database, args.broker) as place:
            revived = revive(place.store)
            found = difference(revived.live, loaded, place.store.standing(), revived.older)
    terminal.data(difference_as_dict(found))
    for line in lines_for(found):
        terminal.say(line)
    if not found.any:
        same = "what is deployed" if args.against == DEPLOYED else args.against
        terminal.say(f"nothing differs from {same}")
    return 0
