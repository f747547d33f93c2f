"""A request as an endpoint of the API gets it, and what it answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from typing import Any, NamedTuple

from orchestrator.http.api.cursors import cursor_of
from orchestrator.http.problems import HttpRefusal, json_bytes
from orchestrator.http.service import Service
from orchestrator.stores.protocol import Store


class Caller(NamedTuple):
    """Who asks. `scopes` None: all. `id` never says the key; `rate`: requests a second (None: as many as come)."""

    id: str
    name: str
    scopes: frozenset[str] | None = None
    rate: float | None = None
    source: str | None = None


class Answer(NamedTuple):
    """What is answered. `document`: plain JSON values (None: no content); `body`: bytes of `media` instead of it.
    `again`: what is answered instead where the same write is sent again: a secret is told once, and kept nowhere."""

    document: Any = None
    status: int = 200
    headers: Mapping[str, str] = {}
    body: bytes | None = None
    media: str = "application/json"
    again: Any = None


@dataclass(slots=True)
class Call:
    """One request: `path` by name, `query` with every declared parameter (None where it was left out), the `body` as
    the model that was declared (or plain JSON), and at which instants it is answered."""

    service: Service
    caller: Caller
    place: str
    """The operation and its filters: what a cursor is bound to."""
    path: Mapping[str, str]
    query: Mapping[str, Any]
    body: Any
    now: datetime
    """Journey time."""
    real_at: datetime
    once: str
    """An id of this write: the same when it comes again with its Idempotency-Key. Use it as message id."""
    limit: int = 0
    after: tuple[Any, ...] | None = None
    """The key behind which the page begins; None: it is the first."""
    if_match: Collection[str] = ()
    request_id: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def store(self) -> Store:
        return self.service.store

    @property
    def actor(self) -> str:
        """Who it was, for the audit."""
        return f"key {self.caller.name}"

    def may(self, scope: str) -> bool:
        """Whether the caller's key has another scope, too."""
        return self.caller.scopes is None or scope in self.caller.scopes

    def listed(self, items: Sequence[Any], key: tuple[Any, ...] | None) -> Answer:
        """A page of a list. `key`: of its last item; None: nothing comes behind it."""
        following = None if key is None else cursor_of(self.service.secret, self.place, key)
        return Answer({"items": items, "next_cursor": following})

    def page(self, found: Sequence[Any], show: Any, key: Any) -> Answer:
        """A page of rows of which one more than `limit` was asked for. `show` makes the item of a row, `key` its key
        (a tuple of texts and numbers)."""
        rows = found[: self.limit]
        return self.listed([show(row) for row in rows], key(rows[-1]) if len(found) > self.limit else None)

    def must_match(self, document: Any) -> None:
        """Raises HttpRefusal (412) where If-Match names another version than the ETag that GET gives this document."""
        if self.if_match and "*" not in self.if_match and tag_of(document) not in self.if_match:
            detail = "this is not what it was when you read it: read it again, and decide anew"
            raise HttpRefusal(412, "changed_meanwhile", detail, {"ETag": tag_of(document)})


def tag_of(document: Any) -> str:
    """The ETag of a document (or of the bytes of one)."""
    data = document if isinstance(document, bytes) else json_bytes(document)
    return f'"{blake2b(data, digest_size=12).hexdigest()}"'


def unknown(code: str, what: str, near: str | None = None) -> HttpRefusal:
    """404: there is no such thing. `what` says what is missing."""
    return HttpRefusal(404, code, what + (f"; did you mean '{near}'?" if near else ""))
