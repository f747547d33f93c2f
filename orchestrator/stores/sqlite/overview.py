"""The figures of a status page. What grows for ever is counted as it is written, not when somebody looks."""

from __future__ import annotations

import sqlite3
from typing import Final

from orchestrator.stores.instants import instant, instant_or_none
from orchestrator.stores.protocol import Overview, ParkedCustomer
from orchestrator.stores.sqlite import tallies

_CUSTOMERS: Final = "SELECT count(*) FROM customers"
_INBOX: Final = "SELECT count(*), min(received_at) FROM inbox INDEXED BY ix_inbox_waiting WHERE parked = 0"
_REQUESTS: Final = "SELECT count(*) FROM requests"
_MESSAGES: Final = "SELECT name, count FROM tallies WHERE name >= ? AND name < ? AND count <> 0"
_ENROLLMENTS: Final = """
SELECT journey, status, count(*) FROM enrollments INDEXED BY ix_enrollments_live WHERE live = 1
GROUP BY journey, version, status
"""
_COUPONS: Final = """
SELECT offer, status, count(*) FROM coupons INDEXED BY ix_coupons_offer_status GROUP BY offer, status
"""
_TASKS: Final = "SELECT queue, count(*) FROM tasks INDEXED BY ix_tasks_open WHERE closed_at IS NULL GROUP BY queue"
_REFUSED: Final = "SELECT coalesce((SELECT max(id) FROM refused) - (SELECT min(id) FROM refused) + 1, 0)"
"""They are numbered without gaps, and the oldest go first."""
_PARKED: Final = """
SELECT c.external_id, c.parked, c.parked_detail, c.parked_at,
    (SELECT count(*) FROM inbox AS i INDEXED BY ix_inbox_customer WHERE i.shard = c.shard AND i.customer = c.id)
FROM customers AS c INDEXED BY ix_customers_parked WHERE c.parked IS NOT NULL ORDER BY c.parked_at, c.external_id
"""


def read_overview(c: sqlite3.Connection) -> Overview:
    """Everything at the instant of this transaction."""
    prefix = tallies.MESSAGES
    messages: dict[tuple[str, str], int] = {}
    for name, count in c.execute(_MESSAGES, (prefix, prefix + "\uffff")):
        channel, _, status = name.removeprefix(prefix).partition(":")
        messages[channel, status] = count
    enrollments: dict[tuple[str, str], int] = {}
    for journey, status, count in c.execute(_ENROLLMENTS):
        enrollments[journey, status] = enrollments.get((journey, status), 0) + count
    inbox, oldest_at = c.execute(_INBOX).fetchone()
    return Overview(
        customers=c.execute(_CUSTOMERS).fetchone()[0],
        inbox=inbox,
        oldest_at=instant_or_none(oldest_at),
        queued=sum(count for (_, status), count in messages.items() if status == "queued"),
        requests=c.execute(_REQUESTS).fetchone()[0],
        messages=messages,
        enrollments=enrollments,
        coupons={(offer, status): count for offer, status, count in c.execute(_COUPONS)},
        tasks_open=dict(c.execute(_TASKS).fetchall()),
        refused=c.execute(_REFUSED).fetchone()[0],
        parked=[
            ParkedCustomer(customer, reason, detail or "", instant(at), waiting)
            for customer, reason, detail, at, waiting in c.execute(_PARKED)
        ],
    )
