"""The figures of a status page. What grows for ever is counted as it is written, not when somebody looks."""

from __future__ import annotations

from typing import Any, Final

from orchestrator.core.project import Offer
from orchestrator.stores.instants import instant, instant_or_none
from orchestrator.stores.postgres import tallies
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.protocol import Overview, ParkedCustomer
from orchestrator.stores.sealed_rows import DETAIL
from orchestrator.stores.sealing import sealer_of, shown

_CUSTOMERS: Final = "SELECT count(*) FROM customers"
_INBOX: Final = "SELECT count(*), min(received_at) FROM inbox WHERE parked = 0"
_REQUESTS: Final = "SELECT count(*) FROM requests"
_ENROLLMENTS: Final = """
SELECT journey, status, count(*) FROM enrollments WHERE live = 1 GROUP BY journey, version, status
"""
_STANDING: Final = """
SELECT journey, version, coalesce(step, ''), count(*) FROM enrollments
WHERE live = 1 AND status IN ('running', 'parked') GROUP BY 1, 2, 3
"""
_PARKED_COUNT: Final = """
SELECT count(*) FROM (SELECT 1 FROM customers WHERE parked IS NOT NULL LIMIT %s) AS found
"""
_FREE_CODES: Final = """
SELECT count(*) FROM (SELECT 1 FROM codes WHERE offer = %s AND given = 0 LIMIT %s) AS found
"""
_GIVEN: Final = "SELECT count(*) FROM coupons WHERE offer = %s AND status IN ('issued', 'redeemed')"
_COUPONS: Final = "SELECT offer, status, count(*) FROM coupons GROUP BY offer, status"
_TASKS: Final = "SELECT queue, count(*) FROM tasks WHERE closed_at IS NULL GROUP BY queue"
_REFUSED: Final = "SELECT count(*) FROM refused"
_PARKED: Final = """
SELECT c.external_id, c.id, c.parked, c.parked_detail, c.parked_at,
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
            ParkedCustomer(customer, reason, shown(sealer_of(c), f"{DETAIL}:{id}", detail), instant(at), waiting)
            for customer, id, reason, detail, at, waiting in c.execute(_PARKED).fetchall()
        ],
    )


def read_standing(c: Connection) -> dict[tuple[str, str, str], int]:
    """Enrollments that are not over, by (journey, version, step)."""
    return {(journey, version, step): count for journey, version, step, count in c.execute(_STANDING).fetchall()}


def _row(c: Connection, query: str, given: tuple[Any, ...] | None = None) -> tuple[Any, ...]:
    found = c.execute(query, given).fetchone()
    assert found is not None
    return found


def count_parked(c: Connection, limit: int) -> int:
    """Parked customers, up to so many."""
    return int(_row(c, _PARKED_COUNT, (limit,))[0])


def count_left(c: Connection, offer: Offer, limit: int) -> int:
    """Codes that an offer can still give, up to so many."""
    if offer.limits.total is not None:
        limit = min(limit, offer.limits.total - _row(c, _GIVEN, (offer.id,))[0])
    if offer.imported and limit > 0:
        limit = _row(c, _FREE_CODES, (offer.id, limit))[0]
    return max(0, limit)
