"""What happened to one customer and on what grounds: a journal's lines as a story, journey by journey."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field
from datetime import datetime
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from orchestrator.core.program import IssueCoupon, Journey
from orchestrator.core.time.iso import format_instant, parse_instant
from orchestrator.insights.local_time import LocalTime
from orchestrator.insights.sentences import Line, because, local_text, sentence
from orchestrator.records import dataclass


@dataclass(frozen=True, slots=True)
class Told:
    """One sentence: when it was, what happened, and the values that decided it. `times`: how often in a row, up to
    `last_at`."""

    at: datetime
    text: str
    because: tuple[str, ...] = ()
    times: int = 1
    last_at: datetime | None = None


@dataclass(slots=True)
class Passage:
    """One way through a journey, from the entry on; or, with `key` None, what happened at its door."""

    key: str | None
    version: str | None
    told: list[Told] = field(default_factory=list)


@dataclass(slots=True)
class Chapter:
    """All of one journey, in the order in which it began. `journey` None: what belongs to no journey."""

    journey: str | None
    passages: list[Passage] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Story:
    """What happened to a customer, told in a local time."""

    customer: str
    local: LocalTime
    chapters: tuple[Chapter, ...]

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which it is told."""
        return self.local.zone

    def as_dict(self, titles: Mapping[str, str]) -> dict[str, Any]:
        """The machine form: `{customer, timezone, timezone_of, journeys: [{journey, title, passages: [{key, version,
        told}]}]}`; `timezone_of` is the link of the chain that gave the zone, None where none did."""
        return {
            "customer": self.customer,
            "timezone": str(self.zone),
            "timezone_of": self.local.link,
            "journeys": [
                {
                    "journey": chapter.journey,
                    "title": titles.get(chapter.journey or ""),
                    "passages": [
                        {"key": p.key, "version": p.version, "told": [_told_dict(told) for told in p.told]}
                        for p in chapter.passages
                    ],
                }
                for chapter in self.chapters
            ],
        }


def tell(
    lines: Iterable[Line],
    customer: str,
    local: LocalTime | ZoneInfo,
    journey: str | None = None,
    journeys: Mapping[str, Journey] | None = None,
) -> Story:
    """The story of `customer` out of a journal's lines, in their order; only of one journey where it is given.

    `local`: whose time it is told in; a mere zone where nothing is known of the customer. `journeys`: the programs, as
    far as they are at hand: they know what kind of step an id names.
    """
    told_in = local if isinstance(local, LocalTime) else LocalTime(local)
    zone = told_in.zone
    chapters: dict[str | None, Chapter] = {}
    running: dict[tuple[str, str], Passage] = {}
    for line in lines:
        if line.get("customer") != customer:
            continue
        name, key = line.get("journey"), line.get("key")
        if journey is not None and name != journey:
            continue
        chapter = chapters.setdefault(name, Chapter(name))
        line = _explained(line, told_in, journeys or {})
        told = Told(parse_instant(str(line["at"])), sentence(line, zone), because(line, zone))
        if line["type"] == "entered":
            passage = Passage(key, line.get("version"))
            chapter.passages.append(passage)
            running[str(name), str(key)] = passage
            passage.told.append(told)
            continue
        inside = running.get((str(name), str(key))) if line["type"] != "refused" and name is not None else None
        (inside or _door(chapter)).told.append(told)
    for chapter in chapters.values():
        for passage in chapter.passages:
            passage.told = _counted(passage.told)
    ordered = sorted(chapters.values(), key=lambda chapter: chapter.journey is None)
    return Story(customer, told_in, tuple(ordered))


def _explained(line: Line, local: LocalTime, journeys: Mapping[str, Journey]) -> Line:
    """The line, with what the journal leaves to those who know the customer and the journeys."""
    more: dict[str, str] = {}
    values = line.get("values")
    link = values.get("zone") if isinstance(values, Mapping) else None
    if line["type"] in ("waiting", "rescheduled") and isinstance(link, str):
        more["zone_words"] = local.words_for(link)
    if line["type"] == "suppressed":
        journey = journeys.get(str(line.get("journey")))
        number = journey.by_id.get(str(line.get("step"))) if journey is not None else None
        if journey is not None and number is not None:
            more["verb"] = "coupon" if isinstance(journey.steps[number], IssueCoupon) else "other"
    return {**line, "values": {**(values if isinstance(values, Mapping) else {}), **more}} if more else line


def _door(chapter: Chapter) -> Passage:
    """The place for what happened outside any passage; a new one after each passage, so that the order stays."""
    if not chapter.passages or chapter.passages[-1].key is not None:
        chapter.passages.append(Passage(None, None))
    return chapter.passages[-1]


def _counted(told: Iterable[Told]) -> list[Told]:
    """Equal sentences in a row as one, with their number."""
    out = []
    for _, group in groupby(told, key=lambda one: (one.text, one.because)):
        same = list(group)
        first = same[0]
        out.append(first if len(same) == 1 else Told(first.at, first.text, first.because, len(same), same[-1].at))
    return out


def story_text(story: Story, titles: Mapping[str, str]) -> str:
    """The story as people read it, without a line break at the end."""
    whose = f" ({story.local.whose})" if story.local.whose is not None else ""
    out = [f"{story.customer}, in the local time of {story.zone}{whose}"]
    instants = [told.at for chapter in story.chapters for passage in chapter.passages for told in passage.told]
    widest = max((len(local_text(at, story.zone)) for at in instants), default=0)
    for chapter in story.chapters:
        title = titles.get(chapter.journey or "")
        name = chapter.journey or "in no journey"
        out += ["", f"{name}: {title}" if title and title != name else name]
        for heading, passage in _headed(chapter, story.customer):
            out += [f"  {heading}"] if heading else []
            out += [line for told in passage.told for line in _told_lines(told, story.zone, widest)]
    return "\n".join(out)


def _headed(chapter: Chapter, customer: str) -> list[tuple[str, Passage]]:
    """Passages with what to call them; the only one needs no name."""
    headed = []
    count = 0
    plain = len(chapter.passages) == 1 and chapter.passages[0].key in (None, customer)
    for passage in chapter.passages:
        count += passage.key is not None
        key = f", key {passage.key}" if passage.key != customer else ""
        heading = f"{_ordinal(count)} passage{key}" if passage.key is not None else "at the door"
        headed.append(("" if plain or chapter.journey is None else heading, passage))
    return headed


def _told_lines(told: Told, zone: ZoneInfo, widest: int) -> list[str]:
    when = local_text(told.at, zone)
    out = [f"  {when:<{widest}}  {told.text}"]
    indent = " " * (widest + 4)
    if told.because:
        first, *rest = told.because
        out.append(f"{indent}because {first}")
        out += [f"{indent}    and {value.removeprefix('and ')}" for value in rest]
    if told.last_at is not None:
        out.append(f"{indent}and {told.times - 1} more times, the last on {local_text(told.last_at, zone)}")
    return out


def _ordinal(number: int) -> str:
    last, last_two = number % 10, number % 100
    ending = "th" if 10 <= last_two <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(last, "th")
    return f"{number}{ending}"


def _told_dict(told: Told) -> dict[str, Any]:
    out: dict[str, Any] = {"at": format_instant(told.at), "text": told.text, "because": list(told.because)}
    if told.last_at is not None:
        out |= {"times": told.times, "last_at": format_instant(told.last_at)}
    return out
