"""A journey that can trigger itself without a wait, by itself or through others (the language reference, section 3)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

from orchestrator.definitions.rules.analysis.graph import components
from orchestrator.definitions.rules.analysis.links import Link, links_of, repeatable
from orchestrator.definitions.rules.analysis.subject import JourneySubject, Subject
from orchestrator.errors import Problem

CODE: Final = "self_trigger"
SEVERITY: Final = "error"


def check(subject: Subject) -> Iterator[Problem]:
    """Circles of journeys in which each lets the next one begin at once.

    An error where a journey calls itself, or where nothing stops a circle of several; a warning where a `where` or a
    `reentry` of one of them may.
    """
    links = links_of(subject)
    journeys = {journey.id: journey for journey in subject.journeys}
    told: set[str] = set()
    for link in links:
        if link.calls_itself and link.source not in told and len(journeys[link.source].journey.triggers) == 1:
            told.add(link.source)
            yield _problem([link], journeys, "error")
    for allowed, severity in (
        ([link for link in links if link.readmits and link.doubt is None], "error"),
        ([link for link in links if link.readmits], "warning"),
        ([link for link in links if link.by_name and link.doubt is None], "warning"),
    ):
        for circle in _circles(allowed):
            if told & {link.source for link in circle}:
                continue
            told |= {link.source for link in circle}
            yield _problem(circle, journeys, "error" if severity == "error" else "warning")


def _circles(links: Sequence[Link]) -> Iterator[Sequence[Link]]:
    """One circle for each set of journeys that lead to each other."""
    numbers = {name: number for number, name in enumerate(sorted({name for link in links for name in link.ends}))}
    names = list(numbers)

    def ahead(number: int) -> list[int]:
        return [numbers[link.target] for link in links if link.source == names[number]]

    for component in sorted(components(range(len(names)), ahead), key=min):
        inside = {names[number] for number in component}
        among = repeatable([link for link in links if link.source in inside and link.target in inside])
        circle = _shortest(among)
        if circle is not None:
            yield circle


def _shortest(links: Sequence[Link]) -> Sequence[Link] | None:
    """The shortest circle, of these the first by name."""
    best: list[Link] | None = None
    for start in sorted({link.source for link in links}):
        ways: list[list[Link]] = [[link] for link in links if link.source == start]
        seen = {start}
        while ways:
            way = ways.pop(0)
            end = way[-1].target
            if end == start:
                if best is None or len(way) < len(best):
                    best = way
                break
            if end not in seen:
                seen.add(end)
                ways += [[*way, link] for link in links if link.source == end]
    return best


def _problem(
    circle: Sequence[Link], journeys: dict[str, JourneySubject], severity: Literal["error", "warning"]
) -> Problem:
    first = circle[0]
    journey = journeys[first.source]
    targets = [f"'{link.target}'" for link in circle[:-1]] + ["this journey"]
    message = "; there ".join(link.words(target) for link, target in zip(circle, targets))
    message += " again, without a wait"
    if severity == "error":
        hint = "put a wait before this step, or change what lets the journey begin"
    else:
        doubt = next((link.doubt for link in circle if link.doubt is not None), "`reentry`")
        hint = f"only {doubt} keeps this from going on for ever; put a wait before this step"
    return journey.verb_problem(first.step, CODE, message, hint, severity)
