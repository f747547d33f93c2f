"""`orchestrator graph`: a journey's picture."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from orchestrator.cli.arguments import one_of
from orchestrator.cli.project_loading import journey_of, load
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import ProjectInvalid, UsageError

DESCRIPTION = """Draw a journey: an SVG file that stands alone and follows the reader's light or dark screen, Mermaid
text for pages that draw it themselves, or JSON for your own tools."""
EXAMPLES = """
orchestrator graph welcome --output welcome.svg
orchestrator graph welcome --format mermaid
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """JOURNEY, and the form."""
    parser.add_argument("journey", metavar="JOURNEY", help="the journey's id, or its file")
    parser.add_argument(
        "--format", metavar="FORMAT", type=one_of("svg", "mermaid", "json"), help="svg (default), mermaid or json"
    )
    parser.add_argument("-o", "--output", metavar="FILE", type=Path, help="write it there instead of printing it")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Prints or writes the picture."""
    from orchestrator.insights.graph_model import graph_of

    form = args.format or ("json" if terminal.json_output else "svg")
    if terminal.json_output and form != "json":
        raise UsageError("--json and --format say two things; give one of them", "two_formats")
    loaded = load(args.project)
    try:
        journey = loaded.project.journeys[journey_of(loaded, args.journey)]
    except UsageError:
        broken = [problem for problem in loaded.errors if Path(problem.path).stem == Path(args.journey).stem]
        if broken:  # the journey is there, and cannot be drawn as it is
            raise ProjectInvalid(broken) from None
        raise
    graph = graph_of(journey)
    if form == "json":
        text = json.dumps(graph.as_dict(), ensure_ascii=False, indent=2) + "\n"
    elif form == "mermaid":
        from orchestrator.insights.mermaid import mermaid_text

        text = mermaid_text(graph)
    else:
        from orchestrator.insights.svg import svg_text

        text = svg_text(graph)
    if args.output is None:
        terminal.out.write(text)
        if form == "svg" and terminal.out.isatty():
            terminal.note(f"to look at it: orchestrator graph {journey.id} --output {journey.id}.svg")
        return 0
    args.output.write_text(text, encoding="utf-8")
    terminal.note(f"wrote {args.output}")
    return 0
