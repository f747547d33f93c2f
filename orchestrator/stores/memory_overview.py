"""What a status page shows of a store in memory: counted anew each time it is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from orchestrator.stores.memory_outbox import MemoryOutbox
from orchestrator.stores.memory_record import CustomerRecord
from orchestrator.stores.protocol import Overview, ParkedCustomer


def overview_of(records: Iterable[CustomerRecord], outbox: MemoryOutbox, refused: int) -> Overview:
    """The figures of all customers."""
    messages: Counter[tuple[str, str]] = Counter()
    enrollments: Counter[tuple[str, str]] = Counter()
    coupons: Counter[tuple[str, str]] = Counter()
    tasks: Counter[str] = Counter()
    parked, oldest, customers, inbox = [], [], 0, 0
    for record in records:
        customers += 1
        if record.parked is None:  # the others wait for no turn
            inbox += len(record.inbox)
            oldest += [record.inbox[0].received_at] if record.inbox else []
        messages.update((message.row.channel, message.status) for message in record.messages)
        enrollments.update((e.journey, e.status) for e in record.enrollments.values())
        coupons.update((coupon.offer, coupon.status) for coupon in record.coupons.values())
        tasks.update(task.queue for task in record.tasks.values() if task.closed_at is None)
        if record.parked is not None and record.parked_at is not None:
            known = (record.customer.id, record.parked, record.parked_detail, record.parked_at, len(record.inbox))
            parked.append(ParkedCustomer(*known))
    return Overview(
        customers=customers,
        inbox=inbox,
        oldest_at=min(oldest, default=None),
        queued=sum(count for (_, status), count in messages.items() if status == "queued"),
        requests=len(outbox.requests),
        messages=dict(messages),
        enrollments=dict(enrollments),
        coupons=dict(coupons),
        tasks_open=dict(tasks),
        refused=refused,
        parked=sorted(parked, key=lambda p: (p.parked_at, p.customer)),
    )


def standing_of(records: Iterable[CustomerRecord]) -> dict[tuple[str, str, str], int]:
    """Enrollments that are not over, by (journey, version, step)."""
    return Counter((e.journey, e.version, e.step or "") for r in records for e in r.enrollments.values() if not e.ended)
