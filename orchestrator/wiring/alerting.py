"""Who is told when something is out of order: a thread of its own, so that a mail server that hangs holds up nothing.

Every process that runs an engine, or serves, looks; the database sees to it that each alert is told once.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from orchestrator.channels.alert_ways import ChatAlerts, MailAlerts, WebhookAlerts
from orchestrator.channels.chat_notices import ChatNotices
from orchestrator.errors import UsageError
from orchestrator.runtime.alerts import AlertCounts, Way, alert_once
from orchestrator.runtime.task_notices import customer_pages
from orchestrator.stores.protocol import StoreBusy
from orchestrator.wiring.outside import Reached, alert_chats_of, chat_caller_of, staff_chats_of, unguarded

if TYPE_CHECKING:
    from orchestrator.channels.protocol import Caller
    from orchestrator.settings import Settings
    from orchestrator.wiring.engine import Running

LOOK_EVERY: Final = 10.0
"""Seconds between two looks."""

log = logging.getLogger(__name__)


def ways_of(
    settings: Settings | None,
    mail: Reached,
    caller: Caller,
    sender: str | None,
    brand: str,
    chats: Caller | None = None,
) -> list[Way]:
    """Those that the settings name; none: alerts stand in the log alone. `chats` calls group chats. Alerts go to
    staff, so test mode does not hold them back. Raises UsageError."""
    if settings is None:
        return []
    channel = unguarded(mail.channel)
    ways: list[Way] = [MailAlerts(channel, address, sender, brand) for address in settings.alert_addresses]
    if settings.alert_webhook is not None:
        ways.append(WebhookAlerts(unguarded(caller), settings.alert_webhook, brand))
    ways += [ChatAlerts(ChatNotices(chats or caller, place), brand) for place in alert_chats_of(settings)]
    return ways


class AlertKeeper:
    """Looks every LOOK_EVERY seconds until it is stopped."""

    def __init__(self, running: Running, settings: Settings | None) -> None:
        self._running = running
        self._settings = settings
        self._chat_caller = chat_caller_of(settings) if settings is not None else None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="alerts", daemon=True)

    def once(self) -> AlertCounts:
        """One look. Raises StoreBusy, and UsageError where nothing is deployed."""
        running, engine = self._running, self._running.engine
        project = running.store.index.project
        sender = project.channels.get("email", {}).get("from")
        brand = str(project.brand.get("name") or "orchestrator")
        mail = running.channels["email"]
        ways = ways_of(self._settings, mail, engine.caller, str(sender) if sender else None, brand, self._chat_caller)
        engine.limits_hit.flush(running.store, running.real_now())
        counts = alert_once(
            running.store, ways, running.circuits(), running.journey_now(), running.real_now(), engine.clock.virtual
        )
        self.tell_staff(brand)
        return counts

    def tell_staff(self, brand: str) -> int:
        """Tell the chats of queues of their tasks. Returns how many notices were taken. Raises StoreBusy."""
        settings, caller, running = self._settings, self._chat_caller, self._running
        if settings is None or caller is None:
            return 0
        chats = {name: ChatNotices(caller, place) for name, place in staff_chats_of(settings).items()}
        pages = customer_pages(running.base_url)
        return running.engine.task_notices.tell(running.store, chats, pages, brand, running.real_now())

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
