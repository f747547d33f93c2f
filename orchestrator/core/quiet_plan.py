"""Quiet hours that depend on where a customer is: the rules of countries and states, and whole holidays.

A project that keeps them has one plan, made when it is loaded; one that does not has none, and pays nothing. Where a
customer is, is told by the profile (`country`, `region` or `state`) and by the phone number; where the two differ, the
rules of both hold, and where nothing tells it, those of every place that a rule names for that case: whoever does not
know must not write at night.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from orchestrator.core.customer import Customer
from orchestrator.core.number_place import NumberPlace, Place, place_of_number
from orchestrator.core.program import Channel, MessageClass
from orchestrator.core.time.country_names import country_code
from orchestrator.core.time.holiday_dates import Calendar, calendar_of
from orchestrator.core.time.quiet import QuietTimes, QuietWindow, Reading
from orchestrator.core.time.zone_in_force import ZoneInForce, zones_of_country
from orchestrator.records import dataclass

MOST_PLACES: Final = 4096
"""So many places are remembered: what customers say of themselves may be anything."""


@dataclass(frozen=True, slots=True)
class PlacedQuiet:
    """One rule: when it is quiet, for which messages, and where.

    `countries` None: everywhere. `regions` None: in all of these countries. `channels` None: on all. `holidays`: the
    public holidays of the place are quiet as a whole, and where no place is known those of `calendar`; without
    `holidays`, those of `calendar` everywhere.
    `anywhere`: it also holds where the country is not known; where the region is not known, rules of regions always do.
    """

    name: str
    windows: tuple[QuietWindow, ...] = ()
    holidays: bool = False
    calendar: Calendar | None = None
    countries: frozenset[str] | None = None
    regions: frozenset[str] | None = None
    classes: frozenset[MessageClass] = frozenset({"promotional"})
    channels: frozenset[Channel] | None = None
    anywhere: bool = False

    def binds(self, klass: MessageClass, channel: Channel) -> bool:
        """Whether a message of this class on this channel keeps it."""
        return klass in self.classes and (self.channels is None or channel in self.channels)

    def holds_at(self, place: Place | None) -> bool:
        """Whether it holds at a place; None: nobody knows where."""
        if self.countries is None:
            return True
        if place is None:
            return self.anywhere
        country, region = place
        if country not in self.countries:
            return False
        return self.regions is None or region is None or region in self.regions


@dataclass(frozen=True, slots=True)
class Places:
    """What is known of places: area codes of North American numbers, and the parts of countries by their names in
    capitals, their codes included."""

    area_codes: Mapping[str, Place] = field(default_factory=dict)
    regions: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def region(self, country: str, said: object) -> str | None:
        """The code of a part of a country; None where it is not told, or is none of a country whose parts are known."""
        text = _code(said)
        if text is None:
            return None
        text = text.removeprefix(country + "-")
        known = self.regions.get(country)
        return text if known is None else known.get(text)


class Placed(NamedTuple):
    """When a customer is not written to (None: no rule holds there), and the zones in any of which it counts."""

    quiet: QuietTimes | None
    zones: tuple[ZoneInfo, ...]


class _Asked(NamedTuple):
    """What is known of where a customer is: the country of the profile by its code, the part of it as it stands there,
    where the phone number was given out, and where the number to which one message goes was."""

    home: str | None
    region: object
    of_phone: NumberPlace | None
    of_to: NumberPlace | None


class _Here(NamedTuple):
    """What holds for all of whom the same is known. `bound`: places with laws; `foreign`: those that only the number
    tells to which the message goes."""

    places: tuple[Place, ...]
    quiet: QuietTimes | None
    bound: tuple[Place, ...]
    foreign: tuple[Place, ...]


class PlacedTimes:
    """The quiet times of one class on one channel, by customer."""

    def __init__(self, rules: Iterable[PlacedQuiet], known: Places) -> None:
        self._rules = tuple(rules)
        self._known = known
        self._by_place: dict[_Asked, _Here] = {}
        self._by_zones: dict[tuple[object, ...], Placed] = {}
        self._made: dict[tuple[Reading, ...], QuietTimes | None] = {}

    def at(self, customer: Customer, to: str | None = None) -> QuietTimes | None:
        """When this customer is not written to; None: no rule holds there. The same object for the same rules. `to`:
        the number to which the message goes, where it is not the profile's."""
        return self._here(customer, to).quiet

    def placed(self, customer: Customer, in_force: ZoneInForce, own: ZoneInForce, to: str | None = None) -> Placed:
        """The same, with the zones that count.

        Whatever zone a journey or step gives itself (`in_force`), the recipient's `own` counts, too. Where the profile
        tells no zone, a law counts in the zones of the places where it holds, be they one country's or two's, and the
        project's own rules in those of the chain.
        """
        here = self._here(customer, to)
        zones, by_step = in_force.all_zones, in_force.link == "step"
        if by_step and own.all_zones != zones:
            zones = tuple(dict.fromkeys((*zones, *own.all_zones)))
        abroad = here.foreign if own.link == "customer" else here.bound
        if not abroad or here.quiet is None:
            return Placed(here.quiet, zones)
        key = (here.places, abroad, zones, in_force.all_zones if by_step else None)
        found = self._by_zones.get(key)
        if found is None:
            if len(self._by_zones) >= MOST_PLACES:
                self._by_zones.clear()
            beside = frozenset(in_force.all_zones) if by_step else frozenset[ZoneInfo]()
            found = self._by_zones[key] = self._abroad(here, abroad, zones, beside)
        return found

    def at_places(self, places: Sequence[Place]) -> QuietTimes | None:
        """The times of these places together; of none: where nobody knows."""
        return self._quiet([Reading(windows, calendar) for _, windows, calendar in self._readings(places)])

    def _here(self, customer: Customer, to: str | None) -> _Here:
        attributes = customer.attributes
        home, codes = country_code(customer.country) if isinstance(customer.country, str) else None, self._known
        of_phone = place_of_number(customer.phone, home, codes.area_codes)
        of_to = place_of_number(to, home, codes.area_codes) if to is not None else None
        asked = _Asked(home, attributes.get("region") or attributes.get("state"), of_phone, of_to)
        try:
            found = self._by_place.get(asked)
        except TypeError:  # an attribute that is no text
            asked = asked._replace(region=None)
            found = self._by_place.get(asked)
        if found is None:
            if len(self._by_place) >= MOST_PLACES:
                self._by_place.clear()
            places = tuple(dict.fromkeys(self._places(asked)))
            bound = tuple(place for place in places if self._is_bound(place))
            foreign = tuple(place for place in bound if of_to != of_phone and place == _place(of_to))
            found = self._by_place[asked] = _Here(places, self.at_places(places), bound, foreign)
        return found

    def _is_bound(self, place: Place) -> bool:
        return any(rule.countries is not None and rule.holds_at(place) for rule in self._rules)

    def _readings(
        self, places: Sequence[Place]
    ) -> Iterator[tuple[PlacedQuiet, tuple[QuietWindow, ...], Calendar | None]]:
        """Rules that hold at these places, each as often as there are calendars that read it."""
        asked: Sequence[Place | None] = places or [None]
        for rule in self._rules:
            if any(rule.holds_at(place) for place in asked):
                calendars: dict[Calendar | None, None] = {}
                if rule.holidays:
                    calendars.update((calendar_of(*place), None) for place in places if rule.holds_at(place))
                if rule.calendar is not None and not (rule.holidays and places):
                    calendars[rule.calendar] = None
                for calendar in calendars or (None,):
                    yield rule, rule.windows, calendar

    def _abroad(
        self, here: _Here, abroad: tuple[Place, ...], zones: tuple[ZoneInfo, ...], beside: frozenset[ZoneInfo]
    ) -> Placed:
        """Laws in the zones of their places, first of all: where no time is left to both, they are kept."""
        here_zones = frozenset(zones)
        all_zones: dict[ZoneInfo, None] = {}
        readings = []
        for rule, windows, calendar in self._readings(here.places):
            of_law: set[ZoneInfo] = set()
            for place in here.places if rule.countries is not None else ():
                if rule.holds_at(place):
                    of_law.update(zones_of_country(place[0]) if place in abroad else zones)
            all_zones.update((zone, None) for place in abroad for zone in zones_of_country(place[0]) if zone in of_law)
            readings.append(Reading(windows, calendar, frozenset(of_law | beside) if of_law else here_zones))
        if all(reading.zones == here_zones for reading in readings):
            return Placed(here.quiet, zones)
        return Placed(self._quiet(readings), tuple(dict.fromkeys((*all_zones, *zones))))

    def _quiet(self, readings: Iterable[Reading]) -> QuietTimes | None:
        """The same object for the same rules."""
        key = tuple(dict.fromkeys(readings))
        if key not in self._made:
            if len(self._made) >= MOST_PLACES:
                self._made.clear()
            made = QuietTimes.of(key)
            self._made[key] = made if made.readings else None
        return self._made[key]

    def _places(self, asked: _Asked) -> Iterator[Place]:
        """Where the customer is by the profile, by the phone, and by the number to which the message goes."""
        home, _, of_phone, of_to = asked
        if home is not None:
            region = self._known.region(home, asked.region)
            if region is None and of_phone is not None and of_phone.country == home:
                region = of_phone.region
            yield home, region
        for number in (of_phone, of_to):
            if number is not None and (number.country != home or number.region is not None or number.some_part):
                yield number.country, number.region


class QuietPlan:
    """All rules of a project that depend on the place. Two with the same rules are equal."""

    def __init__(self, rules: tuple[PlacedQuiet, ...], known: Places) -> None:
        self.rules = rules
        self._known = known
        self._times: dict[tuple[str, str], PlacedTimes | None] = {}

    def times(self, klass: MessageClass, channel: Channel) -> PlacedTimes | None:
        """The rules for messages of a class on a channel; None: none ever binds them."""
        key = klass, channel
        if key not in self._times:
            rules = [rule for rule in self.rules if rule.binds(klass, channel)]
            self._times[key] = PlacedTimes(rules, self._known) if rules else None
        return self._times[key]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, QuietPlan) and self.rules == other.rules

    def __hash__(self) -> int:
        return hash(self.rules)


def _place(number: NumberPlace | None) -> Place | None:
    return (number.country, number.region) if number is not None else None


def _code(text: object) -> str | None:
    if not isinstance(text, str) or not text.strip() or len(text) > 40:
        return None
    return text.strip().upper()
