"""Who is told when something is out of order: a thread of its own, so that a mail server that hangs holds up nothing.

Every process that runs an engine, or serves, looks; the database sees to it that each alert is told once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from orchestrator.channels.alert_ways import MailAlerts, WebhookAlerts
from orchestrator.errors import UsageError
from orchestrator.runtime.alerts import AlertCounts, Way, alert_once
from orchestrator.stores.protocol import StoreBusy
from orchestrator.wiring.outside import Reached

if TYPE_CHECKING:
    from orchestrator.channels.protocol import Caller
    from orchestrator.settings import Settings
    from orchestrator.wiring.engine import Running

LOOK_EVERY: Final = 10.0
"""Seconds between two looks."""

log = logging.getLogger(__name__)


def ways_of(settings: Settings | None, mail: Reached, caller: Caller, sender: str | None, brand: str) -> list[Way]:
    """Those that the settings name; none: alerts stand in the log alone."""
    if settings is None:
        return []
    ways: list[Way] = [MailAlerts(mail.channel, address, sender, brand) for address in settings.alert_addresses]
    if settings.alert_webhook is not None:
        ways.append(WebhookAlerts(caller, settings.alert_webhook, brand))
    return ways


class AlertKeeper:
    """Looks every LOOK_EVERY seconds until it is stopped."""

    def __init__(self, running: Running, settings: Settings | None) -> None:
        self._running = running
        self._settings = settings
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def once(self) -> AlertCounts:
        """One look. Raises StoreBusy, and UsageError where nothing is deployed."""
        running, engine = self._running, self._running.engine
        project = running.store.index.project
        sender = project.channels.get("email", {}).get("from")
        brand = str(project.brand.get("name") or "orchestrator")
        mail = running.channels["email"]
        ways = ways_of(self._settings, mail, engine.caller, str(sender) if sender else None, brand)
        engine.limits_hit.flush(running.store, running.real_now())
        return alert_once(
            running.store, ways, running.circuits(), running.journey_now(), running.real_now(), engine.clock.virtual
        )

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; what is just being told may finish."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(12.0)

    def _run(self) -> None:
        look: Callable[[], object] = self.once
        while not self._stop.wait(LOOK_EVERY):
            try:
                look()
            except (StoreBusy, UsageError) as error:
                log.info("alerts are looked for again in a while: %s", error)
            except Exception:
                log.exception("looking for alerts failed, and goes on")
