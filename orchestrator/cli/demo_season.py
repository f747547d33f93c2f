"""The season of `orchestrator demo`: guests and staff act, and the engine's own passes run, on the journeys' clock.

Time goes in steps of an hour, as that of an engine which looks once an hour: what happened meanwhile arrives with its
own timestamps, everybody who is due is taken in one turn, and what was decided is handed over. `late_tolerance` is
twice the step here, so that every wait ends at its own instant all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from heapq import heappop, heappush
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, Final, NamedTuple

from orchestrator.core.inbox import (
    Body,
    ConsentChanged,
    Event,
    Identified,
    Receipt,
    RedemptionRequested,
    SurveyAnswered,
    TaskClosed,
)
from orchestrator.core.transition import line_of
from orchestrator.definitions.collector import seldom_collected
from orchestrator.definitions.load import LoadedProject
from orchestrator.demo.bookings import generate, profiles
from orchestrator.demo.past import history
from orchestrator.demo.reactions import Reaction, reactions
from orchestrator.demo.weather import OutsideWorld
from orchestrator.runtime.clock import keep
from orchestrator.runtime.delivery import deliver_once
from orchestrator.runtime.hooks import obey
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.runtime.requests import requests_once
from orchestrator.runtime.sweep import next_sweep_at, sweep_once
from orchestrator.runtime.turns import turn_once
from orchestrator.templating.failure import RenderError
from orchestrator.wiring.databases import one_transaction
from orchestrator.wiring.engine import Running
from orchestrator.wiring.installation import real_now

STEP: Final = timedelta(hours=1)
AT_ONCE: Final = 2_000
"""Customers, or items, that are brought in together."""
KEPT_EVERY: Final = timedelta(hours=24)
"""Journey time after which the clock is written down, and schedules are looked for again."""


class Asked(NamedTuple):
    """What the season is made of."""

    seed: int
    customers: int
    start: date
    days: int
    pace: float


class Ended(Exception):
    """Somebody asked to stop."""


def patient(loaded: LoadedProject) -> LoadedProject:
    """The project for an engine that looks once in a STEP: what waited for so long is not late."""
    settings = replace(loaded.project.settings, late_tolerance=2 * STEP)
    return replace(loaded, project=replace(loaded.project, settings=settings))


class Season:
    """One run. `heard` gets each line of the journal; `moved` hears of every step: (clock, events so far)."""

    def __init__(
        self,
        running: Running,
        asked: Asked,
        heard: Callable[[dict[str, Any]], None],
        moved: Callable[[datetime, int], None],
        stopping: Callable[[], bool],
    ) -> None:
        self.running = running
        self.events = 0
        self.answers: list[tuple[str, float | None]] = []
        """Surveys answered: (name, score)."""
        self.came_back: dict[str, int] = {"open": 0, "click": 0, "reply": 0, "redeem": 0, "task": 0}
        self.begin = datetime.combine(asked.start, time(), UTC)
        self.end = self.begin + timedelta(days=asked.days)
        self._asked = asked
        self._heard = heard
        self._moved = moved
        self._stopping = stopping
        self._store = running.store
        self._world = OutsideWorld()
        self._pending: list[tuple[datetime, int, str, str | None, Reaction]] = []
        self._count = 0
        self._surveyed: set[tuple[str, str]] = set()
        self._now = self.begin
        self._kept_at = self.begin

    def run(self) -> None:
        """From the first customer to the last day. Raises Ended."""
        with seldom_collected():
            self._bring_in()
            self._play()
        keep(self._store, self.running.engine.clock, real_now())
        self.running.engine.clock.go_on(real_now())

    # --- before the first day ----------------------------------------------------------------------------------------

    def _bring_in(self) -> None:
        """Customers and their past, in silence, as an import brings them."""
        seed, customers, start = self._asked.seed, self._asked.customers, self._asked.start
        known = iter([(str(guest["id"]), Identified(_traits(guest), silent=True)) for guest in _known(self._asked)])
        past = iter(groupby(history(seed, customers, start), itemgetter("customer")))
        while batch := list(islice(known, AT_ONCE)):
            self._take(batch)
            self._until_done()
        while some := [(who, [_past(item) for item in group]) for who, group in islice(past, AT_ONCE)]:
            with one_transaction(self._store):
                for customer, events in some:
                    self._store.lay_history(customer, events)
            # Silence brings memberships and timers up to date with the new past, and enters nobody.
            self._take([(customer, Identified({}, silent=True)) for customer, _ in some])
            self._until_done()

    # --- the season --------------------------------------------------------------------------------------------------

    def _play(self) -> None:
        asked = self._asked
        items = generate(asked.seed, asked.customers, asked.start, asked.days, asked.pace)
        item = next(items, None)
        swept_at = next_sweep_at(self._store)
        while self._now < self.end:
            at = self._next_at(None if item is None else _instant(item), swept_at)
            self._stand_at(at)
            arriving: list[Incoming | tuple[str, Body]] = []
            while item is not None and _instant(item) <= at:
                arriving.extend(self._of_item(item))
                item = next(items, None)
            while self._pending and self._pending[0][0] <= at:
                arriving.extend(self._of_reaction(*heappop(self._pending)[2:]))
            self._take(arriving)
            if swept_at is not None and swept_at <= at:
                sweep_once(self._store, at)
                swept_at = next_sweep_at(self._store)
            self._until_done()
            if at - self._kept_at >= KEPT_EVERY:
                self._kept_at = at
                keep(self._store, self.running.engine.clock, real_now())
                swept_at = next_sweep_at(self._store)
            self._moved(at, self.events)

    def _next_at(self, item_at: datetime | None, swept_at: datetime | None) -> datetime:
        """The end of the next step in which anything happens."""
        found = [item_at, swept_at, self._store.next_due_at(), self._pending[0][0] if self._pending else None]
        first = min((at for at in found if at is not None), default=self.end)
        steps = max(0, (max(first, self._now) - self.begin) // STEP) + 1
        return min(self.begin + steps * STEP, self.end)

    def _stand_at(self, at: datetime) -> None:
        if self._stopping():
            keep(self._store, self.running.engine.clock, real_now())
            raise Ended
        self._now = at
        self._world.day = at.date().isoformat()
        self.running.engine.clock.stand(at, real_now())

    def _take(self, arriving: Iterable[Incoming | tuple[str, Body]]) -> None:
        batch = list(arriving)
        if batch:
            ingest_once(self._store, batch, self._now)

    def _until_done(self) -> None:
        """Turns, calls and deliveries until nothing more is due, then what was written down meanwhile."""
        store, engine, now = self._store, self.running.engine, self._now
        while (due_at := store.next_due_at()) is not None and due_at <= now:
            work = turn_once(store, now).customers
            work += requests_once(store, self._world, now, width=1)
            work += sum(
                deliver_once(
                    store,
                    engine.channels,
                    engine.renderer,
                    now,
                    render_errors=RenderError,
                    real_at=real_now(),
                    unsubscribe_url=engine.unsubscribe_url,
                )
            )
            if not work:
                break
        self._read_journal()

    def _read_journal(self) -> None:
        for transition in sorted(self._store.drain_journal(), key=itemgetter(0, 1, 2)):
            line = line_of(transition)
            self._heard(line)
            for reaction in reactions(self._asked.seed, line):
                self._count += 1
                at = max(transition.at, self._now) + reaction.after
                if at < self.end:
                    heappush(self._pending, (at, self._count, line["customer"], line.get("step"), reaction))
            if line["type"] == "message":
                self._surveyed.add((line["customer"], line["template"]))

    # --- what arrives ------------------------------------------------------------------------------------------------

    def _of_item(self, item: dict[str, Any]) -> Iterator[Incoming | tuple[str, Body]]:
        customer = item["customer"]
        if "event" in item:
            self.events += 1
            yield Incoming(customer, item["event"], item["properties"], _instant(item), item["id"])
        elif "identify" in item:
            yield customer, Identified(item["identify"])
        elif "consent" in item:
            yield customer, ConsentChanged(**item["consent"])
        else:
            yield from self._answered(customer, item["survey"])

    def _of_reaction(
        self, customer: str, step: str | None, reaction: Reaction
    ) -> Iterator[Incoming | tuple[str, Body]]:
        store, data, kind = self._store, reaction.data, reaction.kind
        match kind:
            case "open" | "click" | "reply":
                row = store.message(customer, data["channel"], step)
                if row is not None:
                    self.came_back[kind] += 1
                    if kind == "reply":
                        obey(store, customer, data["channel"], row, data.get("text") or "", self._now)
                    yield customer, Receipt(kind, data["channel"], row.id, data.get("text"))
            case "survey":
                yield from self._answered(customer, data)
            case "task":
                task = store.open_task(customer, step)
                if task is not None:
                    self.came_back[kind] += 1
                    yield customer, TaskClosed(task.id, data["outcome"], task.assignee)
            case "redeem":
                self._count += 1
                self.came_back[kind] += 1
                order_id = f"o-{customer}-k{self._count}"
                yield customer, RedemptionRequested(data["offer"], order_id, data["total"])

    def _answered(self, customer: str, answer: Mapping[str, Any]) -> Iterator[tuple[str, Body]]:
        """Only who was asked can answer, and once."""
        name = answer["name"]
        if (customer, name) in self._surveyed:
            self._surveyed.discard((customer, name))
            self.answers.append((name, answer.get("score")))
            yield customer, SurveyAnswered(name, answer.get("score"), answer.get("choice"), answer.get("text"))


def _known(asked: Asked) -> list[dict[str, Any]]:
    return profiles(asked.seed, asked.customers, asked.start)


def _traits(guest: dict[str, Any]) -> dict[str, Any]:
    """A profile as the traits of a creation."""
    own = {key: value for key, value in guest.items() if key not in ("id", "attributes")}
    return {**own, **guest["attributes"]}


def _past(item: dict[str, Any]) -> Event:
    return Event(item["event"], _instant(item), item["properties"], item["id"])


def _instant(item: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(item["at"])
