"""Canaries of deploys: begun by a deploy, watched while they run, and ended when the hold is over.

What counts is counted as it happens (messages handed over, bounces, complaints, opt-outs by a link, texts that could
not be made), in the installation's figures, by all processes together. Past a bound the canary is stopped: the hold has
no end then, nobody else is let in, and people are told. The bounds of a project that says nothing:

- bounces 5%: where Amazon SES puts an account under review ("Bounce and complaint rates", Amazon SES Developer Guide)
- complaints 0.3%: what Gmail and Yahoo ask of bulk senders never to reach ("Email sender guidelines", Google, 2024)
- opt-outs 2%: four times of what surveys of marketing mail call usual, so that a wrong audience shows, and little else
- texts that cannot be made 1%: every one of them is a mistake
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from time import monotonic
from typing import Final, NamedTuple

from orchestrator.core.canary import Canary, CanaryState, same_doors
from orchestrator.core.changes import Changes
from orchestrator.core.program import Journey
from orchestrator.core.project import CanaryBounds
from orchestrator.core.transition import Transition
from orchestrator.core.view import Switches
from orchestrator.definitions.load import LoadedProject
from orchestrator.stores.protocol import Store, StoreBusy

DEFAULT_HOLD: Final = timedelta(hours=2)
LEAST_SEEN: Final = 3
"""So many of a kind are needed before a share of them means anything."""
SETTLED_AFTER: Final = timedelta(minutes=1)
"""What was decided before everybody knew of a switch is there then; also how long a deploy may take."""
READ_EVERY: Final = 5.0
"""Seconds between two looks for canaries that began elsewhere."""
FIGURES: Final = "canary:"
"""Before the names of figures, then journey, when it began, and what is counted."""
_OUTCOMES: Final = {"bounced": "bounced", "rejected": "bounced", "complained": "complained"}
_WORDS: Final = {
    "bounced": "came back or were refused for good",
    "complained": "were complained about",
    "unsubscribed": "made their recipients opt out",
    "render_error": "could not be rendered",
}

log = logging.getLogger(__name__)


class Counts(NamedTuple):
    """What became of a canary's messages. `sent` of them were handed over."""

    sent: int = 0
    bounced: int = 0
    complained: int = 0
    unsubscribed: int = 0
    render_error: int = 0

    def breach(self, bounds: CanaryBounds) -> str | None:
        """In words what is past its bound; None: nothing is."""
        tried = self.sent + self.render_error
        for name in ("render_error", "complained", "bounced", "unsubscribed"):
            count, bound = getattr(self, name), getattr(bounds, name)
            if count >= LEAST_SEEN and count > bound * tried:
                rate = f"{count / tried:.1%}" if tried else "all"
                return f"{count:,} of {tried:,} messages ({rate}) {_WORDS[name]}; at most {bound:.1%} may"
        return None


class Plan(NamedTuple):
    """What a deploy asks for."""

    share: float
    hold: timedelta = DEFAULT_HOLD


def planned(
    known: Sequence[Canary],
    changed: Iterable[str],
    was: Mapping[str, Journey],
    will_be: Mapping[str, Journey],
    versions: Mapping[tuple[str, str], Journey],
    plan: Plan | None,
    now: datetime,
) -> tuple[Canary, ...]:
    """The canaries that hold from a deploy on. `was` and `will_be` are live before and after it, `versions` what else
    is known. Without a plan those that run go on, for the new versions, too: a deploy lets nobody go by the way."""
    found = {canary.journey: canary for canary in known}
    for journey in changed:
        earlier, live, new = found.get(journey), was.get(journey), will_be.get(journey)
        if earlier is not None and earlier.state not in ("on", "stopped"):
            earlier = None
        if new is None or (plan is None and earlier is None):
            continue
        before = earlier.before if earlier is not None else live.version if live is not None else None
        if before == new.version:
            assert earlier is not None  # else it would not have changed
            found[journey] = earlier._replace(state="back", until_at=now)
            continue
        old = None
        if before is not None:
            old = live if live is not None and live.version == before else versions.get((journey, before))
        canary = earlier
        if plan is not None:
            canary = Canary(journey, plan.share, now, now + plan.hold)
        assert canary is not None
        enters = old is not None and same_doors(old, new)
        found[journey] = canary._replace(before=before, enters=enters, since_at=now)
    for journey, canary in list(found.items()):
        if journey not in will_be and canary.state != "back":
            found[journey] = canary._replace(state="back", until_at=now)
    return tuple(found[journey] for journey in sorted(found))


def carry_on(store: Store, older: Sequence[LoadedProject], loaded: LoadedProject, now: datetime) -> None:
    """Another deployment than the last of `older` becomes live without anybody asking for a canary: those that run go
    on for it. Raises StoreBusy."""
    known = store.switches().canaries
    if known and older:
        was, will_be = older[-1].project.journeys, loaded.project.journeys
        changed = [name for name, journey in will_be.items() if name not in was or was[name].version != journey.version]
        versions = {(j.id, j.version): j for each in older for j in each.project.journeys.values()}
        put(store, known, planned(known, changed, was, will_be, versions, None, now))


def put(store: Store, known: Sequence[Canary], canaries: Sequence[Canary]) -> None:
    """From now on `canaries` hold of the journeys for which they differ from those `known` before; what somebody else
    changed meanwhile stays, and one that was stopped since stays stopped. Raises StoreBusy."""
    was = {canary.journey: canary for canary in known}
    new = [canary for canary in canaries if was.get(canary.journey) != canary]

    def change(switches: Switches) -> Switches:
        held = {canary.journey: canary for canary in switches.canaries}
        for canary in new:
            earlier, seen = held.get(canary.journey), was.get(canary.journey)
            if earlier is not None and seen is not None and canary.state == seen.state == "on" != earlier.state:
                canary = canary._replace(state=earlier.state, why=earlier.why)
            held[canary.journey] = canary
        return replace(switches, canaries=tuple(held[journey] for journey in sorted(held)))

    if new:
        store.change_switches(change)


def move(store: Store, journey: str, state: CanaryState, now: datetime, why: str = "") -> Canary | None:
    """Release, stop or take back the canary of a journey that runs or is stopped; None: there is none. Raises
    StoreBusy."""
    found: list[Canary] = []

    def change(known: Switches) -> Switches:
        found.clear()
        canaries = []
        for canary in known.canaries:
            if canary.journey == journey and canary.state in ("on", "stopped"):
                until_at = canary.until_at if state == "stopped" else now
                canary = canary._replace(state=state, until_at=until_at, why=why)
                found.append(canary)
            canaries.append(canary)
        return replace(known, canaries=tuple(canaries))

    store.change_switches(change)
    if found and state in ("over", "back"):
        _tell(store, found[0], now)
    return found[0] if found else None


def canary_once(store: Store, now: datetime) -> int:
    """Look at every canary: whether its hold is over, whether it has to be stopped. Returns how many customers were
    told. Where there is none it costs one look. Raises StoreBusy."""
    switches = store.switches()
    if not switches.canaries:
        return 0
    counted, told = counts_of(store, switches.canaries), 0
    for canary in switches.canaries:
        name = canary.journey
        if name in switches.stopped:  # everybody has left
            _forget(store, canary)
        elif canary.state in ("over", "back"):
            if now - canary.until_at >= SETTLED_AFTER:
                told += _tell(store, canary, now)
                _forget(store, canary)
        elif canary.state == "on":
            held_back = name in switches.paused | switches.killed_journeys or switches.killed_all
            why = counted[canary].breach(store.index.project.settings.canary)
            if why is not None:
                move(store, name, "stopped", now, why)
                log.error("the canary of %s is stopped: %s", name, why)
            elif now >= canary.until_at and not held_back:
                move(store, name, "over", now)
                told += 1
                log.info("the canary of %s is over: everybody goes on", name)
    return told


def _tell(store: Store, canary: Canary, now: datetime) -> int:
    return store.operate(canary.journey, "release" if canary.state == "over" else "cancel", now)


def _forget(store: Store, canary: Canary) -> None:
    store.change_switches(lambda known: replace(known, canaries=tuple(c for c in known.canaries if c != canary)))


def held(store: Store) -> Counter[str]:
    """How many customers are held before their first step, by journey. Raises StoreBusy."""
    found: Counter[str] = Counter()
    for (journey, _, step), count in store.standing().items():
        if not step:
            found[journey] += count
    return found


def counts_of(store: Store, canaries: Iterable[Canary]) -> dict[Canary, Counts]:
    """What became of the messages of each. Raises StoreBusy."""
    counted = store.counted()
    return {c: Counts(*(counted.get(f"{FIGURES}{c.place}:{what}", 0) for what in Counts._fields)) for c in canaries}


def count_lines(lines: Iterable[Transition], canaries: Mapping[str, Canary], counted: Counter[str]) -> None:
    """Count what lines of the journal tell of the messages of canaries."""
    for line in lines:
        canary = canaries.get(line.journey or "")
        if canary is None or line.version == canary.before:
            continue
        what = None
        if line.type == "message":
            what = "sent"
        elif line.type == "outcome":
            what = _OUTCOMES.get(str(line.data.get("status")))
        elif line.type == "suppressed" and line.data.get("reason") == "render_error":
            what = "render_error"
        if what is not None:
            counted[f"{FIGURES}{canary.place}:{what}"] += 1


def running_by_journey(switches: Switches) -> dict[str, Canary]:
    """The canaries of which messages are counted."""
    return {canary.journey: canary for canary in switches.canaries if canary.state in ("on", "stopped")}


class CanaryWatch:
    """Hears of the turns of one process: what came back, complaints, opt-outs by a message's link. Safe for several
    threads; whether there is any canary is looked up now and then."""

    def __init__(
        self, store: Store, counted: Callable[[Mapping[str, int]], None], clock: Callable[[], float] = monotonic
    ) -> None:
        self._store = store
        self._counted = counted
        self._clock = clock
        self._read_at: float | None = None
        self._canaries: dict[str, Canary] = {}

    def decided(self, changes: Changes) -> None:
        """A turn was saved. Never raises StoreBusy: what cannot be looked up is not counted."""
        try:
            now = self._clock()
            if self._read_at is None or now - self._read_at >= READ_EVERY:
                self._read_at, self._canaries = now, running_by_journey(self._store.switches())
            if self._canaries and (counted := self._count(changes)):
                self._counted(counted)
        except StoreBusy as error:
            log.warning("some of what became of a canary's messages is not counted: %s", error)

    def _count(self, changes: Changes) -> Counter[str]:
        counted: Counter[str] = Counter()
        for change in changes.customers:
            count_lines((line for line in change.transitions if line.type == "outcome"), self._canaries, counted)
            outs = [c.proof for c in change.choices if c.state == "out" and c.refused is None and c.proof is not None]
            for id in {str(proof["message"]) for proof in outs if "message" in proof}:
                message = self._store.ledger(id)
                canary = self._canaries.get(message.row.journey) if message is not None else None
                if message is not None and canary is not None and message.row.version != canary.before:
                    counted[f"{FIGURES}{canary.place}:unsubscribed"] += 1
        return counted
