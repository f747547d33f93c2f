"""What a turn reads only when a decision asks for it: pasts by the name of the event, causes by the address.

Both databases fill these in by a query of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from orchestrator.core.expression.scope import PastEvent
from orchestrator.core.state import loads
from orchestrator.stores.instants import instant

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
        """Events of this name, ascending by timestamp; never NotLoaded."""
        return self._all.of(name).get(self._place, ())


class Histories:
    """The pasts of the customers of one view, by name. `read`: the rows of a name, in any order."""

    def __init__(self, read: Callable[[str], list[EventRow]]) -> None:
        self._read = read
        self._names: dict[str, dict[int, list[PastEvent]]] = {}

    def of(self, name: str) -> Mapping[int, list[PastEvent]]:
        """The events of a name by the customer's place in the view."""
        found = self._names.get(name)
        if found is None:
            found = self._names[name] = {}
            for place, at, _, properties, id in sorted(self._read(name)):
                found.setdefault(place, []).append(PastEvent(instant(at), name, loads(properties), id))
        return found


class Suppressions(Mapping[tuple[str, str], frozenset[str]]):
    """The suppression list as a turn sees it: read address by address, because a step may write to any. `read`: the
    causes of one; None: the list is empty."""

    def __init__(self, read: Callable[[tuple[str, str]], Iterable[str]] | None) -> None:
        self._read = read
        self._known: dict[tuple[str, str], frozenset[str]] = {}

    def __getitem__(self, place: tuple[str, str]) -> frozenset[str]:
        causes = self._known.get(place)
        if causes is None:
            causes = self._known[place] = frozenset(self._read(place) if self._read is not None else ())
        if not causes:
            raise KeyError(place)
        return causes

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return (place for place, causes in self._known.items() if causes)

    def __len__(self) -> int:
        return sum(map(bool, self._known.values()))

    def __bool__(self) -> bool:
        return self._read is not None  # what was not asked for yet is on it all the same
