"""Webhooks of WooCommerce (woocommerce.com/document/webhooks; the REST API's orders and customers).

The signature is `X-WC-Webhook-Signature`, the HMAC-SHA256 of the raw body under the webhook's secret, in base64. When a
webhook is saved, the shop posts `webhook_id=N` without a signature, and wants a 200 before it sends anything else.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from orchestrator.runtime.ingest import Incoming, Told
from orchestrator.runtime.sources.commerce import Maker, content_id
from orchestrator.runtime.sources.options import SourceUrl, is_one_of
from orchestrator.runtime.sources.protocol import IGNORED, Came, Parse, Read, SourceRefused
from orchestrator.runtime.sources.values import given, instant, mapping, number, objects, text

OPTIONS: Final = ()
_PING: Final = re.compile(rb"webhook_id=\d{1,20}")
_NOT_PLACED: Final = frozenset({"checkout-draft", "auto-draft", "trash", "failed"})


class WooCommerce:
    """One shop."""

    def __init__(self, url: SourceUrl) -> None:
        self.name = url.name
        self._url = url
        self._make = Maker(url)

    def verify(self, came: Came) -> None:
        """See Source. The shop's ping says nothing, and is let through without a signature."""
        if _PING.fullmatch(came.body) is not None:
            return
        signed = came.headers.get("x-wc-webhook-signature", "")
        made = [b64encode(hmac.new(one.encode(), came.body, sha256).digest()).decode() for one in self._url.secrets]
        if not is_one_of(signed.strip(), made):
            raise SourceRefused(401, "bad_signature", "the signature is not the shop's")

    def read(self, came: Came, parse: Parse, now: datetime) -> Read:
        """See Source."""
        if _PING.fullmatch(came.body) is not None:
            return IGNORED
        topic = came.headers.get("x-wc-webhook-topic", "").strip().lower()
        said = parse(came.body)
        if not isinstance(said, dict):
            raise SourceRefused(400, "no_object", "the body is no object")
        if topic in ("order.created", "order.updated", "order.restored"):
            return self._order(said)
        if topic in ("customer.created", "customer.updated"):
            delivery = text(came.headers.get("x-wc-webhook-delivery-id")) or sha256(came.body).hexdigest()[:32]
            return self._person(said, f"{topic}:{delivery}")
        return Read(ignored=topic[:60] or "(no topic)")

    def _order(self, order: Mapping[str, Any]) -> Read:
        status = text(order.get("status")) or ""
        billing = mapping(order.get("billing"))
        who = self._make.customer(order.get("customer_id"), billing.get("email"), billing.get("phone"))
        id = text(order.get("id"))
        if id is None or status in _NOT_PLACED:
            return Read(ignored=f"order {status}")
        if who is None:
            return Read(left=(("no_customer", "the order has neither a customer nor an address of one"),))
        items: list[Incoming | Told] = []
        traits = _traits(order, billing)
        told = self._make.person(who, content_id({"who": who, **traits}), traits)
        items += [told] if told is not None else []
        properties = order_properties(order)
        changed_at = _at(order, "date_modified")
        items.append(self._make.event(who, "order_placed", id, _at(order, "date_created"), properties))
        if (paid_at := _at(order, "date_paid")) is not None:
            items.append(self._make.event(who, "order_paid", id, paid_at, properties))
        if status == "cancelled":
            items.append(self._make.event(who, "order_cancelled", id, changed_at, properties))
        if status == "completed":
            at = _at(order, "date_completed") or changed_at
            items.append(self._make.event(who, "order_fulfilled", id, at, properties))
        for refund in objects(order.get("refunds")):
            total = number(refund.get("total"))
            said = given(
                order_id=id, refund_id=text(refund.get("id")), total=abs(total) if total is not None else None,
                currency=text(order.get("currency"), 3), reason=text(refund.get("reason")),
            )  # fmt: skip
            refund_id = text(refund.get("id")) or f"{id}:{refund.get('total')}"
            items.append(self._make.event(who, "order_refunded", refund_id, changed_at, said))
        return Read(tuple(items))

    def _person(self, customer: Mapping[str, Any], delivery: str) -> Read:
        who = self._make.customer(customer.get("id"), customer.get("email"))
        if who is None:
            return Read(left=(("no_customer", "the customer has no id"),))
        told = self._make.person(who, delivery, _traits(customer, mapping(customer.get("billing"))))
        return Read((told,) if told is not None else ())


def _traits(of: Mapping[str, Any], billing: Mapping[str, Any]) -> dict[str, Any]:
    country = text(billing.get("country"), 2)
    made = given(
        email=text(of.get("email")) or text(billing.get("email")), phone=text(billing.get("phone"), 40),
        first_name=text(of.get("first_name")) or text(billing.get("first_name")),
        last_name=text(of.get("last_name")) or text(billing.get("last_name")),
        country=country.upper() if country is not None and len(country) == 2 else None,
        city=text(billing.get("city")),
    )  # fmt: skip
    if "username" in of and (created := _at(of, "date_created")) is not None:
        made["created_at"] = created
    return made


def _at(of: Mapping[str, Any], name: str) -> datetime | None:
    """`date_created_gmt` is in UTC and says no zone; `date_created` is in the shop's, which nobody tells."""
    return instant(of.get(f"{name}_gmt"), utc=True)


def order_properties(order: Mapping[str, Any]) -> dict[str, Any]:
    """An order in the words of the e-commerce spec."""
    codes = [code for one in objects(order.get("coupon_lines")) if (code := text(one.get("code"))) is not None]
    return given(
        order_id=text(order.get("id")), order_number=text(order.get("number")), cart_id=text(order.get("cart_hash")),
        total=number(order.get("total")), tax=number(order.get("total_tax")),
        shipping=number(order.get("shipping_total")), discount=number(order.get("discount_total")),
        currency=text(order.get("currency"), 3), coupon=codes[0] if codes else None,
        items=[_item(line) for line in objects(order.get("line_items"))], channel=text(order.get("created_via")),
        url=text(order.get("payment_url"), 2_000) if order.get("needs_payment") is True else None,
    )  # fmt: skip


def _item(line: Mapping[str, Any]) -> dict[str, Any]:
    return given(
        sku=text(line.get("sku")), product_id=text(line.get("product_id")),
        variant_id=text(line.get("variation_id")) if line.get("variation_id") else None, title=text(line.get("name")),
        price=number(line.get("price")), quantity=number(line.get("quantity")),
    )  # fmt: skip
