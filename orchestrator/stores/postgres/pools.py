"""The quantities shared by all customers: what a turn may take of them, and what it took.

Each is locked in the turn's transaction when a decision first asks for it; see orchestrator.stores.postgres.quotas.
What no decision asks for is neither read nor locked, and turns that need no limit never meet.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final, TypeVar

from orchestrator.core.changes import TakeFromPools
from orchestrator.core.ledger import Coupon
from orchestrator.core.project import Offer, Project
from orchestrator.core.time.zones import local
from orchestrator.core.view import CouponPool, Pools
from orchestrator.stores.instants import instant
from orchestrator.stores.offer_rows import unused
from orchestrator.stores.postgres import arrays, quotas, tallies
from orchestrator.stores.postgres.base import run_on
from orchestrator.stores.postgres.database import Connection
from orchestrator.stores.postgres.quotas import Slot

EACH: Final = 5
"""What one customer may take of one limit in one turn; who takes more is decided again in a smaller turn."""
DAILY: Final = "day:"
"""Before the names of limits that hold for one day."""
CODES: Final = """
SELECT code FROM codes WHERE offer = %s AND given = 0 ORDER BY seq LIMIT %s FOR UPDATE SKIP LOCKED
"""
_CODES_OF_OTHERS: Final = "SELECT code FROM codes WHERE offer = %s AND given = 0 ORDER BY seq LIMIT %s FOR UPDATE"
_HOW_MANY: Final = "SELECT count(*) FROM (SELECT 1 FROM codes WHERE offer = %s AND given = 0 LIMIT %s) AS s"
_GIVEN: Final = """
UPDATE codes AS c SET given = 1 FROM unnest(%s::text[], %s::text[]) AS j (offer, code)
WHERE c.offer = j.offer AND c.code = j.code
"""
_ISSUED: Final = "SELECT count(*) FROM coupons WHERE offer = %s AND status <> 'released'"
_OPEN_TASKS: Final = """
SELECT queue, assignee, count(*) FROM tasks WHERE closed_at IS NULL AND assignee IS NOT NULL GROUP BY queue, assignee
"""
_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


class TurnPools:
    """What one turn may take. `view` is what its decisions see; `customers`: how many it decides about."""

    def __init__(self, c: Connection, project: Project, now: datetime, customers: int) -> None:
        self._c = c
        self._project = project
        self._today = local(now, project.timezone).date()
        self._need = EACH * max(customers, 1)
        self._held: dict[str, list[Slot]] = {}
        self._serials: dict[str, Slot] = {}
        limits = {journey.id: journey.limits for journey in project.journeys.values()}
        self.view = Pools(
            _Asked(project.offers, self._coupons),
            _Asked([id for id, limit in limits.items() if limit.entries_per_day is not None], self._entries),
            _Asked([id for id, limit in limits.items() if limit.messages_total is not None], self._messages),
            _Asked(project.queues, self._queue_turns),
            _OpenTasks(c),
        )

    def take(self, taken: Sequence[tuple[TakeFromPools, int]]) -> None:
        """Write what the turn took: of each customer, with the instant (in microseconds) of its last decision, whose
        local day counts. Once in a turn, before its commit. Raises ValueError when it took more than it held."""
        amounts: Counter[str] = Counter()
        money: Counter[str] = Counter()
        codes: list[tuple[str, str]] = []
        queues: Counter[str] = Counter()
        for part, at in taken:
            day = local(instant(at), self._project.timezone).date()
            for offer, code, reserved in part.coupons:
                amounts[_offer(offer)] += 1
                amounts[_day(offer, day)] += 1
                money[_budget(offer)] += reserved  # type: ignore[assignment]
                if self._project.offers[offer].imported:
                    codes.append((offer, code))
                else:
                    amounts[_serial(offer)] += 1
            amounts.update(_entries(journey, day) for journey in part.entries)
            amounts.update(map(_messages, part.messages))
            queues.update(map(_queue, part.queues))
        self._count(amounts, money)
        if codes:
            offers, names = zip(*codes, strict=True)
            self._c.execute(_GIVEN, (arrays.texts(offers), arrays.texts(names)))
        tallies.add(self._c, queues)

    def _count(self, amounts: Mapping[str, int], money: Mapping[str, float]) -> None:
        changed: dict[str, Sequence[Slot]] = {}
        for name, amount in sorted({**amounts, **money}.items()):
            serials = self._serials.get(name)
            if serials is not None:
                if serials.used + amount > serials.bound:
                    raise ValueError("more codes were made than this turn has numbers for; it is decided in halves")
                serials.used += amount
                changed[name] = [serials]
            elif self._held.get(name):
                quotas.take(self._held[name], amount)
                changed[name] = self._held[name]
            elif name.startswith(DAILY):  # a day that is over, of a customer who was decided late
                quotas.give_back(self._c, name, -amount)
        quotas.write(self._c, changed)

    # --- what decisions ask for ------------------------------------------------------------------------------------

    def _entries(self, journey: str) -> int:
        limit = self._project.journeys[journey].limits.entries_per_day
        assert limit is not None
        return int(self._hold(_entries(journey, self._today), limit, self._need))

    def _messages(self, journey: str) -> int:
        limit = self._project.journeys[journey].limits.messages_total
        assert limit is not None
        return int(self._hold(_messages(journey), limit, self._need))

    def _queue_turns(self, queue: str) -> int:
        return tallies.read(self._c, [_queue(queue)]).get(_queue(queue), 0)

    def _coupons(self, id: str) -> CouponPool:
        offer = self._project.offers[id]
        limits = offer.limits
        left = left_today = money = None
        if limits.total is not None:
            left = int(self._hold(_offer(id), limits.total, self._need, offer))
        if limits.per_day is not None:
            left_today = int(self._hold(_day(id, self._today), limits.per_day, self._need))
        if limits.budget is not None:
            each = limits.budget_per_redemption or 0.0
            money = self._hold(_budget(id), limits.budget, self._need * each, offer, each)
        serial = 0
        if not offer.imported:
            self._serials[_serial(id)] = block = quotas.hold_serials(self._c, _serial(id), self._need)
            serial = int(block.used)
        return CouponPool(serial, left, left_today, money, self._codes(offer) if offer.imported else ())

    def _hold(self, name: str, limit: float, need: float, offer: Offer | None = None, each: float = 1.0) -> float:
        known = self._c.execute(quotas.READ, (name,)).fetchone() if offer is not None else None
        before = 0.0
        if offer is not None and known is None:  # a limit that an offer was given later
            found = self._c.execute(_ISSUED, (offer.id,)).fetchone()
            before = each * (found[0] if found is not None else 0)
        held = self._held[name] = quotas.hold(self._c, name, limit, need, before)
        return sum(slot.remaining for slot in held)

    def _codes(self, offer: Offer) -> tuple[str, ...]:
        """Free imported codes, which nobody else gets until this turn is over."""
        c, asked = self._c, (offer.id, self._need)
        c.execute("SAVEPOINT codes")
        found = c.execute(CODES, asked).fetchall()
        if len(found) < self._need:
            free = c.execute(_HOW_MANY, asked).fetchone()
            if free is not None and free[0] > len(found):  # others hold some that they may not need
                c.execute("ROLLBACK TO codes")
                quotas.wait_for_scarce(c)
                found = c.execute(_CODES_OF_OTHERS, asked).fetchall()
        c.execute("RELEASE codes")
        return tuple(code for (code,) in found)


def load_pools(c: Connection, project: Project, now: datetime, customers: int) -> TurnPools:
    """What one turn may take, read and locked as its decisions ask for it."""
    return TurnPools(c, project, now, customers)


def release_codes(c: Connection, coupons: Sequence[Coupon]) -> None:
    """Codes were taken back: total and budget have room again (the codes themselves are never given to another), unless
    a till redeemed them meanwhile."""
    amounts: Counter[str] = Counter()
    for coupon in unused(run_on(c), coupons, shared=True):
        amounts[_offer(coupon.offer)] += 1
        amounts[_budget(coupon.offer)] += coupon.amount  # type: ignore[assignment]
    for name, amount in sorted(amounts.items()):
        if amount:
            quotas.give_back(c, name, amount)


class _Asked(Mapping[_Key, _Value]):
    """Values that are found out when they are asked for, once."""

    __slots__ = ("_ask", "_found", "_keys")

    def __init__(self, keys: Collection[_Key], ask: Callable[[_Key], _Value]) -> None:
        self._keys = keys
        self._ask = ask
        self._found: dict[_Key, _Value] = {}

    def __getitem__(self, key: _Key) -> _Value:
        if key not in self._found:
            if key not in self._keys:
                raise KeyError(key)
            self._found[key] = self._ask(key)
        return self._found[key]

    def get(self, key: _Key, default: Any = None) -> Any:
        return self[key] if key in self._keys else default

    def __iter__(self) -> Iterator[_Key]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)


class _OpenTasks(Mapping[tuple[str, str], int]):
    """Open tasks by (queue, member), counted when somebody first asks."""

    __slots__ = ("_c", "_found")

    def __init__(self, c: Connection) -> None:
        self._c = c
        self._found: dict[tuple[str, str], int] | None = None

    def _all(self) -> dict[tuple[str, str], int]:
        if self._found is None:
            rows = self._c.execute(_OPEN_TASKS).fetchall()
            self._found = {(queue, assignee): count for queue, assignee, count in rows}
        return self._found

    def __getitem__(self, key: tuple[str, str]) -> int:
        return self._all()[key]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())


# --- the names of the limits ------------------------------------------------------------------------------------------


def _offer(offer: str) -> str:
    return f"offer:{offer}"


def _budget(offer: str) -> str:
    return f"budget:{offer}"


def _serial(offer: str) -> str:
    return f"serial:{offer}"


def _day(offer: str, day: date) -> str:
    return f"{DAILY}{day.isoformat()}:offer:{offer}"


def _entries(journey: str, day: date) -> str:
    return f"{DAILY}{day.isoformat()}:entries:{journey}"


def _messages(journey: str) -> str:
    return f"messages:{journey}"


def _queue(queue: str) -> str:
    return f"queue:{queue}"
