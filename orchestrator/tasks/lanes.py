"""The tasks: each calls the same single pass as the threads of `up`, under a name that never changes.

Any of them may run twice, late, or at once with itself: the database orders what they do. None takes an id, so there is
nothing to forge; a lane that is not known is refused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from celery import Celery  # type: ignore[import-untyped]

from orchestrator.runtime.loop import CLASSES, Engine
from orchestrator.runtime.sweep import sweep_once
from orchestrator.stores.protocol import StoreBusy
from orchestrator.wiring.worker import running

NAMES: Final = (
    "orchestrator.turn",
    "orchestrator.sweep",
    "orchestrator.deliver",
    "orchestrator.requests",
    "orchestrator.housekeeping",
)

log = logging.getLogger(__name__)


def turn(app: Celery) -> int:
    """Turns for a quarter of a second; then nudges what they brought work to, and itself if there may be more."""
    done = _pass(lambda engine: engine.decide_once())
    if done:
        for klass in CLASSES:
            app.send_task("orchestrator.deliver", args=(klass,), expires=30)
        app.send_task("orchestrator.requests", expires=30)
        app.send_task("orchestrator.turn", expires=30)
    return done


def sweep() -> int:
    """Occurrences of schedules that are due."""
    return _pass(lambda engine: sweep_once(engine.store, engine.now()))


def deliver(app: Celery, lane: str) -> int:
    """One pass over the messages of one class. Raises ValueError for a lane that does not exist."""
    if lane not in CLASSES:
        raise ValueError(f"there is no lane '{lane[:40]}'; there are {', '.join(CLASSES)}")
    done = _pass(lambda engine: engine.deliver_class_once(lane))
    if done:
        app.send_task("orchestrator.deliver", args=(lane,), expires=30)
        app.send_task("orchestrator.turn", expires=30)
    return done


def requests(app: Celery) -> int:
    """One pass of calls to the outside."""
    done = _pass(lambda engine: engine.requests_once())
    if done:
        app.send_task("orchestrator.turn", expires=30)
    return done


def housekeeping() -> int:
    """The clock, and retention."""
    return _pass(lambda engine: engine.housekeep_once())


def _pass(once: Callable[[Engine], int]) -> int:
    """One pass; a database that is busy is no failure, since the next nudge does the same."""
    try:
        return once(running().engine)
    except StoreBusy as error:
        log.warning("nothing was done: %s", error)
        return 0


def declare(app: Celery) -> None:
    """Register every task under its name. A task knows its application, so that it can nudge others."""

    def _declare(name: str, function: Callable[..., Any]) -> None:
        app.task(function, name=name, shared=False)

    def turn_task() -> int:
        return turn(app)

    def deliver_task(lane: str) -> int:
        return deliver(app, lane)

    def requests_task() -> int:
        return requests(app)

    _declare("orchestrator.turn", turn_task)
    _declare("orchestrator.sweep", sweep)
    _declare("orchestrator.deliver", deliver_task)
    _declare("orchestrator.requests", requests_task)
    _declare("orchestrator.housekeeping", housekeeping)
