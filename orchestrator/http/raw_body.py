"""A request's body, bounded: in bytes, in time, and in what it unpacks to."""

from __future__ import annotations

import asyncio
import zlib

from starlette.requests import ClientDisconnect, Request

from orchestrator.http.problems import HttpRefusal

LONGEST_READ_S = 30.0
"""Seconds that a client may take to send a body."""
CLOSING = {"Connection": "close"}
"""With a refusal that does not wait for the rest of a body: nobody reads on until it ends."""
_MEMBERS = 16
"""Parts that one gzip body may be made of."""


async def read_body(request: Request, limit: int) -> bytes:
    """The body as it was sent. Raises HttpRefusal beyond `limit` bytes or the time for it."""
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and len(length) < 20 and int(length) > limit:
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(LONGEST_READ_S):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                chunks.append(chunk)
    except TimeoutError:
        told = f"the body did not arrive within {LONGEST_READ_S:.0f} seconds"
        raise HttpRefusal(408, "slow_body", told, CLOSING) from None
    except ClientDisconnect:
        raise HttpRefusal(400, "cut_off", "the connection ended before the body did") from None
    return b"".join(chunks)


def unpacked(body: bytes, encoding: str | None, limit: int) -> bytes:
    """The body without its Content-Encoding. Raises HttpRefusal: another one than gzip, damaged, beyond `limit`."""
    name = (encoding or "").strip().lower()
    if name in ("", "identity"):
        return body
    if name not in ("gzip", "x-gzip"):
        detail = f"the Content-Encoding is '{name[:40]}'; send gzip or none"
        raise HttpRefusal(415, "unknown_encoding", ascii(detail)[1:-1], {"Accept-Encoding": "gzip, identity"})
    return _gunzipped(body, limit)


def _gunzipped(body: bytes, limit: int) -> bytes:
    out = bytearray()
    for _ in range(_MEMBERS):
        unpacker = zlib.decompressobj(wbits=31)
        try:
            out += unpacker.decompress(body, limit + 1 - len(out))
        except zlib.error:
            raise HttpRefusal(400, "bad_gzip", "the body is not what its Content-Encoding says: gzip") from None
        if len(out) > limit or unpacker.unconsumed_tail:
            raise _too_large(limit)
        if not unpacker.eof:
            raise HttpRefusal(400, "bad_gzip", "the gzip body ends too early")
        body = unpacker.unused_data
        if not body:
            return bytes(out)
    raise HttpRefusal(400, "bad_gzip", f"the gzip body has more than {_MEMBERS} parts")


def _too_large(limit: int) -> HttpRefusal:
    told = f"a request may have {limit:,} bytes, unpacked; send smaller batches"
    return HttpRefusal(413, "too_large", told, CLOSING)
