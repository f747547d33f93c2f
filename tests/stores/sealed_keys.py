"""Keys of personal data that tests seal with: worth nothing."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Final

from orchestrator.core.data_keys import DataKeys, data_keys


def entry(id: str) -> str:
    """The entry of a key in ORCHESTRATOR_DATA_KEYS."""
    return f"{id}:{b64encode(sha256(id.encode()).digest()).decode()}"


def keys(*ids: str) -> DataKeys:
    """The keys of these ids; `plain` first: nothing new is sealed."""
    return data_keys(" ".join(id if id == "plain" else entry(id) for id in ids))


FIRST_KEY: Final = keys("k1")
