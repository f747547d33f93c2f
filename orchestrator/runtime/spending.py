"""What messages cost, and the breaker for the day on which a mistake gets expensive.

`channels: sms: cost:` says what an accepted message costs; the sums are figures of the installation. Where `settings:
spend_limit:` is set, all processes add up what they spend in a row that they share: past the limit, promotional and
service messages wait for as long as the limit's own time, or until somebody lifts it; transactional ones go on.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

import phonenumbers

from orchestrator.channels.circuit import CircuitState
from orchestrator.channels.protocol import Outgoing
from orchestrator.core.circuit import CLOSED, CircuitRecord
from orchestrator.core.project import Project, SpendLimit
from orchestrator.errors import UsageError
from orchestrator.stores.protocol import Store, StoreBusy
from orchestrator.templating.sms import segments

SPENDING: Final = "spend"
"""The name of the row that all processes share, beside those of circuits."""
WHOLE: Final = 1_000_000
"""The limit in the parts in which it is counted."""
BELIEVED_FOR: Final = 1.0
"""Seconds for which what was read of the row is believed, and for which small sums may wait to be added."""
TOLD_FROM: Final = WHOLE // 100
"""Parts from which a sum does not wait."""
_MOST: Final = 2_000_000_000

log = logging.getLogger(__name__)


class Tariff(NamedTuple):
    """What an accepted message of a channel costs. `countries`: by the country of its phone number."""

    amount: float
    currency: str
    by_segment: bool
    countries: Mapping[str, float]

    def cost(self, message: Outgoing) -> float:
        """Of one message, in money."""
        each = self.amount
        if self.countries:
            each = self.countries.get(country_of(message.to) or "", each)
        return each * segments(message.text, message.to).segments if self.by_segment else each


def tariffs_of(project: Project) -> dict[str, Tariff]:
    """By channel; empty where the project names no costs."""
    found: dict[str, Tariff] = {}
    for channel, options in project.channels.items():
        cost: Any = options.get("cost")
        if isinstance(cost, Mapping):
            currency = str(cost.get("currency") or project.currency or "")
            countries = {str(name).upper(): float(each) for name, each in (cost.get("countries") or {}).items()}
            found[channel] = Tariff(float(cost["amount"]), currency, cost.get("per") == "segment", countries)
    return found


@lru_cache(maxsize=65_536)
def country_of(phone: str) -> str | None:
    """The country of an international phone number, ISO 3166."""
    try:
        return phonenumbers.region_code_for_number(phonenumbers.parse(phone, None))
    except phonenumbers.NumberParseException:
        return None


def added(record: CircuitRecord, parts: int, now: float, window: float, reason: str) -> CircuitRecord:
    """The shared row after `parts` of the limit were spent at `now`, in a window of so many seconds.

    `failures` holds the parts that were spent, `rest` when the window began, `probe_at` until when others wait.
    """
    if record.probe_at is not None and now >= record.probe_at:
        record = CLOSED
    if not record.failures or not 0 <= now - record.rest < window:
        record = record._replace(failures=0, rest=now)
    spent = min(record.failures + parts, _MOST)
    if spent <= WHOLE or record.probe_at is not None:
        return record._replace(failures=spent)
    return record._replace(failures=spent, probe_at=now + window, reason=reason)


def paused_for(record: CircuitRecord, now: float) -> float:
    """For how many seconds promotional and service messages wait still."""
    return 0.0 if record.probe_at is None else max(0.0, record.probe_at - now)


class Spending:
    """What one process knows of the money that all of them spend. Safe for several threads."""

    def __init__(self, store: Store, real_at: Callable[[float], datetime]) -> None:
        self._store = store
        self._real_at = real_at
        self._record = CLOSED
        self._read_at: float | None = None
        self._owed = 0.0
        self._owed_at: float | None = None
        self._lock = threading.Lock()

    @property
    def limit(self) -> SpendLimit | None:
        """The project's; None: it has none, or nothing is deployed yet."""
        try:
            return self._store.index.project.settings.spend_limit
        except UsageError:
            return None

    def wait(self, now: float) -> float:
        """For how many seconds promotional and service messages wait; 0: they go. `now` of the gates' clock."""
        limit = self.limit
        if limit is None:
            return 0.0
        try:
            with self._lock:
                self._pay(limit, now, self._owed_at is not None and now - self._owed_at >= BELIEVED_FOR)
                if self._read_at is None or now - self._read_at >= BELIEVED_FOR:
                    self._record = self._store.circuits().get(SPENDING, CLOSED)
                    self._read_at = now
                return paused_for(self._record, self._seconds(now))
        except StoreBusy as error:
            log.warning("nothing but transactional messages goes while the spend limit cannot be asked: %s", error)
            return BELIEVED_FOR

    def spent(self, amount: float, now: float) -> None:
        """Messages that cost so much were accepted. Never raises: they are gone already."""
        limit = self.limit
        if limit is None or amount <= 0:
            return
        with self._lock:
            self._owed += amount / limit.amount * WHOLE
            if self._owed_at is None:
                self._owed_at = now
            try:
                self._pay(limit, now, self._owed >= TOLD_FROM)
            except StoreBusy as error:
                log.warning("what was spent is added up a little later: %s", error)

    def state(self, now: float) -> CircuitState | None:
        """How the breaker stands, for people; None: the project has no limit."""
        if self.limit is None:
            return None
        wait = self.wait(now)
        return CircuitState("open", self._record.reason, wait) if wait else CircuitState("closed")

    def _pay(self, limit: SpendLimit, now: float, due: bool) -> None:
        """Add what is owed to the shared row. Raises StoreBusy, and then it is still owed."""
        parts = int(self._owed)
        if not due or not parts:
            return
        at, window = self._seconds(now), limit.per.total_seconds()
        before = self._record
        self._record = self._store.change_circuit(
            SPENDING, lambda record: added(record, parts, at, window, words_of(limit))
        )
        self._read_at = now
        self._owed -= parts
        self._owed_at = now if self._owed else None
        if self._record.probe_at is not None and before.probe_at != self._record.probe_at:
            log.error("%s; promotional and service messages wait", self._record.reason)

    def _seconds(self, now: float) -> float:
        return self._real_at(now).timestamp()


def words_of(limit: SpendLimit) -> str:
    """What people are told of a limit that was passed."""
    return f"more than {limit.amount:,.2f} {limit.currency} was spent within {_span(limit.per.total_seconds())}"


def lift(store: Store) -> bool:
    """An operator lifts the breaker: messages go, and the sum begins anew. Whether anything waited."""
    before: list[CircuitRecord] = []

    def closed(record: CircuitRecord) -> CircuitRecord:
        before[:] = [record]
        return CLOSED

    store.change_circuit(SPENDING, closed)
    return before[0].probe_at is not None


def total(tariff: Tariff, messages: Iterable[Outgoing]) -> float:
    """What messages cost together."""
    return sum(map(tariff.cost, messages))


def _span(seconds: float) -> str:
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {name}{'s' if count != 1 else ''}"
    return f"{seconds:g} seconds"
