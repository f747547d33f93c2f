"""What is due for one customer within a turn, in the order in which it is taken (the language reference, section 6)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from heapq import heappush
from typing import Any

from orchestrator.core.customer import Timer
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.inbox import Body, Event, Item, Occurred, ScheduleFired
from orchestrator.core.program import Journey
from orchestrator.core.view import View
from orchestrator.errors import DecisionError

DEEPEST = 100
"""How many events may follow from one another at one instant before the engine takes it for a loop."""


class TurnQueue:
    """A heap of (rank, instant, place, ..., what): arrivals, then memberships, entries and enrollments of an instant.

    `now` is the actual instant, `t` the one of what is being decided (see orchestrator.core.advance). `behind`: the
    engine is further behind than `late_tolerance`, so that events come before all timers. `moved`: something was taken
    at `now` for that reason, and nothing after it happens before it.
    """

    __slots__ = (
        "_depths",
        "_n",
        "_occasions",
        "_spelled",
        "behind",
        "canaries",
        "closed",
        "depth",
        "due",
        "moved",
        "now",
        "paused",
        "punctual_from",
        "t",
        "tolerance",
        "view",
    )

    def __init__(self, view: View, now: datetime) -> None:
        self.view = view
        self.now = now
        self.tolerance = view.index.project.settings.late_tolerance
        self.punctual_from = now - self.tolerance
        """What was due before this instant comes late."""
        switches = view.switches
        self.paused = switches.paused
        self.closed = switches.paused | switches.stopped if switches.stopped else switches.paused
        """The journeys that nobody may enter."""
        self.canaries = {canary.journey: canary for canary in switches.canaries} if switches.canaries else None
        """By journey; None: there is none, as nearly always."""
        self.t = now
        self.depth = 0
        self.due: list[tuple[Any, ...]] = []
        """The heap; what is to be taken stands last in each entry."""
        self._n = 0
        self._spelled = (now, now.isoformat())
        """The instant that was asked for last, as identities hold it: a view's customers have few."""
        self.start()

    def start(self) -> None:
        """Forget what was queued: the next customer's turn begins. Instant and depth are set for whatever is taken."""
        self.behind = self.moved = False
        if self.due:  # of one whose decisions raised
            self.due.clear()
        self._occasions: dict[str, int] | None = None
        self._depths: dict[tuple[str, ...], int] | None = None

    def put_item(self, item: Item) -> None:
        """Queue an inbox item at its arrival; the entries of a fan-out come after all else of their instant."""
        self._n += 1
        place = 2 if type(item.body) is ScheduleFired else 0
        rank = 2 if place and self.behind else 0
        heappush(self.due, (rank, item.received_at, place, 0, "", self._n, item))

    def emit(self, body: Body) -> None:
        """Queue something that a decision made, for the same instant. Raises DecisionError when 100 deep."""
        depth = self.deeper()
        self._n += 1
        heappush(self.due, (0, self.t, 0, 0, "", self._n, (depth, body, self.t)))

    def deeper(self) -> int:
        """The depth of what follows from the present decision at the same instant. Raises DecisionError at 100."""
        if self.depth >= DEEPEST:
            raise DecisionError(f"{DEEPEST} events followed one another at one instant: the journeys feed each other")
        return self.depth + 1

    def depth_of(self, *name: str) -> int:
        """The depth at which a timer was set for the very instant of that decision (a wait that is over at once)."""
        return self._depths.pop(name, 0) if self._depths else 0

    def _remember_depth(self, *name: str) -> None:
        if self._depths is None:
            self._depths = {}
        self._depths[name] = self.depth

    def occasion(self, *parts: str) -> str:
        """An identity for something that happens at the present instant: a repeated turn gives the same one again."""
        if self._spelled[0] is not self.t:
            self._spelled = (self.t, self.t.isoformat())
        text = f"{':'.join(parts)}:{self._spelled[1]}"
        if self._occasions is None:
            self._occasions = {}
        count = self._occasions[text] = self._occasions.get(text, 0) + 1
        return text if count == 1 else f"{text}:{count}"

    def emit_event(self, name: str, properties: Mapping[str, Any], identity: str) -> None:
        """Queue an event of this customer for the same instant."""
        self.emit(Occurred(Event(name, self.t, properties, identity)))

    def put_enrollment(self, e: Enrollment) -> None:
        """Queue an enrollment's timer, if it is due and its journey is not paused."""
        due_at = e.due_at
        if due_at is None or due_at > self.now:
            return
        if self.paused and e.status == "running" and e.journey in self.paused:
            return
        if self.depth and due_at <= self.t:
            self._remember_depth(e.id)
        self._n += 1
        journey = self.program(e)
        rank = 1 if self.behind else 0
        heappush(self.due, (rank, due_at, 1, -journey.priority, e.journey, e.entered_at, self._n, (e.id, due_at)))

    def put_timer(self, kind: str, name: str, timer: Timer) -> None:
        """Queue one of the customer's own timers, if it is due. Memberships come before entries, both before
        journeys."""
        if timer.due_at > self.now:
            return
        if self.depth and timer.due_at <= self.t:
            self._remember_depth(kind, name)
        self._n += 1
        rank = 1 if self.behind else 0
        place = -1_000 if kind in ("segment", "stages", "scores", "consent") else -500
        heappush(self.due, (rank, timer.due_at, 1, place, name, self.now, self._n, (kind, name, timer)))

    def instant(self, due_at: datetime) -> datetime:
        """The instant at which a thing due at `due_at` is decided: its own, unless the engine came too late."""
        return due_at if due_at >= self.punctual_from else self.now

    def program(self, e: Enrollment) -> Journey:
        """The version that this enrollment is pinned to."""
        return self.view.versions[e.journey, e.version]
