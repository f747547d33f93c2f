"""Packs are whole: every rule has a source, every place exists, and what they say is what the engine gets."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest

import orchestrator.compliance
from orchestrator.compliance.packs import PACKS, load_pack, pack_of_country, read_pack
from orchestrator.compliance.quiet import Kept, placed_rules, places_of, quiet_windows
from orchestrator.core.time.country_zones import ZONES_OF_COUNTRY
from orchestrator.core.time.holiday_dates import DECREED_UNTIL, Calendar, HolidayYear, has_holidays, holiday_year
from orchestrator.core.time.zone_in_force import zones_of_country

FOLDER = Path(orchestrator.compliance.__file__).parent / "packs"


def test_every_file_is_a_pack_under_its_name() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(PACKS)
    assert [load_pack(name).name for name in PACKS] == list(PACKS)


@pytest.mark.parametrize("name", PACKS)
def test_a_pack_says_where_its_rules_come_from(name: str) -> None:
    pack = load_pack(name)
    assert pack.version >= 1
    assert pack.countries <= ZONES_OF_COUNTRY.keys()
    for source in pack.sources.values():
        assert source.url.startswith(("https://", "http://"))
        assert len(source.says) > 40
    used = {rule.source for rule in (*pack.quiet, *pack.consent)} | {rule.source for rule in pack.content}
    assert used <= pack.sources.keys()
    assert len({rule.id for rule in pack.quiet}) == len(pack.quiet)
    assert {"sms", "email"} <= {channel for rule in pack.consent for channel in rule.channels}
    assert all(rule.classes == {"promotional"} for rule in pack.quiet), "care and bookings may always be told of"


def test_no_country_is_in_two_packs() -> None:
    countries = [country for name in PACKS for country in load_pack(name).countries]
    assert len(countries) == len(set(countries))
    assert pack_of_country("DE") is load_pack("eu")
    assert pack_of_country("JP") is None


def test_implied_consent_in_canada_ends() -> None:
    pack = load_pack("ca")
    at = datetime(2026, 3, 31, 12, tzinfo=UTC)
    purchase, inquiry = pack.implied_for("email", "purchase"), pack.implied_for("email", "inquiry")
    assert purchase is not None
    assert inquiry is not None
    [zone] = zones_of_country("IS")
    assert purchase.after(at, zone).date() == date(2028, 3, 31)
    assert inquiry.after(at, zone).date() == date(2026, 9, 30)
    assert load_pack("us").implied_for("email", "purchase") is None


def test_what_is_not_allowed_is_quiet() -> None:
    [texas] = [rule for rule in load_pack("us").quiet if rule.id == "texas"]
    quiet = [(w.start, w.end, w.days) for w in quiet_windows(texas.allowed)]
    weekdays = frozenset(range(6))
    assert sorted(quiet, key=lambda w: (w[0], w[1])) == [
        (time(0), time(9), weekdays),
        (time(0), time(12), frozenset({6})),
        (time(21), time(0), None),
    ]


def test_codes_of_practice_bind_on_request_only() -> None:
    assert [rule.name for rule in placed_rules([Kept(load_pack("eu"))])] == []
    assert [rule.name for rule in placed_rules([Kept(load_pack("eu"), codes=True)])] == ["eu.france_sms"]
    assert [rule.name for rule in placed_rules([Kept(load_pack("cn"))])] == ["cn.sms_hours"]


def test_names_of_regions_are_known_in_any_case() -> None:
    known = places_of([Kept(load_pack("us")), Kept(load_pack("ca"))])
    assert known.region("US", "texas") == known.region("US", " TX ") == known.region("US", "US-TX") == "TX"
    assert known.region("US", "Texsas") is None
    assert known.region("CA", "Québec") is None
    assert known.region("CA", "quebec") == "QC"
    assert known.region("DE", "by") == "BY", "nothing is known of its parts, so that they are taken as they are"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"unknown_country": "maybe"}, "'maybe'"),
        ({"consent": [{"channels": ["sms"], "class": "promotional", "basis": "opt_in", "source": "law"}]}, "law"),
        ({"quiet": [{"id": "x", "source": "s", "channels": ["sms"], "regions": ["ZZ"], "allowed": []}]}, "place"),
    ],
)
def test_a_pack_that_is_not_whole_is_refused(change: dict[str, object], error: str) -> None:
    sound = {
        "pack": "x", "title": "X", "version": 1, "as_of": "2025-01", "countries": ["FR"], "unknown_country": "none",
        "sources": {"s": {"title": "t", "url": "https://example.com", "says": "w"}}, "quiet": [], "consent": [],
        "content": [],
    }  # fmt: skip
    read_pack(sound)
    with pytest.raises(ValueError, match=error):
        read_pack({**sound, **change})


def test_holidays() -> None:
    china = holiday_year(Calendar("CN"), 2026)
    assert {date(2026, 2, 17), date(2026, 2, 23), date(2026, 10, 1)} <= china.off
    assert date(2026, 2, 14) in china.working
    assert not china.estimated
    assert holiday_year(Calendar("CN"), 2027).estimated, "no decree is known yet"
    assert not holiday_year(Calendar("FR"), 2040).estimated
    assert date(2026, 6, 4) in holiday_year(Calendar("DE", "BY"), 2026).off
    assert date(2026, 6, 4) not in holiday_year(Calendar("DE", "BE"), 2026).off
    assert holiday_year(Calendar("FR", "nowhere"), 2026) == holiday_year(Calendar("FR"), 2026)
    assert not holiday_year(Calendar("XX"), 2026).off
    assert has_holidays("PT")
    assert not has_holidays("XX")


def test_the_decree_is_as_new_as_the_tables() -> None:
    """When the library learns the next decree, DECREED_UNTIL is to follow."""
    last = DECREED_UNTIL["CN"]
    assert holiday_year(Calendar("CN"), last).working, "a decree names weekends that are worked"
    assert not holiday_year(Calendar("CN"), last).estimated
    for year in range(last + 1, last + 4):
        assert holiday_year(Calendar("CN"), year).working == frozenset(), "the library knows a newer decree"
        assert holiday_year(Calendar("CN"), year).estimated


@pytest.mark.parametrize("name", ["Bank", "May", "Mar", "Sun", "Public", "Roma", "Islamic", "NYSE", "XNYS", "ECB", ""])
def test_what_is_no_country_has_no_holidays(name: str) -> None:
    """Names of the library's modules, kinds of holidays, stock exchanges: a profile may hold any text."""
    assert not has_holidays(name)
    for region in (None, "TX", ""):
        assert holiday_year(Calendar(name, region), 2026) == HolidayYear(frozenset(), frozenset())
