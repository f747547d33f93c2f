"""`/api/v1/insights`: what came of a journey, counted; each figure with what it means."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import Any, Final

from orchestrator.http.api import values
from orchestrator.http.api.arriving import journey_named
from orchestrator.http.api.call import Answer, Call
from orchestrator.http.api.frame import Api
from orchestrator.http.problems import HttpRefusal
from orchestrator.stores.protocol import Store
from orchestrator.stores.protocol_lists import JourneyCounts

FRESH_FOR: Final = 60.0
"""Seconds for which counts are given again: they look at whole tables."""
_MOST_KEPT: Final = 200


class MessageFigures(values.Shown):
    """Messages of a channel by what became of them. `opened`, `clicked`: how many of them ever were."""

    channel: str
    status: str
    count: int
    opened: int
    clicked: int


class JourneyFigures(values.Shown):
    """What came of a journey, of the enrollments entered (and the messages decided) in the span that was asked for, in
    journey time, as far as they are kept (`retention` in project.yaml).

    `entered`: enrollments of any status, those of the control group too; `active`: they run, or are parked;
    `completed`: they came to the end; `exited`: they ended before, by reason. `messages`: by channel and status.
    `as_of`: when it was counted.
    """

    journey: str
    since: values.InstantShown | None
    until: values.InstantShown | None
    as_of: values.InstantShown
    entered: int
    active: int
    completed: int
    exited: dict[str, int]
    messages: list[MessageFigures]


def add_insights_api(api: Api) -> None:
    """Counts by journey."""
    counted = Counted(api.service.store)

    def figures(call: Call) -> Answer:
        return _figures(counted, call)

    api.add(
        "GET", "/insights/journeys/{id}", figures, scope="insights:read", tag="insights", answer=JourneyFigures,
        summary="What came of a journey", description="Counted once a minute at most.",
        query=(values.instant("since", "Entered at this instant or later"),
               values.instant("until", "Entered before this instant")),
        refusals={422: "`until` is not after `since`"},
    )  # fmt: skip


class Counted:
    """Counts, made by one thread at a time and given again for a while."""

    def __init__(self, store: Store, clock: Callable[[], float] = monotonic) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._known: dict[Any, tuple[float, datetime, JourneyCounts]] = {}

    def of(
        self, journey: str, since: datetime | None, until: datetime | None, now: datetime
    ) -> tuple[datetime, JourneyCounts]:
        """When it was counted, and the counts. Raises StoreBusy."""
        key = (journey, since, until)
        with self._lock:
            known = self._known.get(key)
            if known is None or self._clock() - known[0] >= FRESH_FOR:
                counts = self._store.journey_counts(journey, since, until)
                self._known.pop(key, None)
                known = self._known[key] = (self._clock(), now, counts)
                if len(self._known) > _MOST_KEPT:
                    del self._known[next(iter(self._known))]
        return known[1], known[2]


def _figures(counted: Counted, call: Call) -> Answer:
    name, since, until = call.path["id"], call.query["since"], call.query["until"]
    journey_named(call, name)
    if since is not None and until is not None and until <= since:
        raise HttpRefusal(422, "empty_span", "until has to be after since")
    as_of, counts = counted.of(name, since, until, call.now)
    by_status: dict[str, int] = {}
    exited: dict[str, int] = {}
    for (status, reason), count in sorted(counts.enrollments.items()):
        by_status[status] = by_status.get(status, 0) + count
        if status == "exited":
            exited[reason or "exited"] = exited.get(reason or "exited", 0) + count
    messages = [
        {"channel": channel, "status": status, "count": count, "opened": opened, "clicked": clicked}
        for (channel, status), (count, opened, clicked) in sorted(counts.messages.items())
    ]
    return Answer({
        "journey": name,
        "since": values.shown(since),
        "until": values.shown(until),
        "as_of": values.shown(as_of),
        "entered": sum(by_status.values()),
        "active": by_status.get("running", 0) + by_status.get("parked", 0),
        "completed": by_status.get("completed", 0),
        "exited": exited,
        "messages": messages,
    })  # fmt: skip
