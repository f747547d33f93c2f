"""IANA zones, and the way between UTC instants and local wall-clock times.

The one rule of the whole folder lives in `to_utc` (the language reference, section 5): "A local time that does not
exist moves to the first instant after the gap; one that happens twice fires at the first, once." Everything else
that speaks of local times goes through it.

An *instant* is an aware datetime in UTC; a *local time* is a naive datetime that means something only beside a zone.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from orchestrator.errors import BadDate

# Files that lie in some systems' zone folders and are no zones: the machine's own setting, the defaults of a rule
# syntax nobody uses, and the placeholder of the database's makers.
_NOT_ZONES = frozenset({"localtime", "posixrules", "Factory"})

# Arithmetic from an epoch carries a clock face between naive and aware; `datetime.replace` costs twenty times as much.
_EPOCH_HERE = datetime(1970, 1, 1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Hours from a UTC midnight that surround that day in every zone; no zone has changed twice within four hours.
_AROUND_A_DAY = range(-20, 45, 4)

_MIDNIGHT = time(0)
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)

_known: dict[str, ZoneInfo] = {}


@cache
def zone_names() -> frozenset[str]:
    """Every zone name of the installed IANA database, for membership and for "did you mean"."""
    return frozenset(available_timezones() - _NOT_ZONES)


def zone_or_none(name: object) -> ZoneInfo | None:
    """The IANA zone of exactly this name (names are case-sensitive), or None.

    Takes whatever an attribute may hold: anything but the name of a zone, paths and other hostile text included, is
    None. Asking twice gives the same object.
    """
    if not isinstance(name, str):
        return None
    found = _known.get(name)
    if found is None and name in zone_names():
        found = _known[name] = ZoneInfo(name)
    return found


def local(instant: datetime, zone: ZoneInfo) -> datetime:
    """The naive wall-clock time of an instant in a zone.

    Raises BadDate where the wall clock would leave the years 1 to 9999.
    """
    offset = _steady_offset(zone, instant.toordinal())
    try:
        if offset is None:
            offset = _offset(zone, instant.astimezone(zone))
        return _EPOCH_HERE + (instant - _EPOCH + offset)
    except OverflowError:
        raise _beyond_calendar(instant, zone) from None


def to_utc(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant of a naive local time: in a gap the first instant after it, in a fold the first of the two.

    `wall.fold` is not looked at. Never goes backwards as `wall` goes forward. Raises BadDate where the instant would
    leave the years 1 to 9999.
    """
    steady = _steady_offset(zone, wall.toordinal())
    try:
        if steady is not None:
            return _EPOCH + (wall - _EPOCH_HERE - steady)
        wall = wall.replace(fold=0)
        before = _offset(zone, wall)
        instant = _EPOCH + (wall - _EPOCH_HERE - before)
        if _offset(zone, instant.astimezone(zone)) == before:
            return instant
    except OverflowError:
        raise _beyond_calendar(wall, zone) from None
    return _end_of_gap(wall, zone, before)


@lru_cache(maxsize=16_384)
def same_offset(day: int, days: int, zone: ZoneInfo) -> bool:
    """Whether the clocks of a zone surely stand alike on a day, by its ordinal in UTC, and so many days later, with no
    change near either.

    Then days between them are days of 24 hours.
    """
    offset = _steady_offset(zone, day)
    return offset is not None and offset == _steady_offset(zone, day + days)


def second_of_fold(wall: datetime, zone: ZoneInfo) -> datetime | None:
    """The later of two instants that share this local time, or None where the local time does not happen twice."""
    if _steady_offset(zone, wall.toordinal()) is not None:
        return None
    first, second = _offset(zone, wall.replace(fold=0)), _offset(zone, wall.replace(fold=1))
    return _EPOCH + (wall - _EPOCH_HERE - second) if second < first else None


def local_midnight_after(now: datetime, zone: ZoneInfo) -> datetime:
    """The next instant strictly after `now` at which a local day begins.

    Where midnight is in a gap the day begins with the first instant after it. Where clocks go back at 00:01 into the
    day before, midnight comes twice and the date changes at both.
    """
    day = local(now, zone).date()
    while True:
        midnight = datetime.combine(day, _MIDNIGHT)
        begins_at = to_utc(midnight, zone)
        if begins_at > now:
            return begins_at
        again_at = second_of_fold(midnight, zone)
        if again_at is not None and again_at > now and local(again_at - _SECOND, zone) < midnight:
            return again_at
        try:
            day += _DAY
        except OverflowError:
            raise _beyond_calendar(now, zone) from None


@lru_cache(maxsize=65536)
def _steady_offset(zone: ZoneInfo, day: int) -> timedelta | None:
    """The offset that holds throughout a day, UTC's and the zone's own, by its ordinal; None near a change."""
    try:
        midnight = datetime.fromordinal(day).replace(tzinfo=UTC)
        offsets = {_offset(zone, (midnight + timedelta(hours=hour)).astimezone(zone)) for hour in _AROUND_A_DAY}
    except (OverflowError, ValueError):
        return None  # the calendar ends
    return offsets.pop() if len(offsets) == 1 else None


@lru_cache(maxsize=1024)
def _end_of_gap(wall: datetime, zone: ZoneInfo, before: timedelta) -> datetime:
    """The instant at which a gap around `wall` ends, found by halving: transitions fall on whole seconds."""
    whole = wall.replace(microsecond=0, tzinfo=UTC)
    # `low` is still before the transition, `high` is not.
    low, high = whole - _offset(zone, wall.replace(fold=1)), whole - before
    while high - low > _SECOND:
        middle = low + timedelta(seconds=(high - low) // _SECOND // 2)
        if _offset(zone, middle.astimezone(zone)) == before:
            low = middle
        else:
            high = middle
    return high


def _offset(zone: ZoneInfo, wall: datetime) -> timedelta:
    """The offset that a zone has at its own wall-clock time, by `wall.fold` where there are two."""
    offset = zone.utcoffset(wall)
    assert offset is not None  # a ZoneInfo knows it for every datetime
    return offset


def _beyond_calendar(moment: datetime, zone: ZoneInfo) -> BadDate:
    return BadDate(f"{moment.isoformat()} lies outside the years 1 to 9999 in {zone.key}; use a date within them")
