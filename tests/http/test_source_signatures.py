"""Signatures of sources, against vectors that `openssl dgst -sha256 -hmac` made of what the services document; and what
somebody can do who has a signed body of the shop's."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from orchestrator.errors import UsageError
from orchestrator.http.app import make_app
from orchestrator.runtime.sources.values import minor
from orchestrator.wiring.sources import SourceDoor
from tests.http.installation import BASE, START, Installation, installation
from tests.http.sending import events, traits
from tests.runtime.sources import payloads as p

NOW = int(START.timestamp())
assert NOW == 1772445600

# printf '%s.%s' 1772445600 "$BODY" | openssl dgst -sha256 -hmac "$SECRET" -hex
STRIPE_BODY = (
    b'{"id":"evt_1","type":"customer.created","created":1772445540,'
    b'"data":{"object":{"id":"cus_1","email":"a@example.com"}}}'
)
GOOD = "743b3e2e11ad1f06308abd777231f7e978c5bc2bc62a4a261819eb1bd2ae5df7"
OTHER = "eaf816b1c4162ae054957c6d1cf2297e2c2dc1f48fe798a2bd4bedd1398c5eaa"
"""Under the secret `whsec_old`."""
AT_301_S = "c1497e887489b3b3300e456ccf6d45cf9fdd6948f1cc03db770a2df5d132f4aa"
"""Of t=1772445299."""
BODY_ALONE = "330a9eda26a8a72b3287c9e7418af05262359d8cf32a90cd9dc430d60c9c7c7a"

# printf '%s' "$BODY" | openssl dgst -sha256 -hmac hush-1 -binary | base64
SHOP_BODY = '{"id":25,"email":"ada@example.com","first_name":"Zoë"}'.encode()
HUSH_1 = "fXNrzc3mQ9ty7NzKj1FZj2pswy8rn8xdk2ixBgKVvtA="
HUSH_2 = "y5cRJDqdvQvE28UOgJVE6PkTgmE35kUP/1uu4XU4ADk="
HUSH_1_HEX = "7d736bcdcde643db72ecdcca8f51598f6a6cc32f2b9fcc5d9368b1060295bed0"


def site_of(setting: str) -> tuple[Installation, TestClient]:
    site = installation(sources=SourceDoor(setting))
    return site, TestClient(make_app(site), base_url=BASE)


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (f"t={NOW},v1={GOOD}", 200),
        (f"t={NOW},v1={OTHER},v1={GOOD},v0={'0' * 64}", 200),  # a secret is being exchanged
        (f"v1={GOOD}, t={NOW}", 200),
        (f"t={NOW},v1={OTHER}", 401),
        (f"t={NOW},v0={GOOD}", 401),
        (f"t={NOW - 301},v1={AT_301_S}", 401),
        (f"t={NOW},v1={AT_301_S}", 401),
        (f"t={NOW + 1},v1={GOOD}", 401),
        (f"t={NOW},v1={BODY_ALONE}", 401),
        (f"t={NOW},v1={GOOD.upper()}", 401),
        (f"t={NOW},v1={GOOD[:-1]}", 401),
    ],
)
def test_stripe(header: str, status: int) -> None:
    site, client = site_of("stripe://:whsec_test_harbour%2B%2F%3D@pay")
    answer = client.post("/v1/sources/pay", content=STRIPE_BODY, headers={"Stripe-Signature": header})
    assert answer.status_code == status and len(traits(site)) == (status == 200)


def test_a_second_secret_of_stripe() -> None:
    _, client = site_of("stripe://:whsec_new@pay?also=whsec_old")
    header = {"Stripe-Signature": f"t={NOW},v1={OTHER}"}
    assert client.post("/v1/sources/pay", content=STRIPE_BODY, headers=header).status_code == 200
    assert client.post("/v1/sources/pay", content=STRIPE_BODY + b" ", headers=header).status_code == 401


@pytest.mark.parametrize("tolerance", ["nan", "inf", "-1", "0"])
def test_a_tolerance_that_is_none(tolerance: str) -> None:
    with pytest.raises(UsageError):
        SourceDoor(f"stripe://:whsec_x@pay?tolerance={tolerance}")


@pytest.mark.parametrize(
    ("scheme", "signed", "topic", "named"),
    [
        ("shopify", "X-Shopify-Hmac-Sha256", "X-Shopify-Topic", "customers/create"),
        ("woocommerce", "X-WC-Webhook-Signature", "X-WC-Webhook-Topic", "customer.created"),
    ],
)
@pytest.mark.parametrize(("signature", "status"), [(HUSH_1, 200), (HUSH_2, 401), (HUSH_1_HEX, 401), (HUSH_1[:-1], 401)])
def test_shops(scheme: str, signed: str, topic: str, named: str, signature: str, status: int) -> None:
    site, client = site_of(f"{scheme}://:hush-1@shop")
    answer = client.post("/v1/sources/shop", content=SHOP_BODY, headers={signed: signature, topic: named})
    assert answer.status_code == status and len(traits(site)) == (status == 200)


# --- with a signed body at hand -------------------------------------------------------------------------------------

SHOPIFY = f"shopify://:{p.SECRET}@harbour"
WHO = "harbour:115310627314723954"


def send(client: TestClient, source: str, sent: tuple[bytes, dict[str, str]]) -> dict[str, Any]:
    answer = client.post(f"/v1/sources/{source}", content=sent[0], headers=sent[1])
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_another_topic_over_a_signed_body_erases_nobody() -> None:
    """Shopify signs the body, and not the topic that stands in a header."""
    site, client = site_of(SHOPIFY)
    send(client, "harbour", p.shopify("customers/create", p.SHOPIFY_CUSTOMER))
    site.run()
    asked = {name: value for name, value in p.SHOPIFY_REDACT.items() if name != "orders_to_redact"}
    for n, body in enumerate((p.SHOPIFY_ORDER, p.SHOPIFY_CUSTOMER, {**asked, "data_request": {"id": 9}})):
        told = send(client, "harbour", p.shopify("customers/redact", body, f"r{n}"))
        assert told["refused"] == 1 and site.store.card(WHO) is not None


def test_who_ordered_as_a_guest_before_is_erased_as_well() -> None:
    site, client = site_of(SHOPIFY)
    send(client, "harbour", p.shopify("customers/create", p.SHOPIFY_CUSTOMER))
    send(client, "harbour", p.shopify("checkouts/create", {**p.SHOPIFY_CHECKOUT, "email": "John@example.com"}))
    send(client, "harbour", p.shopify("checkouts/create", p.SHOPIFY_CHECKOUT | {"token": "other"}))
    site.run()
    guest, stranger = "harbour:john@example.com", "harbour:example@example.com"
    assert site.store.card(guest) is not None
    send(client, "harbour", p.shopify("customers/redact", p.SHOPIFY_REDACT))
    assert site.store.card(WHO) is None and site.store.card(guest) is None
    assert site.store.card(stranger) is not None


def test_an_address_in_a_payment_link_names_nobody() -> None:
    """`?client_reference_id=` of a payment link is whatever its reader writes there."""
    site, client = site_of(f"stripe://:{p.SECRET}@pay")
    session = {**p.STRIPE_SESSION, "payment_link": "plink_1"}
    send(client, "pay", p.stripe(p.stripe_event("checkout.session.completed", session), NOW))
    assert [who for who, *_ in events(site)] == ["pay:cus_9s6XGHqQCSRiZb"]


# --- money ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "currency", "money"),
    [
        (500, "jpy", 500), (1099, "usd", 10.99), (5124, "kwd", 5.124), (500, "ugx", 5), (500, "isk", 5),
        (-250, "EUR", -2.5), (True, "usd", None), (10.5, "usd", None), (None, "usd", None),
    ],
)  # fmt: skip
def test_what_stripe_counts(amount: Any, currency: str, money: float | None) -> None:
    """docs.stripe.com/currencies: zero-decimal and three-decimal currencies, and the special cases."""
    assert minor(amount, currency) == money


@pytest.mark.parametrize(
    ("transactions", "total"),
    [
        ([{"kind": "refund", "amount": "0.10", "status": "success"}, {"kind": "refund", "amount": "0.20"}], 0.3),
        ([{"kind": "refund", "amount": "89.99", "status": "failure"}], 0),
        ([{"kind": "refund", "amount": "5", "status": "error"}, {"kind": "refund", "amount": "5"}], 5),
        ([], 0),
        (None, 89.99),
    ],
)
def test_money_that_went_back(transactions: Any, total: float) -> None:
    site, client = site_of(SHOPIFY)
    refund = {**p.SHOPIFY_REFUND, "transactions": transactions}
    send(client, "harbour", p.shopify("orders/updated", {**p.SHOPIFY_ORDER, "refunds": [refund]}))
    [found] = [properties for _, name, properties, _ in events(site) if name == "order_refunded"]
    assert found["total"] == total
