"""What shops and payment services post, as their public documentation shows it (shortened; the people are made up)."""

from __future__ import annotations

import hmac
import json
from base64 import b64encode
from hashlib import sha256
from typing import Any

SECRET = "hush"

SHOPIFY_CUSTOMER: dict[str, Any] = {
    "id": 115310627314723954,
    "email": "john@example.com",
    "created_at": "2026-01-05T10:00:00-05:00",
    "updated_at": "2026-03-02T04:30:00-05:00",
    "first_name": "John",
    "last_name": "Smith",
    "orders_count": 1,
    "state": "disabled",
    "verified_email": True,
    "phone": "+351912345678",
    "currency": "EUR",
    "tags": "vip, harbour",
    "default_address": {"city": "Porto", "country_code": "PT", "phone": "555-625-1199"},
    "email_marketing_consent": {
        "state": "subscribed",
        "opt_in_level": "confirmed_opt_in",
        "consent_updated_at": "2026-02-01T09:00:00-05:00",
    },
    "sms_marketing_consent": {
        "state": "subscribed",
        "opt_in_level": "unknown",
        "consent_updated_at": None,
        "consent_collected_from": "OTHER",
    },
}
SHOPIFY_ORDER: dict[str, Any] = {
    "id": 820982911946154508,
    "name": "#9999",
    "email": "john@example.com",
    "cart_token": "c1-token",
    "checkout_token": "ch1-token",
    "created_at": "2026-03-02T04:30:00-05:00",
    "processed_at": "2026-03-02T04:30:00-05:00",
    "updated_at": "2026-03-02T04:31:00-05:00",
    "cancelled_at": None,
    "currency": "EUR",
    "presentment_currency": "USD",
    "customer_locale": "pt-PT",
    "financial_status": "paid",
    "fulfillment_status": None,
    "subtotal_price": "398.00",
    "total_price": "403.90",
    "total_tax": "0.00",
    "total_discounts": "20.00",
    "total_shipping_price_set": {"shop_money": {"amount": "5.90", "currency_code": "EUR"}},
    "discount_codes": [{"code": "SPRING", "amount": "20.00", "type": "fixed_amount"}],
    "line_items": [
        {
            "id": 487817672276298554,
            "product_id": 788032119674292922,
            "variant_id": 642667041472713922,
            "sku": "SKU2006-001",
            "title": "Aviator sunglasses",
            "variant_title": None,
            "price": "89.99",
            "quantity": 2,
        }
    ],
    "customer": SHOPIFY_CUSTOMER,
    "refunds": [],
    "fulfillments": [],
    "source_name": "web",
}
SHOPIFY_REFUND: dict[str, Any] = {
    "id": 890088186047892319,
    "order_id": 820982911946154508,
    "created_at": "2026-03-02T04:40:00-05:00",
    "processed_at": "2026-03-02T04:40:00-05:00",
    "note": "Things were damaged",
    "refund_line_items": [{"quantity": 1, "subtotal": 89.99, "line_item": SHOPIFY_ORDER["line_items"][0]}],
    "transactions": [{"kind": "refund", "amount": "89.99", "currency": "EUR"}],
}
SHOPIFY_FULFILMENT: dict[str, Any] = {
    "id": 123456,
    "status": "success",
    "created_at": "2026-03-02T04:50:00-05:00",
    "tracking_company": "UPS",
    "tracking_number": "1z827wk74630",
    "tracking_url": "https://www.ups.com/track?number=1z827wk74630",
    "line_items": SHOPIFY_ORDER["line_items"],
}
SHOPIFY_CHECKOUT: dict[str, Any] = {
    "id": 981820079255243537,
    "token": "123123123",
    "cart_token": "eeafa272cebfd4b22385bc4b645e762c",
    "email": "example@example.com",
    "created_at": "2026-03-02T04:00:00-05:00",
    "updated_at": "2026-03-02T04:10:00-05:00",
    "completed_at": None,
    "currency": "EUR",
    "total_price": "398.00",
    "line_items": SHOPIFY_ORDER["line_items"],
    "abandoned_checkout_url": "https://shop.example/checkouts/recover?key=k",
}
SHOPIFY_REDACT: dict[str, Any] = {
    "shop_id": 954889,
    "shop_domain": "harbour.myshopify.com",
    "customer": {"id": 115310627314723954, "email": "john@example.com", "phone": "555-625-1199"},
    "orders_to_redact": [299938, 280263],
}
WOO_ORDER: dict[str, Any] = {
    "id": 727,
    "number": "727",
    "status": "processing",
    "currency": "JPY",
    "date_created": "2026-03-02T10:28:02",
    "date_created_gmt": "2026-03-02T09:28:02",
    "date_modified_gmt": "2026-03-02T09:28:08",
    "date_paid_gmt": "2026-03-02T09:28:08",
    "date_completed_gmt": None,
    "total": "2935",
    "total_tax": "135",
    "shipping_total": "1000",
    "discount_total": "0",
    "customer_id": 0,
    "cart_hash": "h1",
    "billing": {"first_name": "Hana", "last_name": "Sato", "email": "Hana@example.com", "phone": "", "country": "JP"},
    "line_items": [
        {"id": 315, "name": "Tea", "product_id": 93, "variation_id": 0, "quantity": 2, "sku": "T1", "price": 400}
    ],
    "coupon_lines": [],
    "refunds": [],
    "created_via": "checkout",
}
WOO_CUSTOMER: dict[str, Any] = {
    "id": 25,
    "date_created_gmt": "2026-02-21T12:09:28",
    "email": "ada@example.com",
    "first_name": "Ada",
    "last_name": "L",
    "username": "ada",
    "billing": {"phone": "(555) 555-5555", "country": "US", "city": "San Francisco"},
}
STRIPE_SESSION: dict[str, Any] = {
    "id": "cs_test_a11",
    "object": "checkout.session",
    "amount_subtotal": 2198,
    "amount_total": 2198,
    "client_reference_id": "u-17",
    "currency": "usd",
    "customer": "cus_9s6XGHqQCSRiZb",
    "customer_details": {"email": "jenny@example.com", "name": "Jenny", "phone": None},
    "metadata": {"order_id": "o-5"},
    "payment_status": "paid",
    "status": "complete",
    "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 198},
}


def stripe_event(kind: str, subject: dict[str, Any], id: str = "evt_1", **more: Any) -> dict[str, Any]:
    """An event around an object. It was made at 2026-03-02T09:59:00Z."""
    data = {"object": subject, **more}
    return {"id": id, "object": "event", "type": kind, "created": 1772445540, "livemode": False, "data": data}


def signed_base64(body: bytes, secret: str = SECRET) -> str:
    return b64encode(hmac.new(secret.encode(), body, sha256).digest()).decode()


def shopify(topic: str, said: Any, event_id: str = "e1", secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    """A body and its headers."""
    body = json.dumps(said).encode()
    return body, {
        "X-Shopify-Topic": topic,
        "X-Shopify-Hmac-Sha256": signed_base64(body, secret),
        "X-Shopify-Event-Id": event_id,
        "X-Shopify-Shop-Domain": "harbour.myshopify.com",
    }


def woocommerce(topic: str, said: Any, delivery: str = "d1") -> tuple[bytes, dict[str, str]]:
    """A body and its headers."""
    body = json.dumps(said).encode()
    return body, {
        "X-WC-Webhook-Topic": topic,
        "X-WC-Webhook-Signature": signed_base64(body),
        "X-WC-Webhook-Delivery-ID": delivery,
    }


def stripe(said: Any, at: int, secret: str = SECRET) -> tuple[bytes, dict[str, str]]:
    """A body and its headers."""
    body = json.dumps(said).encode()
    made = hmac.new(secret.encode(), f"{at}.".encode() + body, sha256).hexdigest()
    return body, {"Stripe-Signature": f"t={at},v1=00{made[2:]},v1={made},v0=old"}
