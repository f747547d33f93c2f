"""Ids and shares by hash: the same inputs give the same draw on every machine, today and tomorrow.

The rule is the language reference's, section 3: the first 8 bytes, big-endian, of the 64-byte BLAKE2b digest over the
parts as UTF-8 joined by 0x1F; a share is that number / 2^64.
"""

from __future__ import annotations

from datetime import timedelta
from hashlib import blake2b

_WHOLE = float(1 << 64)


def stable_hash(*parts: str) -> int:
    """A number of 64 bits."""
    return int.from_bytes(blake2b("\x1f".join(parts).encode("utf-8", "surrogatepass")).digest()[:8], "big")


def share(*parts: str) -> float:
    """A number in [0, 1)."""
    return stable_hash(*parts) / _WHOLE


def enrollment_id(journey: str, customer: str, key: str, trigger_identity: str) -> str:
    """The id of an enrollment: the same trigger taken twice names the same enrollment."""
    text = f"{journey}\x1f{customer}\x1f{key}\x1f{trigger_identity}"
    return blake2b(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]  # `stable_hash` in hexadecimal digits


def held_out(salt: str, journey: str, customer: str, holdout: float) -> bool:
    """Whether this customer belongs to the journey's sticky control group. `holdout` is a share."""
    return holdout > 0 and share(salt, "holdout", journey, customer) < holdout


def held_out_of_all(salt: str, customer: str, holdout: float) -> bool:
    """Whether this customer belongs to the project's sticky control group, which no journey treats."""
    return holdout > 0 and share(salt, "global_holdout", customer) < holdout


def split_draw(salt: str, name: str, customer: str) -> float:
    """The customer's place in the split of this name."""
    return share(salt, "split", name, customer)


def smear_for(salt: str, enrollment: str, step: str, visit: int, over: timedelta) -> timedelta:
    """How much later than the first moment this one goes, in whole seconds, less than `over`."""
    if not over:
        return timedelta(0)
    return timedelta(seconds=int(share(salt, "smear", enrollment, step, str(visit)) * over.total_seconds()))
