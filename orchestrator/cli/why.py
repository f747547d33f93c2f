"""`orchestrator why`: the story of one customer, in plain sentences, with the values that decided it."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from orchestrator.cli.arguments import only_one
from orchestrator.cli.project_loading import load, load_valid, nearest_file
from orchestrator.cli.runs import read_scenario
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError
from orchestrator.records import dataclass

if TYPE_CHECKING:
    from orchestrator.core.program import Journey
    from orchestrator.definitions.load import LoadedProject
    from orchestrator.insights.local_time import LocalTime
    from orchestrator.stores.protocol import Store

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


@dataclass(frozen=True, slots=True)
class Told:
    """What there is to tell: lines, whose time they are told in, everyone who is known, and the journeys."""

    lines: Lines
    local: LocalTime
    customers: Mapping[str, None]
    journeys: Mapping[str, Journey] = field(default_factory=dict)

    @property
    def titles(self) -> dict[str, str]:
        """Journeys and what they are called."""
        return {journey.id: journey.title for journey in self.journeys.values()}


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
        told = _live(args, terminal)
    elif source == "scenario":
        told = _scenario(load_valid(args.project, terminal), args, terminal)
    else:
        told = _journal(args, terminal)
    if args.customer not in told.customers:
        raise UsageError(
            f"there is no customer '{args.customer}'{_nearest(args.customer, told.customers)}", "unknown_customer"
        )
    if args.journey is not None:
        _check_journey(args.journey, told)
    return _show(args, terminal, told)


def _show(args: argparse.Namespace, terminal: Terminal, told: Told) -> int:
    from orchestrator.insights.why import story_text, tell

    story = tell(told.lines, args.customer, told.local, args.journey, told.journeys)
    terminal.data(story.as_dict(told.titles))
    if story.chapters:
        terminal.say(story_text(story, told.titles))
    else:
        where = f" in {args.journey}: no trigger of it concerned this customer" if args.journey else ""
        terminal.say(f"{args.customer}: nothing happened{where}")
    return 0


def _scenario(loaded: LoadedProject, args: argparse.Namespace, terminal: Terminal) -> Told:
    """All lines of the run, every customer that the scenario knows, and the profile as it stands at its end."""
    from orchestrator.insights.local_time import local_time_of
    from orchestrator.testing.scenario_run import simulate_scenario
    from orchestrator.wiring.databases import Database, open_database

    scenario = read_scenario(args.scenario, terminal)
    lines: Lines = []
    stores: list[Store] = []

    def in_memory(salt: str | None, forced: Mapping[str, str | bool]) -> Store:
        stores.append(open_database(Database(None), salt=salt, forced=forced, drains=True))
        return stores[-1]

    simulate_scenario(loaded, scenario, lines.append, with_values=True, open_store=in_memory)
    customers = [customer.id for customer in scenario.customers]
    customers += [name for item in scenario.timeline if (name := getattr(item, "customer", None)) is not None]
    project, card = stores[0].index.project, stores[0].card(args.customer)
    local = local_time_of(card.customer if card is not None else None, project.timezone)
    known = dict.fromkeys([*customers, *(line["customer"] for line in lines)])
    return Told(lines, local, known, project.journeys)


def _journal(args: argparse.Namespace, terminal: Terminal) -> Told:
    """A journal holds no profiles: it is told in the project's time, or in UTC where there is no project."""
    from orchestrator.insights.local_time import LocalTime

    lines, customers = _journal_lines(args.journal, args.customer)
    zone, journeys = _files(args.project)
    if zone is None:
        terminal.note("there is no project here, so times are shown in UTC; --project DIR gives one")
        return Told(lines, LocalTime(ZoneInfo("UTC")), customers)
    return Told(lines, LocalTime(zone, "project"), customers, journeys)


def _journal_lines(path: Path, customer: str) -> tuple[Lines, dict[str, None]]:
    from orchestrator.insights.journal import customer_lines

    try:
        return customer_lines(path, customer)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}{nearest_file(path)}", "file_unreadable") from None


def _live(args: argparse.Namespace, terminal: Terminal) -> Told:
    """All lines of one customer out of the installation's database."""
    from orchestrator.cli.json_lines import line_with_values
    from orchestrator.insights.local_time import LocalTime, local_time_of
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
        card = place.store.card(args.customer)
        lines = [line_with_values(transition) for transition in place.store.journal(args.customer)]
        live = place.live_project()
    customers = {args.customer: None} if card is not None else {}
    zone, journeys = (live.timezone, live.journeys) if live is not None else _files(args.project)
    customer = card.customer if card is not None else None
    if zone is None:
        terminal.note("nothing is deployed, and there is no project here: times are shown in UTC")
        return Told(lines, LocalTime(ZoneInfo("UTC")), customers)
    return Told(lines, local_time_of(customer, zone), customers, journeys)


def _files(root: Path) -> tuple[ZoneInfo | None, Mapping[str, Journey]]:
    """Zone and journeys of the project's files; None: there are none."""
    if not (root / "journeys").is_dir():
        return None, {}
    project = load(root).project
    return project.timezone, project.journeys


def _check_journey(name: str, told: Told) -> None:
    known = dict.fromkeys([*told.journeys, *(str(line["journey"]) for line in told.lines if "journey" in line)])
    if name not in known:
        raise UsageError(f"there is no journey '{name}'{_nearest(name, known)}", "unknown_journey")


def _nearest(word: str, known: Mapping[str, object]) -> str:
    """``; did you mean ...?``, or a few that there are."""
    from orchestrator.core.expression.nearest import nearest

    found = nearest(word, known)
    if found is not None:
        return f"; did you mean '{found}'?"
    first = list(known)[:MOST_NAMED]
    more = f" and {len(known) - MOST_NAMED:,} more" if len(known) > MOST_NAMED else ""
    return f"; there are {', '.join(first)}{more}" if first else "; there are none"
