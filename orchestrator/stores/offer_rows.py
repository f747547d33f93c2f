"""Offers at the till, in both databases: one text of SQL, as in orchestrator.stores.erasing.

Who decides about a code changes its row first, and so holds it; then, where the offer's limits are counted at the till,
the offer's row: always in this order, so that nobody waits in a circle.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any, Final

from orchestrator.core.ledger import Coupon
from orchestrator.core.state import from_json
from orchestrator.core.till import CodeState, Redemption, Seen
from orchestrator.stores.erasure_certificates import ERASED, hash_of
from orchestrator.stores.erasures import Key, Run
from orchestrator.stores.instants import instant, micros
from orchestrator.stores.protocol import Arrival
from orchestrator.stores.protocol_offers import Asked, Done, OfferFigures, OrderUsed

_HOLD: Final = """
INSERT INTO till_codes (offer, code, status, looks) VALUES (?, ?, 'free', 0)
ON CONFLICT (offer, code) DO UPDATE SET looks = 1 - till_codes.looks
"""
_HOLD_OFFER: Final = """
INSERT INTO till_offers (offer, count, spent) VALUES (?, 0, 0)
ON CONFLICT (offer) DO UPDATE SET count = till_offers.count
"""
_STATE: Final = "SELECT status, holder, locked_at, until_at FROM till_codes WHERE offer = ? AND code = ?"
_FIGURES: Final = "SELECT count, spent FROM till_offers WHERE offer = ?"
_COUPON: Final = "SELECT row FROM coupons WHERE offer = ? AND code = ?"
_COLUMNS: Final = """
SELECT r.offer, r.order_id, r.code, r.status, c.external_id, r.at, r.changed_at, r.total, r.currency, r.discount,
    r.till, r.answer
FROM redemptions AS r LEFT JOIN customers AS c ON c.shard = r.shard AND c.id = r.customer
"""
_OF_ORDER: Final = f"{_COLUMNS} WHERE r.offer = ? AND r.order_id IN (?, ?)"
_OWN: Final = """
SELECT count(*) FROM customers AS c JOIN redemptions AS r ON r.shard = c.shard AND r.customer = c.id
WHERE c.external_id = ? AND r.offer = ? AND r.status = 'redeemed' AND r.at > ?
"""
_PLACE: Final = "SELECT shard, id FROM customers WHERE external_id = ?"
_SET: Final = """
UPDATE till_codes SET status = ?, holder = ?, locked_at = ?, until_at = ? WHERE offer = ? AND code = ?
"""
_REDEEM: Final = """
INSERT INTO redemptions
    (offer, order_id, code, status, shard, customer, at, changed_at, total, currency, discount, till, answer)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (offer, order_id) DO UPDATE SET status = excluded.status, changed_at = excluded.changed_at
WHERE redemptions.code = excluded.code
"""
_COUNT: Final = "UPDATE till_offers SET count = count + ?, spent = spent + ? WHERE offer = ?"
_MINE: Final = "WHERE shard = ? AND customer = ?"
_ALONE: Final = "SELECT pg_advisory_xact_lock(hashtextextended(?, 1))"
_ALONE_NOW: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended(?, 1))"
_USED: Final = "SELECT 1 FROM till_codes WHERE offer = ? AND code = ? AND status IN ('redeemed', 'returned', 'void')"


def coupons_coded(run: Run, offers: Collection[str], codes: Collection[str]) -> Sequence[Coupon]:
    """Coupons by offer and code: a look-up of the index for each pair."""
    found = []
    for offer in offers:
        marks = ", ".join("?" * len(codes))
        rows = run(f"SELECT row FROM coupons WHERE offer = ? AND code IN ({marks})", offer, *codes).fetchall()
        found += [from_json(Coupon, text) for (text,) in rows]
    return found


def decide(
    run: Run,
    salt: str,
    asked: Asked,
    judge: Callable[[Seen], Done],
    arrive: Callable[[Sequence[Arrival]], object],
    shared: bool,
) -> None:
    """In a transaction: hold the code, judge, write. `arrive` puts what arrives into the inbox, in it, too: first,
    because a customer may only come into being by it. `shared`: of a database that several processes write at once."""
    if shared:
        run(_ALONE, _alone(asked.offer, asked.code))
    run(_HOLD, asked.offer, asked.code)
    if asked.counted:
        run(_HOLD_OFFER, asked.offer)
    done = judge(seen(run, salt, asked))
    if done.arrivals:
        arrive(done.arrivals)
    if done.state is not None:
        s = done.state
        run(_SET, s.status, s.holder, _or_none(s.locked_at), _or_none(s.until), asked.offer, asked.code)
    if done.redemption is not None:
        r = done.redemption
        place = run(_PLACE, r.customer).fetchone() if r.customer is not None else None
        written = run(
            _REDEEM,
            r.offer, r.order_id, r.code, r.status, *(place or (None, None)), micros(r.at), micros(r.changed_at),
            r.total, r.currency, r.discount, r.till, r.answer,
        )  # fmt: skip
        if written.rowcount == 0:
            raise OrderUsed
    if asked.counted and (done.uses or done.spent):
        run(_COUNT, done.uses, done.spent, asked.offer)


def seen(run: Run, salt: str, asked: Asked) -> Seen:
    """What is known of a code."""
    state = run(_STATE, asked.offer, asked.code).fetchone()
    coupon = run(_COUPON, asked.offer, asked.code).fetchone()
    order = None
    if asked.order_id is not None:
        order = run(_OF_ORDER, asked.offer, asked.order_id, ERASED + hash_of(salt, asked.order_id)).fetchone()
    figures = run(_FIGURES, asked.offer).fetchone() if asked.counted else None
    own = 0
    if asked.customer is not None:
        since = micros(asked.own_since) if asked.own_since is not None else -(1 << 62)
        own = run(_OWN, asked.customer, asked.offer, since).fetchone()[0]
    return Seen(
        CodeState(state[0], state[1], _instant(state[2]), _instant(state[3])) if state is not None else CodeState(),
        from_json(Coupon, coupon[0]) if coupon is not None else None,
        redemption(*order) if order is not None else None,
        figures[0] if figures is not None else 0,
        figures[1] if figures is not None else 0,
        own,
    )


def unused(run: Run, coupons: Sequence[Coupon], shared: bool) -> list[Coupon]:
    """Of coupons that are being taken back, in this transaction: those that no till redeemed, of which the customers'
    stories may not know yet. What a redeemed code took of its offer's limits is used.

    `shared`: a till that judges one just now is not waited for, since it waits for customers, too: its code counts as
    used. A till that comes later waits for this transaction, and finds the code taken back."""
    free = []
    for coupon in coupons:
        if shared and not run(_ALONE_NOW, _alone(coupon.offer, coupon.code)).fetchone()[0]:
            continue
        if run(_USED, coupon.offer, coupon.code).fetchone() is None:
            free.append(coupon)
    return free


def _alone(offer: str, code: str) -> str:
    return f"till\n{offer}\n{code}"


def redemptions_of(run: Run, offer: str, code: str | None, after: str, limit: int) -> Sequence[Redemption]:
    """Redemptions by order."""
    where, more = ("", ()) if code is None else (" AND r.code = ?", (code,))
    text = f"{_COLUMNS} WHERE r.offer = ? AND r.order_id > ?{where} ORDER BY r.order_id LIMIT ?"
    rows = run(text, offer, after, *more, limit).fetchall()
    return [redemption(*row) for row in rows]


def coupons_of_offer(run: Run, offer: str, status: str | None, after: str, limit: int) -> Sequence[Coupon]:
    """Coupons by code."""
    where, more = ("", ()) if status is None else (" AND status = ?", (status,))
    rows = run(
        f"SELECT row FROM coupons WHERE offer = ? AND code > ?{where} ORDER BY code LIMIT ?", offer, after, *more, limit
    ).fetchall()
    return [from_json(Coupon, text) for (text,) in rows]


def figures_of(run: Run, offer: str) -> OfferFigures:
    """How an offer stands: counted as it is asked for."""
    coupons = run("SELECT status, count(*) FROM coupons WHERE offer = ? GROUP BY status", offer).fetchall()
    rows = run(
        "SELECT status, currency, count(*), sum(discount) FROM redemptions WHERE offer = ? GROUP BY status, currency",
        offer,
    ).fetchall()
    done = [row for row in rows if row[0] == "redeemed"]
    return OfferFigures(
        {str(status): count for status, count in coupons},
        sum(row[2] for row in done),
        sum(row[2] for row in rows) - sum(row[2] for row in done),
        {str(row[1] or ""): int(row[3]) for row in done},
    )


def nobodys_redemptions(run: Run, salt: str, key: Key) -> int:
    """Of somebody who is erased: that a code was redeemed stays; whose order it was can be told by nobody."""
    for offer, code in run(f"SELECT offer, code FROM coupons {_MINE}", *key).fetchall():  # which an order only locked
        run("UPDATE till_codes SET holder = NULL WHERE offer = ? AND code = ? AND holder IS NOT NULL", offer, code)
    orders = run(f"SELECT offer, order_id, code FROM redemptions {_MINE}", *key).fetchall()
    for offer, order_id, code in orders:
        hidden = order_id if order_id.startswith(ERASED) else ERASED + hash_of(salt, order_id)
        run("UPDATE till_codes SET holder = NULL WHERE offer = ? AND code = ?", offer, code)
        run(
            "UPDATE redemptions SET order_id = ?, shard = NULL, customer = NULL, till = NULL, answer = '{}' "
            "WHERE offer = ? AND order_id = ?",
            hidden, offer, order_id,
        )  # fmt: skip
    return len(orders)


def redemption(*columns: Any) -> Redemption:
    """A row as a record."""
    offer, order_id, code, status, customer, at, changed_at, *more = columns
    return Redemption(offer, order_id, code, status, customer, instant(at), instant(changed_at), *more)


def _or_none(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


def _instant(at: int | None) -> datetime | None:
    return None if at is None else instant(at)
