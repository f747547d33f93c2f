"""The facts that expressions read, as one turn sees them: what was loaded, plus what the turn itself decided so far."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from orchestrator.core.addresses import address_of
from orchestrator.core.changes import STOPPED
from orchestrator.core.consent import state_at
from orchestrator.core.enrollment import Enrollment
from orchestrator.core.expression.scope import PastEvent
from orchestrator.core.recommending import recommended
from orchestrator.core.view import History
from orchestrator.errors import NotLoaded

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn


class TurnHistory:
    """The customer's past events, and those of this turn (`new`, in the order in which they were taken).

    They are joined when somebody asks, because for most events nobody does.
    """

    __slots__ = ("_joined", "_loaded", "_new")

    def __init__(self, loaded: History | None, new: list[PastEvent]) -> None:
        self._loaded = loaded
        self._new = new
        self._joined: dict[str, tuple[int, list[PastEvent]]] | None = None
        """By name: how many of `new` are joined, and all events."""

    def events(self, name: str) -> Sequence[PastEvent]:
        """Events of this name, ascending by timestamp. Raises NotLoaded."""
        new, joined, events = self._new, 0, None
        if self._joined is not None and name in self._joined:
            joined, events = self._joined[name]
        arrived = [event for event in new[joined:] if event.name == name]
        if not arrived:
            return self._before(name) if events is None else events
        events = list(self._before(name) if events is None else events)
        for event in arrived:
            place = len(events)
            while place and events[place - 1].at > event.at:
                place -= 1
            events.insert(place, event)
        if self._joined is None:
            self._joined = {}
        self._joined[name] = (len(new), events)
        return events

    def _before(self, name: str) -> Sequence[PastEvent]:
        if self._loaded is None:
            raise NotLoaded(f"the history of '{name}' was not loaded")
        return self._loaded.events(name)


class TurnFacts:
    """The Facts of orchestrator.core.expression.scope; `enrollment` is whose steps and entry are meant."""

    __slots__ = ("_turn", "enrollment")

    def __init__(self, turn: CustomerTurn) -> None:
        self._turn = turn
        self.enrollment: Enrollment | None = None

    @property
    def history_for(self) -> timedelta:
        """How far back windows reach (settings.history)."""
        return self._turn.project.settings.history

    @property
    def entry_at(self) -> datetime | None:
        """The entry of the enrollment that is being decided."""
        return self.enrollment.entered_at if self.enrollment is not None else None

    def events(self, name: str) -> Sequence[PastEvent]:
        """Past events of this name."""
        return self._turn.history.events(name)

    def entered(self, journey: str) -> Sequence[datetime]:
        """Instants at which the customer entered a journey, over all keys and versions."""
        turn = self._turn
        places = {place: record for place, record in turn.record.entries.items() if place[0] == journey}
        places.update((place, record) for place, record in turn.out.entries.items() if place[0] == journey)
        return sorted(at for record in places.values() for at in record.entered_at)

    def in_journey(self, journey: str) -> bool:
        """Whether an enrollment of the journey runs (or is parked)."""
        return any(e.journey == journey and not e.ended for e in self._turn.enrollments.values())

    def received(self, name: str) -> Sequence[datetime]:
        """Instants of the messages from a template or a journey of this name that were not left unsent."""
        return [
            message.row.at
            for message in self._turn.messages
            if (message.row.template == name or message.row.journey == name)
            and message.status not in ("suppressed", "rejected")
        ]

    def opened(self, step: str) -> bool:
        """Whether a message of this enrollment's step was opened (or clicked, which shows that it was)."""
        return any(m.opened_at is not None or m.clicked_at is not None for m in self._sent_by(step))

    def clicked(self, step: str) -> bool:
        """Whether a link in a message of this enrollment's step was clicked."""
        return any(m.clicked_at is not None for m in self._sent_by(step))

    def _sent_by(self, step: str) -> list[Any]:
        e = self.enrollment
        if e is None:
            return []
        return [
            m
            for m in self._turn.messages
            if m.row.enrollment_id == e.id and e.name_now(m.row.version, m.row.step) == step
        ]

    def redeemed(self, offer: str) -> bool:
        """Whether the customer redeemed a code of this offer."""
        return any(c.offer == offer and c.status == "redeemed" for c in self._turn.coupons.values())

    def visits(self, step: str) -> int:
        """How often this enrollment came to a step."""
        return self.enrollment.visits.get(step, 0) if self.enrollment is not None else 0

    def in_segment(self, name: str) -> bool:
        """Whether the customer is a member."""
        return name in self._turn.customer.segments

    def consented(self, topic: str, channel: str) -> bool:
        """Whether consent allows messages of this topic: opt-in for promotional, no opt-out for service."""
        known = self._turn.project.topics.get(topic)
        state = state_at(self._turn.customer, (topic, channel), self._turn.t)
        if known is None or known.klass == "promotional":
            return state == "in"
        return known.klass == "transactional" or state != "out"

    def reachable(self, channel: str) -> bool:
        """Whether there is a usable address on this channel to which nothing forbids writing at all."""
        address, _ = address_of(self._turn.customer, channel, None, self._turn.project.channels.get(channel))
        if address is None:
            return False
        return not self._turn.causes(channel, address) & {"bounced", "suppressed", STOPPED}

    def catalog(self, name: str, key: str) -> dict[str, Any] | None:
        """A row of reference data; None: no such key."""
        kept = self._turn.view.catalogs
        if kept and name in kept:
            return kept[name].get(key)
        rows = self._turn.project.catalogs.get(name)
        return None if rows is None else rows.get(key)

    def recommended(self, name: str) -> list[dict[str, Any]]:
        """Rows of a catalog that is kept as rows; a file knows of nobody."""
        rule, rows = self._turn.project.row_catalogs.get(name), self._turn.view.catalogs.get(name)
        if rule is None or rows is None:
            return []
        return recommended(rule, rows, self._turn.history.events, self._turn.t)
