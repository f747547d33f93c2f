"""The whole engine in every zone of the IANA database: nothing promotional in quiet hours, nothing early, nothing lost.

Each zone has a customer; rules are drawn (days, windows across midnight, holidays), events come around the nights on
which clocks change. What the engine does is judged by the clock on the wall.
"""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.inbox import Identified
from orchestrator.core.quiet_plan import PlacedQuiet, Places, QuietPlan
from orchestrator.core.time.holiday_dates import Calendar
from orchestrator.core.time.quiet import QuietTimes, QuietWindow
from orchestrator.core.time.zones import zone_names, zone_or_none
from orchestrator.insights.wall_clock import was_quiet
from orchestrator.runtime.ingest import Incoming
from orchestrator.stores.memory import MemoryStore
from tests.small_projects import project_of
from tests.world import Engine, Happening, exactly

ZONES = sorted(zone_names())
QUARTER = timedelta(minutes=15)
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


def drawn(draw: random.Random) -> QuietTimes:
    """Rules that leave at least the hours from 12 to 16 of four days free."""

    def at(first: int, last: int) -> time:
        quarter = draw.randrange(first * 4, last * 4)
        return time(quarter // 4, quarter % 4 * 15)

    days = frozenset(draw.sample(range(7), 3))
    windows = [QuietWindow(at(17, 24), at(1, 12)), QuietWindow(time(0), time(0), days)]
    return QuietTimes(tuple(windows), (Calendar(draw.choice(["CN", "FR", "US"])),))


@pytest.mark.parametrize("seed", [1, 2])
def test_every_zone(tmp_path: Path, seed: int) -> None:
    """Each half of the zones keeps rules of its own."""
    draw = random.Random(seed)
    quiet = drawn(draw)
    loaded = project_of(tmp_path, {"j": JOURNEY}, project={"settings": {"smear": "0s"}})
    rule = PlacedQuiet("drawn", quiet.windows, calendar=quiet.calendars[0])
    project = replace(loaded.project, quiet_plan=QuietPlan((rule,), Places()))
    engine = Engine(MemoryStore(), replace(loaded, project=project), datetime(2026, 3, 1, tzinfo=UTC))
    happenings, entered = [], {}
    for name in ZONES[seed % 2 :: 2]:
        known = {"email": "a@example.com", "timezone": name, "consents": {"promotions": {"email": "in"}}}
        happenings.append(Happening(engine.start, name, Identified(known, silent=True)))
        for number, change in enumerate(CHANGES):
            at = change + QUARTER * draw.randrange(-80, 80)
            entered[name, str(number)] = at
            happenings.append(Happening(at, name, Incoming(name, "go", {"order": str(number)}, at)))
    exactly(engine, sorted(happenings, key=lambda h: h.at), datetime(2026, 12, 31, tzinfo=UTC))
    sent = {(t.customer, str(t.key)): t.at for t in engine.journal if t.type == "message"}
    assert sent.keys() == entered.keys(), "nothing is lost, and nothing comes twice"
    assert sum(t.type == "message" for t in engine.journal) == len(sent)
    for place, handed_at in sent.items():
        zone = zone_or_none(place[0])
        assert zone is not None
        assert not was_quiet(handed_at, zone, quiet)
        moment = entered[place]
        while moment < handed_at:
            assert was_quiet(moment, zone, quiet), "it was held while it could have gone"
            moment += QUARTER
