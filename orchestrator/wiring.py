"""The composition root: from settings to objects. The only place that names concrete adapters.

So far everything runs in memory; databases, brokers and providers are named here when they come.
"""

from __future__ import annotations

from typing import NoReturn
from urllib.parse import urlsplit

from orchestrator.errors import UsageError
from orchestrator.settings import Settings, read_settings, without_password

MEMORY_URL = "memory://"
LOCAL_BASE_URL = "http://localhost:8000"


def settings_of(database: str | None = None, broker: str | None = None) -> Settings:
    """The settings of this run: the command line's URLs before the environment's. Raises UsageError."""
    return read_settings(database_url=database, broker_url=broker)


def check_simulation_store(url: str | None) -> None:
    """Whether a simulation can keep its state there: in memory. Raises UsageError that names what is possible."""
    if url is None or url == MEMORY_URL:
        return
    try:
        scheme = urlsplit(url).scheme
    except ValueError:
        scheme = ""
    found = f"'{without_password(url)}'" if scheme else f"'{url}', which is no URL"
    raise UsageError(
        f"--store is {found}; simulations run in memory in this version: leave it out, or give {MEMORY_URL}",
        "unknown_store",
    )


def refuse_test_send(settings: Settings, channel: str, seed: str) -> NoReturn:
    """No provider can be reached yet. Raises UsageError that names the setting which is missing."""
    variable = {"email": "ORCHESTRATOR_SMTP_URL", "sms": "ORCHESTRATOR_SMS_URL"}.get(channel)
    configured = settings.smtp_url if channel == "email" else settings.sms_url if channel == "sms" else None
    if variable is not None and configured is None:
        raise UsageError(
            f"nothing was sent to {seed}: no provider for {channel} is configured; set {variable}", "channel_missing"
        )
    raise UsageError(
        f"nothing was sent to {seed}: this version cannot hand {channel} over to a provider; open the preview instead",
        "channel_missing",
    )
