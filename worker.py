"""For Celery: `celery -A worker worker`, and `celery -A worker beat`. The settings are those of the environment.

ORCHESTRATOR_BROKER_URL names the broker, ORCHESTRATOR_PROJECT the project's folder (default: the working folder). With
`REMAP_SIGTERM=SIGQUIT` in the environment a worker gives back what it has not finished when it is told to stop;
`orchestrator worker` sets it by itself.
"""

import logging
from typing import Any

from celery.signals import setup_logging

from orchestrator.settings import read_settings
from orchestrator.tasks.app import make_app
from orchestrator.wiring.logs import configure_logs

settings = read_settings()
app = make_app(settings.broker_url)


@setup_logging.connect(weak=False)
def log(loglevel: int | str | None = None, **_: Any) -> None:
    """Lines look as those of `orchestrator worker`, which Celery would make otherwise."""
    level = logging.getLevelName(loglevel.upper()) if isinstance(loglevel, str) else loglevel
    configure_logs("celery", settings.log_format, verbose=level is not None and int(level) <= logging.INFO)
