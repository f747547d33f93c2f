"""The tasks: each calls the same single passes as the threads of `up`, under a name that never changes.

Any of them may run twice, late, or at once with itself: the database orders what they do. None takes an id of anything,
so there is nothing to forge: a lane or a shard that does not exist is refused.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from celery import Celery  # type: ignore[import-untyped]

from orchestrator.errors import ProjectInvalid, UsageError
from orchestrator.runtime.loop import CLASSES, TURNS_FOR
from orchestrator.runtime.segments import build_segments_once
from orchestrator.runtime.turns import TurnCounts
from orchestrator.stores.protocol import StoreBusy
from orchestrator.stores.shards import SHARDS
from orchestrator.tasks.process import Process, attach, process_of

NAMES: Final = (
    "orchestrator.turn", "orchestrator.deliver", "orchestrator.requests", "orchestrator.webhooks", "orchestrator.sweep",
)  # fmt: skip


def turn(process: Process, shards: Sequence[int] | None = None) -> int:
    """Turns for a quarter of a second, which nudge what they bring work to; then itself, if there may be more.

    `shards`: none but these. Returns how many customers it decided for.
    """
    decided = 0

    def told(counts: TurnCounts) -> None:
        nonlocal decided
        decided += counts.customers
        for lane in (*CLASSES, "requests"):
            if getattr(counts, lane):
                process.nudge(lane)

    if process.engine.turns_once(told, shards):
        process.nudge("turn", shards)
    return decided


def deliver(process: Process, lane: str) -> int:
    """Hand over the messages of one class for a quarter of a second. Returns how many rows were settled."""
    engine, settled = process.engine, 0
    until = time.monotonic() + TURNS_FOR
    while done := engine.deliver_class_once(lane):
        settled += done
        if time.monotonic() >= until:
            process.nudge(lane)
            break
    if lane == CLASSES[-1]:
        engine.tell_throttled()
    if settled:
        process.nudge("turn")  # a receipt may have come back at once
    return settled


def requests(process: Process) -> int:
    """One pass of calls to the outside. Returns how many were settled."""
    done = process.engine.requests_once()
    if done:
        process.nudge("turn")
        process.nudge("requests")
    return done


def webhooks(process: Process) -> int:
    """One pass over the webhooks that hear what is decided. Returns how many batches were settled."""
    settled = process.engine.follow_once()
    if settled:
        process.nudge("webhooks")
    return settled


def sweep(process: Process) -> int:
    """What time alone brings: occurrences of schedules, retention, who was left alone, where the clock stands."""
    engine = process.engine
    reached = engine.sweep_once()
    build_segments_once(engine.store, engine.now())
    if reached:
        process.nudge("turn")
    return reached + (engine.housekeep_once() if process.housekeeping_is_due() else 0)


def _lane(lane: object) -> str:
    if lane not in CLASSES:
        raise ValueError(f"there is no lane '{str(lane)[:40]}'; there are {', '.join(CLASSES)}")
    return str(lane)


def _shards(shards: object) -> list[int] | None:
    if shards is None:
        return None
    if not isinstance(shards, list) or not all(type(shard) is int and 0 <= shard < SHARDS for shard in shards):
        raise ValueError(f"shards are whole numbers from 0 to {SHARDS - 1}, in a list")
    return shards


def declare(app: Celery) -> None:
    """Register every task under its name. `sent`: when somebody nudged, by its own clock, which only saves work;
    `beat`: who, where a beat did."""

    def one_pass(
        lane: str, once: Callable[[Process], int], sent: float | None, beat: str | None, whole: bool = True
    ) -> int:
        """One pass, unless one has begun since the nudge was sent that sees all that it was sent for.

        A database that is busy, or in which nothing is deployed yet, is no failure: the next nudge does the same.
        """
        process = process_of(app)
        if process.has_begun_since(lane, sent):
            return 0
        try:
            process.look(beat)
            if whole:
                process.begins(lane)
            return once(process)
        except (StoreBusy, UsageError, ProjectInvalid) as error:
            process.tell(error)
            return 0

    def turn_task(shards: Any = None, sent: float | None = None, beat: str | None = None) -> int:
        named = _shards(shards)
        return one_pass("turn", lambda process: turn(process, named), sent, beat, whole=named is None)

    def deliver_task(lane: str, sent: float | None = None, beat: str | None = None) -> int:
        return one_pass(_lane(lane), lambda process: deliver(process, lane), sent, beat)

    def requests_task(sent: float | None = None, beat: str | None = None) -> int:
        return one_pass("requests", requests, sent, beat)

    def webhooks_task(sent: float | None = None, beat: str | None = None) -> int:
        return one_pass("webhooks", webhooks, sent, beat)

    def sweep_task(sent: float | None = None, beat: str | None = None) -> int:
        return one_pass("housekeeping", sweep, sent, beat)

    tasks = (turn_task, deliver_task, requests_task, webhooks_task, sweep_task)
    for name, function in zip(NAMES, tasks, strict=True):
        app.task(function, name=name, shared=False)
    attach(app)
