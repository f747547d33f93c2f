"""Rows about the outside world: messages, requests, coupons and tasks. Each has a key from enrollment, step and
visit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

from orchestrator.core.program import Channel, MessageClass

MessageStatus: TypeAlias = Literal["queued", "sent", "suppressed", "rejected", "bounced", "complained", "unknown"]
ATTACHMENTS = "@attachments"
"""Among a row's values: what its step attaches. No expression is written like this."""
UNSENT: frozenset[str] = frozenset({"suppressed", "rejected"})
"""The message is certainly unsent: its cap slot and its coupon are given back."""


def effect_id(enrollment: str, step: str, visit: int, way: str = "") -> str:
    """The key of an outside effect: a repeated turn writes the same row."""
    return f"{enrollment}.{step}.{visit}.{way}" if way else f"{enrollment}.{step}.{visit}"


class Message(NamedTuple):
    """A row of the message ledger, written when the guards let the message pass. It never changes; see MessageState.

    `at` is the decision's instant (caps count it), `decided_at` the actual one, `seq` its place in the journal.
    `zone` is the zone in force, in which dates are printed; `fixed_zone` the same where step or journey gave it,
    so that it is in force at the hand-over, too. `values` are the frozen values that the template uses.
    `survives_exit`: sent by an exit's `do` list.
    `not_after` is the start of the next quiet time, `expires_at` the end by `valid_for`.
    """

    id: str
    customer_id: str
    enrollment_id: str
    journey: str
    version: str
    key: str
    step: str
    visit: int
    channel: Channel
    topic: str
    klass: MessageClass
    template: str
    template_hash: str
    locale: str | None
    to: str
    values: Mapping[str, Any]
    at: datetime
    decided_at: datetime
    seq: int
    subject: str | None = None
    sender: str | None = None
    reply_to: str | None = None
    expires_at: datetime | None = None
    not_after: datetime | None = None
    on_quiet: str = "hold"
    survives_exit: bool = False
    throttled: bool = False
    coupon: str | None = None
    survey: str | None = None
    zone: str = "UTC"
    fixed_zone: str | None = None


message: Callable[[tuple[Any, ...]], Message] = partial(tuple.__new__, Message)
"""A row from all its fields in their order: with names, the call takes longer than the decision to send it."""


class Request(NamedTuple):
    """A call to make outside the turn, for `fetch` or `webhook`. `id` is its idempotency key."""

    id: str
    customer_id: str
    enrollment_id: str
    step: str
    visit: int
    kind: Literal["fetch", "webhook"]
    method: str
    url: str
    headers: Mapping[str, str]
    body: Any
    timeout: timedelta
    cache: timedelta | None
    at: datetime
    as_name: str | None = None


class Coupon(NamedTuple):
    """A code given to a customer. `status`: issued, released (its message ended unsent), redeemed, or void (its order
    was cancelled, and the offer gives no second chance)."""

    id: str
    offer: str
    code: str
    customer_id: str
    enrollment_id: str
    step: str
    issued_at: datetime
    expires_at: datetime | None
    status: Literal["issued", "released", "redeemed", "void"] = "issued"
    order_id: str | None = None
    journey: str | None = None
    version: str | None = None
    key: str | None = None
    amount: float = 0.0


class Task(NamedTuple):
    """A task for staff. `closed_at` None: open."""

    id: str
    customer_id: str
    enrollment_id: str
    step: str
    queue: str
    title: str
    body: str | None
    assignee: str | None
    due_at: datetime | None
    opened_at: datetime
    closed_at: datetime | None = None
    outcome: str | None = None
