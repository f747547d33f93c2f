"""Warnings about a rendered message."""

from __future__ import annotations

from orchestrator.templating.preview import preview_warnings
from orchestrator.templating.render import Rendered


def email(html: str, subject: str = "Hello", preheader: str | None = "Soon") -> Rendered:
    """An email with this HTML."""
    return Rendered(subject, preheader, "text", html, None, None)


def codes(message: Rendered, channel: str = "email", **options: object) -> list[str]:
    """The codes of its warnings."""
    return [notice.code for notice in preview_warnings(message, channel, **options)]  # type: ignore[arg-type]


def test_a_good_email_has_no_warning() -> None:
    html = '<a href="https://example.com/u/1?a=1&amp;b=2">x</a><img src="cid:logo" alt="Blue Harbour">'
    assert codes(email(html), needs_unsubscribe=True, unsubscribe_url="https://example.com/u/1?a=1&b=2") == []


def test_links() -> None:
    html = (
        '<a href="http://example.com">a</a><a href="/x">b</a><a href="http://localhost:8000/">c</a><a>d</a>'
        '<a href="https://10.0.0.1/">e</a><a href="https://[::1]/">f</a><a href="https://[x">g</a>'
        '<a href="mailto:a@b.c">h</a>'
    )
    assert codes(email(html)) == [
        "insecure_link",
        "relative_link",
        "local_link",
        "empty_link",
        "local_link",
        "local_link",
        "broken_link",
    ]


def test_images() -> None:
    html = '<img src="https://example.com/a.png"><img alt="" src="data:image/png;base64,x">'
    html += '<img alt="x"><img alt="" src="a.png">'
    assert codes(email(html)) == [
        "image_without_alt",
        "remote_image",
        "data_image",
        "image_without_source",
        "relative_link",
    ]


def test_size_and_subject_and_way_out() -> None:
    assert codes(email("é" * 60_000)) == ["clipped"]
    assert codes(email("x"), as_sent="é" * 60_000) == ["clipped"]
    assert codes(email("x", "x" * 80, None)) == ["long_subject", "no_preheader"]
    assert codes(email("x", "BUY EVERYTHING")) == ["loud_subject"]
    assert codes(email("x", "")) == ["no_subject"]
    assert codes(email("x"), needs_unsubscribe=True) == ["no_unsubscribe"]


def test_sms() -> None:
    def text(body: str) -> Rendered:
        return Rendered(None, None, body, None, None, None)

    assert codes(text("Hello"), "sms") == []
    assert codes(text(""), "sms") == ["empty_text"]
    assert codes(text("a" * 161), "sms") == ["sms_segments"]
    assert codes(text("a" * 600), "sms") == ["sms_long"]
    assert codes(text("it’s"), "sms") == ["sms_encoding"]
    assert codes(text("您好"), "sms") == []
    assert codes(text("see http://localhost/x"), "sms") == ["local_link"]


def test_segments_are_counted_as_the_number_pays_them() -> None:
    text = Rendered(None, None, "a" * 100, None, None, None)
    assert codes(text, "sms", to="+447400123456") == []
    assert codes(text, "sms", to="+8613800000000") == ["sms_segments"]
