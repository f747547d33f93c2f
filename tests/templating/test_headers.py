"""One line, one meaning: what a value can do to a header."""

from __future__ import annotations

from email.message import EmailMessage
from email.policy import SMTP

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.templating.headers import HeaderRefused, address_header, address_line, checked_bytes, one_line


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Hello", "Hello"),
        ("  a \r\n b\t\tc ", "a b c"),
        ("a\x00b\x1bc", "abc"),
        ("a\u2028b\u0085c", "a b c"),
        ("=?utf-8?q?x=0D=0ABcc:_a=40b.c?=", "= ?utf-8?q?x=0D=0ABcc:_a=40b.c?="),
        ("您好 😀", "您好 😀"),
    ],
)
def test_one_line(text: str, line: str) -> None:
    assert one_line(text) == line


@pytest.mark.parametrize("text", ["", " \r\n ", "\x00", "x" * 501])
def test_lines_that_are_refused(text: str) -> None:
    with pytest.raises(HeaderRefused):
        one_line(text)


@pytest.mark.parametrize(
    "text",
    [
        "a@b.c\r\nBcc: d@e.f",
        "a@b.c\x00",
        "nobody",
        "a b@c",
        "a@b.c, d@e.f",
        "<>",
        "",
        "a@b.c>",
        "=?utf-8?q?a?=",
        "a@@b",
    ],
)
def test_addresses_that_are_refused(text: str) -> None:
    with pytest.raises(HeaderRefused):
        address_line(text)


def test_addresses() -> None:
    assert address_line("Blue Harbour <hello@example.com>") == "Blue Harbour <hello@example.com>"
    assert address_line("a@b.cn, c@d.cn", several=True) == "a@b.cn, c@d.cn"
    assert str(address_header("蓝港 <hello@example.com>")[0]) == "蓝港 <hello@example.com>"


def message_with(subject: str, body: str = "x") -> EmailMessage:
    """A small message."""
    message = EmailMessage(policy=SMTP)
    message["Subject"] = subject
    message["From"] = address_header("Blue Harbour <hello@example.com>")
    message.set_content(body)
    return message


@given(
    st.text(max_size=80) | st.sampled_from(["=?utf-8?b?DQpCY2M6IHhAeS56?=", "=?x", "a =?us-ascii?q?=0A?= b", "é" * 90])
)
def test_every_subject_is_read_back_as_written_or_refused(text: str) -> None:
    try:
        line = one_line(text)
        data = checked_bytes(message_with(line), {"Subject": line})
    except HeaderRefused:
        return
    head = data.split(b"\r\n\r\n")[0].lower()
    assert head.count(b"\r\nbcc:") == 0
    assert head.startswith(b"subject:")


def test_a_header_that_would_be_read_otherwise_is_refused() -> None:
    trick = "=?utf-8?q?Paid?="
    with pytest.raises(HeaderRefused):
        checked_bytes(message_with(trick), {"Subject": trick})
