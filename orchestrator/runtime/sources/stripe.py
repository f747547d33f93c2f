"""Webhooks of Stripe (docs.stripe.com: "Receive Stripe events", "Resolve webhook signature verification errors").

`Stripe-Signature: t=1492774577,v1=HEX[,v1=HEX]`: HMAC-SHA256 of `t.body` under the endpoint's secret (`whsec_...`, as
it stands), not older than the tolerance. Money is counted in the smallest unit of its currency.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from math import inf
from typing import Any, Final

from orchestrator.errors import UsageError
from orchestrator.runtime.sources.commerce import Maker, content_id
from orchestrator.runtime.sources.options import SourceUrl, choice, is_one_of
from orchestrator.runtime.sources.protocol import Came, Parse, Read, SourceRefused
from orchestrator.runtime.sources.values import given, instant, mapping, minor, objects, text

OPTIONS: Final = ("tolerance", "live")
TOLERANCE_S: Final = 300.0
_EVENTS: Final[Mapping[str, str]] = {
    "checkout.session.expired": "checkout_abandoned",
    "payment_intent.succeeded": "payment_succeeded",
    "payment_intent.payment_failed": "payment_failed",
    "invoice.paid": "invoice_paid",
    "invoice.payment_failed": "payment_failed",
    "charge.refunded": "order_refunded",
    "customer.subscription.created": "subscription_started",
    "customer.subscription.updated": "subscription_changed",
    "customer.subscription.deleted": "subscription_cancelled",
    "customer.subscription.trial_will_end": "trial_ending",
}
_PAID: Final = frozenset({"checkout.session.completed", "checkout.session.async_payment_succeeded"})
_OURS: Final = ("customer_id", "user_id", "userId")
"""Where in `metadata` the brand's own id of the customer may stand."""


class Stripe:
    """One endpoint of an account."""

    def __init__(self, url: SourceUrl) -> None:
        self.name = url.name
        self._url = url
        self._make = Maker(url)
        self._live_only = choice(url, "live", ("any", "only")) == "only"
        try:
            self._tolerance = float(url.options.get("tolerance", TOLERANCE_S))
            if not 0 < self._tolerance < inf:
                raise ValueError
        except ValueError:
            raise UsageError(f"the source {url.name}: tolerance is a number of seconds", "bad_setting") from None

    def verify(self, came: Came) -> None:
        """See Source."""
        at, signatures = None, []
        for part in came.headers.get("stripe-signature", "").split(","):
            name, _, value = part.strip().partition("=")
            if name == "t":
                at = value
            elif name == "v1":
                signatures.append(value)
        if at is None or not (at.isascii() and at.isdigit()) or len(at) > 12 or not signatures:
            raise SourceRefused(401, "bad_signature", "there is no Stripe-Signature with t and v1")
        signed = f"{at}.".encode() + came.body
        made = [hmac.new(one.encode(), signed, sha256).hexdigest() for one in self._url.secrets]
        matched = [is_one_of(one, made) for one in signatures[:10]]
        if not any(matched):
            raise SourceRefused(401, "bad_signature", "the signature is not Stripe's")
        if abs(came.at.timestamp() - int(at)) > self._tolerance:
            raise SourceRefused(401, "old_signature", "the signature is too old, or the clock is wrong")

    def read(self, came: Came, parse: Parse, now: datetime) -> Read:
        """See Source."""
        said = parse(came.body)
        kind, id = (text(said.get("type")), text(said.get("id"))) if isinstance(said, dict) else (None, None)
        if kind is None or id is None:
            raise SourceRefused(400, "no_event", "the body is no event of Stripe")
        if self._live_only and said.get("livemode") is not True:
            return Read(ignored="test mode")
        data = mapping(said.get("data"))
        subject = mapping(data.get("object"))
        at = instant(said.get("created"))
        if kind in ("customer.created", "customer.updated"):
            return self._person(subject, id)
        name = "order_placed" if kind in _PAID else _EVENTS.get(kind)
        if name is None or (name == "order_placed" and subject.get("payment_status") == "unpaid"):
            return Read(ignored=kind[:60])
        found = self._whom(subject)
        if found is None:
            return Read(left=(("no_customer", f"{kind} names neither a customer nor an address of one"),))
        who, traits = found
        told = self._make.person(who, content_id({"who": who, **traits}), traits)
        before = mapping(data.get("previous_attributes"))
        properties = _properties(name, kind, subject, before)
        event_id = text(subject.get("id")) if name == "order_placed" else None
        event = self._make.event(who, name, event_id or id, at, properties)
        return Read((told, event) if told is not None else (event,))

    def _person(self, customer: Mapping[str, Any], id: str) -> Read:
        who = _own_id(customer) or self._make.customer(customer.get("id"), customer.get("email"))
        if who is None:
            return Read(left=(("no_customer", "the customer has no id"),))
        languages = customer.get("preferred_locales")
        country = text(mapping(customer.get("address")).get("country"), 2)
        currency = text(customer.get("currency"), 3)
        traits = given(
            email=text(customer.get("email")), phone=text(customer.get("phone"), 40), name=text(customer.get("name")),
            country=country.upper() if country is not None and len(country) == 2 else None,
            locale=text(languages[0], 35) if isinstance(languages, list) and languages else None,
            currency=currency.upper() if currency is not None and len(currency) == 3 else None,
        )  # fmt: skip
        told = self._make.person(who, id, traits)
        return Read((told,) if told is not None else ())

    def _whom(self, subject: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
        """The brand's own id, where the integration gives it; else Stripe's, or the address."""
        details = mapping(subject.get("customer_details")) or mapping(subject.get("billing_details"))
        email = details.get("email") or subject.get("customer_email") or subject.get("receipt_email")
        customer = subject.get("customer")
        id = mapping(customer).get("id") if isinstance(customer, dict) else customer
        # Whoever opens a payment link writes into its address whom the payment refers to: that is nobody's proof.
        reference = text(subject.get("client_reference_id")) if subject.get("payment_link") is None else None
        who = _own_id(subject) or reference or self._make.customer(id, email)
        traits = given(email=text(email), phone=text(details.get("phone"), 40), name=text(details.get("name")))
        return None if who is None else (who, traits)


def _own_id(of: Mapping[str, Any]) -> str | None:
    metadata = mapping(of.get("metadata"))
    return next((found for name in _OURS if (found := text(metadata.get(name))) is not None), None)


def _properties(name: str, kind: str, of: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
    code = text(of.get("currency"), 3)
    currency = code.upper() if code is not None else None
    metadata = mapping(of.get("metadata"))
    order = text(metadata.get("order_id"))

    def money(field: str) -> int | float | None:
        return minor(of.get(field), code)

    if kind.startswith("checkout.session"):
        details = mapping(of.get("total_details"))
        recovery = mapping(mapping(of.get("after_expiration")).get("recovery"))
        return given(
            order_id=order or text(of.get("id")), checkout_id=text(of.get("id")), total=money("amount_total"),
            subtotal=money("amount_subtotal"), tax=minor(details.get("amount_tax"), code),
            shipping=minor(details.get("amount_shipping"), code), discount=minor(details.get("amount_discount"), code),
            currency=currency, url=text(recovery.get("url"), 2_000),
        )  # fmt: skip
    if name == "order_refunded":
        whole, known = of.get("amount_refunded"), before.get("amount_refunded")
        new = whole - known if type(whole) is int and type(known) is int else whole
        return given(
            order_id=order or text(of.get("payment_intent")) or text(of.get("id")), charge_id=text(of.get("id")),
            total=minor(new, code), currency=currency,
        )  # fmt: skip
    if kind.startswith("customer.subscription"):
        lines = [mapping(one.get("price")) for one in objects(mapping(of.get("items")).get("data"))]
        first: Mapping[str, Any] = lines[0] if lines else {}
        ends = instant(of.get("current_period_end")) or instant(of.get("cancel_at")) or instant(of.get("trial_end"))
        ending = of.get("cancel_at_period_end")
        return given(
            subscription_id=text(of.get("id")), status=text(of.get("status")), plan=text(first.get("id")),
            total=minor(first.get("unit_amount"), text(first.get("currency"), 3)), currency=currency,
            ends_at=ends.isoformat() if ends is not None else None,
            ending=ending if isinstance(ending, bool) else None,
        )  # fmt: skip
    error = mapping(of.get("last_payment_error"))
    return given(
        payment_id=text(of.get("id")), order_id=order, subscription_id=text(of.get("subscription")),
        total=money("amount_received") or money("amount_paid") or money("amount_due") or money("amount"),
        currency=currency, reason=text(error.get("code")) or text(error.get("decline_code")),
        url=text(of.get("hosted_invoice_url"), 2_000),
    )  # fmt: skip
