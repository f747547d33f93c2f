"""Amazon SES through Amazon SNS: certificates of SNS alone, subscriptions confirmed, events understood."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.channels.hooks.protocol import HookRefused, Posted, Told
from orchestrator.channels.hooks.ses import SesHook
from orchestrator.channels.hooks.sns import confirmation_url, is_certificate_url
from orchestrator.channels.message_mark import mark_of
from orchestrator.core.verp import marked_id, verp_mark
from tests.channels.hooks.contract import AT, HookCase, HookContract, check_told, posted, refusal

TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem"
CONFIRM = f"https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37"
KEY = generate_private_key(65537, 2048)
SIGNED = {
    "Notification": ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
    "SubscriptionConfirmation": ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
}


def certificate(key: Any = KEY, days: int = 30) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = built.not_valid_before(AT - timedelta(60)).not_valid_after(AT + timedelta(days))
    return built.sign(KEY, SHA256()).public_bytes(Encoding.PEM)


def signed(message: Any, key: RSAPrivateKey = KEY) -> Any:
    """A message with the signature that SNS would give it."""
    fields = SIGNED.get(str(message.get("Type"))) if isinstance(message, dict) else None
    if fields is None:
        return message
    text = "".join(f"{name}\n{message[name]}\n" for name in fields if isinstance(message.get(name), str))
    digest = SHA1() if message.get("SignatureVersion") == "1" else SHA256()
    signature = key.sign(text.encode("utf-8", "replace"), PKCS1v15(), digest)
    return {**message, "Signature": b64encode(signature).decode()}


def sign(request: Posted) -> Posted:
    try:
        return request._replace(body=json.dumps(signed(json.loads(request.body))).encode())
    except (ValueError, RecursionError):
        return request


def notification(event: Any, **more: Any) -> dict[str, Any]:
    known = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Message": event if isinstance(event, str) else json.dumps(event),
        "Timestamp": "2026-03-02T09:59:59.123Z",
        "SignatureVersion": "2",
        "SigningCertURL": CERTIFICATE,
        "UnsubscribeURL": "https://sns.eu-west-1.amazonaws.com/?Action=Unsubscribe",
    }
    return signed({**known, **more})  # type: ignore[no-any-return]


def event(kind: str, name: str, detail: dict[str, Any], **mail: Any) -> dict[str, Any]:
    """An event of a configuration set."""
    known = {
        "timestamp": "2026-03-02T09:59:50.000Z",
        "messageId": "010f",
        "destination": ["ana@example.com"],
        "tags": {"ses:configuration-set": ["journeys"], "orchestrator_message": [mark_of("e1.email_1.1")]},
    }
    return {"eventType": kind, "mail": {**known, **mail}, name: {"timestamp": "2026-03-02T09:59:55.000Z", **detail}}


def hook(fetch: Callable[[str], bytes] = lambda url: certificate()) -> SesHook:
    return SesHook([TOPIC], fetch)


def told(found: Any) -> list[Told]:
    return list(hook().read(posted(notification(found))).told)


BOUNCE = event(
    "Bounce",
    "bounce",
    {
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [
            {
                "emailAddress": "Ana <ana@example.com>",
                "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 no such user",
            }
        ],
    },
)
AT_EVENT = datetime(2026, 3, 2, 9, 59, 55, tzinfo=UTC)


class TestSes(HookContract):
    @pytest.fixture(params=["1", "2"])
    def case(self, request: pytest.FixtureRequest) -> HookCase:
        message = notification(BOUNCE, SignatureVersion=request.param, Subject="Amazon SES Email Event Notification")
        names = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type", "Signature", "SigningCertURL")
        return HookCase(
            hook(),
            posted(message),
            [
                Told(
                    "bounce",
                    "email",
                    "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324:0",
                    "e1.email_1.1",
                    "ana@example.com",
                    AT_EVENT,
                    reason="General; smtp; 550 5.1.1 no such user",
                )
            ],
            sign,
            covered=[json.dumps(message[name])[1:-1][:200].encode() for name in names if name != "SigningCertURL"],
            fresh_for=timedelta(days=1),
        )


@pytest.mark.parametrize(
    ("kind", "name", "detail", "expected"),
    [
        ("Send", "send", {}, "sent"),
        ("Delivery", "delivery", {"recipients": ["ana@example.com"]}, "delivered"),
        ("Bounce", "bounce", {"bounceType": "Transient", "bounceSubType": "MailboxFull"}, "soft_bounce"),
        ("Bounce", "bounce", {"bounceType": "Undetermined"}, "soft_bounce"),
        ("Bounce", "bounce", {"bounceType": "Permanent", "bounceSubType": "OnAccountSuppressionList"}, "bounce"),
        ("Complaint", "complaint", {"complaintFeedbackType": "abuse"}, "complaint"),
        ("Complaint", "complaint", {"complaintFeedbackType": "not-spam"}, None),
        ("Open", "open", {"userAgent": "x"}, "open"),
        ("Click", "click", {"link": "https://example.com/a"}, "click"),
        ("Reject", "reject", {"reason": "Bad content"}, "failed"),
        ("Rendering Failure", "failure", {"errorMessage": "x"}, "failed"),
        ("Subscription", "subscription", {"newTopicPreferences": {"unsubscribeAll": True}}, "unsubscribe"),
        ("Subscription", "subscription", {"newTopicPreferences": {"unsubscribeAll": False}}, None),
        ("DeliveryDelay", "deliveryDelay", {"delayType": "MailboxFull"}, None),
        ("Something new", "x", {}, None),
    ],
)
def test_what_each_event_means(kind: str, name: str, detail: dict[str, Any], expected: str | None) -> None:
    found = told(event(kind, name, detail))
    assert [one.kind for one in found] == ([] if expected is None else [expected])
    for one in found:
        assert (one.message_id, one.address, one.at) == ("e1.email_1.1", "ana@example.com", AT_EVENT)
        assert one.url == detail.get("link")


def test_notifications_of_an_identity_bring_our_id_in_a_header() -> None:
    older = event("", "complaint", {"complainedRecipients": [{"emailAddress": "ana@example.com"}]}, tags=None)
    older |= {"eventType": None, "notificationType": "Complaint"}
    older["mail"]["headers"] = [
        {"name": "From", "value": "x"},
        {"name": "X-Orchestrator-Message", "value": "e1.%E5%91%A8.1"},
    ]
    [one] = told(older)
    assert (one.kind, one.message_id) == ("complaint", "e1.周.1")
    older["mail"]["headers"][1]["value"] = marked_id("e1.%E5%91%A8.1", verp_mark(b"secret", "e1.周.1"))
    assert told(older) == [one]
    del older["mail"]["headers"]
    [one] = told(older)
    assert (one.message_id, one.address) == (None, "ana@example.com")


def test_what_the_topic_says_when_it_is_set_up_is_nothing() -> None:
    assert told("Successfully validated SNS topic for Amazon SES event publishing.") == []


def confirmation(**more: Any) -> Posted:
    known = {"Type": "SubscriptionConfirmation", "Token": "2336412f37", "SubscribeURL": CONFIRM}
    return posted(notification("You have chosen to subscribe to the topic", **{**known, **more}))


def test_a_subscription_is_confirmed_by_a_visit() -> None:
    heard = hook().read(confirmation())
    assert (heard.visit, heard.told) == (CONFIRM, ())


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/?Action=ConfirmSubscription",
        CONFIRM.replace("https", "http"),
        CONFIRM.replace("sns.eu-west-1.amazonaws.com", "sns.eu-west-1.amazonaws.com.evil.example.com"),
        CONFIRM.replace("https://", "https://a@"),
        CONFIRM.replace("ConfirmSubscription", "DeleteTopic"),
        CONFIRM.replace("amazonaws.com/", "amazonaws.com:8443/"),
        CONFIRM.replace("amazonaws.com/", "amazonaws.com/x"),
        CONFIRM.replace(":mail", ":other"),
        f"{CONFIRM}&Action=DeleteTopic",
        "",
    ],
)
def test_no_other_url_is_visited(url: str) -> None:
    with pytest.raises(HookRefused) as refused:
        hook().read(confirmation(SubscribeURL=url))
    assert refused.value.status in (400, 403)
    assert confirmation_url(url, TOPIC) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example.com/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem",
        CERTIFICATE.replace("https", "http"),
        CERTIFICATE.replace("https://sns", "https://evil.example.com#sns"),
        CERTIFICATE.replace("https://", "https://evil@"),
        CERTIFICATE.replace(".com/", ".com:444/"),
        CERTIFICATE.replace(".com/", ".com.evil.example.com/"),
        CERTIFICATE.replace("sns.eu-west-1", "sns.eu-west-1.s3"),
        CERTIFICATE.replace("sns.eu-west-1", "bucket"),
        CERTIFICATE.replace(".com/", ".com\\@evil.example.com/"),
        f"{CERTIFICATE}?x",
        f"{CERTIFICATE}#x",
        "https://sns.eu-west-1.amazonaws.com/?Action=GetTopicAttributes&x=/SimpleNotificationService-9c6465fa7f48.pem",
        "https://sns.eu-west-1.amazonaws.com/a/SimpleNotificationService-9c6465fa7f48.pem",
    ],
)
def test_no_certificate_is_fetched_from_anywhere_else(url: str) -> None:
    def never(url: str) -> bytes:
        raise AssertionError(url)

    assert not is_certificate_url(url)
    assert refusal(hook(never), posted(notification(BOUNCE, SigningCertURL=url))) == 403


@given(st.text(max_size=80), st.sampled_from(["", "https://", "https://sns.eu-west-1.amazonaws.com", CERTIFICATE]))
def test_any_text_is_no_certificate_of_amazons(text: str, start: str) -> None:
    assert not is_certificate_url(start + text) or text == "" or text.isalnum()


def test_china_has_a_domain_of_its_own() -> None:
    assert is_certificate_url(CERTIFICATE.replace("eu-west-1.amazonaws.com", "cn-north-1.amazonaws.com.cn"))


def test_a_certificate_is_fetched_once() -> None:
    fetched: list[str] = []

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return certificate()

    reader = hook(fetch)
    for _ in range(3):
        assert reader.read(posted(notification(BOUNCE))).told
    assert fetched == [CERTIFICATE]


def test_certificates_that_cannot_be_used() -> None:
    def unreachable(url: str) -> bytes:
        raise OSError("no route")

    request = posted(notification(BOUNCE))
    for fetch in (
        unreachable,
        lambda url: b"",
        lambda url: b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        lambda url: certificate(days=-1),
        lambda url: certificate(ec.generate_private_key(ec.SECP256R1())),
        lambda url: certificate(generate_private_key(65537, 2048)),
    ):
        assert refusal(hook(fetch), request) == 403


def test_other_topics_and_other_forms_are_refused() -> None:
    assert refusal(SesHook(["arn:other"], lambda url: certificate()), posted(notification(BOUNCE))) == 403
    assert refusal(hook(), posted(BOUNCE)) == 400  # raw delivery has no signature
    assert refusal(hook(), posted(notification(BOUNCE, SignatureVersion="3"))) == 400
    assert refusal(hook(), posted({**notification(BOUNCE), "Signature": None})) in (401, 403)
    assert refusal(hook(), posted({**notification(BOUNCE), "Message": 5})) == 400


@given(
    st.recursive(
        st.none() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=3), max_leaves=5
    )
)
def test_any_shape_of_an_event_is_read(odd: Any) -> None:
    for name in ("eventType", "mail", "bounce"):
        for one in told({**BOUNCE, name: odd}):
            check_told(one)
    for name in ("bounceType", "bouncedRecipients", "timestamp", "bounceSubType"):
        for one in told({**BOUNCE, "bounce": {**BOUNCE["bounce"], name: odd}}):
            check_told(one)
