"""The quantities shared by all customers: what a turn may take of them, and what it took.

One writer at a time makes them exact: what `load_pools` read stands until the turn that took from it is committed.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import date, datetime
from typing import Final

from orchestrator.core.changes import TakeFromPools
from orchestrator.core.ledger import Coupon
from orchestrator.core.project import Offer, Project
from orchestrator.core.time.zones import local
from orchestrator.core.view import CouponPool, Pools
from orchestrator.stores.offer_rows import unused
from orchestrator.stores.sqlite import tallies
from orchestrator.stores.sqlite.base import run_on
from orchestrator.stores.sqlite.tallies import Tally

CODES_A_TURN: Final = 5_000
"""Imported codes that one turn may give out of one pool: five for each customer of the largest turn."""
_NONE: Final = Tally()
DAILY: Final = "day:"
"""Before the names of counters that hold for one day."""


def load_pools(c: sqlite3.Connection, project: Project, now: datetime) -> Pools:
    """What one turn may take."""
    today = local(now, project.timezone).date()
    names = list(_names(project, today))
    if not names:
        return Pools()
    counted = tallies.read(c, names)
    coupons = {offer.id: _coupon_pool(c, offer, counted, today) for offer in project.offers.values()}
    entries, messages = {}, {}
    for journey in project.journeys.values():
        limits = journey.limits
        if limits.entries_per_day is not None:
            entries[journey.id] = limits.entries_per_day - counted.get(_entries(journey.id, today), _NONE).number
        if limits.messages_total is not None:
            messages[journey.id] = limits.messages_total - counted.get(_messages(journey.id), _NONE).number
    turns = {queue: counted[name].number for queue in project.queues if (name := _queue(queue)) in counted}
    return Pools(coupons, entries, messages, turns, _open_tasks(c) if project.queues else {})


def _coupon_pool(c: sqlite3.Connection, offer: Offer, counted: dict[str, Tally], today: date) -> CouponPool:
    limits = offer.limits
    issued, given_today = counted.get(_offer(offer.id), _NONE), counted.get(_day(offer.id, today), _NONE)
    codes: list[tuple[str]] = []
    if offer.imported:
        free = "SELECT code FROM codes WHERE offer = ? AND given = 0 ORDER BY seq LIMIT ?"
        codes = c.execute(free, (offer.id, CODES_A_TURN)).fetchall()
    return CouponPool(
        next_serial=counted.get(_serial(offer.id), _NONE).number,
        left=None if limits.total is None else limits.total - issued.number,
        left_today=None if limits.per_day is None else limits.per_day - given_today.number,
        budget_left=None if limits.budget is None else limits.budget - issued.amount,
        codes=tuple(code for (code,) in codes),
    )


def _open_tasks(c: sqlite3.Connection) -> dict[tuple[str, str], int]:
    found = c.execute(
        "SELECT queue, assignee, count(*) FROM tasks INDEXED BY ix_tasks_open "
        "WHERE closed_at IS NULL AND assignee IS NOT NULL GROUP BY queue, assignee"
    )
    return {(queue, assignee): count for queue, assignee, count in found}


def take(c: sqlite3.Connection, taken: TakeFromPools, project: Project, now: datetime) -> None:
    """Count what a customer's decisions took. `now`: the instant of its last decision, whose local day counts."""
    today = local(now, project.timezone).date()
    for offer_id, code, money in taken.coupons:
        tallies.add(c, _offer(offer_id), 1, money)
        tallies.add(c, _day(offer_id, today), 1)
        if project.offers[offer_id].imported:
            c.execute("UPDATE codes SET given = 1 WHERE offer = ? AND code = ?", (offer_id, code))
        else:
            tallies.add(c, _serial(offer_id), 1)
    for journey in taken.entries:
        tallies.add(c, _entries(journey, today), 1)
    for journey in taken.messages:
        tallies.add(c, _messages(journey), 1)
    for queue in taken.queues:
        tallies.add(c, _queue(queue), 1)


def release_code(c: sqlite3.Connection, coupon: Coupon) -> None:
    """A code was taken back: total and budget have room again (the code itself is never given to another), unless a
    till redeemed it meanwhile."""
    if unused(run_on(c), [coupon], shared=False):
        tallies.add(c, _offer(coupon.offer), -1, -coupon.amount)


# --- the names of the counters ----------------------------------------------------------------------------------------


def _names(project: Project, today: date) -> Iterator[str]:
    for offer in project.offers:
        yield from (_offer(offer), _serial(offer), _day(offer, today))
    for journey in project.journeys.values():
        if journey.limits.entries_per_day is not None:
            yield _entries(journey.id, today)
        if journey.limits.messages_total is not None:
            yield _messages(journey.id)
    yield from map(_queue, project.queues)


def _offer(offer: str) -> str:
    return f"offer:{offer}"


def _serial(offer: str) -> str:
    return f"offer_serial:{offer}"


def _day(offer: str, day: date) -> str:
    return f"{DAILY}offer:{day.isoformat()}:{offer}"


def _entries(journey: str, day: date) -> str:
    return f"{DAILY}entries:{day.isoformat()}:{journey}"


def _messages(journey: str) -> str:
    return f"journey_messages:{journey}"


def _queue(queue: str) -> str:
    return f"queue:{queue}"
