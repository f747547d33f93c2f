"""`POST /v1/sources/{source}`: webhooks of shops and payment services, and CloudEvents."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from orchestrator.core.devices import DEVICE_TRAITS
from orchestrator.errors import UsageError
from orchestrator.http.app import make_app
from orchestrator.runtime.sources.commerce import SEGMENT_NAMES
from orchestrator.wiring.sources import SourceDoor
from tests.http.installation import BASE, START, Installation, installation
from tests.http.sending import events, traits
from tests.runtime.sources import payloads as p

SETTING = (
    f"shopify://:{p.SECRET}@harbour?topic=promotions woocommerce://:{p.SECRET}@tea stripe://:{p.SECRET}@pay"
    f" cloudevents://:{p.SECRET}@crm?prefix=&strip=com.example."
)
WHO = "harbour:115310627314723954"


@pytest.fixture
def site() -> Installation:
    return installation(sources=SourceDoor(SETTING))


def post(client: TestClient, source: str, sent: tuple[bytes, dict[str, str]], status: int = 200) -> dict[str, Any]:
    answer = client.post(f"/v1/sources/{source}", content=sent[0], headers=sent[1])
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.json()
    return found


def named(site: Installation) -> list[str]:
    return [name for _, name, _, _ in events(site)]


# --- Shopify --------------------------------------------------------------------------------------------------------


def test_an_order_of_shopify(site: Installation, client: TestClient) -> None:
    told = post(client, "harbour", p.shopify("orders/create", p.SHOPIFY_ORDER))
    assert told == {"success": True, "accepted": 3, "duplicates": 0, "ignored": 0, "refused": 0}
    placed, paid = events(site)
    assert placed[:2] == (WHO, "order_placed") and paid[1] == "order_paid"
    assert placed[3] == datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    assert placed[2] == {
        "order_id": "820982911946154508", "order_number": "#9999", "cart_id": "c1-token", "checkout_id": "ch1-token",
        "total": 403.9, "subtotal": 398, "tax": 0, "shipping": 5.9, "discount": 20, "currency": "EUR",
        "coupon": "SPRING", "channel": "web",
        "items": [{
            "sku": "SKU2006-001", "product_id": "788032119674292922", "variant_id": "642667041472713922",
            "title": "Aviator sunglasses", "price": 89.99, "quantity": 2,
        }],
    }  # fmt: skip
    [about] = traits(site)
    assert (about["email"], about["country"], about["locale"]) == ("john@example.com", "PT", "pt-PT")
    assert about["shop_tags"] == ["vip", "harbour"] and about["created_at"] == datetime(2026, 1, 5, 15, tzinfo=UTC)


def test_what_is_told_again_is_one_event(site: Installation, client: TestClient) -> None:
    post(client, "harbour", p.shopify("orders/create", p.SHOPIFY_ORDER))
    again = post(client, "harbour", p.shopify("orders/create", p.SHOPIFY_ORDER))
    assert (again["accepted"], again["duplicates"]) == (0, 3)
    later = {**p.SHOPIFY_ORDER, "refunds": [p.SHOPIFY_REFUND], "fulfillments": [p.SHOPIFY_FULFILMENT]}
    later |= {"cancelled_at": "2026-03-02T04:55:00-05:00", "fulfillment_status": "fulfilled", "note": "another"}
    for topic in ("orders/updated", "orders/cancelled", "orders/fulfilled"):
        post(client, "harbour", p.shopify(topic, later, topic))
    assert named(site) == [
        "order_placed", "order_paid", "order_cancelled", "order_refunded", "order_shipped", "order_fulfilled",
    ]  # fmt: skip
    [refund] = [event for event in events(site) if event[1] == "order_refunded"]
    assert refund[2]["total"] == 89.99 and refund[2]["refund_id"] == "890088186047892319"
    assert refund[2]["items"][0]["quantity"] == 1 and refund[2]["currency"] == "EUR"


def test_consents_need_level_and_date(site: Installation, client: TestClient) -> None:
    post(client, "harbour", p.shopify("customers/update", p.SHOPIFY_CUSTOMER))
    [about] = traits(site)
    assert about["consents"] == {
        "promotions": {
            "email": {
                "state": "in",
                "at": "2026-02-01T14:00:00+00:00",
                "proof": {"source": "shopify harbour", "opt_in_level": "confirmed_opt_in"},
            }
        }
    }
    site.run()
    assert site.consents(WHO) == {("promotions", "email"): "in"}
    said = {"customer_id": 115310627314723954, "email_address": "john@example.com"}
    out = {"state": "unsubscribed", "opt_in_level": "single_opt_in", "consent_updated_at": "2026-03-02T04:00:00-05:00"}
    said = {**said, "email_marketing_consent": out}
    post(client, "harbour", p.shopify("customers_email_marketing_consent/update", said, "e9"))
    assert site.consents(WHO) == {("promotions", "email"): "out"}


def test_a_checkout_is_started_once_and_updated_often(site: Installation, client: TestClient) -> None:
    post(client, "harbour", p.shopify("checkouts/create", p.SHOPIFY_CHECKOUT, "e1"))
    for n in range(2):
        post(client, "harbour", p.shopify("checkouts/update", p.SHOPIFY_CHECKOUT, f"u{n}"))
    assert named(site) == ["checkout_started", "checkout_updated", "checkout_updated"]
    assert events(site)[0][0] == "harbour:example@example.com"
    nobody = {**p.SHOPIFY_CHECKOUT, "email": None}
    assert post(client, "harbour", p.shopify("checkouts/create", nobody, "e2"))["ignored"] == 1


def test_the_mandatory_topics(site: Installation, client: TestClient) -> None:
    post(client, "harbour", p.shopify("customers/create", p.SHOPIFY_CUSTOMER))
    site.run()
    assert site.store.card(WHO) is not None
    assert post(client, "harbour", p.shopify("customers/data_request", p.SHOPIFY_REDACT))["ignored"] == 0
    assert site.store.card(WHO) is not None
    post(client, "harbour", p.shopify("customers/redact", p.SHOPIFY_REDACT))
    assert site.store.card(WHO) is None
    post(client, "harbour", p.shopify("shop/redact", {"shop_id": 1, "shop_domain": "harbour.myshopify.com"}))
    written = str(site.store._audit)  # type: ignore[attr-defined]
    assert all(topic in written for topic in ("customers/data_request", "customers/redact", "shop/redact"))


# --- WooCommerce ----------------------------------------------------------------------------------------------------


def test_orders_of_woocommerce(site: Installation, client: TestClient) -> None:
    assert post(client, "tea", (b"webhook_id=12", {}))["accepted"] == 0
    post(client, "tea", p.woocommerce("order.created", p.WOO_ORDER))
    done = {**p.WOO_ORDER, "status": "completed", "date_completed_gmt": "2026-03-02T09:40:00"}
    done["refunds"] = [{"id": 9, "reason": "late", "total": "-500"}]
    post(client, "tea", p.woocommerce("order.updated", done, "d2"))
    assert named(site) == ["order_placed", "order_paid", "order_fulfilled", "order_refunded"]
    who, _, properties, at = events(site)[0]
    assert who == "tea:hana@example.com" and at == datetime(2026, 3, 2, 9, 28, 2, tzinfo=UTC)
    assert (properties["total"], properties["currency"], properties["items"][0]["sku"]) == (2935, "JPY", "T1")
    assert events(site)[3][2]["total"] == 500
    post(client, "tea", p.woocommerce("customer.created", p.WOO_CUSTOMER))
    assert traits(site)[0] == {
        "email": "ada@example.com", "phone": "(555) 555-5555", "first_name": "Ada", "last_name": "L", "country": "US",
        "city": "San Francisco", "created_at": datetime(2026, 2, 21, 12, 9, 28, tzinfo=UTC),
    }  # fmt: skip
    draft = {**p.WOO_ORDER, "id": 9, "status": "checkout-draft"}
    assert post(client, "tea", p.woocommerce("order.created", draft))["ignored"] == 1


# --- Stripe ---------------------------------------------------------------------------------------------------------

NOW = int(START.timestamp())


def test_payments_of_stripe(site: Installation, client: TestClient) -> None:
    session = p.stripe_event("checkout.session.completed", p.STRIPE_SESSION)
    post(client, "pay", p.stripe(session, NOW))
    [(who, name, properties, at)] = events(site)
    assert (who, name, at) == ("u-17", "order_placed", datetime(2026, 3, 2, 9, 59, tzinfo=UTC))
    assert (properties["order_id"], properties["total"], properties["tax"], properties["currency"]) == (
        "o-5", 21.98, 1.98, "USD",
    )  # fmt: skip
    assert traits(site) == [{"email": "jenny@example.com", "name": "Jenny"}]
    charge = {"id": "ch_1", "customer": "cus_1", "amount_refunded": 900, "currency": "jpy", "payment_intent": "pi_1"}
    refunded = p.stripe_event("charge.refunded", charge, "evt_2", previous_attributes={"amount_refunded": 400})
    post(client, "pay", p.stripe(refunded, NOW))
    [refund] = [event for event in events(site) if event[1] == "order_refunded"]
    assert refund[:2] == ("pay:cus_1", "order_refunded") and refund[2]["total"] == 500
    unpaid = {**p.STRIPE_SESSION, "id": "cs_2", "payment_status": "unpaid"}
    told = post(client, "pay", p.stripe(p.stripe_event("checkout.session.completed", unpaid, "evt_3"), NOW))
    assert told["ignored"] == 1


def test_signatures_of_stripe_grow_old(site: Installation, client: TestClient) -> None:
    event = p.stripe_event("customer.created", {"id": "cus_1", "email": "a@example.com"})
    post(client, "pay", p.stripe(event, NOW - 299))
    post(client, "pay", p.stripe(event, NOW - 301), 401)
    post(client, "pay", p.stripe(event, NOW + 301), 401)
    post(client, "pay", p.stripe(event, NOW, "another"), 401)
    for header in ("", "t=,v1=", "t=x,v1=aa", f"t={NOW}", f"v1={'0' * 64}", f"t={'9' * 50},v1=a", f"t={NOW},v1=é"):
        body = json.dumps(event).encode()
        answer = client.post("/v1/sources/pay", content=body, headers={b"Stripe-Signature": header.encode("latin-1")})
        assert answer.status_code == 401
    assert len(traits(site)) == 1


# --- CloudEvents ----------------------------------------------------------------------------------------------------

TOKEN = {"Authorization": f"Bearer {p.SECRET}"}
EVENT = {
    "specversion": "1.0", "id": "A234-1234", "source": "/crm", "type": "com.example.go", "subject": "u1",
    "time": "2026-03-02T09:00:00Z", "datacontenttype": "application/json", "data": {"order": "o1"},
}  # fmt: skip


def test_cloudevents_in_all_three_modes(site: Installation, client: TestClient) -> None:
    structured = {**TOKEN, "Content-Type": "application/cloudevents+json; charset=utf-8"}
    post(client, "crm", (json.dumps(EVENT).encode(), structured))
    binary = {f"ce-{name}": str(value) for name, value in EVENT.items() if name not in ("data", "datacontenttype")}
    binary |= {"ce-id": "other", "ce-subject": "u%C3%A9", "Content-Type": "application/json", **TOKEN}
    post(client, "crm", (json.dumps(EVENT["data"]).encode(), binary))
    batch = [{**EVENT, "id": f"b{n}"} for n in range(3)] + [{"specversion": "1.0"}, EVENT]
    told = post(
        client, "crm", (json.dumps(batch).encode(), {**TOKEN, "Content-Type": "application/cloudevents-batch+json"})
    )
    assert (told["accepted"], told["duplicates"], told["refused"]) == (3, 1, 1)
    assert sorted(who for who, *_ in events(site)) == ["u1"] * 4 + ["ué"]
    assert {(name, json.dumps(found), at.hour) for _, name, found, at in events(site)} == {("go", '{"order": "o1"}', 9)}
    [kept] = site.store.refused(9)
    assert kept.source == "sources/crm" and "no_cloudevent" in kept.reason


def test_cloudevents_that_cannot_be_read(site: Installation, client: TestClient) -> None:
    wrongs: list[Any] = [
        {}, [], 7, None, "x", {**EVENT, "specversion": "0.3"}, {**EVENT, "time": "yesterday"}, {**EVENT, "id": 7},
        {**EVENT, "subject": None, "data": None}, {**EVENT, "data_base64": "!"}, {**EVENT, "data_base64": 7, "id": ""},
    ]  # fmt: skip
    for wrong in wrongs:
        answer = client.post("/v1/sources/crm", content=json.dumps(wrong), headers=TOKEN)
        assert answer.status_code == (200 if wrong == [] else 400), wrong
    plain = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/", "ce-type": "t", "Content-Type": "text/plain"}
    assert client.post("/v1/sources/crm", content=b"x", headers={**TOKEN, **plain}).json()["code"] == "no_json"


def test_the_handshake_of_cloudevents(client: TestClient) -> None:
    answer = client.options("/v1/sources/crm", headers={"WebHook-Request-Origin": "eventemitter.example.com"})
    assert answer.headers["WebHook-Allowed-Origin"] == "eventemitter.example.com"


# --- whoever else posts ---------------------------------------------------------------------------------------------


def test_strangers_are_answered_alike(site: Installation, client: TestClient) -> None:
    body, headers = p.shopify("orders/create", p.SHOPIFY_ORDER)
    wrong = [
        ("harbour", {**headers, "X-Shopify-Hmac-Sha256": "AAAA"}),
        ("harbour", {name: value for name, value in headers.items() if "Hmac" not in name}),
        ("nobody", headers),
        ("tea", headers),
        ("crm", headers),
    ]
    answers = {client.post(f"/v1/sources/{to}", content=body, headers=given).text for to, given in wrong}
    assert len(answers) == 1
    tampered = client.post("/v1/sources/harbour", content=body + b" ", headers=headers)
    assert tampered.status_code == 401 and tampered.text in answers
    assert events(site) == [] and list(site.store.refused(9)) == []


def test_what_cannot_be_read_is_kept(site: Installation, client: TestClient) -> None:
    body = b'{"id": NaN}'
    headers = {"X-Shopify-Topic": "orders/create", "X-Shopify-Hmac-Sha256": p.signed_base64(body)}
    assert post(client, "harbour", (body, headers), 400)["code"] == "bad_number"
    [kept] = site.store.refused(9)
    assert (kept.source, kept.content) == ("sources/harbour", '{"id": NaN}')


FUZZED = TestClient(make_app(installation(sources=SourceDoor(SETTING))), base_url=BASE)


@settings(max_examples=25, deadline=None)
@given(
    topic=st.sampled_from(["orders/updated", "checkouts/update", "customers/update", "customers/redact", "x"]),
    field=st.sampled_from([*p.SHOPIFY_ORDER, "email_marketing_consent", "id"]),
    value=st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["id", "email", "price"]), inner)
        ),
        max_leaves=5,
    ),
)
def test_fields_of_another_shape_never_make_it_fail(topic: str, field: str, value: Any) -> None:
    client = FUZZED
    for base in (p.SHOPIFY_ORDER, p.SHOPIFY_CUSTOMER):
        body, headers = p.shopify(topic, {**base, field: value})
        assert client.post("/v1/sources/harbour", content=body, headers=headers).status_code in (200, 400)
    body, headers = p.woocommerce("order.updated", {**p.WOO_ORDER, field: value})
    assert client.post("/v1/sources/tea", content=body, headers=headers).status_code in (200, 400)
    for kind in ("checkout.session.completed", "charge.refunded", "customer.updated", "customer.subscription.updated"):
        subject = {**p.STRIPE_SESSION, field: value, "amount_refunded": value, "items": value, "price": value}
        body, headers = p.stripe(p.stripe_event(kind, subject), NOW)
        assert client.post("/v1/sources/pay", content=body, headers=headers).status_code in (200, 400)


# --- the setting ----------------------------------------------------------------------------------------------------


def test_events_may_have_the_names_of_segments_spec() -> None:
    site = installation(sources=SourceDoor(f"shopify://:{p.SECRET}@harbour?names=segment&prefix="))
    client = TestClient(make_app(site), base_url=BASE)
    post(client, "harbour", p.shopify("orders/create", p.SHOPIFY_ORDER))
    assert [(who, name) for who, name, _, _ in events(site)] == [
        ("115310627314723954", "Order Completed"), ("115310627314723954", "Order Paid"),
    ]  # fmt: skip
    assert not DEVICE_TRAITS & set(SEGMENT_NAMES)


def test_a_secret_can_be_exchanged() -> None:
    site = installation(sources=SourceDoor("shopify://:new@harbour?also=old"))
    client = TestClient(make_app(site), base_url=BASE)
    for secret in ("new", "old"):
        post(client, "harbour", p.shopify("orders/create", p.SHOPIFY_ORDER, secret=secret))


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("shopfy://:hush-hush@a", "did you mean"),
        ("shopify://a", "no secret"),
        ("shopify://:hush-hush@", "no name"),
        ("shopify://:hush-hush@a?tpic=x", "did you mean"),
        ("shopify://:hush-hush@a stripe://:hush-hush@a", "two sources"),
        ("stripe://:hush-hush@a?tolerance=x", "number of seconds"),
        ("shopify://:hush-hush@a?redact=maybe", "erase or note"),
    ],
)
def test_settings_that_cannot_be_used(setting: str, says: str) -> None:
    with pytest.raises(UsageError) as error:
        SourceDoor(setting)
    assert says in str(error.value) and "hush-hush" not in str(error.value)
