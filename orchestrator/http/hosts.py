"""Operators' pages answer only under a name that is this installation's own.

They ask for no password while the server is bound to loopback, so that any web site could read them through its
visitor's browser, if it only had its own name point to 127.0.0.1 (DNS rebinding). The Host header tells.
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit


def is_own_host(host: str | None, base_url: str) -> bool:
    """Whether a Host header names loopback, an address in digits, or the host of `base_url`."""
    try:
        name = urlsplit(f"//{host or ''}").hostname or ""
        own = urlsplit(base_url).hostname
    except ValueError:
        return False
    if name == own or name == "localhost" or name.endswith(".localhost"):
        return bool(name)
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
