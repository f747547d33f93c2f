"""How a difference is told to people and to machines: `diff`, and what `deploy` shows before it asks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from orchestrator.cli.problem_list import number_of

if TYPE_CHECKING:
    from orchestrator.runtime.differences import Difference, Group, JourneyDifference

MOST_NAMED = 12
"""Parts and groups of one kind that are named; the others are counted."""
_MARKS = {"new": "+", "changed": "~", "removed": "-", "moved": "~", "renamed": "~", "same": "="}


def lines_for(found: Difference) -> Iterator[str]:
    """The difference, line by line."""
    for journey in found.journeys:
        yield from _journey(journey)
    yield from _some([f"{_MARKS[part.what]} {part.what:<8} {part.kind} {part.name}" for part in found.parts])
    going = [sum(journey.number(*does) for journey in found.journeys) for does in (("move",), ("exit", "complete"))]
    if any(going):
        yield f"{number_of(going[0], 'enrollment')} would move, {going[1]:,} would leave"


def _journey(journey: JourneyDifference) -> Iterator[str]:
    versions = " -> ".join(version[:12] for version in dict.fromkeys(journey.versions) if version is not None)
    running = f", {number_of(journey.number(), 'enrollment')} running" if journey.enrollments else ""
    yield f"{_MARKS[journey.what]} {journey.what:<8} {journey.journey}  {versions}{running}"
    for step in journey.steps:
        to = f" -> {step.to}" if step.to is not None else ""
        yield f"    {_MARKS[step.what]} {step.what:<8} {step.step}{to}"
    if journey.keys:
        yield f"    ~ changed  {', '.join(f'`{key}`' for key in journey.keys)}"
    groups = [group for group in journey.enrollments if group.does != "stay" or group.version != journey.versions[1]]
    groups = groups if journey.what != "removed" else list(journey.enrollments)
    yield from _some([f"    {each.number:,} on {each.step} ({each.version[:12]}) {_does(each)}" for each in groups])


def _does(group: Group) -> str:
    match group.does:
        case "stay":
            return "go on in that version"
        case "move":
            return "stay there, in the new version" if group.to == group.step else f"move to {group.to}"
        case "exit":
            return "leave"
        case "complete":
            return "reach the end"
        case "unknown":
            return "wait: their version cannot be read any more"


def _some(told: list[str]) -> Iterator[str]:
    yield from told[:MOST_NAMED]
    if len(told) > MOST_NAMED:
        indent = told[0][: len(told[0]) - len(told[0].lstrip())]
        yield f"{indent}  and {number_of(len(told) - MOST_NAMED, 'more', 'more')}"


def difference_as_dict(found: Difference) -> dict[str, Any]:
    """The difference for machines."""
    return {
        "changed": found.any,
        "journeys": [
            {
                "journey": journey.journey,
                "what": journey.what,
                "from_version": journey.versions[0],
                "to_version": journey.versions[1],
                "running": journey.number(),
                "moving": journey.number("move"),
                "leaving": journey.number("exit", "complete"),
                "steps": [
                    {key: value for key, value in s._asdict().items() if value is not None} for s in journey.steps
                ],
                "keys": list(journey.keys),
                "enrollments": [
                    {key: value for key, value in group._asdict().items() if key != "journey" and value is not None}
                    for group in journey.enrollments
                ],
            }
            for journey in found.journeys
        ],
        "parts": [part._asdict() for part in found.parts],
    }
