"""The figures of a status page. What grows for ever is counted as it is written, not when somebody looks."""

from __future__ import annotations

import sqlite3
from typing import Final

from orchestrator.core.project import Offer
from orchestrator.stores.instants import instant, instant_or_none
from orchestrator.stores.protocol import Overview, ParkedCustomer
from orchestrator.stores.sealed_rows import DETAIL
from orchestrator.stores.sealing import sealer_of, shown
from orchestrator.stores.sqlite import tallies

_CUSTOMERS: Final = "SELECT count(*) FROM customers"
_INBOX: Final = "SELECT count(*), min(received_at) FROM inbox INDEXED BY ix_inbox_waiting WHERE parked = 0"
_REQUESTS: Final = "SELECT count(*) FROM requests"
_MESSAGES: Final = "SELECT name, count FROM tallies WHERE name >= ? AND name < ? AND count <> 0"
_ENROLLMENTS: Final = """
SELECT journey, status, count(*) FROM enrollments INDEXED BY ix_enrollments_live WHERE live = 1
GROUP BY journey, version, status
"""
_STANDING: Final = """
SELECT journey, version, coalesce(step, ''), count(*) FROM enrollments INDEXED BY ix_enrollments_live
WHERE live = 1 AND status IN ('running', 'parked') GROUP BY 1, 2, 3
"""
_PARKED_COUNT: Final = """
SELECT count(*) FROM (SELECT 1 FROM customers INDEXED BY ix_customers_parked WHERE parked IS NOT NULL LIMIT ?)
"""
_FREE_CODES: Final = """
SELECT count(*) FROM (SELECT 1 FROM codes INDEXED BY ix_codes_free WHERE offer = ? AND given = 0 LIMIT ?)
"""
_GIVEN: Final = """
SELECT count(*) FROM coupons INDEXED BY ix_coupons_offer_status WHERE offer = ? AND status IN ('issued', 'redeemed')
"""
_COUPONS: Final = """
SELECT offer, status, count(*) FROM coupons INDEXED BY ix_coupons_offer_status GROUP BY offer, status
"""
_TASKS: Final = "SELECT queue, count(*) FROM tasks INDEXED BY ix_tasks_open WHERE closed_at IS NULL GROUP BY queue"
_REFUSED: Final = "SELECT coalesce((SELECT max(id) FROM refused) - (SELECT min(id) FROM refused) + 1, 0)"
"""They are numbered without gaps, and the oldest go first."""
_PARKED: Final = """
SELECT c.external_id, c.id, c.parked, c.parked_detail, c.parked_at,
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
            ParkedCustomer(customer, reason, shown(sealer_of(c), f"{DETAIL}:{id}", detail), instant(at), waiting)
            for customer, id, reason, detail, at, waiting in c.execute(_PARKED)
        ],
    )


def read_standing(c: sqlite3.Connection) -> dict[tuple[str, str, str], int]:
    """Enrollments that are not over, by (journey, version, step)."""
    return {(journey, version, step): count for journey, version, step, count in c.execute(_STANDING)}


def count_parked(c: sqlite3.Connection, limit: int) -> int:
    """Parked customers, up to so many."""
    return int(c.execute(_PARKED_COUNT, (limit,)).fetchone()[0])


def count_left(c: sqlite3.Connection, offer: Offer, limit: int) -> int:
    """Codes that an offer can still give, up to so many."""
    if offer.limits.total is not None:
        limit = min(limit, offer.limits.total - c.execute(_GIVEN, (offer.id,)).fetchone()[0])
    if offer.imported and limit > 0:
        limit = c.execute(_FREE_CODES, (offer.id, limit)).fetchone()[0]
    return max(0, limit)
