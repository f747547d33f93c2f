"""Envelope senders that name their message, so that a bounce says which one it is about (VERP).

`bounce@b.example.com` becomes `bounce+<id>.<mark>@b.example.com`: our id of the message as it stands in
X-Orchestrator-Message, too, and ten characters of an HMAC over it. The mail servers of others may change the case of an
address, so only ids without capital letters travel this way, and only where the local part stays within the 64 octets
of RFC 5321, section 4.5.3.1.1. All others go under the plain address; their bounces name them by `<id>.<mark>` in the
header, or in the ENVID of a DSN. Ids stand in links that are passed on: only the mark says that somebody got the mail.
"""

from __future__ import annotations

import re
from hmac import compare_digest
from itertools import product
from typing import Final

from orchestrator.core.links import keyed_digest

LONGEST_LOCAL: Final = 64
"""Octets of a local part."""
_PAIRS: Final = ["".join(pair) for pair in product("abcdefghijklmnopqrstuvwxyz234567", repeat=2)]
"""Ten bits in the alphabet of base 32 (RFC 4648, section 6), in small letters."""
_marked = re.compile(r"\.[a-z2-7]{10}\Z")
_fits = re.compile(r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*").fullmatch


def verp_mark(secret: bytes, id: str) -> str:
    """What signs a message's id in its envelope sender: ten characters, small letters and digits."""
    digest = keyed_digest(secret, f"bounce\x1f{id}".encode("utf-8", "surrogatepass"))
    bits, pairs = int.from_bytes(digest[:7], "big") >> 6, _PAIRS
    high = pairs[bits >> 40] + pairs[bits >> 30 & 1023]
    return high + pairs[bits >> 20 & 1023] + pairs[bits >> 10 & 1023] + pairs[bits & 1023]


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


def marked_id(id: str, mark: str | None) -> str:
    """An id with what signs it, as a header carries it; None: nothing does."""
    return id if mark is None else f"{id}.{mark}"


def unmarked_id(written: str) -> str:
    """The id that `marked_id` wrote, whoever signed it: for those whose word is proven otherwise. Ids end with a
    number, so that no id ends as a mark does."""
    return _marked.sub("", written)


def signed_id(secret: bytes, written: str) -> str | None:
    """The id that `marked_id` wrote; None: the signature is not ours."""
    id, _, mark = written.rpartition(".")
    return id if mark.isascii() and id and compare_digest(mark, verp_mark(secret, id)) else None
