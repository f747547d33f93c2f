"""What comes back is unpacked within a bound and read only as what a database could keep."""

from __future__ import annotations

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.channels.http_failure import CallFailed
from orchestrator.channels.http_reply import LARGEST_REPLY, ReplyHead, reply_value, unpacked

JSON = ReplyHead([(b"Content-Type", b"application/json; charset=utf-8")])
TEXT = ReplyHead([(b"content-type", b"text/plain")])

scalars = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
data = st.recursive(scalars | texts, lambda d: st.lists(d, max_size=4) | st.dictionaries(texts, d, max_size=4))


def why(head: ReplyHead, body: bytes) -> str:
    with pytest.raises(CallFailed) as caught:
        reply_value(head, body)
    assert caught.value.reason == "bad_response"
    return str(caught.value)


@given(data)
def test_json_comes_back_as_it_was(value: Any) -> None:
    assert reply_value(JSON, json.dumps(value).encode()) == value
    assert reply_value(ReplyHead([(b"content-type", b"application/hal+json")]), json.dumps(value).encode()) == value


@given(texts)
def test_text_comes_back_as_it_was(text: str) -> None:
    got = reply_value(TEXT, text.encode())
    if text.strip(" \t\n\r\x0b\x0c") == "":
        assert got is None
    elif text.lstrip()[:1] not in ("{", "["):
        assert got == text.removeprefix("\ufeff")


def test_text_that_is_json_in_all_but_name_is_data() -> None:
    assert reply_value(TEXT, b' {"kind": "rain"}') == {"kind": "rain"}
    assert reply_value(TEXT, b"{not json") == "{not json"
    assert reply_value(TEXT, b"12") == "12"
    assert reply_value(ReplyHead([]), b"[1]") == [1]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"a": NaN}', "NaN"),
        (b"[-Infinity]", "Infinity"),
        (b"[1e999]", "1e999"),
        (b"[" + b"9" * 5000 + b"]", "5000 digits"),
        (b'{"a": ', "no JSON"),
        (b"<html>", "no JSON"),
        (b'"\\u0000"', "U+0000"),
        (b'{"\\ud800": 1}', "half of a character"),
        (b'"\xff\xfe"', "not utf-8"),
        (b"[" * 100_000, "levels deep"),
        (b"[" * 33 + b"]" * 33, "levels deep"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "levels deep"),
    ],
)
def test_what_cannot_be_kept_is_no_answer(body: bytes, said: str) -> None:
    assert said in why(JSON, body)


def test_charsets_are_those_that_are_read_in_linear_time() -> None:
    for charset in ("windows-1252", "ISO-8859-1", '"latin1"'):
        head = ReplyHead([(b"content-type", f"text/plain; charset={charset}".encode())])
        assert reply_value(head, "Grüße".encode("latin-1")) == "Grüße"
    for charset in (b"idna", b"punycode", b"unicode_escape", b"zlib", b"\xff", b"utf-8" * 10_000):
        assert "bad_response" in why(ReplyHead([(b"content-type", b"text/plain; charset=" + charset)]), b"x-\xff")
    assert "not utf-8" in why(TEXT, b"Gr\xfc\xdfe")
    assert "U+0000" in why(TEXT, b"a\x00b")


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_bytes_are_a_value_or_a_reason(body: bytes, content_type: bytes) -> None:
    for head in (JSON, TEXT, ReplyHead([(b"content-type", content_type)])):
        reasons = set()
        try:
            json.dumps(reply_value(head, body), allow_nan=False).encode()
        except CallFailed as failure:
            reasons.add(failure.reason)
        assert reasons <= {"bad_response"}


@given(
    st.binary(max_size=3000), st.sampled_from(["gzip", "deflate", "raw deflate", "identity", ""]), st.integers(1, 50)
)
def test_packed_bodies_are_unpacked_in_any_pieces(body: bytes, packing: str, piece: int) -> None:
    bare = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    packed = {
        "gzip": gzip.compress(body),
        "deflate": zlib.compress(body),
        "raw deflate": bare.compress(body) + bare.flush(),
    }.get(packing, body)
    pieces = [packed[n : n + piece] for n in range(0, len(packed), piece)]
    assert unpacked(pieces, packing.removeprefix("raw ")) == body


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate"]))
def test_bytes_that_are_not_packed_are_a_reason(body: bytes, packing: str) -> None:
    reasons = set()
    try:
        unpacked([body], packing)
    except CallFailed as failure:
        reasons.add(failure.reason)
    assert reasons <= {"bad_response", "too_large"}


def test_a_bomb_is_stopped_before_it_unfolds() -> None:
    bomb = gzip.compress(b"\0" * 200_000_000, 9)
    tracemalloc.start()
    try:
        with pytest.raises(CallFailed, match=r"^too_large: "):
            unpacked([bomb], "gzip")
        assert tracemalloc.get_traced_memory()[1] < 8 * LARGEST_REPLY
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("packing", ["identity", "gzip"])
def test_a_body_without_end_is_left(packing: str) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        yield gzip.compress(b"x") if packing == "gzip" else b""  # what follows a packed body's end counts as well
        while True:
            taken += 4096
            yield b"x" * 4096

    with pytest.raises(CallFailed, match=r"^too_large: "):
        unpacked(endless(), packing)
    assert taken <= LARGEST_REPLY + 4096
    assert len(unpacked([b"x" * LARGEST_REPLY], None)) == LARGEST_REPLY


def test_other_packings_and_halves_are_refused() -> None:
    for packing in ("br", "gzip, gzip", "compress"):
        with pytest.raises(CallFailed, match=r"^bad_response: .*not asked for"):
            unpacked([b"x"], packing)
    with pytest.raises(CallFailed, match="in the middle"):
        unpacked([gzip.compress(b"abc" * 100)[:-10]], "gzip")
