"""The files of a deployed project as one value of a database."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping


def packed(files: Mapping[str, bytes]) -> bytes:
    """Files as one text of bytes: a line of JSON with [path, length] of each, then their contents; compressed."""
    ordered = sorted(files.items())
    head = json.dumps([[path, len(content)] for path, content in ordered], ensure_ascii=False)
    return zlib.compress(b"\n".join([head.encode(), b"".join(content for _, content in ordered)]), 9)


def unpacked(data: bytes) -> dict[str, bytes]:
    """The files that were packed."""
    head, _, contents = zlib.decompress(data).partition(b"\n")
    files, begin = {}, 0
    for path, length in json.loads(head):
        files[path] = contents[begin : begin + length]
        begin += length
    return files
