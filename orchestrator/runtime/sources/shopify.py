"""Webhooks of Shopify (shopify.dev: "Webhooks", "Verify webhooks", "Privacy law compliance").

The signature is `X-Shopify-Hmac-Sha256`, the HMAC-SHA256 of the raw body under the app's client secret, in base64. What
is told of an order is told with every later change of it, too (`orders/updated` has all refunds and fulfilments), so
events are named by the order, the refund, the fulfilment: each is one event, whichever requests tell of it.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from orchestrator.runtime.ingest import Incoming, Told
from orchestrator.runtime.sources.commerce import Maker, content_id
from orchestrator.runtime.sources.options import SourceUrl, choice, is_one_of
from orchestrator.runtime.sources.protocol import Came, Note, Parse, Read, SourceRefused
from orchestrator.runtime.sources.values import given, instant, mapping, number, objects, text

OPTIONS: Final = ("topic", "redact")
_OPTED_IN: Final = frozenset({"single_opt_in", "confirmed_opt_in"})
_FAILED: Final = frozenset({"failure", "error"})
_CLOSED: Final = frozenset({"unsubscribed", "redacted"})
_ORDERS: Final = frozenset({
    "orders/create", "orders/updated", "orders/paid", "orders/cancelled", "orders/fulfilled",
    "orders/partially_fulfilled",
})  # fmt: skip
_CHECKOUTS: Final = frozenset({"checkouts/create", "checkouts/update"})
_PEOPLE: Final = frozenset({"customers/create", "customers/update", "customers/enable", "customers/disable"})
_CONSENTS: Final = frozenset({
    "customers_email_marketing_consent/update", "customers_marketing_consent/update",
    "customers/email_marketing_consent_update", "customers/marketing_consent_update",
})  # fmt: skip


class Shopify:
    """One shop."""

    def __init__(self, url: SourceUrl) -> None:
        self.name = url.name
        self._url = url
        self._make = Maker(url)
        self._topic = url.options.get("topic")
        self._erases = choice(url, "redact", ("erase", "note")) == "erase"

    def verify(self, came: Came) -> None:
        """See Source."""
        signed = came.headers.get("x-shopify-hmac-sha256", "")
        made = [b64encode(hmac.new(one.encode(), came.body, sha256).digest()).decode() for one in self._url.secrets]
        if not is_one_of(signed.strip(), made):
            raise SourceRefused(401, "bad_signature", "the signature is not the shop's")

    def read(self, came: Came, parse: Parse, now: datetime) -> Read:
        """See Source."""
        topic = came.headers.get("x-shopify-topic", "").strip().lower()
        said = parse(came.body)
        if not isinstance(said, dict):
            raise SourceRefused(400, "no_object", "the body is no object")
        delivery = text(came.headers.get("x-shopify-event-id")) or text(came.headers.get("x-shopify-webhook-id"))
        delivery = f"{topic}:{delivery or sha256(came.body).hexdigest()[:32]}"
        if topic in _ORDERS:
            return self._order(said, delivery)
        if topic in _CHECKOUTS:
            return self._checkout(said, topic, delivery)
        if topic in _PEOPLE:
            return self._person(said, delivery)
        if topic in _CONSENTS:
            return self._consent(said, delivery)
        if topic.startswith(("customers/redact", "customers/data_request", "shop/redact")):
            return self._privacy(said, topic)
        return Read(ignored=topic[:60] or "(no topic)")

    def _order(self, order: Mapping[str, Any], delivery: str) -> Read:
        found = self._whom(order)
        id = text(order.get("id"))
        if found is None or id is None:
            return Read(left=(("no_customer", "the order has neither a customer nor an address of one"),))
        who, items = found[0], list[Incoming | Told](found[1])
        properties = order_properties(order)
        placed_at = instant(order.get("processed_at")) or instant(order.get("created_at"))
        items.append(self._make.event(who, "order_placed", id, placed_at, properties))
        if order.get("financial_status") in ("paid", "partially_refunded", "refunded"):
            items.append(self._make.event(who, "order_paid", id, _paid_at(order), properties))
        if instant(order.get("cancelled_at")) is not None:
            why = {**properties, **given(reason=text(order.get("cancel_reason")))}
            items.append(self._make.event(who, "order_cancelled", id, instant(order["cancelled_at"]), why))
        for refund in objects(order.get("refunds")):
            items.append(self._refund(who, id, refund, properties.get("currency")))
        for sent in objects(order.get("fulfillments")):
            if sent.get("status") in ("success", None) and (sent_id := text(sent.get("id"))) is not None:
                at = instant(sent.get("created_at"))
                items.append(self._make.event(who, "order_shipped", sent_id, at, _shipment(id, sent)))
        if order.get("fulfillment_status") == "fulfilled":
            items.append(self._make.event(who, "order_fulfilled", id, instant(order.get("updated_at")), properties))
        return Read(tuple(items))

    def _refund(self, who: str, order: str, refund: Mapping[str, Any], currency: str | None) -> Incoming:
        paid = [
            one
            for one in objects(refund.get("transactions"))
            if one.get("kind") == "refund" and one.get("status") not in _FAILED
        ]
        amounts = [amount for one in paid if (amount := number(one.get("amount"))) is not None]
        if isinstance(refund.get("transactions"), list):
            amounts = amounts or [0]  # lines were taken back, and no money went
        else:
            lines = objects(refund.get("refund_line_items"))
            amounts = [amount for one in lines if (amount := number(one.get("subtotal"))) is not None]
        total = number(str(round(sum(amounts), 4))) if amounts else None
        told = next((text(one.get("currency")) for one in paid if one.get("currency")), None)
        items = [
            item(mapping(one.get("line_item")), one.get("quantity")) for one in objects(refund.get("refund_line_items"))
        ]
        properties = given(
            order_id=order, refund_id=text(refund.get("id")), total=total, currency=told or currency, items=items,
            reason=text(refund.get("note")),
        )  # fmt: skip
        at = instant(refund.get("processed_at")) or instant(refund.get("created_at"))
        return self._make.event(who, "order_refunded", text(refund.get("id")) or order, at, properties)

    def _checkout(self, checkout: Mapping[str, Any], topic: str, delivery: str) -> Read:
        found = self._whom(checkout)
        id = text(checkout.get("token")) or text(checkout.get("id"))
        if found is None or id is None:
            return Read(ignored=f"{topic} of nobody")  # the address is typed in later
        who, items = found[0], list[Incoming | Told](found[1])
        properties = {
            **order_properties(checkout),
            **given(checkout_id=id, url=text(checkout.get("abandoned_checkout_url"), 2_000)),
        }
        properties.pop("order_id", None)
        started_at = instant(checkout.get("created_at"))
        items.append(self._make.event(who, "checkout_started", id, started_at, properties))
        if topic == "checkouts/update" and instant(checkout.get("completed_at")) is None:
            at = instant(checkout.get("updated_at"))
            items.append(self._make.event(who, "checkout_updated", delivery, at, properties))
        return Read(tuple(items))

    def _person(self, customer: Mapping[str, Any], delivery: str) -> Read:
        who = self._make.customer(customer.get("id"), customer.get("email"), customer.get("phone"))
        if who is None:
            return Read(left=(("no_customer", "the customer has no id"),))
        told = self._make.person(who, delivery, self._traits(customer))
        return Read((told,) if told is not None else ())

    def _consent(self, said: Mapping[str, Any], delivery: str) -> Read:
        id = said.get("customer_id") or said.get("id")
        email = said.get("email_address") or said.get("email")
        who = self._make.customer(id, email, said.get("phone"))
        consents = self._consents(said)
        if who is None or not consents:
            return Read(ignored="consents, as nothing is chosen by them")
        told = self._make.person(who, delivery, {"consents": consents})
        return Read((told,) if told is not None else ())

    def _privacy(self, said: Mapping[str, Any], topic: str) -> Read:
        """The topics that every app has to answer: who asks is the shop's owner, and is told by us that we know."""
        shop = text(said.get("shop_domain")) or "?"
        customer = mapping(said.get("customer"))
        who = self._make.customer(customer.get("id"), customer.get("email"), customer.get("phone"))
        note = Note(topic, f"{shop}: {who}" if who is not None else shop)
        if topic != "customers/redact" or not self._erases:
            return Read(notes=(note,))
        if not isinstance(said.get("orders_to_redact"), list) or who is None:
            # The topic stands in a header that nobody signed: with the body of an order it would erase who ordered.
            return Read(notes=(note,), left=(("no_redaction", "the body is not that of customers/redact"),))
        guests = (self._make.customer(None, customer.get("email")), self._make.customer(None, None, customer["phone"])
                  if customer.get("phone") else None)  # fmt: skip
        return Read(erase=tuple(dict.fromkeys(one for one in (who, *guests) if one is not None)), notes=(note,))

    def _whom(self, of: Mapping[str, Any]) -> tuple[str, tuple[Told, ...]] | None:
        """Whose order or checkout it is, and what it says of them."""
        customer = mapping(of.get("customer"))
        email = customer.get("email") or of.get("email") or of.get("contact_email")
        phone = customer.get("phone") or of.get("phone")
        who = self._make.customer(customer.get("id"), email, phone)
        if who is None:
            return None
        traits = self._traits({**given(email=email, phone=phone, currency=None), **customer})
        locale = text(of.get("customer_locale"), 35)
        if locale is not None:
            traits["locale"] = locale
        told = self._make.person(who, content_id({"who": who, **traits}), traits)
        return who, (told,) if told is not None else ()

    def _traits(self, customer: Mapping[str, Any]) -> dict[str, Any]:
        address = mapping(customer.get("default_address"))
        country = text(address.get("country_code"), 2)
        made = given(
            email=text(customer.get("email")), phone=text(customer.get("phone") or address.get("phone"), 40),
            first_name=text(customer.get("first_name")), last_name=text(customer.get("last_name")),
            country=country.upper() if country is not None and len(country) == 2 else None,
            city=text(address.get("city")), currency=_currency(customer), consents=self._consents(customer),
        )  # fmt: skip
        created = instant(customer.get("created_at")) if "id" in customer else None
        if created is not None:
            made["created_at"] = created
        tags = text(customer.get("tags"), 5_000)
        if tags is not None:
            made["shop_tags"] = [tag for one in tags.split(",") if (tag := one.strip())]
        return made

    def _consents(self, customer: Mapping[str, Any]) -> dict[str, Any]:
        """Choices about marketing, where the shop says which one, at which level and when; else none."""
        if self._topic is None:
            return {}
        chosen = {}
        for channel, field in (("email", "email_marketing_consent"), ("sms", "sms_marketing_consent")):
            said = mapping(customer.get(field))
            state, level = text(said.get("state")), text(said.get("opt_in_level"))
            at = instant(said.get("consent_updated_at"))
            if state == "subscribed" and level in _OPTED_IN and at is not None:
                from_ = text(said.get("consent_collected_from"))
                proof = given(source=f"shopify {self.name}", opt_in_level=level, collected_from=from_)
                chosen[channel] = {"state": "in", "at": at.isoformat(), "proof": proof}
            elif state in _CLOSED:
                chosen[channel] = {"state": "out", **({"at": at.isoformat()} if at is not None else {})}
        return {self._topic: chosen} if chosen else {}


def order_properties(order: Mapping[str, Any]) -> dict[str, Any]:
    """An order or a checkout in the words of the e-commerce spec. Money is in the shop's currency."""
    shipping = mapping(mapping(order.get("total_shipping_price_set")).get("shop_money")).get("amount")
    codes = [code for one in objects(order.get("discount_codes")) if (code := text(one.get("code"))) is not None]
    return given(
        order_id=text(order.get("id")), order_number=text(order.get("name")), cart_id=text(order.get("cart_token")),
        checkout_id=text(order.get("checkout_token")), total=number(order.get("total_price")),
        subtotal=number(order.get("subtotal_price")), tax=number(order.get("total_tax")), shipping=number(shipping),
        discount=number(order.get("total_discounts")), currency=text(order.get("currency"), 3),
        coupon=codes[0] if codes else None, items=[item(one) for one in objects(order.get("line_items"))],
        channel=text(order.get("source_name")), url=text(order.get("order_status_url"), 2_000),
    )  # fmt: skip


def item(line: Mapping[str, Any], quantity: Any = None) -> dict[str, Any]:
    """A line of an order."""
    return given(
        sku=text(line.get("sku")), product_id=text(line.get("product_id")), variant_id=text(line.get("variant_id")),
        title=text(line.get("title")), variant=text(line.get("variant_title")), price=number(line.get("price")),
        quantity=number(line.get("quantity") if quantity is None else quantity),
    )  # fmt: skip


def _shipment(order: str, sent: Mapping[str, Any]) -> dict[str, Any]:
    return given(
        order_id=order, fulfillment_id=text(sent.get("id")), carrier=text(sent.get("tracking_company")),
        tracking_number=text(sent.get("tracking_number")), tracking_url=text(sent.get("tracking_url"), 2_000),
        items=[item(one) for one in objects(sent.get("line_items"))],
    )  # fmt: skip


def _paid_at(order: Mapping[str, Any]) -> datetime | None:
    return instant(order.get("processed_at")) or instant(order.get("updated_at"))


def _currency(customer: Mapping[str, Any]) -> str | None:
    code = text(customer.get("currency"), 3)
    return code.upper() if code is not None and len(code) == 3 else None
