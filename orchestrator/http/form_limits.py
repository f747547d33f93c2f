"""How often one address may post a form, counted by all processes together.

Each process counts for itself first: a flood that one of them has seen is held off without asking the database.
"""

from __future__ import annotations

from collections import OrderedDict
from datetime import datetime
from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from math import ceil
from threading import Lock
from typing import Final

from orchestrator.stores.protocol import Store

MOST: Final = 20_000
"""Addresses that are remembered: those that posted last."""


PLACES: Final = 65_536
"""Buckets of a form in the database. Addresses fall into them by a keyed hash: nothing of them is kept, and there are
never more rows. Two who share one are rare, and share its limit."""


def shared_wait(
    store: Store, secret: bytes, form: str, ip: str | None, most: int, per_s: float, real_at: datetime
) -> int:
    """Seconds to wait by the bucket that all processes share; 0: the post may come, and is counted."""
    key = blake2b(b"form limits\n" + secret, digest_size=32).digest()
    text = f"{form}\n{_network(ip)}".encode("utf-8", "surrogatepass")
    place = int.from_bytes(blake2b(text, digest_size=8, key=key).digest()) % PLACES
    granted = store.take_quota(f"form:{form}:{place:04x}", most / per_s, float(most), 1, real_at).granted
    return 0 if granted else max(1, ceil(per_s / most))


class FormLimits:
    """Buckets by (form, address). Of IPv6, whoever has one address has 2^64 of them: the network counts."""

    def __init__(self) -> None:
        self._buckets: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()
        self._lock = Lock()

    def wait(self, form: str, ip: str | None, most: int, per_s: float, at_s: float) -> int:
        """Seconds to wait until this post may come; 0: it may, and is counted. `at_s`: a clock's seconds."""
        place = (form, _network(ip))
        with self._lock:
            left, since = self._buckets.pop(place, (float(most), at_s))
            left = min(float(most), left + max(0.0, at_s - since) * most / per_s)
            allowed = left >= 1
            self._buckets[place] = (left - 1 if allowed else left, at_s)
            while len(self._buckets) > MOST:
                self._buckets.popitem(last=False)
        return 0 if allowed else max(1, ceil((1 - left) * per_s / most))


def _network(ip: str | None) -> str:
    try:
        address = ip_address(ip or "")
    except ValueError:
        return ip or ""
    return str(int(address) >> 64) if isinstance(address, IPv6Address) else str(address)
