"""The Celery application: which queues there are, and settings under which a lost or repeated task does no harm.

A task carries work that is due now, and nothing but the name of its lane: the database holds the rest, so that the
broker may be flushed, lost or replaced. Beat only nudges.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cached_property
from typing import Any, Final

from celery import Celery  # type: ignore[import-untyped]

from orchestrator.wiring.broker import ANSWERS_WITHIN, EXPIRES, LANES, queues_of, transport_options

DEFAULT_BROKER: Final = "memory://"
"""For one process, and for tests; several processes need one that they share."""
LONGEST_TASK: Final = 240
"""Seconds after which a task that hangs is ended with its process; below the broker's visibility time-out."""
BEAT: Final[dict[str, float]] = {
    "turn": 1.0, "transactional": 1.0, "service": 1.0, "promotional": 1.0, "requests": 1.0, "webhooks": 1.0,
    "housekeeping": 1.0,
}  # fmt: skip
"""Seconds between two nudges of a lane by the beat: what was lost elsewhere is made up after so long."""


def task_of(lane: str) -> tuple[str, tuple[str, ...]]:
    """The task that works on a lane, and its arguments."""
    if lane in ("transactional", "service", "promotional"):
        return "orchestrator.deliver", (lane,)
    return {
        "turn": "orchestrator.turn", "requests": "orchestrator.requests", "webhooks": "orchestrator.webhooks",
        "housekeeping": "orchestrator.sweep",
    }[lane], ()  # fmt: skip


def lane_of(name: str, args: tuple[Any, ...] = ()) -> str:
    """The queue of a task: each lane of delivery has its own."""
    if name == "orchestrator.deliver":
        return str(args[0]) if args and args[0] in LANES else "promotional"
    known = {"orchestrator.turn": "turn", "orchestrator.requests": "requests", "orchestrator.webhooks": "webhooks"}
    return known.get(name, "housekeeping")


def route(name: str, args: tuple[Any, ...], kwargs: Any, options: Any, task: Any = None, **_: Any) -> dict[str, str]:
    """Celery's router."""
    return {"queue": lane_of(name, tuple(args or ()))}


class NudgedApp(Celery):  # type: ignore[misc]
    """Celery with our worker, which is only imported where there is one."""

    @cached_property
    def Worker(self) -> Any:
        """What `celery worker` runs."""
        return self.subclass_with_self("orchestrator.tasks.soft_end:SoftWorker", name="Worker")


def make_app(broker_url: str | None = None) -> Celery:
    """The application with its tasks declared."""
    url = broker_url or DEFAULT_BROKER
    app = NudgedApp("orchestrator", broker=url, set_as_current=False)
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_time_limit=LONGEST_TASK,
        task_serializer="json",
        event_serializer="json",
        result_serializer="json",
        accept_content=["json"],
        task_create_missing_queues=False,
        task_default_queue="turn",
        task_queues=queues_of(url),
        task_routes=(route,),
        worker_consumer="orchestrator.tasks.consumer:LastingConsumer",
        worker_prefetch_multiplier=1,
        worker_soft_shutdown_timeout=10,
        # Nothing is lost by an end at once: what a worker has not begun goes back, and would be nudged again anyway.
        worker_enable_soft_shutdown_on_idle=False,
        # A task that runs goes on when the broker is away: to end it would leave the messages that it is just handing
        # over uncertain, and all that it does is in the database. That it then comes again is harmless.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_proc_alive_timeout=60.0,  # a child compiles the project before it says that it is there
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_connection_timeout=ANSWERS_WITHIN,
        broker_transport_options=transport_options(url),
        beat_scheduler="orchestrator.tasks.beat:NudgeScheduler",
        beat_max_loop_interval=1,
        beat_schedule={
            lane: {
                "task": task_of(lane)[0],
                "schedule": timedelta(seconds=seconds),
                "args": task_of(lane)[1],
                "options": {"expires": EXPIRES},
            }
            for lane, seconds in BEAT.items()
        },
        timezone="UTC",
        enable_utc=True,
    )
    from orchestrator.tasks.lanes import declare

    declare(app)
    return app
