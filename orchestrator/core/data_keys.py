"""The keys that personal data is sealed with, as an installation names them: `ID:BASE64` entries, the newest first."""

from __future__ import annotations

import re
from binascii import Error as BadBase64
from binascii import a2b_base64
from collections.abc import Mapping
from typing import Final, NamedTuple

PLAIN_WORD: Final = "plain"
"""As the first entry: what is written from now on is not sealed."""
KEY: Final = 32
"""Bytes of a key."""
_ENTRY: Final = re.compile(r"([A-Za-z0-9_-]{1,32}):([A-Za-z0-9+/_-]+={0,2})\Z")


class DataKeys(NamedTuple):
    """The keys of an installation by their ids, the first one first. `sealing` None: nothing new is sealed."""

    sealing: str | None
    keys: Mapping[str, bytes]


def data_keys(text: str) -> DataKeys:
    """The keys of ORCHESTRATOR_DATAKEYS. Raises ValueError that quotes no key."""
    keys: dict[str, bytes] = {}
    sealing: str | None = None
    entries = re.split(r"[\s,]+", text.strip())
    for number, entry in enumerate(entries, 1):
        if entry == PLAIN_WORD:
            if number > 1:
                raise ValueError(f"`{PLAIN_WORD}` stands first or not at all")
            continue
        found = _ENTRY.match(entry)
        if found is None:
            raise ValueError(f"entry {number} is no ID:KEY (an id of letters, digits, - and _, and base64 of 32 bytes)")
        id, encoded = found.groups()
        try:
            key = a2b_base64(encoded.translate({ord("-"): "+", ord("_"): "/"}) + "==")
        except BadBase64:
            key = b""
        if len(key) != KEY:
            raise ValueError(f"the key '{id}' is not base64 of {KEY} bytes; `openssl rand -base64 32` makes one")
        if id in keys:
            raise ValueError(f"the key id '{id}' stands twice; a new key needs a new id")
        keys[id] = key
        if number == 1:
            sealing = id
    if not keys:
        raise ValueError(f"`{PLAIN_WORD}` needs the keys behind it that what is sealed is read with")
    return DataKeys(sealing, keys)
