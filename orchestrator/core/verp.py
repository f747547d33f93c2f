"""Envelope senders that name their message, so that a bounce says which one it is about (VERP).

`bounce@b.example.com` becomes `bounce+<id>.<mark>@b.example.com`: our id of the message as it stands in
X-Orchestrator-Message, and ten characters of an HMAC over it. The mail servers of others may change the case of an
address, so only ids without capital letters travel this way, and only where the local part stays within the 64 octets
of RFC 5321, section 4.5.3.1.1. All others go under the plain address; their bounces name them by the header, or by the
ENVID of a DSN.
"""

from __future__ import annotations

import re
from base64 import b32encode
from hashlib import sha256
from hmac import compare_digest, new
from typing import Final

LONGEST_LOCAL: Final = 64
"""Octets of a local part."""
_MARK: Final = 10
_fits = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*").fullmatch


def verp_mark(secret: bytes, id: str) -> str:
    """What signs a message's id in its envelope sender: ten characters, small letters and digits."""
    digest = new(secret, f"bounce\x1f{id}".encode("utf-8", "surrogatepass"), sha256).digest()
    return b32encode(digest[:7])[:_MARK].decode().lower()


def verp_address(mark: str, id: str, base: str) -> str:
    """The envelope sender of a message whose bounces go to the mailbox `base`, signed by `verp_mark`; `base` itself
    where the id does not fit."""
    local, _, domain = base.rpartition("@")
    named = f"{local}+{id}.{mark}"
    return f"{named}@{domain}" if _fits(id) and len(named) <= LONGEST_LOCAL else base


def verp_id(secret: bytes, address: str) -> str | None:
    """The message's id in an address that `verp_address` made, whatever the case of its letters, with or without
    angle brackets; None: there is none, or the signature is not ours."""
    local, at, _ = address.strip().strip("<>").rpartition("@")
    _, plus, named = local.lower().partition("+")
    id, dot, mark = named.rpartition(".")
    if not (at and plus and dot and _fits(id) and mark.isascii()):
        return None
    return id if compare_digest(mark, verp_mark(secret, id)) else None
