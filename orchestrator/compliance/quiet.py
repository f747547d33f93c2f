"""The quiet hours of packs in the words of the engine: what is not allowed is quiet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import time
from typing import Final, NamedTuple

from orchestrator.compliance.packs import Allowed, Pack, QuietRule, area_codes
from orchestrator.core.quiet_plan import PlacedQuiet, Places
from orchestrator.core.time.quiet import QuietWindow

_MIDNIGHT: Final = time(0)
_WEEK: Final = range(7)


class Kept(NamedTuple):
    """A pack as a project keeps it: without the rules `left_out`, and with industry codes of practice or without."""

    pack: Pack
    codes: bool = False
    left_out: frozenset[str] = frozenset()
    strict: bool | None = None
    """Whether it holds where the country is not known; None: as the pack says."""

    def rules(self) -> Iterator[QuietRule]:
        """Its rules about hours that the project keeps. What a regulator has carriers enforce binds like a law."""
        for rule in self.pack.quiet:
            if rule.id not in self.left_out and (rule.status != "code" or self.codes):
                yield rule


def placed_rules(kept: Iterable[Kept]) -> Iterator[PlacedQuiet]:
    """The rules of packs, each for its places."""
    for one in kept:
        pack = one.pack
        for rule in one.rules():
            yield PlacedQuiet(
                name=f"{pack.name}.{rule.id}",
                windows=quiet_windows(rule.allowed),
                holidays=rule.holidays,
                countries=_countries(pack, rule),
                regions=rule.regions,
                classes=rule.classes,
                channels=rule.channels,
                anywhere=pack.strict if one.strict is None else one.strict,
            )


def _countries(pack: Pack, rule: QuietRule) -> frozenset[str]:
    if rule.regions is not None and pack.home is not None:
        return frozenset({pack.home})
    return pack.countries if rule.countries is None else rule.countries


def places_of(kept: Iterable[Kept]) -> Places:
    """What these packs know of places."""
    regions: dict[str, dict[str, str]] = {}
    for pack, *_ in kept:
        if pack.home is not None:
            known = {code: code for code in pack.regions} | {name.upper(): code for code, name in pack.regions.items()}
            regions[pack.home] = known
    return Places(area_codes() if regions else {}, regions)


def quiet_windows(allowed: tuple[Allowed, ...]) -> tuple[QuietWindow, ...]:
    """All that is not allowed, day by day: no window crosses midnight, and days with the same ones share them."""
    by_times: dict[tuple[time, time], set[int]] = {}
    for day in _WEEK:
        for gap in _gaps(sorted((w.start, w.end) for w in allowed if w.days is None or day in w.days)):
            by_times.setdefault(gap, set()).add(day)
    return tuple(
        QuietWindow(start, end, None if len(days) == len(_WEEK) else frozenset(days))
        for (start, end), days in by_times.items()
    )


def _gaps(allowed: list[tuple[time, time | None]]) -> Iterator[tuple[time, time]]:
    """What a day has beside its allowed times, each from its start to its end; midnight ends the day."""
    free_from = _MIDNIGHT
    for start, end in allowed:
        if start > free_from:
            yield free_from, start
        if end is None:
            return
        free_from = max(free_from, end)
    yield free_from, _MIDNIGHT
