"""`HttpCaller` makes the calls of `fetch` and `webhook`: over HTTP, to where they may go, within bounds.

What an operator should know:

- Calls reach public addresses on ports 80, 443, 8080 and 8443. Everything else needs an entry in the allow-list, whose
  forms are in net_rules.py. A name is looked up once for each hop, every address it has is checked, and the connection
  goes to one of these: a name whose address changes in between leads nowhere else.
- A fetch follows three redirects, each under the same rules, and tells another origin none of the step's headers. A
  webhook follows none: its answer is the redirect's status.
- The step's timeout bounds the whole call in real time, from the look-up to the last byte; above LONGEST_TIMEOUT it is
  cut to that. An answer may have LARGEST_REPLY bytes, unpacked (http_reply.py).
- Proxies in the environment are not used, cookies are not kept, connections are not reused. Certificates are those that
  the system trusts, or SSL_CERT_FILE and SSL_CERT_DIR.
- A webhook counts as taken once its status came; an answer that cannot be read is then none, and the reason is recorded
  beside it. A fetch whose answer cannot be read failed.
- After five calls in a row to a host without an answer, calls to it fail at once for 30 s (http_breaker.py).
- Webhooks are signed where a key is set (http_outgoing.py); several keys, separated by blanks, sign side by side.

Reasons of failures are listed in http_failure.py.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final, NamedTuple

import httpcore2
import httpx2

from orchestrator.channels.http_breaker import HostBreaker
from orchestrator.channels.http_failure import UNREACHED, CallFailed
from orchestrator.channels.http_lookup import Lookups, Resolve, system_addresses
from orchestrator.channels.http_outgoing import Headers, Signer, payload_of, wire_headers
from orchestrator.channels.http_reply import ReplyHead, reply_value, unpacked
from orchestrator.channels.http_wire import Deadline, Dial, PinnedNetwork, dial
from orchestrator.channels.net_rules import AllowList, Target, checked_addresses, parse_target, redirected
from orchestrator.core.ledger import Request

MOST_HOPS: Final = 3
LONGEST_TIMEOUT: Final = 30.0
"""Real seconds: a worker is not held longer by one call, and leases can count on it."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_FOR_ANY_ORIGIN: Final = frozenset({"accept", "user-agent"})

Reply = tuple[int | None, Any, str | None]


def real_now() -> datetime:
    """The actual instant."""
    return datetime.now(UTC)


class HttpCaller:
    """See the module's docstring. Safe to use from several threads.

    `allow` and `secret` come from the settings: see net_rules.AllowList and http_outgoing.Signer, which raise
    UsageError; without a secret webhooks are not signed. The rest stands in for the outside in tests: `clock` counts
    real seconds and never goes back, `wall` gives the actual instant.
    """

    def __init__(
        self,
        allow: Sequence[str] = (),
        secret: str | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        resolve: Resolve = system_addresses,
        dialled: Dial = dial,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], datetime] = real_now,
    ) -> None:
        self._allow = AllowList(allow)
        self._signer = Signer(secret) if secret is not None else None
        self._given_tls = tls
        self._lookups = Lookups(resolve)
        self._dial = dialled
        self._clock = clock
        self._wall = wall
        self._breaker = HostBreaker(clock)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        return self._given_tls or httpx2.create_ssl_context()

    def call(self, request: Request) -> Reply:
        """(status, body, error): see channels.protocol.Caller. What goes wrong is a value, never an exception."""
        deadline = Deadline(self._clock, min(request.timeout.total_seconds(), LONGEST_TIMEOUT))
        try:
            return self._follow(request, deadline)
        except CallFailed as failure:
            return None, None, str(failure)

    def _follow(self, request: Request, deadline: Deadline) -> Reply:
        headers, body = payload_of(request, self._signer, self._wall())
        target = parse_target(request.url)
        for _ in range(MOST_HOPS + 1):
            there = self._guarded(_Hop(request, target, headers, body, deadline))
            if not isinstance(there, Target):
                return there
            if (there.scheme, there.authority) != (target.scheme, target.authority):
                headers = {name: value for name, value in headers.items() if name in _FOR_ANY_ORIGIN}
            target = there
        raise CallFailed("refused_redirect", f"more than {MOST_HOPS} redirects, the last to {target.host}")

    def _guarded(self, hop: _Hop) -> Reply | Target:
        """One exchange under the host's circuit breaker: the answer, or where it leads."""
        host = hop.target.authority
        if not self._breaker.admits(host):
            raise CallFailed("connection", f"circuit open: {host} gave no answer several times in a row")
        try:
            got, failure = self._exchange(hop)
        except CallFailed as failed:
            if not failed.reason.startswith("refused") and failed.reason not in ("bad_url", "bad_request"):
                self._breaker.note(host, failed.reason not in UNREACHED)
            raise
        self._breaker.note(host, failure is None or failure.reason not in UNREACHED)
        if failure is None:
            return got
        assert not isinstance(got, Target)
        if hop.request.kind == "webhook":
            return got[0], None, str(failure)
        if 200 <= (got[0] or 0) < 300:
            raise failure
        return got

    def _exchange(self, hop: _Hop) -> tuple[Reply | Target, CallFailed | None]:
        """What came, and what was wrong with its body. Raises CallFailed where there is no status."""
        request, target, deadline = hop.request, hop.target, hop.deadline
        network = PinnedNetwork(self._addresses(target, deadline), deadline, self._dial)
        scheme, host = target.scheme.encode(), target.host.encode()
        path = target.path.encode()
        wire = httpcore2.Request(
            request.method.encode(),
            httpcore2.URL(scheme=scheme, host=host, port=target.port, target=path),
            headers=[(n.encode(), v.encode()) for n, v in wire_headers(target, hop.headers, hop.body, request.method)],
            content=hop.body or b"",
        )
        origin = httpcore2.Origin(scheme, host, target.port)
        tls = self._tls if target.scheme == "https" else None
        try:
            with httpcore2.HTTPConnection(origin, ssl_context=tls, network_backend=network) as connection:
                response = connection.handle_request(wire)
                return self._answer(hop, response)
        except httpcore2.LocalProtocolError as error:
            raise CallFailed("bad_request", str(error)) from None
        except httpcore2.ProtocolError as error:
            raise CallFailed("bad_response", str(error)) from None
        except httpcore2.NetworkError as error:
            raise CallFailed("connection", str(error)) from None

    def _answer(self, hop: _Hop, response: httpcore2.Response) -> tuple[Reply | Target, CallFailed | None]:
        head = ReplyHead(response.headers)
        status = response.status
        if status < 200:
            raise CallFailed("bad_response", f"the answer was {status}, which ends nothing")
        location = head.get("location")
        if hop.request.kind == "fetch" and status in _REDIRECTS and location is not None:
            return redirected(hop.target, location), None
        try:
            body = unpacked(_chunks(response), head.get("content-encoding"))
            return (status, reply_value(head, body), None), None
        except CallFailed as failure:
            return (status, None, None), failure

    def _addresses(self, target: Target, deadline: Deadline) -> Sequence[Any]:
        if target.address is not None:
            return checked_addresses(target, [target.host], self._allow)
        found = self._lookups.addresses(target.host, target.port, deadline.left())
        return checked_addresses(target, found, self._allow)


class _Hop(NamedTuple):
    request: Request
    target: Target
    headers: Headers
    body: bytes | None
    deadline: Deadline


def _chunks(response: httpcore2.Response) -> Any:
    try:
        yield from response.iter_stream()
    except httpcore2.ProtocolError as error:
        raise CallFailed("bad_response", f"the answer ends before its time ({error})") from None
