"""What the memory store keeps of channels: buckets of tokens, circuits, and the messages that came to a bad end."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from orchestrator.core.bucket import Bucket, drawn
from orchestrator.core.circuit import CLOSED, CircuitRecord
from orchestrator.errors import UsageError
from orchestrator.stores.memory_outbox import MemoryOutbox
from orchestrator.stores.memory_record import CustomerRecord
from orchestrator.stores.protocol import BAD_ENDS, COUPON_GONE, DeadLetter, Quota, Settlement, reason_of


class MemoryChannels:
    """A part of the memory store, which has its outbox and its records."""

    _outbox: MemoryOutbox
    _records: dict[str, CustomerRecord]

    def __init__(self) -> None:
        super().__init__()
        self._buckets: dict[str, Bucket] = {}
        self._circuits: dict[str, CircuitRecord] = {}
        self._dead: dict[str, tuple[str, DeadLetter, int]] = {}
        """By id: (customer, the letter, the last fence)."""

    @property
    def shared(self) -> bool:
        """A store in memory is one process's."""
        return False

    def take_quota(self, name: str, rate: float, burst: float, want: int, real_at: datetime) -> Quota:
        """Take tokens."""
        bucket, granted = drawn(self._buckets.get(name), rate, burst, want, real_at.timestamp())
        self._buckets[name] = bucket
        return Quota(granted, int(bucket.tokens))

    def circuits(self) -> Mapping[str, CircuitRecord]:
        """The circuits that are not as new."""
        return dict(self._circuits)

    def change_circuit(self, name: str, change: Callable[[CircuitRecord], CircuitRecord]) -> CircuitRecord:
        """Change a circuit."""
        record = change(self._circuits.pop(name, CLOSED))
        if record != CLOSED:
            self._circuits[name] = record
        return record

    def dead_letters(self, limit: int, status: str | None = None) -> Sequence[DeadLetter]:
        """The latest first."""
        found = [letter for _, letter, _ in reversed(self._dead.values()) if status in (None, letter.message.status)]
        return found[:limit]

    def retry_message(self, message_id: str, now: datetime) -> bool:
        """Queue a dead letter again."""
        found = self._dead.get(message_id)
        if found is None:
            return False
        customer, letter, fence = found
        carried = letter.message.row.coupon
        coupon = self._records[customer].coupons.get(carried) if carried is not None else None
        if coupon is not None and coupon.status == "released":
            raise UsageError(f"{message_id}: {COUPON_GONE}", "coupon_released")
        del self._dead[message_id]
        letter.message.status = "queued"
        self._outbox.add(letter.message, fence, now)
        return True

    def _bury(self, settled: Settlement, fence: int, now: datetime) -> None:
        """A message was settled."""
        self._dead.pop(settled.message_id, None)
        if settled.status in BAD_ENDS:
            record = self._records[settled.customer_id]
            message = next(m for m in reversed(record.messages) if m.row.id == settled.message_id)
            letter = DeadLetter(message, now, reason_of(settled))
            self._dead[settled.message_id] = (settled.customer_id, letter, fence)
