"""What each provider of e-mail gets, to the letter."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from email.message import EmailMessage
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Request

from orchestrator.channels.message_mark import LONGEST, id_of, mark_of
from orchestrator.channels.protocol import Attachment, Outgoing
from orchestrator.channels.providers.adapter import Refused
from orchestrator.channels.providers.brevo import key_of
from orchestrator.channels.providers.email_parts import checked
from orchestrator.channels.providers.postmark import metadata
from tests.channels.contract import outgoing
from tests.channels.providers.email_server import APIS, FakeApi, body_of, form_of

UNSUBSCRIBE = "https://journeys.example.com/u/token"
MARK = "e1-2eemail_1-2e1"
LIST = {"List-Unsubscribe": f"<{UNSUBSCRIBE}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
MENU = Attachment("menu.pdf", "application/pdf", b"%PDF-1.7")
CID = "logo@example.com"
LOGO = Attachment("logo.png", "image/png", b"\x89PNG", CID)
B64 = {"menu": base64.b64encode(MENU.data).decode(), "logo": base64.b64encode(LOGO.data).decode()}


def full(**more: Any) -> Outgoing:
    """A message with everything."""
    known: dict[str, Any] = {
        "subject": "Your breakfast, 安娜",
        "sender": '"Harbour, Hotel" <hello@example.com>',
        "reply_to": "Desk <desk@example.com>",
        "headers": {"X-Campaign": "spring"},
        "unsubscribe_url": UNSUBSCRIBE,
        "attachments": (MENU, LOGO),
        "klass": "promotional",
    }
    return outgoing(**{**known, **more})


@pytest.fixture
def api(request: pytest.FixtureRequest, httpserver: HTTPServer) -> Iterator[FakeApi]:
    yield FakeApi(httpserver, request.param)
    httpserver.check_handler_errors()


def sent(api: FakeApi, message: Outgoing, options: str = "") -> Request:
    """The request that a message becomes."""
    channel = api.channel(options)
    [answer] = channel.send([message])
    channel.close()
    assert (answer.outcome, answer.reference) == ("accepted", api.api.reference), answer
    assert answer.receipts == ()
    return api.requests[-1]


def pick(headers: dict[str, str], *names: str) -> dict[str, str]:
    return {name: headers[name] for name in names}


@pytest.mark.parametrize("api", ["ses"], indirect=True)
def test_ses(api: FakeApi) -> None:
    request = sent(api, full(), "&set=journeys")
    body = body_of(request)
    assert body.keys() == {"Content", "Destination", "EmailTags", "ConfigurationSetName"}
    assert body["Destination"] == {"ToAddresses": ["ana@example.com"]}
    assert body["EmailTags"] == [{"Name": "orchestrator_message", "Value": MARK}]
    assert body["ConfigurationSetName"] == "journeys"
    authorization = request.headers["Authorization"]
    assert authorization.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
    assert "/eu-west-1/ses/aws4_request, SignedHeaders=content-type;host;x-amz-date, Signature=" in authorization
    assert_whole_mail(api.mails[-1])


@pytest.mark.parametrize("api", ["mailgun"], indirect=True)
def test_mailgun(api: FakeApi) -> None:
    request = sent(api, full())
    assert dict(request.form) == {
        "to": "ana@example.com",
        "v:orchestrator_message": MARK,
        "o:tracking": "no",
    }
    assert request.headers["Authorization"] == f"Basic {base64.b64encode(b'api:key').decode()}"
    assert_whole_mail(api.mails[-1])


def assert_whole_mail(mail: EmailMessage) -> None:
    """The bytes are those of a mail over SMTP: each header, each part."""
    assert mail["Subject"] == "Your breakfast, 安娜"
    assert mail["From"].addresses[0].display_name == "Harbour, Hotel"
    assert (mail["To"], mail["Reply-To"]) == ("ana@example.com", "Desk <desk@example.com>")
    assert (mail["X-Campaign"], mail["X-Orchestrator-Message"]) == ("spring", "e1.email_1.1")
    assert mail["Message-ID"] == "<e1.email_1.1@example.com>"
    assert {name: mail[name] for name in LIST} == LIST
    parts = {part.get_content_type(): part for part in mail.walk()}
    assert "<p>Hello Ana</p>" in parts["text/html"].get_content()
    assert "Hello Ana" in parts["text/plain"].get_content()
    assert parts["application/pdf"].get_content() == MENU.data
    assert parts["image/png"]["Content-ID"] == "<logo@example.com>"


@pytest.mark.parametrize("api", ["sendgrid"], indirect=True)
def test_sendgrid(api: FakeApi) -> None:
    request = sent(api, full())
    body = body_of(request)
    headers = body.pop("headers")
    assert pick(headers, *LIST, "X-Campaign") == {**LIST, "X-Campaign": "spring"}
    assert headers["Message-ID"] == "<e1.email_1.1@example.com>"
    tracking = body.pop("tracking_settings")
    assert {part["enable"] for part in tracking.values()} == {False}
    assert body == {
        "personalizations": [{"to": [{"email": "ana@example.com"}], "custom_args": {"orchestrator_message": MARK}}],
        "from": {"email": "hello@example.com", "name": "Harbour, Hotel"},
        "reply_to_list": [{"email": "desk@example.com", "name": "Desk"}],
        "subject": "Your breakfast, 安娜",
        "content": [
            {"type": "text/plain", "value": "Hello Ana"},
            {"type": "text/html", "value": "<p>Hello Ana</p>"},
        ],
        "attachments": [
            {
                "filename": "menu.pdf",
                "type": "application/pdf",
                "content": B64["menu"],
                "disposition": "attachment",
            },
            {
                "filename": "logo.png",
                "type": "image/png",
                "content": B64["logo"],
                "disposition": "inline",
                "content_id": CID,
            },
        ],
    }
    assert request.headers["Authorization"] == "Bearer SG.key"


@pytest.mark.parametrize("api", ["sendgrid"], indirect=True)
def test_sendgrid_may_track_and_gets_no_empty_part(api: FakeApi) -> None:
    body = body_of(sent(api, outgoing(text="", html=None), "&tracking=yes"))
    assert "tracking_settings" not in body
    assert body["content"] == [{"type": "text/plain", "value": " "}]


@pytest.mark.parametrize("api", ["postmark"], indirect=True)
def test_postmark(api: FakeApi) -> None:
    request = sent(api, full(), "&stream=outbound&bulk=broadcast")
    body = body_of(request)
    headers = {header["Name"]: header["Value"] for header in body.pop("Headers")}
    assert pick(headers, *LIST, "X-Campaign") == {**LIST, "X-Campaign": "spring"}
    assert pick(headers, "Message-ID", "X-PM-KeepID") == {
        "Message-ID": "<e1.email_1.1@example.com>",
        "X-PM-KeepID": "true",
    }
    assert body == {
        "From": '"Harbour, Hotel" <hello@example.com>',
        "To": "ana@example.com",
        "ReplyTo": '"Desk" <desk@example.com>',
        "Subject": "Your breakfast, 安娜",
        "TextBody": "Hello Ana",
        "HtmlBody": "<p>Hello Ana</p>",
        "Metadata": {"orchestrator": MARK},
        "TrackOpens": False,
        "TrackLinks": "None",
        "MessageStream": "broadcast",
        "Attachments": [
            {"Name": "menu.pdf", "ContentType": "application/pdf", "Content": B64["menu"]},
            {
                "Name": "logo.png",
                "ContentType": "image/png",
                "Content": B64["logo"],
                "ContentID": f"cid:{CID}",
            },
        ],
    }
    assert request.headers["X-Postmark-Server-Token"] == "token"


@pytest.mark.parametrize("api", ["postmark"], indirect=True)
@pytest.mark.parametrize(
    ("klass", "options", "stream"),
    [
        ("transactional", "&stream=a&bulk=b", "a"),
        ("service", "&stream=a&bulk=b", "a"),
        ("promotional", "&stream=a&bulk=b", "b"),
        ("promotional", "&stream=a", "a"),
        ("promotional", "", None),
        (None, "&bulk=b", None),
    ],
)
def test_postmark_streams(api: FakeApi, klass: str | None, options: str, stream: str | None) -> None:
    assert body_of(sent(api, outgoing(klass=klass), options)).get("MessageStream") == stream


@pytest.mark.parametrize("api", ["resend"], indirect=True)
def test_resend(api: FakeApi) -> None:
    request = sent(api, full())
    body = body_of(request)
    headers = body.pop("headers")
    assert pick(headers, *LIST, "X-Campaign") == {**LIST, "X-Campaign": "spring"}
    assert "Message-ID" not in headers
    assert body == {
        "from": '"Harbour, Hotel" <hello@example.com>',
        "to": ["ana@example.com"],
        "reply_to": ['"Desk" <desk@example.com>'],
        "subject": "Your breakfast, 安娜",
        "text": "Hello Ana",
        "html": "<p>Hello Ana</p>",
        "tags": [{"name": "orchestrator_message", "value": MARK}],
        "attachments": [
            {"filename": "menu.pdf", "content_type": "application/pdf", "content": B64["menu"]},
            {
                "filename": "logo.png",
                "content_type": "image/png",
                "content": B64["logo"],
                "content_id": CID,
            },
        ],
    }
    assert (request.headers["Idempotency-Key"], request.headers["Authorization"]) == (MARK, "Bearer re_key")


@pytest.mark.parametrize("api", ["brevo"], indirect=True)
def test_brevo(api: FakeApi) -> None:
    request = sent(api, full(attachments=(MENU,)))
    body = body_of(request)
    headers = body.pop("headers")
    assert pick(headers, *LIST, "X-Campaign") == {**LIST, "X-Campaign": "spring"}
    assert headers["X-Mailin-custom"] == f"orchestrator_message:{MARK}"
    assert headers["idempotencyKey"] == key_of("e1.email_1.1") == "dac19022-ef2c-4f4e-8da7-48cbbff364d9"
    assert body == {
        "sender": {"email": "hello@example.com", "name": "Harbour, Hotel"},
        "to": [{"email": "ana@example.com"}],
        "replyTo": {"email": "desk@example.com", "name": "Desk"},
        "subject": "Your breakfast, 安娜",
        "textContent": "Hello Ana",
        "htmlContent": "<p>Hello Ana</p>",
        "attachment": [{"name": "menu.pdf", "content": B64["menu"]}],
    }
    assert request.headers["api-key"] == "xkeysib"


@pytest.mark.parametrize("api", ["directmail"], indirect=True)
def test_directmail(api: FakeApi) -> None:
    request = sent(api, full(attachments=()), "&tag=journeys")
    form = form_of(request)
    headers = json.loads(form.pop("Headers"))
    assert headers == {
        "X-User-Notify-Message": MARK,
        "Message-ID": "<e1.email_1.1@example.com>",
        "X-User-Campaign": "spring",
        **LIST,
    }
    assert form == {
        "AccountName": "hello@example.com",
        "FromAlias": "Harbour, Hotel",
        "AddressType": "1",
        "ReplyToAddress": "false",
        "ReplyAddress": "desk@example.com",
        "ReplyAddressAlias": "Desk",
        "ToAddress": "ana@example.com",
        "Subject": "Your breakfast, 安娜",
        "TextBody": "Hello Ana",
        "HtmlBody": "<p>Hello Ana</p>",
        "ClickTrace": "0",
        "UnSubscribeLinkType": "disabled",
        "TagName": "journeys",
    }
    assert request.headers["x-acs-action"] == "SingleSendMail"
    assert request.headers["Authorization"].startswith("ACS3-HMAC-SHA256 Credential=keyid,SignedHeaders=content-type;")


@pytest.mark.parametrize("api", sorted(APIS), indirect=True)
def test_the_address_of_the_channel_names_a_sender_where_nobody_does(api: FakeApi) -> None:
    channel = api.channel()
    [answer] = channel.send([outgoing(sender=None)])
    assert answer.outcome == "retry" and "has no sender" in (answer.reason or "")
    channel.close()
    request = sent(api, outgoing(sender=None), "&from=desk@example.com")
    if api.api.whole:
        assert api.mails[-1]["From"] == "desk@example.com"
    else:
        assert "desk@example.com" in unquote(request.get_data().decode("ascii"))


@pytest.mark.parametrize(
    ("scheme", "values", "words"),
    [
        ("brevo", {"attachments": (LOGO,)}, "no pictures within"),
        ("brevo", {"reply_to": "a@example.com, b@example.com"}, "one address"),
        ("directmail", {"attachments": (MENU,)}, "no attachments"),
        ("directmail", {"reply_to": "a@example.com, b@example.com"}, "one address"),
        ("directmail", {"headers": {f"X-{n}": "v" for n in range(10)}}, "DirectMail takes 10"),
        *((scheme, {"attachments": (Attachment("a", "a/b\r\nX: y", b""),)}, "type") for scheme in APIS),
        *((scheme, {"attachments": (Attachment("a", "a/b", b"", "a>\r\n"),)}, "Content-ID") for scheme in APIS),
        *((scheme, {"attachments": (Attachment("a", "a/b", b"0" * 10_500_000),)}, "at most") for scheme in APIS),
    ],
)
def test_what_cannot_be_written_is_refused_for_good(
    httpserver: HTTPServer, scheme: str, values: dict[str, Any], words: str
) -> None:
    api = FakeApi(httpserver, scheme)
    channel = api.channel()
    [answer] = channel.send([outgoing(**values)])
    channel.close()
    assert answer.outcome == "rejected" and words in (answer.reason or ""), answer
    assert api.requests == []


# --- marks ----------------------------------------------------------------------------------------------------------


@given(st.text(max_size=80))
@example("e1.email_1.1")
@example("-h00")
@example("周 报")
def test_a_mark_leads_back_to_its_id(id: str) -> None:
    mark = mark_of(id)
    assert set(mark) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")
    assert 0 < len(mark) <= LONGEST
    assert id_of(mark) == (id if 0 < len(id.encode("utf-8", "surrogatepass")) * 3 <= LONGEST else id_of(mark))
    assert "".join(metadata(mark).values()) == mark
    assert all(len(name) <= 20 and len(value) <= 80 for name, value in metadata(mark).items())


@given(st.text(max_size=400), st.text(max_size=400))
def test_two_ids_have_two_marks(one: str, other: str) -> None:
    assert (mark_of(one) == mark_of(other)) == (one == other)


@given(st.text(max_size=60) | st.integers() | st.none())
@example("-zz")
@example("-ff")
@example("-2")
def test_what_is_no_mark_leads_to_no_id(text: object) -> None:
    found = id_of(text)
    assert found is None or mark_of(found) == text


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.text(max_size=30), st.text(max_size=30), st.none() | st.text(max_size=30))
def test_any_attachment_is_taken_or_refused(name: str, media_type: str, content_id: str | None) -> None:
    try:
        [found] = checked([Attachment(name, media_type, b"", content_id)])
    except Refused as error:
        refusal = str(error)
    else:
        refusal = "none"
        assert found.name and "/" not in found.name
        for text in found.name, found.media_type, found.content_id or "":
            assert text.isprintable() and '"' not in text and text.isascii() | (text == found.name)
    assert refusal.isprintable()
