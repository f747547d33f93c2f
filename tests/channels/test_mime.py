"""Messages as e-mails: what a mail program reads is what was meant, or the message is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.channels.mime import Mime, build_mime
from orchestrator.channels.mime_headers import MimeRefused
from tests.channels.contract import AT, outgoing

HEADERS = {
    "date", "from", "reply-to", "to", "subject", "message-id", "x-orchestrator-message", "list-unsubscribe",
    "list-unsubscribe-post", "mime-version", "content-type", "content-transfer-encoding",
}  # fmt: skip


def read(mail: Mime) -> EmailMessage:
    """As a mail program does."""
    message = message_from_bytes(mail.data, policy=default)
    assert isinstance(message, EmailMessage)
    assert not message.defects and not any(part.defects for part in message.walk())
    return message


def text_of(message: EmailMessage, kind: str) -> str:
    part = message.get_body((kind,))
    assert part is not None
    content: str = part.get_content()
    return content.replace("\r\n", "\n")


def test_a_message_has_all_that_mailbox_providers_ask_for() -> None:
    url = "https://example.com/u/" + "k" * 120
    mail = build_mime(outgoing(subject="您的早餐已备好", sender="蓝港 <hello@example.com>",
                               reply_to='"Care, at Harbour" <care@example.com>, desk@example.com',
                               unsubscribe_url=url))  # fmt: skip
    message = read(mail)
    assert (mail.sender, mail.to, mail.utf8) == ("hello@example.com", "ana@example.com", False)
    assert message["Subject"] == "您的早餐已备好"
    assert [(a.display_name, a.addr_spec) for a in message["From"].addresses] == [("蓝港", "hello@example.com")]
    assert [(a.display_name, a.addr_spec) for a in message["Reply-To"].addresses] == [
        ("Care, at Harbour", "care@example.com"), ("", "desk@example.com"),
    ]  # fmt: skip
    assert message["To"].addresses[0].addr_spec == "ana@example.com"
    assert message["Date"].datetime == AT
    assert message["Message-ID"] == "<e1.email_1.1@example.com>"
    assert message["X-Orchestrator-Message"] == "e1.email_1.1"
    assert f"\r\nList-Unsubscribe: <{url}>\r\n".encode() in mail.data  # whole: readers of it do not decode words
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message.get_content_type() == "multipart/alternative"
    assert (text_of(message, "plain"), text_of(message, "html")) == ("Hello Ana", "<p>Hello Ana</p>")


def test_a_message_of_text_alone_has_one_part() -> None:
    message = read(build_mime(outgoing(html=None, text="一二三\n四五六\n")))
    assert message.get_content_type() == "text/plain"
    assert text_of(message, "plain") == "一二三\n四五六\n"
    assert message["List-Unsubscribe"] is None


def test_the_same_message_has_the_same_bytes() -> None:
    assert build_mime(outgoing()) == build_mime(outgoing())
    assert build_mime(outgoing("other.s.1")).data != build_mime(outgoing()).data


def test_an_instant_of_any_zone_is_written_in_utc() -> None:
    at = datetime.fromisoformat("2026-03-02T23:30:00+13:45")
    assert read(build_mime(outgoing(at=at)))["Date"].datetime == at.astimezone(UTC)
    assert read(build_mime(outgoing(at=None), now=AT))["Date"].datetime == AT


def test_a_sender_is_needed_and_may_have_a_default() -> None:
    with pytest.raises(MimeRefused, match=r"name one in project\.yaml") as refused:
        build_mime(outgoing(sender=None))
    assert not refused.value.for_good
    assert build_mime(outgoing(sender=None), "noreply@example.org").sender == "noreply@example.org"


def test_a_mailbox_beyond_ascii_needs_a_server_that_knows_it() -> None:
    mail = build_mime(outgoing(to="josé@example.com"))
    assert mail.utf8
    assert "To: <josé@example.com>\r\n".encode() in mail.data


def test_a_domain_beyond_ascii_is_sent_in_ascii() -> None:
    assert build_mime(outgoing(sender="Hafen <hallo@hafen-münchen.example>")).sender.endswith(".example")
    assert "xn--" in build_mime(outgoing(sender="Hafen <hallo@hafen-münchen.example>")).sender


def test_extra_headers_are_written_and_cannot_pose_as_ours() -> None:
    assert read(build_mime(outgoing(headers={"X-Campaign": "spring 春"})))["X-Campaign"] == "spring 春"
    with pytest.raises(MimeRefused, match="names begin with X-"):
        build_mime(outgoing(headers={"x-orchestrator-message": "other"}))


def built(**values: object) -> tuple[Mime | None, str]:
    """A message, or why there is none."""
    try:
        return build_mime(outgoing()._replace(**values)), ""  # type: ignore[arg-type]
    except MimeRefused as refused:
        return None, str(refused)


ANY_TEXT = st.text(max_size=200)
LINE = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=400)


@given(LINE)
def test_any_line_is_read_as_it_was_written_or_refused(subject: str) -> None:
    try:
        mail = build_mime(outgoing(subject=subject))
    except MimeRefused:
        assert "=?" in subject or not subject.strip()
        return
    assert str(read(mail)["Subject"] or "") == " ".join(subject.split())
    head = mail.data.partition(b"\r\n\r\n")[0]
    assert max(map(len, head.split(b"\r\n"))) <= 998


@given(subject=ANY_TEXT, sender=ANY_TEXT, reply_to=ANY_TEXT, to=ANY_TEXT, url=ANY_TEXT, id=ANY_TEXT)
def test_no_value_adds_a_header(subject: str, sender: str, reply_to: str, to: str, url: str, id: str) -> None:
    for values in (
        {"subject": subject}, {"sender": sender}, {"sender": f"{sender} <a@example.com>"}, {"reply_to": reply_to},
        {"to": to}, {"to": f"{to}@example.com"}, {"unsubscribe_url": url}, {"unsubscribe_url": f"https://x/{url}"},
        {"id": id},
    ):  # fmt: skip
        mail, refusal = built(**values)
        if mail is None:
            assert refusal.isprintable()
            continue
        names = [name.lower() for name in message_from_bytes(mail.data, policy=default)]
        assert set(names) <= HEADERS and len(names) == len(set(names))
        assert b"\n" not in mail.data.replace(b"\r\n", b"") and b"\r" not in mail.data.replace(b"\r\n", b"")


@given(st.text(max_size=3_000), st.text(max_size=3_000))
def test_any_body_is_read_as_it_was_written(text: str, html: str) -> None:
    message = read(build_mime(outgoing(text=text, html=html)))
    for kind, wanted in (("plain", text), ("html", html)):
        lines = wanted.replace("\r\n", "\n").replace("\r", "\n").replace("\x00", "")
        seen = text_of(message, kind)
        assert seen == lines.encode("utf-8", "replace").decode()


@given(st.lists(st.text(st.sampled_from(" .=<>a\n世"), max_size=90), max_size=60), st.integers(0, 80))
def test_long_lines_of_elements_are_read_as_they_were_written(steps: list[str], width: int) -> None:
    html = "</td>".join(["<" + "a" * width, *steps, "<p " * 200, "b" * 10_100 * (width % 2), ""])
    mail = build_mime(outgoing(text="", html=html))
    assert text_of(read(mail), "html") == html
    body = mail.data.partition(b"\r\n\r\n")[2]
    assert all(len(line) <= 76 for line in body.split(b"\r\n"))
    assert b"\r\n.\r\n" not in body


@given(st.text(st.sampled_from(" \t.=a\n\r世"), max_size=300))
def test_odd_lines_survive_the_wire(text: str) -> None:
    data = build_mime(outgoing(text=text, html=None)).data
    assert all(len(line) <= 78 for line in data.split(b"\r\n"))
    assert b"\r\n.\r\n" not in data
