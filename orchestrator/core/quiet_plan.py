"""Quiet hours that depend on where a customer is: the rules of countries and states, and whole holidays.

A project that keeps them has one plan, made when it is loaded; one that does not has none, and pays nothing. Where a
customer is, is told by the profile (`country`, `region` or `state`) and by the phone number; where the two differ, the
rules of both hold, and where nothing tells it, those of every place that a rule names for that case: whoever does not
know must not write at night.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from typing import Final, NamedTuple

from orchestrator.core.customer import Customer
from orchestrator.core.program import Channel, MessageClass
from orchestrator.core.time.holiday_dates import Calendar
from orchestrator.core.time.quiet import QuietTimes, QuietWindow
from orchestrator.core.time.zone_in_force import country_of_phone
from orchestrator.records import dataclass

Place = tuple[str, str | None]
"""A country by its ISO 3166 code, and the part of it: None where it is not known."""
MOST_PLACES: Final = 4096
"""So many places are remembered: what customers say of themselves may be anything."""
_OTHER_CODES: Final = {"UK": "GB", "EL": "GR"}


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


class _Asked(NamedTuple):
    """What a profile says of the place, cut to what tells places apart."""

    country: str | None
    region: str | None
    phone: str | None


class PlacedTimes:
    """The quiet times of one class on one channel, by customer."""

    def __init__(self, rules: Iterable[PlacedQuiet], known: Places) -> None:
        self._rules = tuple(rules)
        self._known = known
        self._by_place: dict[_Asked, QuietTimes | None] = {}
        self._made: dict[tuple[tuple[str, ...], tuple[Calendar, ...]], QuietTimes | None] = {}

    def at(self, customer: Customer) -> QuietTimes | None:
        """When this customer is not written to; None: no rule holds there. The same object for the same rules."""
        attributes = customer.attributes
        asked = _Asked(customer.country, attributes.get("region") or attributes.get("state"), _prefix(customer.phone))
        try:
            return self._by_place[asked]
        except KeyError:
            found = self.at_places(list(self._places(customer, asked)))
        except TypeError:  # an attribute that is no text
            return self.at_places(list(self._places(customer, asked._replace(region=None))))
        if len(self._by_place) >= MOST_PLACES:
            self._by_place.clear()
        self._by_place[asked] = found
        return found

    def at_places(self, places: list[Place]) -> QuietTimes | None:
        """The times of these places together; of none: where nobody knows."""
        asked: list[Place | None] = [*places] or [None]
        rules = tuple(rule for rule in self._rules if any(rule.holds_at(place) for place in asked))
        calendars: dict[Calendar, None] = {}
        for rule in rules:
            if rule.holidays:
                calendars.update((Calendar(*place), None) for place in places if rule.holds_at(place))
            if rule.calendar is not None and not (rule.holidays and places):
                calendars[rule.calendar] = None
        key = tuple(rule.name for rule in rules), tuple(calendars)
        if key not in self._made:
            windows = dict.fromkeys(window for rule in rules for window in rule.windows)
            made = QuietTimes(tuple(windows), tuple(calendars)) if windows or calendars else None
            self._made[key] = made
        return self._made[key]

    def _places(self, customer: Customer, asked: _Asked) -> Iterator[Place]:
        """Where the customer is by the profile, and by the phone."""
        home = _code(asked.country)
        of_phone = _place_of_phone(asked.phone, customer.phone, home, self._known.area_codes)
        if home is not None:
            region = self._known.region(home, asked.region)
            if region is None and of_phone is not None and of_phone[0] == home:
                region = of_phone[1]
            yield home, region
        if of_phone is not None and (home is None or of_phone[0] != home or of_phone[1] is not None):
            yield of_phone


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


def _prefix(phone: str | None) -> str | None:
    """The first five characters of a phone number in the international form: no calling code with its area is longer
    that any rule looks at. Without a calling code, its first four digits."""
    if not phone:
        return None
    head = phone[:5]
    if head[0] == "+" and head[1:].isdigit():
        return head
    digits = "".join(char for char in phone if char.isdigit())
    if phone.lstrip().startswith("+"):
        return "+" + digits[:4]
    return "+" + digits[2:6] if digits.startswith("00") else digits[:4]


def _place_of_phone(
    prefix: str | None, phone: str | None, home: str | None, area_codes: Mapping[str, Place]
) -> Place | None:
    """Where the number was given out. One without its calling code is read as one of the customer's own country."""
    if prefix is None or phone is None:
        return None
    if not prefix.startswith("+"):
        if home in ("US", "CA"):  # their numbers are written alike
            return area_codes.get(prefix[1:4] if prefix.startswith("1") else prefix[:3])
        return None
    if prefix.startswith("+1"):
        found = area_codes.get(prefix[2:])
        if found is not None:
            return found
    country = country_of_phone(phone)
    return (country, None) if country is not None else None


def _code(text: object) -> str | None:
    if not isinstance(text, str) or not text.strip() or len(text) > 40:
        return None
    code = text.strip().upper()
    return _OTHER_CODES.get(code, code)
