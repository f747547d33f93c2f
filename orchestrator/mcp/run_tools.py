"""Tools that run scenarios on a virtual clock, and tell the story of a customer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from orchestrator.core.transition import Transition, line_of
from orchestrator.definitions.scenario import load_scenario
from orchestrator.definitions.scenario_items import DeployItem, Scenario
from orchestrator.definitions.text_files import clean_text
from orchestrator.definitions.yaml_loader import load_document
from orchestrator.errors import ProjectInvalid, UsageError
from orchestrator.insights.local_time import local_time_of
from orchestrator.insights.run_summary import RunSummary, summary_text
from orchestrator.insights.why import story_text, tell
from orchestrator.mcp.folder import inside, read_text
from orchestrator.mcp.project_tools import JOURNEY
from orchestrator.mcp.tool import Arguments, Place, Tool, number, within, words
from orchestrator.testing.scenario_run import simulate_scenario
from orchestrator.wiring.databases import Database, open_database

LONGEST_SCENARIO: Final = 200_000
MOST_ITEMS: Final = 5_000
MOST_LINES: Final = 100
MOST_RECORDED: Final = 200_000
SCENARIO: Final = {
    "scenario": words(
        "The text of a scenario (YAML): start, customers, timeline; or the path of a file below scenarios/",
        LONGEST_SCENARIO,
    )
}
Lines = list[dict[str, Any]]


def read_scenario(place: Place, given: str) -> Scenario:
    """The scenario of a text, or of a file in the project. Raises UsageError and ProjectInvalid."""
    folder, name, text = place.root / "scenarios", "scenario.yaml", given
    if "\n" not in given and given.endswith((".yaml", ".yml", ".json")):
        path = inside(place.root, given, ("scenarios", "journeys"))
        folder, name, text = path.parent, given, read_text(path)
    decoded = clean_text(name, text)
    if decoded.text is None:
        raise ProjectInvalid(decoded.problems)
    scenario, problems = load_scenario(load_document(name, decoded.text), folder)
    if scenario is None or any(problem.severity == "error" for problem in problems):
        raise ProjectInvalid([problem for problem in problems if problem.severity == "error"])
    size = len(scenario.customers) + len(scenario.history) + len(scenario.timeline)
    if size > MOST_ITEMS:
        raise UsageError(f"the scenario has {size:,} customers and items; here it may have {MOST_ITEMS:,}", "too_large")
    root = place.root.resolve()
    for item in scenario.timeline:
        if isinstance(item, DeployItem) and not item.path.resolve().is_relative_to(root):
            raise UsageError("the scenario deploys a folder outside of the project", "outside")
    return scenario


def _simulate(place: Place, given: Arguments) -> str:
    scenario = read_scenario(place, given["scenario"])
    counts, shown = RunSummary(), Lines()
    most, customer = within(given, "lines", 40, MOST_LINES), given.get("customer")
    kept = [0]

    def emit(line: dict[str, Any]) -> None:
        counts.add(line)
        if customer in (None, line.get("customer")):
            kept[0] += 1
            if len(shown) < most:
                shown.append(line)

    summary = simulate_scenario(place.valid(), scenario, emit)
    out = [f"{summary.events:,} events of {summary.customers:,} customers", summary_text(counts), ""]
    out += [json.dumps(place.masks.line(_short(line)), ensure_ascii=False) for line in shown]
    if kept[0] > len(shown):
        out.append(f"[left out: {kept[0] - len(shown):,} more lines; `customer` and `lines` choose others]")
    return "\n".join(out)


def _short(line: Mapping[str, Any]) -> dict[str, Any]:
    """Bodies of messages are long, and seldom what is asked."""
    return {
        key: value if not isinstance(value, str) or len(value) <= 300 else f"{value[:300]}… ({len(value):,} characters)"
        for key, value in line.items()
        if key != "html"
    }


def with_values(transition: Transition) -> dict[str, Any]:
    """A line with the values that decided it."""
    line = line_of(transition)
    if transition.values:
        line["values"] = line_of(transition._replace(data={"v": dict(transition.values)}))["v"]
    return line


def _why(place: Place, given: Arguments) -> str:
    customer, journey = given["customer"], given.get("journey")
    told = _why_in_run(place, given) if "scenario" in given else _why_live(place, customer)
    lines, card, project = told
    if journey is not None and journey not in project.journeys:
        raise UsageError(
            f"there is no journey {journey!r}; there are: {', '.join(project.journeys)}", "unknown_journey"
        )
    known = card.customer if card is not None else None
    if card is None and not any(line["customer"] == customer for line in lines):
        raise UsageError(f"there is no customer {customer!r}", "unknown_customer")
    story = tell(lines, customer, local_time_of(known, project.timezone), journey, project.journeys)
    titles = {one.id: one.title for one in project.journeys.values()}
    text = story_text(story, titles) if story.chapters else f"{customer}: nothing happened"
    profile = {} if known is None else {**known.attributes, "email": known.email, "phone": known.phone}
    return place.masks.text(text, profile)


def _why_in_run(place: Place, given: Arguments) -> tuple[Lines, Any, Any]:
    scenario = read_scenario(place, given["scenario"])
    lines, stores = Lines(), []

    def emit(line: dict[str, Any]) -> None:
        if len(lines) < MOST_RECORDED:
            lines.append(line)

    def in_memory(salt: str | None, forced: Mapping[str, str | bool]) -> Any:
        stores.append(open_database(Database(None), salt=salt, forced=forced, drains=True))
        return stores[-1]

    simulate_scenario(place.valid(), scenario, emit, with_values=True, open_store=in_memory)
    return lines, stores[0].card(given["customer"]), stores[0].index.project


def _why_live(place: Place, customer: str) -> tuple[Lines, Any, Any]:
    from orchestrator.wiring.installation import installation

    with installation(place.root, place.database, place.broker) as opened:
        card = opened.store.card(customer)
        lines = [with_values(transition) for transition in opened.store.journal(customer)]
        project = opened.live_project()
    return lines, card, project if project is not None else place.lint()[0].project


TOOLS = (
    Tool(
        "simulate",
        "Run a scenario on a virtual clock with the real engine: months pass in seconds, nothing is sent, no database "
        "is touched. Tells counts and the first decisions.",
        _simulate,
        {
            **SCENARIO,
            "customer": words("Only lines of this customer"),
            "lines": number("How many lines to show; 40 by default", 1, MOST_LINES),
        },
        ("scenario",),
    ),
    Tool(
        "why",
        "Tell what happened to a customer and on what grounds: why this message was sent, and that one was not. With "
        "`scenario`: in a run of it; without: in the installation's database.",
        _why, {"customer": words("The customer's id"), "journey": JOURNEY, **SCENARIO}, ("customer",),
    ),
)  # fmt: skip
