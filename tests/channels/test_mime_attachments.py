"""Files and pictures in a mail, and the headers that say what it belongs to."""

from __future__ import annotations

import os
import random
import string
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.channels.mime import build_mime
from orchestrator.channels.mime_bodies import MOST_ATTACHED
from orchestrator.channels.mime_headers import MimeRefused
from orchestrator.channels.protocol import Attachment
from tests.channels.contract import outgoing

PICTURE = Attachment("logo.png", "image/png", b"\x89PNG\r\n\x1a\n" * 40, "0a1b2c3d4e5f@assets")
TERMS = Attachment("terms.pdf", "application/pdf", b"%PDF-1.7\r\n.\r\n" * 100)
KNOWN = {
    "date", "from", "reply-to", "to", "subject", "message-id", "x-orchestrator-message", "list-unsubscribe",
    "list-unsubscribe-post", "list-id", "feedback-id", "auto-submitted", "mime-version", "content-type",
    "content-transfer-encoding",
}  # fmt: skip


def read(out: object) -> EmailMessage:
    message = message_from_bytes(build_mime(out).data, policy=default)  # type: ignore[arg-type]
    assert isinstance(message, EmailMessage)
    assert not message.defects and not any(part.defects for part in message.walk())
    return message


def shape(message: EmailMessage) -> object:
    if not message.is_multipart():
        return message.get_content_type()
    return {message.get_content_subtype(): [shape(part) for part in message.iter_parts()]}


def test_files_stand_around_pictures_around_the_texts() -> None:
    texts = {"alternative": ["text/plain", "text/html"]}
    assert shape(read(outgoing(attachments=[PICTURE, TERMS]))) == {
        "mixed": [{"related": [texts, "image/png"]}, "application/pdf"]
    }
    assert shape(read(outgoing(attachments=[PICTURE]))) == {"related": [texts, "image/png"]}
    assert shape(read(outgoing(attachments=[TERMS]))) == {"mixed": [texts, "application/pdf"]}
    assert shape(read(outgoing(html=None, attachments=[TERMS]))) == {"mixed": ["text/plain", "application/pdf"]}


def test_files_arrive_byte_for_byte() -> None:
    related, pdf = read(outgoing(attachments=[PICTURE, TERMS])).iter_parts()
    picture = list(related.iter_parts())[1]
    assert (pdf.get_content(), pdf.get_filename(), pdf.is_attachment()) == (TERMS.data, "terms.pdf", True)
    assert (picture.get_content(), picture["Content-ID"]) == (PICTURE.data, "<0a1b2c3d4e5f@assets>")
    assert picture.get_content_disposition() == "inline"


@pytest.mark.parametrize(
    ("name", "read_as"),
    [("您的行程.pdf", "您的行程.pdf"), ("a b (2).pdf", "a b (2).pdf"), ("../../etc/passwd", "passwd"), ("", "file"),
     ('a"b.pdf', "ab.pdf"), ("C:\\x\\y.pdf", "y.pdf"), ("a\r\nBcc: eve@example.com", "aBcc eve@example.com"),
     ("x" * 300 + ".pdf", "x" * 116 + ".pdf")],
)  # fmt: skip
def test_the_names_of_files_are_only_names(name: str, read_as: str) -> None:
    [_, part] = read(outgoing(attachments=[TERMS._replace(name=name)])).iter_parts()
    assert part.get_filename() == read_as
    assert {key.lower() for key in part} == {"content-type", "content-transfer-encoding", "content-disposition"}


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200) | st.text(st.sampled_from("合同条款😀é a"), min_size=100, max_size=300))
def test_any_name_of_a_file_fits_into_lines_and_keeps_its_end(name: str) -> None:
    mail = build_mime(outgoing(attachments=[TERMS._replace(name=f"{name}.pdf")]))
    assert max(map(len, mail.data.split(b"\r\n"))) <= 998
    [_, part] = read(outgoing(attachments=[TERMS._replace(name=f"{name}.pdf")])).iter_parts()
    assert (part.get_filename() or "").endswith(".pdf")


@pytest.mark.parametrize(
    "attachment",
    [TERMS._replace(media_type="text/html\r\nX-A: b"), TERMS._replace(media_type="pdf"),
     PICTURE._replace(content_id="a@b>\r\nX-A: <b"), TERMS._replace(data=b"0" * (MOST_ATTACHED + 1))],
)  # fmt: skip
def test_what_cannot_be_attached_is_refused(attachment: Attachment) -> None:
    with pytest.raises(MimeRefused):
        build_mime(outgoing(attachments=[attachment]))


# --- what a message belongs to --------------------------------------------------------------------------------------


def test_a_message_says_what_it_belongs_to() -> None:
    about = {"journey": "abandoned_cart", "topic": "promotions"}
    message = read(outgoing(**about, klass="promotional"))
    assert message["List-Id"] == "<promotions.example.com>"
    assert message["Feedback-ID"] == "abandoned_cart:promotions:promotional:example-com"
    assert message["Auto-Submitted"] is None and message["Precedence"] is None
    order = read(outgoing(journey="confirms", topic="orders", klass="transactional"))
    assert (order["List-Id"], order["Auto-Submitted"]) == (None, "auto-generated")
    assert order["Feedback-ID"].split(":")[-1] == "example-com"
    assert read(outgoing())["Feedback-ID"] is None


@settings(max_examples=100, deadline=None)
@given(journey=st.text(min_size=1, max_size=60), topic=st.text(min_size=1, max_size=60))
def test_any_name_of_a_journey_and_a_topic_fits(journey: str, topic: str) -> None:
    message = read(outgoing(journey=journey, topic=topic, klass="service"))
    fields = message["Feedback-ID"].split(":")
    assert len(fields) == 4 and 5 <= len(fields[-1]) <= 15 and all(fields)
    assert message["List-Id"].endswith(".example.com>")


# --- fuzz -----------------------------------------------------------------------------------------------------------

HOSTILE = [
    "\r\n", "\n", "\r", "\r\n ", "\r\n\t", "\r\n\r\n", "\x00", "\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029",
    "\ud800", "Bcc: eve@example.com", "\r\nBcc: eve@example.com", "\nX-Evil: 1\n",
    "=?utf-8?q?=0D=0ABcc:_eve@example.com?=", "=?utf-8?b?DQpCY2M6IGV2ZUBleGFtcGxlLmNvbQ==?=", "<", ">", '"', "\\", ",",
    ";", "@", ":", "您好", "👋", "é", " ", "=", "%0d%0a", "a@example.com", "https://example.com/", ".", "--", "x" * 80,
]  # fmt: skip


def _hostile(draw: random.Random) -> str:
    parts = [draw.choice(HOSTILE) if draw.random() < 0.5 else draw.choice(string.printable) for _ in range(4)]
    return "".join(parts)


TRIES = int(os.environ.get("ORCHESTRATOR_TEST_FUZZ", "3000"))
"""How many hostile messages; 100000 for the long form."""


def test_no_value_adds_a_header() -> None:
    draw, taken = random.Random(5), 0
    plain = {
        "subject": "Hi", "sender": "A <a@example.com>", "reply_to": "b@example.com", "to": "c@example.com",
        "id": "e.s.1", "unsubscribe_url": "https://example.com/u/x", "journey": "j", "topic": "t", "klass": "service",
    }  # fmt: skip
    for _ in range(TRIES):
        spoiled = {name: value + _hostile(draw) if draw.random() < 0.5 else _hostile(draw)
                   for name, value in plain.items() if draw.random() < 0.2}  # fmt: skip
        file = TERMS._replace(name=_hostile(draw), data=b"x")
        try:
            mail = build_mime(outgoing(**{**plain, **spoiled}, attachments=[file] if draw.random() < 0.2 else []))
        except MimeRefused:
            continue
        taken += 1
        head, _, body = mail.data.partition(b"\r\n\r\n")
        assert not any(byte in head.replace(b"\r\n", b"") for byte in (b"\r", b"\n", b"\x00")), spoiled
        names = [line.partition(b":")[0].decode().lower() for line in head.split(b"\r\n") if line[:1] not in b" \t"]
        assert len(names) == len(set(names)) and set(names) <= KNOWN, (names, spoiled)
        if b"multipart/mixed" in head:
            part = body.split(b"\r\n--=_")[1].partition(b"\r\n\r\n")[0].split(b"\r\n")
            assert {line.partition(b":")[0].lower() for line in part[1:] if line[:1] not in b" \t"} <= {
                b"content-type", b"content-transfer-encoding", b"content-disposition",
            }  # fmt: skip
    assert taken > TRIES / 5
