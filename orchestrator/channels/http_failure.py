"""Why a call got no usable answer. The first word of each text is stable; journeys' authors read the rest.

refused_address    the address is internal, reserved, or for documentation; the allow-list can open it
refused_port       the port is none that web servers use; the allow-list can open it
refused_redirect   too many redirects, or one from https to http
bad_url            what the step's template gave is no http(s) URL
bad_request        a header or the body cannot be sent
timeout            no complete answer within the step's timeout, name look-up and redirects included
connection         no connection: unknown name, refused, reset, or `circuit open` after failures in a row
tls                the server's certificate or its TLS is not in order
too_large          what would be sent, or what came, is beyond its bound
bad_response       something came, and it is no HTTP, or not what its content type says, or cannot be stored
"""

from __future__ import annotations

from typing import Literal, TypeAlias

Reason: TypeAlias = Literal[
    "refused_address",
    "refused_port",
    "refused_redirect",
    "bad_url",
    "bad_request",
    "timeout",
    "connection",
    "tls",
    "too_large",
    "bad_response",
]

UNREACHED: frozenset[Reason] = frozenset({"timeout", "connection", "tls"})
"""The host may be down: these count for its circuit breaker."""

LONGEST_DETAIL = 200


class CallFailed(Exception):
    """One call failed; never leaves this package. `str()` is `reason: detail`, on one line, of bounded length."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason: Reason = reason
        shown = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in detail[: LONGEST_DETAIL + 1])
        shown = shown if len(shown) <= LONGEST_DETAIL else shown[: LONGEST_DETAIL - 1] + "…"
        super().__init__(f"{reason}: {shown}")
