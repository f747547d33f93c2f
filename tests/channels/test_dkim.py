"""Our signatures against another party's verifier, for both algorithms and odd bodies."""

from __future__ import annotations

from collections.abc import Sequence

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.channels.dkim import OVERSIGNED, DkimKey, relaxed_body, signed
from orchestrator.channels.mime import build_mime
from orchestrator.channels.protocol import Attachment
from tests.channels.contract import outgoing

RSA = DkimKey("r1", generate_private_key(65537, 2048))
ED = DkimKey("e1", Ed25519PrivateKey.generate())
RECORDS = {f"{key.selector}._domainkey.example.com.".encode(): key.record().encode() for key in (RSA, ED)}
HEAD = b"From: A <a@example.com>\r\nTo: b@example.org\r\nSubject:  Hi\r\n   there \tAna \r\nDate: Mon, 2 Mar\r\n\r\n"


def verified(data: bytes) -> bool:
    """Every signature of the mail, by dkimpy."""
    count = data.count(b"DKIM-Signature:")
    try:
        return all(dkim.DKIM(data).verify(n, dnsfunc=lambda name, timeout=5: RECORDS.get(name)) for n in range(count))
    except dkim.ValidationError:  # how it says that the body is another one
        return False


def sign(data: bytes, keys: Sequence[DkimKey] = (RSA, ED)) -> bytes:
    return signed(data, "example.com", keys, 1_772_445_600)


@pytest.mark.parametrize(
    "body",
    [b"", b"\r\n", b"\r\n\r\n\r\n", b"no end", b"one\r\n\r\n\r\n", b"a  \t b \t\r\n \r\n\t\r\n", b"\t\r\n", b" a\r\n",
     b"a" * 20_000 + b"\r\n", "您的早餐已备好\r\n".encode(), b".\r\n..\r\n", b"a\r\n" * 5_000, b" \r\n" * 500],
)  # fmt: skip
def test_odd_bodies_are_signed_as_others_read_them(body: bytes) -> None:
    data = sign(HEAD + body)
    assert data.endswith(HEAD + body) and data.count(b"DKIM-Signature:") == 2
    assert verified(data)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(body=st.text("a \t\n.=您", max_size=60))
def test_any_body_is_signed_as_others_read_it(body: str) -> None:
    assert verified(sign(HEAD + f"{body}\n".replace("\n", "\r\n").encode(), [ED]))


@settings(max_examples=50, deadline=None)
@given(
    subject=st.text(max_size=120),
    text=st.text(max_size=300),
    html=st.none() | st.text(max_size=300),
    name=st.text(max_size=30),
)
def test_every_mail_that_we_make_can_be_signed(subject: str, text: str, html: str | None, name: str) -> None:
    files = [Attachment(f"{name}.pdf", "application/pdf", b"%PDF" * 30)]
    clean = "".join(c for c in subject.replace("=?", "") if c.isprintable())
    url = "https://example.com/u/x"
    out = outgoing(subject=clean, text=text, html=html, topic="promotions", klass="promotional", unsubscribe_url=url)
    assert verified(sign(build_mime(out._replace(attachments=files)).data))


def test_nothing_that_readers_see_can_be_added_or_changed() -> None:
    data = sign(HEAD + b"Hello\r\n")
    for name in OVERSIGNED:
        assert not verified(data.replace(b"\r\n\r\n", f"\r\n{name}: another\r\n\r\n".encode(), 1)), name
    assert not verified(data.replace(b"Hi\r\n", b"Ho\r\n"))
    assert not verified(data.replace(b"Hello", b"Hullo"))
    assert verified(data.replace(b"Subject:  Hi", b"subject: Hi"))  # as `relaxed` allows


def test_a_signature_is_the_same_for_the_same_mail() -> None:
    assert sign(HEAD + b"x\r\n") == sign(HEAD + b"x\r\n")  # both algorithms are without chance


def test_empty_lines_at_the_end_do_not_count() -> None:
    assert relaxed_body(b"") == relaxed_body(b"\r\n \t\r\n") == b""
    assert relaxed_body(b"a\r\n\r\n") == relaxed_body(b"a") == b"a\r\n"
