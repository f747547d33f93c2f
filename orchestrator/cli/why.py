"""`orchestrator why`: the story of one customer, in plain sentences, with the values that decided it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from orchestrator.cli.arguments import only_one
from orchestrator.cli.project_loading import load, load_valid, nearest_file
from orchestrator.cli.runs import read_scenario
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.definitions.load import LoadedProject

DESCRIPTION = """Tell what happened to a customer, journey by journey, and on what grounds: why this message was sent,
and that one was not. Out of the installation's database; or of a scenario, or of the journal that
`simulate --journal` wrote."""
EXAMPLES = """
orchestrator why u4711
orchestrator why li --scenario scenarios/first.yaml
orchestrator why li welcome --scenario scenarios/first.yaml
orchestrator why H4711 --journal run.jsonl
"""

MOST_NAMED = 5
Lines = list[dict[str, Any]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One of --scenario and --journal."""
    parser.add_argument("customer", metavar="CUSTOMER", help="the customer's id")
    parser.add_argument("journey", metavar="JOURNEY", nargs="?", help="only this journey")
    parser.add_argument("--scenario", metavar="FILE", type=Path, help="run this scenario, and tell about it")
    parser.add_argument("--journal", metavar="FILE", type=Path, help="a journal that simulate --journal wrote")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Tells the story."""
    source = only_one(args, "scenario", "journal")
    if source is None:
        zone, titles = _words_of_project(args.project, terminal)
        lines, customers = _live_lines(args)
    elif source == "scenario":
        loaded = load_valid(args.project, terminal)
        lines, customers = _scenario_lines(loaded, args.scenario, terminal)
        zone, titles = loaded.project.timezone, titles_of(loaded)
    else:
        zone, titles = _words_of_project(args.project, terminal)
        lines, customers = _journal_lines(args.journal, args.customer)
    if args.customer not in customers:
        raise UsageError(
            f"there is no customer '{args.customer}'{_nearest(args.customer, customers)}", "unknown_customer"
        )
    if args.journey is not None:
        _check_journey(args.journey, lines, titles)
    return _show(args, terminal, lines, zone, titles)


def _show(args: argparse.Namespace, terminal: Terminal, lines: Lines, zone: ZoneInfo, titles: Mapping[str, str]) -> int:
    from orchestrator.insights.why import story_text, tell

    story = tell(lines, args.customer, zone, args.journey)
    terminal.data(story.as_dict(titles))
    if story.chapters:
        terminal.say(story_text(story, titles))
    else:
        where = f" in {args.journey}: no trigger of it concerned this customer" if args.journey else ""
        terminal.say(f"{args.customer}: nothing happened{where}")
    return 0


def _scenario_lines(loaded: LoadedProject, path: Path, terminal: Terminal) -> tuple[Lines, dict[str, None]]:
    """All lines of the run, and every customer that the scenario knows."""
    from orchestrator.testing.simulation import simulate_scenario

    scenario = read_scenario(path, terminal)
    lines: Lines = []
    simulate_scenario(loaded, scenario, lines.append, with_values=True)
    customers = [customer.id for customer in scenario.customers]
    customers += [name for item in scenario.timeline if (name := getattr(item, "customer", None)) is not None]
    return lines, dict.fromkeys([*customers, *(line["customer"] for line in lines)])


def _journal_lines(path: Path, customer: str) -> tuple[Lines, dict[str, None]]:
    from orchestrator.insights.journal import customer_lines

    try:
        return customer_lines(path, customer)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}{nearest_file(path)}", "file_unreadable") from None


def _live_lines(args: argparse.Namespace) -> tuple[Lines, dict[str, None]]:
    """All lines of one customer out of the installation's database."""
    from orchestrator.cli.json_lines import line_with_values
    from orchestrator.wiring.databases import database_of
    from orchestrator.wiring.installation import installation, settings_of

    database = database_of(settings_of(args.database, args.broker), args.project)
    if not database.exists:
        raise UsageError(
            f"there is nothing to tell about: no database {database} yet; give --scenario FILE, or --journal FILE from "
            "simulate --journal, or --database URL",
            "nothing_to_tell",
        )
    with installation(args.project, args.database, args.broker) as place:
        known = place.store.card(args.customer) is not None
        lines = [line_with_values(transition) for transition in place.store.journal(args.customer)]
    return lines, {args.customer: None} if known else {}


def _words_of_project(root: Path, terminal: Terminal) -> tuple[ZoneInfo, dict[str, str]]:
    """Zone and titles of the project; a journal can be read without one, in UTC."""
    if (root / "journeys").is_dir():
        loaded = load(root)
        return loaded.project.timezone, titles_of(loaded)
    terminal.note("there is no project here, so times are shown in UTC; --project DIR gives one")
    return ZoneInfo("UTC"), {}


def titles_of(loaded: LoadedProject) -> dict[str, str]:
    """Journeys and what they are called."""
    return {journey.id: journey.title for journey in loaded.project.journeys.values()}


def _check_journey(name: str, lines: Lines, titles: Mapping[str, str]) -> None:
    known = dict.fromkeys([*titles, *(str(line["journey"]) for line in lines if "journey" in line)])
    if name not in known:
        raise UsageError(f"there is no journey '{name}'{_nearest(name, known)}", "unknown_journey")


def _nearest(word: str, known: Mapping[str, object]) -> str:
    """``; did you mean ...?``, or a few that there are."""
    from orchestrator.definitions.nearest import nearest

    found = nearest(word, known)
    if found is not None:
        return f"; did you mean '{found}'?"
    first = list(known)[:MOST_NAMED]
    more = f" and {len(known) - MOST_NAMED:,} more" if len(known) > MOST_NAMED else ""
    return f"; there are {', '.join(first)}{more}" if first else "; there are none"
