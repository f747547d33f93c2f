"""Quantities shared by all customers, taken from within one turn: what a poisoned customer took is given back."""

from __future__ import annotations

from dataclasses import replace

from orchestrator.core.changes import NOTHING_TAKEN, TakeFromPools
from orchestrator.core.offers import generated_code
from orchestrator.core.project import Offer
from orchestrator.core.view import CouponPool, Pools

_ROUNDING = 1e-6
"""What sums of money in binary fractions may be off: far less than the smallest coin."""


class WorkingPools:
    """What the turn has taken of the pools. `begin` starts a customer, `taken` says what it took, `undo` gives it back.

    A pool is read when a decision first asks for it: most turns ask for none, and a store may lock what it is asked
    for.
    """

    def __init__(self, pools: Pools, salt: str) -> None:
        self._salt = salt
        self._pools = pools
        self._coupons: dict[str, CouponPool] = {}
        self._entries: dict[str, int] = {}
        self._messages: dict[str, int] = {}
        self._turns: dict[str, int] = {}
        self._open: dict[tuple[str, str], int] = {}
        self._saved: tuple[dict[str, CouponPool], dict[str, int], dict[str, int], dict[str, int]] | None = None
        self._taken: TakeFromPools | None = None
        self.touched = False
        """Whether the present customer took anything."""

    def begin(self) -> None:
        """Start the next customer."""
        if self.touched:
            self._saved = None
            self._taken = None
            self.touched = False

    def taken(self) -> TakeFromPools:
        """What the present customer took."""
        return self._taken or NOTHING_TAKEN

    def undo(self) -> None:
        """Give back what the present customer took."""
        if self._saved is not None:
            self._coupons, self._entries, self._messages, self._turns = self._saved
            self._saved = None
        self._taken = None
        self.touched = False

    def _take(self) -> TakeFromPools:
        self.touched = True
        if self._saved is None:
            self._saved = (dict(self._coupons), dict(self._entries), dict(self._messages), dict(self._turns))
        return self._taken or NOTHING_TAKEN

    def entry(self, journey: str) -> bool:
        """Take one entry; False when the day's limit is reached."""
        left = self._entries.get(journey)
        if left is None:
            left = self._pools.entries_left.get(journey)
        if left is None:
            return True
        if left <= 0:
            return False
        taken = self._take()
        self._entries[journey] = left - 1
        self._taken = taken._replace(entries=(*taken.entries, journey))
        return True

    def message(self, journey: str) -> bool:
        """Take one message of the journey's total; False when the limit is reached."""
        left = self._messages.get(journey)
        if left is None:
            left = self._pools.messages_left.get(journey)
        if left is None:
            return True
        if left <= 0:
            return False
        taken = self._take()
        self._messages[journey] = left - 1
        self._taken = taken._replace(messages=(*taken.messages, journey))
        return True

    def code(self, offer: Offer) -> str | None:
        """Take one code of the offer; None when total, pool, day or budget is used up."""
        pool = self._coupons.get(offer.id) or self._pools.coupons.get(offer.id, CouponPool())
        reserve = offer.limits.budget_per_redemption or 0.0
        if (pool.left is not None and pool.left <= 0) or (pool.left_today is not None and pool.left_today <= 0):
            return None
        if pool.budget_left is not None and pool.budget_left < max(reserve - _ROUNDING, _ROUNDING):
            return None
        if offer.imported:
            if not pool.codes:
                return None
            code, rest = pool.codes[0], pool.codes[1:]
        else:
            code, rest = generated_code(offer, self._salt, pool.next_serial), pool.codes
        taken = self._take()
        self._coupons[offer.id] = replace(
            pool,
            next_serial=pool.next_serial + (not offer.imported),
            left=None if pool.left is None else pool.left - 1,
            left_today=None if pool.left_today is None else pool.left_today - 1,
            budget_left=None if pool.budget_left is None else pool.budget_left - reserve,
            codes=rest,
        )
        self._taken = taken._replace(coupons=(*taken.coupons, (offer.id, code, reserve)))
        return code

    def assignee(self, queue: str, members: tuple[str, ...], assign: str) -> str | None:
        """Whom a task goes to: a member by name, the next in turn, or who has the fewest open tasks."""
        if assign not in ("round_robin", "least_busy"):
            return assign
        if not members:
            return None
        taken = self._take()
        turn = self._turns.get(queue)
        if turn is None:
            turn = self._pools.queue_turns.get(queue, 0)
        self._turns[queue] = turn + 1
        self._taken = taken._replace(queues=(*taken.queues, queue))
        if assign == "round_robin":
            return members[turn % len(members)]
        chosen = min(members, key=lambda member: (self._open_of(queue, member), members.index(member)))
        self._open[(queue, chosen)] = self._open_of(queue, chosen) + 1
        return chosen

    def _open_of(self, queue: str, member: str) -> int:
        taken = self._open.get((queue, member))
        return taken if taken is not None else self._pools.open_tasks.get((queue, member), 0)
