"""What a turn reads only when a decision asks for it: pasts by the name of the event, causes by the address.

Both databases fill these in by a query of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from orchestrator.core.addresses import address_of
from orchestrator.core.expression.scope import PastEvent
from orchestrator.core.state import loads
from orchestrator.core.suppression import hashed_entry
from orchestrator.core.view import View
from orchestrator.stores.instants import instant
from orchestrator.stores.sealed_rows import EVENT, HIDDEN, opened
from orchestrator.stores.sealing import Sealer, Unopened

Place = tuple[str, str]
"""(channel, address), as the suppression list has it."""
EventRow = tuple[int, int, int, str, str]
"""The customer's place in the view, instant in microseconds, seq, properties as text, id."""


class LoadedHistory:
    """One customer's past events. Those of a name are read for all customers of the view together, when a decision
    first asks for it: most turns ask for none."""

    __slots__ = ("_all", "_place")

    def __init__(self, all_of_them: Histories, place: int) -> None:
        self._all = all_of_them
        self._place = place

    def events(self, name: str) -> Sequence[PastEvent]:
        """Events of this name, ascending by timestamp; never NotLoaded. Raises Unopened."""
        found = self._all.of(name).get(self._place, ())
        self._all.check(name, self._place)
        return found


class Histories:
    """The pasts of the customers of one view, by name. `read`: the rows of a name, in any order; `owners`: the internal
    ids of the customers by their places."""

    def __init__(self, read: Callable[[str], list[EventRow]], sealer: Sealer, owners: Sequence[int]) -> None:
        self._read = read
        self._sealer = sealer
        self._owners = owners
        self._closed: dict[tuple[str, int], Unopened] = {}
        self._names: dict[str, dict[int, list[PastEvent]]] = {}

    def of(self, name: str) -> Mapping[int, list[PastEvent]]:
        """The events of a name by the customer's place in the view."""
        found = self._names.get(name)
        if found is None:
            found = self._names[name] = {}
            for place, at, _, properties, id in sorted(self._read(name)):
                values = loads(properties)
                if HIDDEN in values:
                    try:
                        values = opened(self._sealer, f"{EVENT}:{self._owners[place]}", values)
                    except Unopened as error:
                        self._closed[name, place] = error
                found.setdefault(place, []).append(PastEvent(instant(at), name, values, id))
        return found

    def check(self, name: str, place: int) -> None:
        """Raises Unopened where something of this customer's past cannot be read: others are decided for."""
        error = self._closed.get((name, place)) if self._closed else None
        if error is not None:
            raise error


class Suppressions(Mapping[Place, frozenset[str]]):
    """The suppression list as a turn sees it, hashed entries included. When a decision first asks on a channel it is
    read for all customers of the view together, and besides for each address that a step writes to instead of theirs.

    `read`: the entries among some places, as (place, cause); None: the list is empty.
    """

    def __init__(
        self, read: Callable[[Sequence[Place]], Iterable[tuple[Place, str]]] | None, salt: str, view: View
    ) -> None:
        self._read = read
        self._salt = salt
        self._view = view
        self._channels: set[str] = set()
        self._known: dict[Place, frozenset[str]] = {}

    def __getitem__(self, place: Place) -> frozenset[str]:
        causes = self._known.get(place)
        if causes is None:
            causes = self._looked_up(place)
        if not causes:
            raise KeyError(place)
        return causes

    def __iter__(self) -> Iterator[Place]:
        return (place for place, causes in self._known.items() if causes)

    def __len__(self) -> int:
        return sum(map(bool, self._known.values()))

    def __bool__(self) -> bool:
        return self._read is not None  # what was not asked for yet is on it all the same

    def _looked_up(self, place: Place) -> frozenset[str]:
        if self._read is None:
            return frozenset()
        asked, channel = {place}, place[0]
        if channel not in self._channels:
            self._channels.add(channel)
            for record in self._view.customers:
                address, _ = address_of(record.customer, channel)
                if address is not None:
                    asked.add((channel, address.normal))
        self._known.update(causes_of(self._read, self._salt, asked - self._known.keys()))
        return self._known[place]


def causes_of(
    read: Callable[[Sequence[Place]], Iterable[tuple[Place, str]]], salt: str, asked: Iterable[Place]
) -> dict[Place, frozenset[str]]:
    """What the list says of some (channel, normalised address), under their plain and their hashed entries."""
    found: dict[Place, frozenset[str]] = dict.fromkeys(asked, frozenset())
    entries = {place: place for place in found} | {hashed_entry(salt, *place): place for place in found}
    for entry, cause in read(list(entries)) if entries else ():
        found[entries[entry]] |= {cause}
    return found


def marked_places(sealer: Sealer, places: Iterable[Place]) -> dict[Place, Place]:
    """Everything as which these may stand in the list, with whose it is."""
    return {(place[0], address): place for place in places for address in sealer.marks(place[1])}
