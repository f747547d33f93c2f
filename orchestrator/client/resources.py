"""The API by its things. Each call is written once, for both clients: `One` is an answer or what can be awaited for
it, `Many` the items of a list, page after page."""
# ruff: noqa: TID252

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar

from .calls import Ask, below, get, write

One = TypeVar("One")
Many = TypeVar("Many")
Json = Mapping[str, Any]


class Resource(Generic[One, Many]):
    """`ask` sends one request, `walk` all pages of a list.

    `once` of a write is its Idempotency-Key: give one that is kept with what you do (an order's id) and the write is
    done once however often your process is restarted; without, each call has one of its own.
    """

    def __init__(self, ask: Callable[[Ask], One], walk: Callable[[Ask], Many]) -> None:
        self._ask = ask
        self._walk = walk


class Customers(Resource[One, Many]):
    """Scopes customers:read, :write, :erase; journeys:read for `why`."""

    def get(self, id: str) -> One:
        """A customer, by any identifier."""
        return self._ask(get("/customers" + below(id)))

    def list(self, *, prefix: str | None = None, email: str | None = None, phone: str | None = None) -> Many:
        """Customers in the order of their ids."""
        return self._walk(get("/customers", prefix=prefix, email=email, phone=phone))

    def save(self, id: str, fields: Json | None = None, *, once: str | None = None) -> One:
        """Create or change: email, phone, timezone, locale, country, attributes, tags, consents..."""
        return self._ask(write("POST", "/customers", {"id": id, **(fields or {})}, once))

    def change(self, id: str, fields: Json, *, once: str | None = None, match: str | None = None) -> One:
        """Change a customer who is known."""
        return self._ask(write("PATCH", "/customers" + below(id), fields, once, match))

    def erase(self, id: str, *, once: str | None = None) -> One:
        """Erase for good; the answer is the certificate."""
        return self._ask(write("DELETE", "/customers" + below(id), None, once))

    def export(self, id: str) -> One:
        """Everything that is stored about a customer."""
        return self._ask(get("/customers" + below(id) + "/export"))

    def why(self, id: str, *, journey: str | None = None) -> One:
        """What happened, in sentences, and on what grounds."""
        return self._ask(get("/customers" + below(id) + "/why", journey=journey))

    def events(self, id: str, *, name: str | None = None) -> Many:
        """Events, the latest first."""
        return self._walk(get("/customers" + below(id) + "/events", name=name))

    def timeline(self, id: str) -> Many:
        """What happened."""
        return self._walk(get("/customers" + below(id) + "/timeline"))

    def enrollments(self, id: str) -> Many:
        """Passages through journeys."""
        return self._walk(get("/customers" + below(id) + "/enrollments"))

    def consents(self, id: str) -> One:
        """What holds, by topic and channel."""
        return self._ask(get("/customers" + below(id) + "/consents"))

    def choose(self, id: str, choices: Sequence[Json], *, once: str | None = None) -> One:
        """Note choices: `[{"topic": "promotions", "channel": "email", "state": "out"}]`."""
        return self._ask(write("PUT", "/customers" + below(id) + "/consents", {"choices": list(choices)}, once))


class Journeys(Resource[One, Many]):
    """Scopes journeys:read, journeys:write."""

    def list(self) -> Many:
        """Journeys and how many are in them."""
        return self._walk(get("/journeys"))

    def get(self, id: str) -> One:
        """One of them."""
        return self._ask(get("/journeys" + below(id)))

    def enroll(self, journey: str, customer: str, values: Json | None = None, *, once: str | None = None) -> One:
        """Ask a customer in; the journey's own rules decide. `values` become `entry.properties`."""
        body = {"customer": customer, "values": dict(values or {})}
        return self._ask(write("POST", "/journeys" + below(journey) + "/enrollments", body, once))

    def unenroll(self, customer: str, enrollment: str, *, once: str | None = None) -> One:
        """Take a customer out."""
        path = "/customers" + below(customer) + "/enrollments" + below(enrollment) + "/exit"
        return self._ask(write("POST", path, None, once))

    def pause(self, id: str, *, once: str | None = None) -> One:
        """Let nobody in, and let who is in it stand still."""
        return self._ask(write("POST", "/journeys" + below(id) + "/pause", None, once))

    def resume(self, id: str, *, once: str | None = None) -> One:
        """Let it go on."""
        return self._ask(write("POST", "/journeys" + below(id) + "/resume", None, once))


class Coupons(Resource[One, Many]):
    """Scope coupons:write. `order` holds what the till knows: total, currency, items, store, till, customer."""

    def get(self, code: str) -> One:
        """How a code stands."""
        return self._ask(get("/coupons" + below(code)))

    def validate(self, code: str, **order: Any) -> One:
        """Whether it would be redeemed now, and what it is worth. Changes nothing."""
        return self._ask(write("POST", "/coupons/validate", {"code": code, **order}))

    def lock(self, code: str, *, once: str | None = None, **order: Any) -> One:
        """Keep it for an order (order_id) or a till (till), for `seconds`."""
        return self._ask(write("POST", "/coupons/lock", {"code": code, **order}, once))

    def redeem(self, code: str, order_id: str, *, once: str | None = None, **order: Any) -> One:
        """Redeem it. The same order again gets the same answer; raises Conflict where it cannot be used so."""
        return self._ask(write("POST", "/coupons/redeem", {"code": code, "order_id": order_id, **order}, once))

    def roll_back(self, code: str, order_id: str, *, offer: str | None = None, once: str | None = None) -> One:
        """The order was cancelled."""
        body = {"code": code, "order_id": order_id} | ({"offer": offer} if offer is not None else {})
        return self._ask(write("POST", "/coupons/rollback", body, once))


class Segments(Resource[One, Many]):
    """Scope segments:read."""

    def list(self) -> Many:
        """Segments and their sizes."""
        return self._walk(get("/segments"))

    def members(self, id: str) -> Many:
        """Customers in one."""
        return self._walk(get("/segments" + below(id) + "/members"))


class Messages(Resource[One, Many]):
    """Scope messages:read."""

    def list(self, **filters: Any) -> Many:
        """Messages; filters as the API has them."""
        return self._walk(get("/messages", **filters))

    def get(self, id: str) -> One:
        """One of them, as it was sent."""
        return self._ask(get("/messages" + below(id)))


class Tasks(Resource[One, Many]):
    """Scopes tasks:read, tasks:write."""

    def list(self, **filters: Any) -> Many:
        """Tasks for staff; filters as the API has them."""
        return self._walk(get("/tasks", **filters))

    def close(self, id: str, outcome: str, *, once: str | None = None) -> One:
        """It is done, and this came of it."""
        return self._ask(write("POST", "/tasks" + below(id) + "/close", {"outcome": outcome}, once))
