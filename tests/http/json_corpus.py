"""Texts that parsers of JSON disagree about, after the kinds of cases of "Parsing JSON is a Minefield": what RFC 8259
takes, what it refuses, and what it leaves open. Each stands as a whole body, and inside of an item."""

from __future__ import annotations

from typing import Final

TAKEN: Final[tuple[bytes, ...]] = (
    b'{"a":[]}', b'{"a":{}}', b'{"a":[[]   ]}', b'{"a":""}', b'{"a":[null, 1, "1", {}]}', b'{"a":0e+1}', b'{"a":0e1}',
    b'{"a":-0}', b'{"a":-1}', b'{"a":1E22}', b'{"a":1E-2}', b'{"a":1e-5000}', b'{"a":123.456789}', b'{"":0}',
    b'{"a":"\\u0060\\u012a\\u12AB"}', b'{"a":"\\uD801\\udc37"}', b'{"a":"\\"\\\\\\/\\b\\f\\n\\r\\t"}',
    b'{"a":"\\u0012"}', b'{"a":"\xc2\x80\xe2\x82\xac\xf0\x9f\x92\xa9"}', b'{"a":"\x7f"}', b'{"a":"\xe2\x80\xa8"}',
    b'{"a":"\\u2028"}', b'{"a":"\\uFFFF"}', b' \t\n\r{"a":1} \t\n\r', b'{"a":true,"b":false,"c":null}',
    b'{"min":-1.0e+28,"max":1.0e+28}', b'{"a\\u0062":1}', b'{"a":"/*"}', b'{"a":12345678901234567890}',
    b'\xef\xbb\xbf{"a":1}',
)  # fmt: skip
REFUSED: Final[tuple[bytes, ...]] = (
    b"", b" ", b"\xef\xbb\xbf", b"{", b"}", b"[", b"]", b"{]", b"[}", b'{"a"', b'{"a":', b'{"a":1', b'{"a":1,',
    b'{"a":1,}',
    b'{"a",1}', b'{"a" 1}', b"{a:1}", b"{'a':1}", b'{"a":\'1\'}', b'{"a":1 "b":2}', b'{"a":1,,"b":2}', b'{,"a":1}',
    b'{"a":01}', b'{"a":1.}', b'{"a":.5}', b'{"a":+1}', b'{"a":- 1}', b'{"a":--1}', b'{"a":1e}', b'{"a":1e+}',
    b'{"a":1eE2}', b'{"a":0x1F}', b'{"a":1 000}', b'{"a":NaN}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":nan}',
    b'{"a":tru}', b'{"a":True}', b'{"a":nul}', b'{"a":undefined}', b'{"a":"\t"}', b'{"a":"\n"}', b'{"a":"\x00"}',
    b'{"a":"\\x00"}', b'{"a":"\\a"}', b'{"a":"\\u00"}', b'{"a":"\\uD8"}', b'{"a":"\\', b'{"a":"', b'{"a":"\\"}',
    b'{"a":1}#', b'{"a":1}/**/', b'/**/{"a":1}', b'{"a":1}{"b":2}', b'{"a":1}}', b'{"a":1}]', b'{"a":1},', b'{"a":1}x',
    b'{"a":"\xff"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\xc0\xaf"}', b'{"a":"\xf4\xbf\xbf\xbf"}', b'{"a":"\xe2\x82"}',
    b"\xff\xfe{\x00}\x00", b"\x00{\x00}", b'{"a":\xa0}', b'{"a":1\x0c}', b"\xe2\x81\xa0{}", b'{"a":1e999}',
    b'{"a":-1e999}',
    b'{"a":' + b"9" * 5_000 + b"}", b'{"a":1,"a":1}', b'{"a":1,"\\u0061":2}',
    b'{"a":' + b"[" * 100_000, b'{"a":' * 50_000,
    b'{"a":' + b"[" * 50_000 + b"]" * 50_000 + b"}", b"<xml/>", b"a=1&b=2", b"--boundary\r\n",
    b"\x1f\x8b\x08\x00", b"*", b"0x1",
)  # fmt: skip
"""Of which no item can be read: an object was to come."""
