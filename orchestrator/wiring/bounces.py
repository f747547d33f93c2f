"""Who reads the mailbox of bounces: a thread of its own, so that a mail server that hangs holds up no decision.

Every process that runs an engine may look; the database sees to it that one of them does at a time.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.channels.bounces.mailbox import MailboxFailed, Place, place_of
from orchestrator.errors import UsageError
from orchestrator.runtime.bounces import BounceCounts, read_bounces_once
from orchestrator.stores.protocol import StoreBusy

if TYPE_CHECKING:
    from datetime import datetime

    from orchestrator.settings import Settings
    from orchestrator.stores.protocol import Store
    from orchestrator.wiring.engine import Running

LOOK_EVERY: Final = 1.0
"""Seconds after which it is looked whether it is time."""

log = logging.getLogger(__name__)


def bounce_place(settings: Settings | None, project: Path) -> Place | None:
    """The mailbox that the settings name; None: none. Raises UsageError."""
    if settings is None or settings.bounce_url is None:
        return None
    return place_of(settings.bounce_url.get_secret_value(), project)


def read_place(store: Store, place: Place, secret: bytes, now: datetime) -> BounceCounts:
    """One pass over a mailbox. Raises MailboxFailed, StoreBusy."""
    mailbox = place.open()
    try:
        return read_bounces_once(store, mailbox, secret, now)
    finally:
        mailbox.close()


class BounceReader:
    """Looks at its interval until it is stopped. Without a mailbox it does nothing."""

    def __init__(self, running: Running, place: Place | None) -> None:
        self._running = running
        self._place = place
        self._stop = threading.Event()
        self._failing = False
        self._thread = threading.Thread(target=self._run, name="bounces", daemon=True)

    def once(self) -> BounceCounts:
        """One look, if it is time and nobody else has looked. Raises MailboxFailed, StoreBusy."""
        running, place = self._running, self._place
        if place is None:
            return BounceCounts()
        turn = running.store.take_quota(f"bounces:{place.shown}"[:200], 1 / place.every, 1, 1, running.real_now())
        if not turn.granted:
            return BounceCounts()
        done = read_place(running.store, place, running.secret, running.journey_now())
        if done.mails:
            running.nudge()
        return done

    def start(self) -> None:
        """Begin, where there is a mailbox."""
        if self._place is not None:
            self._thread.start()

    def stop(self) -> None:
        """End; the mail that is just being read may be finished."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(8.0)

    def _run(self) -> None:
        while not self._stop.wait(LOOK_EVERY):
            try:
                self.once()
                self._failing = False
            except (MailboxFailed, StoreBusy, UsageError) as error:
                if not self._failing:
                    log.warning("bounces cannot be read, and are looked for again: %s", error)
                self._failing = True
            except Exception:
                log.exception("reading bounces failed, and goes on")
