"""What providers of e-mail call back with: SendGrid, Mailgun, Postmark, Resend, Brevo, DirectMail."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from hmac import digest
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from standardwebhooks import Webhook

from orchestrator.channels.hooks.brevo import BrevoHook
from orchestrator.channels.hooks.directmail import DirectMailHook
from orchestrator.channels.hooks.mailgun import MailgunHook
from orchestrator.channels.hooks.postmark import PostmarkHook
from orchestrator.channels.hooks.protocol import Hook, Posted, Told
from orchestrator.channels.hooks.resend import ResendHook
from orchestrator.channels.hooks.sendgrid import SIGNATURE, TIMESTAMP, SendGridHook
from orchestrator.channels.message_mark import mark_of
from orchestrator.channels.providers.postmark import metadata
from tests.channels.hooks.contract import AT, HookCase, HookContract, posted, refusal

OUR_ID = "e1.email_1.1"
MARK = mark_of(OUR_ID)
SECONDS = int(AT.timestamp())
ANA = "ana@example.com"


def kinds(hook: Hook, request: Posted) -> list[str]:
    return [told.kind for told in hook.read(request).told]


# --- SendGrid -------------------------------------------------------------------------------------------------------

SENDGRID_KEY = generate_private_key(SECP256R1())
SENDGRID = SendGridHook(
    [b64encode(SENDGRID_KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()]
)


def signed_by_sendgrid(request: Posted) -> Posted:
    signature = SENDGRID_KEY.sign(str(SECONDS).encode() + request.body, ECDSA(SHA256()))
    return request._replace(headers={SIGNATURE: b64encode(signature).decode(), TIMESTAMP: str(SECONDS)})


def of_sendgrid(**more: Any) -> dict[str, Any]:
    return {
        "email": ANA,
        "event": "bounce",
        "type": "bounce",
        "reason": "550 5.1.1 no such user",
        "sg_event_id": "ev1",
        "sg_message_id": "sg1.filter",
        "timestamp": SECONDS - 5,
        "orchestrator_message": MARK,
        **more,
    }


class TestSendGrid(HookContract):
    @pytest.fixture
    def case(self) -> HookCase:
        click = of_sendgrid(event="click", sg_event_id="ev2", url="https://example.com/a", reason=None)
        at = AT - timedelta(seconds=5)
        return HookCase(
            SENDGRID,
            signed_by_sendgrid(posted([of_sendgrid(), click])),
            [
                Told("bounce", "email", "ev1", OUR_ID, ANA, at, reason="550 5.1.1 no such user"),
                Told("click", "email", "ev2", OUR_ID, ANA, at, url="https://example.com/a"),
            ],
            signed_by_sendgrid,
            keys=[SIGNATURE, TIMESTAMP],
            fresh_for=timedelta(hours=25),
        )


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"event": "processed"}, "sent"),
        ({"event": "delivered"}, "delivered"),
        ({"event": "deferred"}, None),
        ({"bounce_classification": "Invalid Address"}, "bounce"),
        ({"bounce_classification": "Unclassified"}, "bounce"),
        ({"bounce_classification": "Mailbox Unavailable"}, "soft_bounce"),
        ({"bounce_classification": "Reputation"}, "soft_bounce"),
        ({"type": "blocked"}, "soft_bounce"),
        ({"event": "dropped", "reason": "Bounced Address"}, "bounce"),
        ({"event": "dropped", "reason": "Invalid SMTPAPI header"}, "failed"),
        ({"event": "dropped", "reason": "Spam Reporting Address"}, "complaint"),
        ({"event": "dropped", "reason": "Invalid"}, "bounce"),
        ({"event": "dropped", "reason": "Unsubscribed Address"}, "unsubscribe"),
        ({"event": "dropped", "reason": "Recipient List over Package Quota"}, "failed"),
        ({"event": "spamreport"}, "complaint"),
        ({"event": "unsubscribe"}, "unsubscribe"),
        ({"event": "group_unsubscribe"}, "unsubscribe"),
        ({"event": "group_resubscribe"}, None),
        ({"event": "open"}, "open"),
        ({"event": "open", "sg_machine_open": True}, None),
        ({"event": "new"}, None),
    ],
)
def test_what_sendgrid_means(values: dict[str, Any], kind: str | None) -> None:
    assert kinds(SENDGRID, signed_by_sendgrid(posted([of_sendgrid(**values)]))) == ([kind] if kind else [])


def test_sendgrids_own_example() -> None:
    """From the tests of its library: key, signature and body."""
    key = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglS"
    hook = SendGridHook([f"{key}I8eNEc6wEA3F+g=="])
    event = {
        "email": "hello@world.com",
        "event": "dropped",
        "reason": "Bounced Address",
        "sg_event_id": "ZHJvcC0xMDk5NDkxOS1MUnpYbF9OSFN0T0doUTRrb2ZTbV9BLTA",
        "sg_message_id": "LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",
        "smtp-id": "<LRzXl_NHStOGhQ4kofSm_A@ismtpd0039p1iad1.sendgrid.net>",
        "timestamp": 1600112492,
    }
    signature = "MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM="
    request = posted(
        json.dumps([event], separators=(",", ":")).encode() + b"\r\n",
        {
            SIGNATURE: signature,
            TIMESTAMP: "1600112502",
        },
        at=datetime.fromtimestamp(1600112510, UTC),
    )
    [told] = hook.read(request).told
    assert (told.kind, told.address, told.message_id) == ("bounce", "hello@world.com", None)


# --- Mailgun --------------------------------------------------------------------------------------------------------

MAILGUN = MailgunHook(["key-old", "key-new"])


def signed_by_mailgun(request: Posted) -> Posted:
    try:
        body = json.loads(request.body)
    except (ValueError, RecursionError):
        return request
    if not isinstance(body, dict):
        return request
    signature = digest(b"key-new", f"{SECONDS}9f3ab0c1".encode(), "sha256").hex()
    body["signature"] = {"timestamp": str(SECONDS), "token": "9f3ab0c1", "signature": signature}
    return request._replace(body=json.dumps(body).encode())


def of_mailgun(**more: Any) -> Posted:
    event = {
        "event": "failed",
        "id": "G9Bn5sl1TC6nu79C8C0bwg",
        "timestamp": SECONDS - 5.5,
        "severity": "permanent",
        "reason": "bounce",
        "recipient": ANA,
        "delivery-status": {"code": 550, "message": "no such user", "enhanced-code": "5.1.1"},
        "user-variables": {"orchestrator_message": MARK},
        **more,
    }
    return signed_by_mailgun(posted({"event-data": event}))


class TestMailgun(HookContract):
    @pytest.fixture
    def case(self) -> HookCase:
        request = of_mailgun()
        at = AT - timedelta(seconds=5.5)
        return HookCase(
            MAILGUN,
            request,
            [Told("bounce", "email", "G9Bn5sl1TC6nu79C8C0bwg", OUR_ID, ANA, at, reason="no such user")],
            signed_by_mailgun,
            covered=[value.encode() for value in json.loads(request.body)["signature"].values()],
            fresh_for=timedelta(hours=9),
        )


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"event": "accepted"}, "sent"),
        ({"event": "delivered"}, "delivered"),
        ({"severity": "temporary"}, None),
        ({"reason": "suppress-bounce"}, "bounce"),
        ({"reason": "suppress-complaint"}, "complaint"),
        ({"reason": "suppress-unsubscribe"}, "unsubscribe"),
        ({"reason": "old"}, "soft_bounce"),
        ({"delivery-status": {"enhanced-code": "5.7.1"}}, "soft_bounce"),
        ({"event": "rejected", "reject": {"reason": "Sandbox"}}, "failed"),
        ({"event": "complained"}, "complaint"),
        ({"event": "unsubscribed"}, "unsubscribe"),
        ({"event": "opened"}, "open"),
        ({"event": "opened", "client-info": {"bot": "apple"}}, None),
        ({"event": "clicked", "url": "https://example.com/a"}, "click"),
        ({"event": "stored"}, None),
    ],
)
def test_what_mailgun_means(values: dict[str, Any], kind: str | None) -> None:
    assert kinds(MAILGUN, of_mailgun(**values)) == ([kind] if kind else [])


# --- Postmark -------------------------------------------------------------------------------------------------------

POSTMARK = PostmarkHook(["hooks:s3cr€t"])
BASIC = {"authorization": f"Basic {b64encode('hooks:s3cr€t'.encode()).decode()}"}


def of_postmark(**more: Any) -> Posted:
    event = {
        "RecordType": "Bounce",
        "ID": 4323372036854775807,
        "Type": "HardBounce",
        "MessageID": "pm1",
        "Email": ANA,
        "BouncedAt": "2026-03-02T11:59:55.1234567+02:00",
        "Details": "smtp;550 no such user",
        "Metadata": metadata(MARK),
        **more,
    }
    return posted(event, dict(BASIC))


class TestPostmark(HookContract):
    @pytest.fixture
    def case(self) -> HookCase:
        return HookCase(
            POSTMARK,
            of_postmark(),
            [
                Told(
                    "bounce",
                    "email",
                    "Bounce:HardBounce:pm1:4323372036854775807:ana@example.com:2026-03-02T11:59:55.1234567+02:00:",
                    OUR_ID,
                    ANA,
                    datetime(2026, 3, 2, 9, 59, 55, 123456, tzinfo=UTC),
                    reason="smtp;550 no such user",
                )
            ],
            lambda request: request._replace(headers=BASIC),
            covered=[],
            keys=["authorization"],
        )


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"RecordType": "Delivery", "Recipient": ANA}, "delivered"),
        ({"Type": "BadEmailAddress"}, "bounce"),
        ({"Type": "SoftBounce"}, "soft_bounce"),
        ({"Type": "Blocked"}, "soft_bounce"),
        ({"Type": "Transient"}, None),
        ({"Type": "AutoResponder"}, None),
        ({"Type": "SpamComplaint"}, "complaint"),
        ({"RecordType": "SpamComplaint"}, "complaint"),
        ({"RecordType": "Open", "Recipient": ANA}, "open"),
        ({"RecordType": "Click", "Recipient": ANA, "OriginalLink": "https://example.com"}, "click"),
        (
            {
                "RecordType": "SubscriptionChange",
                "SuppressSending": True,
                "SuppressionReason": "ManualSuppression",
                "Type": None,
            },
            "unsubscribe",
        ),
        (
            {
                "RecordType": "SubscriptionChange",
                "SuppressSending": True,
                "SuppressionReason": "HardBounce",
                "Type": None,
            },
            "bounce",
        ),
        ({"RecordType": "SubscriptionChange", "SuppressSending": False, "Type": None}, None),
        ({"RecordType": "Inbound"}, None),
    ],
)
def test_what_postmark_means(values: dict[str, Any], kind: str | None) -> None:
    assert kinds(POSTMARK, of_postmark(**values)) == ([kind] if kind else [])


def test_postmark_brings_a_long_id_back_in_pieces() -> None:
    long = "e" * 90 + ".s." + "1" * 80
    [told] = POSTMARK.read(of_postmark(Metadata=metadata(mark_of(long)))).told
    assert told.message_id == long


# --- Resend ---------------------------------------------------------------------------------------------------------

WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
RESEND = ResendHook(["whsec_" + b64encode(b"an older secret, of 32 bytes now").decode(), WHSEC])
SVIX = ["svix-id", "svix-timestamp", "svix-signature"]


def signed_by_resend(request: Posted) -> Posted:
    covered = f"msg_1.{SECONDS}.".encode() + request.body
    signature = b64encode(digest(b64decode(WHSEC.removeprefix("whsec_")), covered, "sha256")).decode()
    return request._replace(headers=dict(zip(SVIX, ["msg_1", str(SECONDS), f"v1,{signature}"], strict=True)))


def of_resend(type: str, **data: Any) -> Posted:
    known = {"email_id": "re1", "to": [ANA], "tags": {"orchestrator_message": MARK}}
    body = {"type": type, "created_at": "2026-03-02T09:59:55.000Z", "data": {**known, **data}}
    return signed_by_resend(posted(body))


class TestResend(HookContract):
    @pytest.fixture
    def case(self) -> HookCase:
        at = AT - timedelta(seconds=5)
        return HookCase(
            RESEND,
            of_resend("email.bounced", bounce={"type": "Permanent", "message": "no such user"}),
            [Told("bounce", "email", "msg_1", OUR_ID, ANA, at, reason="no such user")],
            signed_by_resend,
            keys=SVIX,
            fresh_for=timedelta(minutes=5),
        )


def test_it_signs_as_the_standard_does() -> None:
    request = of_resend("email.opened")
    signature = Webhook(WHSEC).sign("msg_1", AT, request.body.decode())
    headers = {"webhook-id": "msg_1", "webhook-timestamp": str(SECONDS), "webhook-signature": signature}
    assert kinds(RESEND, request._replace(headers=headers)) == ["open"]


def test_the_example_of_svix() -> None:
    at = datetime.fromtimestamp(1614265330, UTC)
    headers = {
        "svix-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "svix-timestamp": "1614265330",
        "svix-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert RESEND.read(posted(b'{"test": 2432232314}', headers, at=at)).told == ()
    assert refusal(RESEND, posted(b'{"test": 2432232315}', headers, at=at)) == 403


def test_one_of_several_signatures_is_enough() -> None:
    request = of_resend("email.opened")
    signature = request.headers["svix-signature"]
    for shown, status in (
        (f"v1,AAAA {signature}", None),
        (f"v1a,BBBB {signature} v2,CCCC", None),
        ("v1,AAAA v1,BBBB", 403),
        (signature.replace("v1,", "v2,"), 403),
        ("v1,AAAA " * 99 + signature, 403),
    ):
        assert refusal(RESEND, request._replace(headers={**request.headers, "svix-signature": shown})) == status


@pytest.mark.parametrize(
    ("type", "data", "kind"),
    [
        ("email.sent", {}, "sent"),
        ("email.delivered", {}, "delivered"),
        ("email.delivery_delayed", {}, None),
        ("email.bounced", {"bounce": {"type": "Transient"}}, "soft_bounce"),
        ("email.bounced", {}, "soft_bounce"),
        ("email.suppressed", {}, "bounce"),
        ("email.complained", {}, "complaint"),
        ("email.opened", {}, "open"),
        ("email.clicked", {"click": {"link": "https://example.com/a"}}, "click"),
        ("email.failed", {"failed": {"reason": "quota"}}, "failed"),
        ("email.opened", {"tags": [{"name": "orchestrator_message", "value": MARK}]}, "open"),
        ("contact.created", {}, None),
    ],
)
def test_what_resend_means(type: str, data: dict[str, Any], kind: str | None) -> None:
    found = RESEND.read(of_resend(type, **data)).told
    assert [told.kind for told in found] == ([kind] if kind else [])
    assert all(told.message_id == OUR_ID for told in found)


# --- Brevo ----------------------------------------------------------------------------------------------------------

BREVO = BrevoHook(["t0ken", "next"])
BEARER = {"authorization": "Bearer t0ken"}


def of_brevo(**more: Any) -> dict[str, Any]:
    return {
        "event": "hard_bounce",
        "email": ANA,
        "id": 26224,
        "message-id": "<b1@relay>",
        "ts_event": SECONDS - 5,
        "reason": "no such user",
        "X-Mailin-custom": f"orchestrator_message:{MARK}",
        **more,
    }


class TestBrevo(HookContract):
    @pytest.fixture
    def case(self) -> HookCase:
        at = AT - timedelta(seconds=5)
        id = f"hard_bounce:<b1@relay>:ana@example.com:{SECONDS - 5}:"
        return HookCase(
            BREVO,
            posted(of_brevo(), dict(BEARER)),
            [Told("bounce", "email", id, OUR_ID, ANA, at, reason="no such user")],
            lambda request: request._replace(headers=BEARER),
            covered=[],
            keys=["authorization"],
        )


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        ("request", "sent"),
        ("delivered", "delivered"),
        ("deferred", None),
        ("soft_bounce", "soft_bounce"),
        ("invalid_email", "bounce"),
        ("blocked", "failed"),
        ("error", "failed"),
        ("spam", "complaint"),
        ("unsubscribed", "unsubscribe"),
        ("opened", "open"),
        ("unique_opened", "open"),
        ("proxy_open", None),
        ("unique_proxy_open", None),
        ("click", "click"),
    ],
)
def test_what_brevo_means(event: str, kind: str | None) -> None:
    assert kinds(BREVO, posted(of_brevo(event=event), dict(BEARER))) == ([kind] if kind else [])


def test_brevo_says_a_first_opening_twice() -> None:
    events = [of_brevo(event="opened"), of_brevo(event="unique_opened")]
    assert kinds(BREVO, posted(events, dict(BEARER))) == ["open"]


# --- DirectMail -----------------------------------------------------------------------------------------------------

DIRECTMAIL = DirectMailHook(["t0ken"])


def of_directmail(type: str = "dm:Deliver:Fail", **data: Any) -> dict[str, Any]:
    known = {
        "header": {"x-user-notify-MESSAGE": MARK},
        "env_id": "600001",
        "rcpt": ANA,
        "err_code": "554",
        "err_msg": "554 no such user",
        "failed_type": "SmtpNxBox",
    }
    return {
        "id": "8734hhidu983hi457",
        "source": "acs:dm",
        "specversion": "1.0",
        "type": type,
        "time": "2026-03-02T17:59:55+08:00",
        "data": {**known, **data},
    }


class TestDirectMail(HookContract):
    @pytest.fixture
    def case(self) -> HookCase:
        at = AT - timedelta(seconds=5)
        reason = "SmtpNxBox; 554 no such user"
        return HookCase(
            DIRECTMAIL,
            posted(of_directmail(), dict(BEARER)),
            [Told("bounce", "email", "8734hhidu983hi457", OUR_ID, ANA, at, reason=reason)],
            lambda request: request._replace(headers=BEARER),
            covered=[],
            keys=["authorization"],
        )


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (of_directmail("dm:Deliver:Succeed"), "delivered"),
        (of_directmail(failed_type="SysOutInvRcpt"), "bounce"),
        (of_directmail(failed_type="SmtpContSpam"), "soft_bounce"),
        (of_directmail(failed_type=None), "soft_bounce"),
        (of_directmail(failed_type="SysOutRecipientReportedSpam"), "complaint"),
        (of_directmail(failed_type="SysOutRecipientUnsubscribed"), "unsubscribe"),
        (of_directmail("dm:Feedback:FblReport"), "complaint"),
        (of_directmail("dm:Feedback:UnSubscribe"), "unsubscribe"),
        (of_directmail("dm:Feedback:Subscribe"), None),
        (of_directmail("dm:Trace:Open"), "open"),
        (of_directmail("dm:Trace:Click", url="https://example.com/a"), "click"),
        ({"TopicName": "mail", "Message": json.dumps(of_directmail())}, "bounce"),
        ({"TopicName": "mail", "Message": "no JSON"}, None),
    ],
)
def test_what_directmail_means(event: dict[str, Any], kind: str | None) -> None:
    assert kinds(DIRECTMAIL, posted(event, dict(BEARER))) == ([kind] if kind else [])


# --- tokens ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("headers", "url", "status"),
    [
        ({"authorization": "Bearer t0ken"}, "", None),
        ({"authorization": "bearer  t0ken "}, "", None),
        ({"authorization": f"Basic {b64encode(b'any:t0ken').decode()}"}, "", None),
        ({}, "?token=t0ken", None),
        ({}, "?a=b&token=t0ken", None),
        ({"authorization": "Bearer wrong"}, "", 403),
        ({"authorization": f"Basic {b64encode(b't0ken:').decode()}"}, "", 403),
        ({"authorization": "Bearer "}, "", 401),
        ({"authorization": "t0ken"}, "", 401),
        ({"authorization": "Digest t0ken"}, "", 401),
        ({}, "?token=", 401),
        ({}, "?Token=t0ken", 401),
        ({}, "?token=T0ken", 403),
        ({}, "?" + "&".join(f"a{n}=1" for n in range(99)) + "&token=t0ken", 401),
        ({}, "", 401),
    ],
)
def test_where_a_token_may_stand(headers: dict[str, str], url: str, status: int | None) -> None:
    request = posted(of_directmail(), headers, url=f"https://journeys.example.com/hooks/directmail{url}")
    assert refusal(DIRECTMAIL, request) == status


def test_too_large_a_body_is_refused() -> None:
    assert refusal(BREVO, posted(b" " * 5_000_000, dict(BEARER))) == 413
    assert refusal(BREVO, posted(b"[" + b"{}," * 10_001 + b"{}]", dict(BEARER))) == 413
