"""The figures of a status page. What grows for ever is counted as it is written, not when somebody looks."""

from __future__ import annotations

from typing import Any, Final

from orchestrator.stores.instants import instant, instant_or_none
from orchestrator.stores.postgres import tallies
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.protocol import Overview, ParkedCustomer

_CUSTOMERS: Final = "SELECT count(*) FROM customers"
_INBOX: Final = "SELECT count(*), min(received_at) FROM inbox WHERE parked = 0"
_REQUESTS: Final = "SELECT count(*) FROM requests"
_ENROLLMENTS: Final = """
SELECT journey, status, count(*) FROM enrollments WHERE live = 1 GROUP BY journey, version, status
"""
_COUPONS: Final = "SELECT offer, status, count(*) FROM coupons GROUP BY offer, status"
_TASKS: Final = "SELECT queue, count(*) FROM tasks WHERE closed_at IS NULL GROUP BY queue"
_REFUSED: Final = "SELECT count(*) FROM refused"
_PARKED: Final = """
SELECT c.external_id, c.parked, c.parked_detail, c.parked_at,
    (SELECT count(*) FROM inbox AS i WHERE i.shard = c.shard AND i.customer = c.id)
FROM customers AS c WHERE c.parked IS NOT NULL ORDER BY c.parked_at, c.external_id
"""


def read_overview(c: Connection) -> Overview:
    """Everything as each statement finds it."""
    messages = tallies.messages(c)
    enrollments: dict[tuple[str, str], int] = {}
    for journey, status, count in c.execute(_ENROLLMENTS).fetchall():
        enrollments[journey, status] = enrollments.get((journey, status), 0) + count
    inbox, oldest_at = _row(c, _INBOX)
    return Overview(
        customers=_row(c, _CUSTOMERS)[0],
        inbox=inbox,
        oldest_at=instant_or_none(oldest_at),
        queued=sum(count for (_, status), count in messages.items() if status == "queued"),
        requests=_row(c, _REQUESTS)[0],
        messages=messages,
        enrollments=enrollments,
        coupons={(offer, status): count for offer, status, count in c.execute(_COUPONS).fetchall()},
        tasks_open=dict(c.execute(_TASKS).fetchall()),
        refused=_row(c, _REFUSED)[0],
        parked=[
            ParkedCustomer(customer, reason, detail or "", instant(at), waiting)
            for customer, reason, detail, at, waiting in c.execute(_PARKED).fetchall()
        ],
    )


def _row(c: Connection, query: str) -> tuple[Any, ...]:
    found = c.execute(query).fetchone()
    assert found is not None
    return found
