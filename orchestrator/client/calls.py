"""Calls of the API as data: what is asked, and what to do about an answer. Asks no clock and no network."""
# ruff: noqa: TID252

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlencode
from uuid import uuid4

from .answers import Reply, asked_wait
from .items import encoded
from .problems import ClientError, problem_of

PREFIX: Final = "/api/v1"
LONGEST_PAUSE: Final = 30.0
_AGAIN: Final = (408, 425, 429, 500, 502, 503, 504)


class Ask(NamedTuple):
    """A request. `path`: below /api/v1; `once`: the Idempotency-Key of a write; `match`: the ETag it was read with."""

    method: str
    path: str
    query: Mapping[str, Any] = {}
    body: Any = None
    once: str | None = None
    match: str | None = None

    @property
    def target(self) -> str:
        """Path and query."""
        kept = {name: _worded(value) for name, value in self.query.items() if value is not None}
        return PREFIX + self.path + (f"?{urlencode(kept)}" if kept else "")

    def headers(self, key: str | None) -> dict[str, str]:
        """Headers of the request. The same ones go with every try: that is what makes trying again harmless."""
        made = {"Accept": "application/json"}
        if key is not None:
            made["Authorization"] = f"Bearer {key}"
        if self.once is not None:
            made["Idempotency-Key"] = self.once
        if self.match is not None:
            made["If-Match"] = self.match
        return made

    def content(self) -> bytes | None:
        """The body in JSON."""
        return None if self.body is None else encoded(self.body)


def get(path: str, **query: Any) -> Ask:
    """A question."""
    return Ask("GET", path, query)


def write(method: str, path: str, body: Any = None, once: str | None = None, match: str | None = None) -> Ask:
    """A write, with an Idempotency-Key of its own where the caller has none."""
    return Ask(method, path, {}, body, once or str(uuid4()), match)


def below(*names: str) -> str:
    """A path of names, each one segment whatever stands in it."""
    for name in names:
        if name in ("", ".", ".."):
            raise ClientError(f"'{name}' can be nobody's name")
    return "/" + "/".join(quote(name, safe="") for name in names)


def document(reply: Reply) -> Any:
    """What the answer holds. Raises ApiProblem for a refusal."""
    if not 200 <= reply.status < 300:
        raise problem_of(reply.status, reply.body)
    if not reply.body:
        return None
    try:
        return json.loads(reply.body)
    except ValueError:
        raise ClientError(f"the answer is no JSON: {reply.body[:80]!r}; is this the server's address?") from None


def pause_before_next(reply: Reply | None, tries: int, retries: int) -> float | None:
    """Seconds after which to ask again; None: not again. `reply` None: there was none."""
    if tries > retries:
        return None
    asked = 0.0
    if reply is not None:
        in_progress = reply.status == 409 and problem_of(reply.status, reply.body).code == "in_progress"
        if reply.status not in _AGAIN and not in_progress:
            return None
        asked = asked_wait(reply.headers.get("retry-after"))
        if asked > LONGEST_PAUSE:
            return None
    return float(max(asked, 0.2 * 2**tries * random.uniform(0.5, 1.0)))


def _worded(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
