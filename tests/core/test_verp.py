"""Envelope senders that name their message."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.verp import LONGEST_LOCAL, marked_id, signed_id, unmarked_id, verp_address, verp_id, verp_mark

SECRET = b"a secret for tests, of 32 bytes."
BASE = "bounce@b.example.com"


def made(id: str) -> str:
    return verp_address(verp_mark(SECRET, id), id, BASE)


def test_a_bounce_names_its_message() -> None:
    address = made("0123456789abcdef.nudge.1")
    assert address.startswith("bounce+0123456789abcdef.nudge.1.") and address.endswith("@b.example.com")
    assert verp_id(SECRET, address) == "0123456789abcdef.nudge.1"
    assert verp_id(SECRET, f" <{address.upper()}> ") == "0123456789abcdef.nudge.1"


def test_an_id_that_an_address_cannot_carry_is_left_out() -> None:
    for id in ("0123456789abcdef.Nudge.1", f"0123456789abcdef.{'x' * 40}.1", "a b", "步骤", "a..b", "a+b", ""):
        assert made(id) == BASE
        assert verp_id(SECRET, made(id)) is None


@settings(max_examples=100, deadline=None)
@given(id=st.from_regex(r"[0-9a-f]{16}\.[A-Za-z_]{1,40}\.[1-9]", fullmatch=True), other=st.text(max_size=80))
def test_only_what_was_signed_is_read(id: str, other: str) -> None:
    address = made(id)
    assert len(address.partition("@")[0]) <= LONGEST_LOCAL
    assert verp_id(SECRET, address) in ((id,) if address != BASE else (None,))
    assert verp_id(b"another secret", address) is None
    assert verp_id(SECRET, other) is None
    assert verp_id(SECRET, f"bounce+{id.lower()}.aaaaaaaaaa@b.example.com") is None


@settings(max_examples=100, deadline=None)
@given(id=st.from_regex(r"[0-9a-f]{16}\.\S{1,40}\.[1-9]", fullmatch=True), other=st.text(max_size=80))
def test_an_id_is_believed_with_its_mark_alone(id: str, other: str) -> None:
    written = marked_id(id, verp_mark(SECRET, id))
    assert signed_id(SECRET, written) == unmarked_id(written) == unmarked_id(id) == id
    for forged in (id, other, f"{id}.aaaaaaaaaa", f"{id}x.{verp_mark(SECRET, id)}", marked_id(id, None)):
        assert signed_id(SECRET, forged) is None
    assert signed_id(b"another secret", written) is None
