"""What came back: unpacked within a bound, read as JSON or text, and only if a database could keep it."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from email.message import Message
from math import isfinite
from typing import Any, Final

from orchestrator.channels.http_failure import CallFailed

LARGEST_REPLY: Final = 1024 * 1024
"""Bytes of a body, unpacked."""
DEEPEST: Final = 32
LONGEST_NUMBER: Final = 400
"""Digits of an integer: reading takes time that grows with their square."""
LONGEST_CONTENT_TYPE: Final = 200

_CHARSETS: Final = frozenset(
    {"utf-8", "utf8", "us-ascii", "ascii", "iso-8859-1", "latin1", "iso-8859-15", "windows-1252", "utf-16", "gb2312",
     "gbk", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr"}
)  # fmt: skip
"""Those that are decoded in linear time; Python knows some that are not."""


class ReplyHead:
    """The headers of an answer, by lower-case name; of several with one name the last."""

    def __init__(self, headers: Iterable[tuple[bytes, bytes]]) -> None:
        self._values = {name.lower().decode("latin-1"): _text(value) for name, value in headers}
        self._parsed = Message()
        self._parsed["content-type"] = self._values.get("content-type", "")[:LONGEST_CONTENT_TYPE]

    def get(self, name: str) -> str | None:
        """A header's value."""
        return self._values.get(name)

    @property
    def charset(self) -> str | None:
        """The encoding that the content type names."""
        found = self._parsed.get_param("charset")
        return found.strip().lower() if isinstance(found, str) else None

    @property
    def media_type(self) -> str:
        """Such as `application/json`; empty where there is none."""
        return self._parsed.get_content_type() if self._values.get("content-type") else ""


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def unpacked(chunks: Iterable[bytes], encoding: str | None, most: int = LARGEST_REPLY) -> bytes:
    """The whole body. Raises CallFailed (too_large, bad_response); nothing beyond `most` bytes is ever unpacked."""
    packing = (encoding or "identity").strip().lower()
    if packing not in ("identity", "", "gzip", "x-gzip", "deflate"):
        raise CallFailed("bad_response", f"the answer is packed as '{packing}', which was not asked for")
    unpack = None if packing in ("identity", "") else _Unpacker(packing)
    out, came = bytearray(), 0
    for chunk in chunks:
        came += len(chunk)
        out += chunk if unpack is None else unpack.take(chunk, most + 1 - len(out))
        if max(len(out), came) > most:
            raise CallFailed("too_large", f"the answer is larger than {most} bytes")
    if unpack is not None:
        unpack.end()
    return bytes(out)


class _Unpacker:
    def __init__(self, packing: str) -> None:
        # 32: with a zlib or gzip header, whichever comes; bare `deflate` without one is told by its first byte.
        self._raw = packing == "deflate"
        self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 32)
        self._begun = False

    def take(self, chunk: bytes, most: int) -> bytes:
        """At most `most` bytes more; where there is more to come, the caller has seen too much already."""
        if not self._begun and chunk:
            self._begun = True
            if self._raw and chunk[0] & 0x0F != 8:
                self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            return self._zlib.decompress(chunk, most)
        except zlib.error as error:
            raise CallFailed("bad_response", f"the answer cannot be unpacked ({error})") from None

    def end(self) -> None:
        if self._begun and not self._zlib.eof:
            raise CallFailed("bad_response", "the answer ends in the middle of its packing")


def reply_value(head: ReplyHead, body: bytes) -> Any:
    """The answer as data: None, text, or what JSON holds. Raises CallFailed (bad_response).

    JSON is what its content type calls so, and any text that begins with `{` or `[` and can be read as JSON (many
    services call theirs text/plain).
    """
    if not body.strip():
        return None
    media = head.media_type
    is_json = media in ("application/json", "text/json") or media.endswith("+json")
    text = _decoded(body, head.charset, is_json)
    if is_json:
        return _json(text)
    if text.lstrip()[:1] in ("{", "["):
        try:
            return _json(text)
        except CallFailed:
            pass
    return _storable(text, 0)


def _decoded(body: bytes, charset: str | None, is_json: bool) -> str:
    name = "utf-8" if is_json or charset is None else charset
    if name not in _CHARSETS:
        raise CallFailed("bad_response", f"the answer's charset '{name}' is unknown")
    try:
        return body.decode(name).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise CallFailed("bad_response", f"the answer is not {name}: byte {error.start} cannot be read") from None


def _json(text: str) -> Any:
    try:
        value = json.loads(text, parse_constant=_no_number, parse_int=_integer, parse_float=_number)
    except CallFailed:
        raise
    except RecursionError:
        raise CallFailed("bad_response", f"the answer is nested more than {DEEPEST} levels deep") from None
    except ValueError as error:
        raise CallFailed("bad_response", f"the answer is no JSON ({error})") from None
    return _storable(value, 0)


def _no_number(found: str) -> Any:
    raise CallFailed("bad_response", f"the answer holds {found}, which is no number")


def _integer(found: str) -> int:
    if len(found) > LONGEST_NUMBER:
        raise CallFailed("bad_response", f"the answer holds a number of {len(found)} digits")
    return int(found)


def _number(found: str) -> float:
    number = float(found)
    if not isfinite(number):
        raise CallFailed("bad_response", f"the answer holds {found[:40]}, which is no number")
    return number


def _storable(value: Any, depth: int) -> Any:
    """The value itself, if a database can keep it."""
    if isinstance(value, str):
        if "\x00" in value:
            raise CallFailed("bad_response", "the answer holds U+0000, which databases cannot store")
        if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            raise CallFailed("bad_response", "the answer holds half of a character (a lone surrogate)")
    elif isinstance(value, (dict, list)):
        if depth >= DEEPEST:
            raise CallFailed("bad_response", f"the answer is nested more than {DEEPEST} levels deep")
        for inner in (*value, *value.values()) if isinstance(value, dict) else value:
            _storable(inner, depth + 1)
    return value
