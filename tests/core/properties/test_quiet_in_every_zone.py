"""The whole engine in every zone of the IANA database, and in every country: nothing promotional in quiet hours,
nothing early, nothing lost.

Each zone has a customer who tells it, each country one who tells only where they are; rules are drawn (days, windows
across midnight, holidays of two countries), events come around the nights on which clocks change, releases are smeared.
What the engine does is judged by looking at the clock, quarter hour by quarter hour.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import phonenumbers
import pytest

from orchestrator.core.inbox import Identified
from orchestrator.core.quiet_plan import PlacedQuiet, Places, QuietPlan
from orchestrator.core.time.country_zones import ZONES_OF_COUNTRY
from orchestrator.core.time.holiday_dates import Calendar
from orchestrator.core.time.quiet import QuietWindow
from orchestrator.core.time.zones import zone_names, zone_or_none
from orchestrator.runtime.ingest import Incoming
from orchestrator.stores.memory import MemoryStore
from tests.core.time.quiet_by_the_minute import DAY, QUARTER, ByTheMinute, Part, first, in_any
from tests.small_projects import project_of
from tests.world import Engine, Happening, exactly

ZONES = sorted(zone_names())
SMEAR = timedelta(minutes=10)
CHANGES = [
    datetime(2026, 3, 8, 8, tzinfo=UTC),
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(2026, 10, 25, 1, tzinfo=UTC),
]
JOURNEY: dict[str, Any] = {
    "topic": "promotions",
    "enter": {"event": "go", "key": "event.order", "reentry": "always"},
    "steps": [{"email": "hello"}],
}


def drawn(draw: random.Random) -> list[Part]:
    """Rules that leave at least the hours from 12 to 16 of three days free, but for holidays: of two countries, each
    with windows of its own, so that China's made-up working days move those of China alone."""

    def at(first: int, last: int) -> time:
        quarter = draw.randrange(first * 4, last * 4)
        return time(quarter // 4, quarter % 4 * 15)

    night, days = (at(17, 24), at(1, 12), None), frozenset(draw.sample(range(7), 3))
    sundays = (time(0), time(12), frozenset({6}))
    return [
        Part((night, (time(0), time(0), days)), (("CN", None),)),
        Part((sundays,), ((draw.choice(["FR", "US"]), None),)),
    ]


def plan_of(parts: list[Part]) -> QuietPlan:
    rules = [
        PlacedQuiet(f"drawn{n}", tuple(QuietWindow(*window) for window in part.windows), calendar=Calendar(*calendar))
        for n, part in enumerate(parts)
        for calendar in part.calendars
    ]
    return QuietPlan(tuple(rules), Places())


def of_zone(name: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Traits of somebody, and the zones in any of which it counts."""
    return {"timezone": name}, (name,)


def of_country(code: str, by_phone: bool) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Somebody who tells a country, or a number of one."""
    example = phonenumbers.example_number(code)
    if not by_phone or example is None:
        return {"country": code}, ZONES_OF_COUNTRY[code]
    return {"phone": phonenumbers.format_number(example, phonenumbers.PhoneNumberFormat.E164)}, ZONES_OF_COUNTRY[code]


def lived(
    folder: Path, draw: random.Random, parts: list[Part], people: dict[str, dict[str, Any]]
) -> dict[tuple[str, str], tuple[datetime, datetime]]:
    """(came, was written to) of everyone who came, by (customer, order). Nobody is lost, nobody written to twice."""
    loaded = project_of(folder, {"j": JOURNEY}, project={"settings": {"smear": f"{SMEAR.seconds}s"}})
    project = replace(loaded.project, quiet_plan=plan_of(parts))
    engine = Engine(MemoryStore(), replace(loaded, project=project), datetime(2026, 3, 1, tzinfo=UTC))
    happenings, entered = [], {}
    for name, traits in people.items():
        known = {"email": "a@example.com", "consents": {"promotions": {"email": "in"}}, **traits}
        happenings.append(Happening(engine.start, name, Identified(known, silent=True)))
        for number, change in enumerate(CHANGES):
            at = change + QUARTER * draw.randrange(-80, 80)
            entered[name, str(number)] = at
            happenings.append(Happening(at, name, Incoming(name, "go", {"order": str(number)}, at)))
    exactly(engine, sorted(happenings, key=lambda h: h.at), datetime(2026, 12, 31, tzinfo=UTC))
    lines = [line for line in engine.journal if line.type == "message"]
    sent = {(line.customer, str(line.key)): line.at for line in lines}
    assert sent.keys() == entered.keys(), "nothing is lost"
    assert len(lines) == len(sent), "nothing comes twice"
    return {place: (entered[place], at) for place, at in sent.items()}


class Judge:
    """When somebody may be written to, by the clocks of their zones."""

    def __init__(self, parts: list[Part]) -> None:
        self._parts = parts
        self._oracle = lru_cache(maxsize=4096)(self._looked_at)

    def _looked_at(self, since: datetime, zone: str) -> ByTheMinute:
        found = zone_or_none(zone)
        assert found is not None
        return ByTheMinute(since, 8, found, self._parts)

    def check(self, zones: tuple[str, ...], came_at: datetime, sent_at: datetime) -> None:
        since = came_at.replace(hour=0, minute=0)
        found = [self._oracle(since, zone) for zone in zones]
        quiet = in_any(found)
        free_at = first(since, quiet, came_at, False)
        if free_at is None or free_at - came_at > 3 * DAY:  # always quiet in one of them: the first alone counts then
            assert len(zones) > 1 or free_at is not None
            if free_at is None:
                quiet = list(found[0].quarters)
                free_at = first(since, quiet, came_at, False)
        assert free_at is not None
        assert not quiet[(sent_at - since) // QUARTER], "it was written in quiet hours"
        if free_at == came_at:
            assert sent_at == came_at, "it was held while it could have gone"
        else:
            assert free_at <= sent_at < free_at + SMEAR, "it goes when quiet hours are over, smeared"


@pytest.mark.parametrize("seed", [1, 2])
def test_every_zone(tmp_path: Path, seed: int) -> None:
    """Each half of the zones keeps rules of its own."""
    draw = random.Random(seed)
    parts = drawn(draw)
    people = {name: of_zone(name) for name in ZONES[seed % 2 :: 2]}
    judge = Judge(parts)
    for (name, _), (came_at, sent_at) in lived(
        tmp_path, draw, parts, {name: traits for name, (traits, _) in people.items()}
    ).items():
        judge.check(people[name][1], came_at, sent_at)


def test_every_country_without_a_zone(tmp_path: Path) -> None:
    """Who tells no zone is in that of the country or number; in one of several zones, it is quiet when it is in any."""
    draw = random.Random(3)
    parts = [Part(((time(21), time(7, 30), None),), (("CN", None), ("FR", None)))]
    people = {code: of_country(code, bool(n % 2)) for n, code in enumerate(sorted(ZONES_OF_COUNTRY))}
    judge = Judge(parts)
    for (name, _), (came_at, sent_at) in lived(
        tmp_path, draw, parts, {name: traits for name, (traits, _) in people.items()}
    ).items():
        judge.check(people[name][1], came_at, sent_at)
