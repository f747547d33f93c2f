"""The Celery application: which queues there are, and settings under which a lost or repeated task does no harm.

A task carries work that is due now, and nothing but the name of its lane: the database holds the rest, so that the
broker may be flushed, lost or replaced. Beat only nudges.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from celery import Celery  # type: ignore[import-untyped]
from kombu.entity import Queue

DEFAULT_BROKER: Final = "memory://"
"""For one process, and for tests; several processes need one that they share."""
LANES: Final = ("turn", "transactional", "service", "promotional", "requests", "housekeeping")
"""Queues: a worker takes from all of them, or from those named by -Q."""
EXPIRES: Final = 30.0
"""Seconds after which a nudge that nobody took is stale: the next one says the same."""

_NUDGES: Final[dict[str, tuple[str, tuple[str, ...], float]]] = {
    "turn": ("orchestrator.turn", (), 1.0),
    "sweep": ("orchestrator.sweep", (), 1.0),
    "transactional": ("orchestrator.deliver", ("transactional",), 1.0),
    "service": ("orchestrator.deliver", ("service",), 1.0),
    "promotional": ("orchestrator.deliver", ("promotional",), 1.0),
    "requests": ("orchestrator.requests", (), 1.0),
    "housekeeping": ("orchestrator.housekeeping", (), 5.0),
}


def queue_of(name: str, args: tuple[Any, ...] = ()) -> str:
    """The queue of a task: each lane of delivery has its own, sweeps go with turns."""
    if name == "orchestrator.deliver":
        return str(args[0]) if args and args[0] in LANES else "promotional"
    lane = name.removeprefix("orchestrator.")
    return lane if lane in LANES else "turn"


def route(name: str, args: tuple[Any, ...], kwargs: Any, options: Any, task: Any = None, **_: Any) -> dict[str, str]:
    """Celery's router."""
    return {"queue": queue_of(name, tuple(args or ()))}


def make_app(broker_url: str | None = None) -> Celery:
    """The application with its tasks declared."""
    app = Celery("orchestrator", broker=broker_url or DEFAULT_BROKER, set_as_current=False)
    app.conf.update(
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        task_ignore_result=True,
        task_serializer="json",
        accept_content=["json"],
        task_create_missing_queues=False,
        task_default_queue="turn",
        task_queues=[Queue(name) for name in LANES],  # type: ignore[no-untyped-call]
        task_routes=(route,),
        worker_prefetch_multiplier=1,
        worker_soft_shutdown_timeout=20,
        worker_enable_soft_shutdown_on_idle=True,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        worker_hijack_root_logger=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options=_transport_options(broker_url or DEFAULT_BROKER),
        beat_schedule={
            name: {
                "task": task,
                "schedule": timedelta(seconds=seconds),
                "args": args,
                "options": {"expires": EXPIRES},
            }
            for name, (task, args, seconds) in _NUDGES.items()
        },
        timezone="UTC",
        enable_utc=True,
    )
    from orchestrator.tasks.lanes import declare

    declare(app)
    return app


def _transport_options(broker_url: str) -> dict[str, Any]:
    """What each kind of broker needs. Redis gives a dead worker's tasks back after the time-out, looked at often."""
    if broker_url.startswith("memory"):
        return {"polling_interval": 0.01}
    if broker_url.startswith("redis"):
        return {
            "visibility_timeout": 300,
            "unacked_restore_interval": 2,
            "unacked_restore_throttle": 1,
            "global_keyprefix": "orch:",
        }
    return {}
