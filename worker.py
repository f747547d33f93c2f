"""For Celery: `celery -A worker worker`, and `celery -A worker beat`. The settings are those of the environment.

ORCHESTRATOR_BROKER_URL names the broker, ORCHESTRATOR_PROJECT the project's folder (default: the working folder). With
`REMAP_SIGTERM=SIGQUIT` in the environment a worker gives back what it has not finished when it is told to stop;
`orchestrator worker` sets it by itself.
"""

from orchestrator.settings import read_settings
from orchestrator.tasks.app import make_app

app = make_app(read_settings().broker_url)
