"""What a store does for the HTTP API: keys, answers that are given again, and pages of lists."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple, Protocol

from orchestrator.stores.protocol_lists import ListStore

KeyKind = Literal["write", "api"]
KEPT_FOR: Final = timedelta(hours=24)
"""How long an answer is given again to the same Idempotency-Key."""
BEGUN_FOR: Final = timedelta(minutes=1)
"""After so long a request that gave no answer is taken to have died."""


class Key(NamedTuple):
    """A key of the API. `hash`: SHA-256 of it, in hex; `prefix`: its first characters, to know it by. `kind`: a write
    key sends events and stands in pages; an api key is secret. `rate`: requests (events, of a write key) a second;
    None: no limit. `source`: what the events of a write key are counted under. All instants are real time."""

    id: str
    hash: str
    prefix: str
    name: str
    kind: KeyKind
    scopes: tuple[str, ...]
    rate: float | None
    source: str | None
    created_at: datetime
    used_at: datetime | None = None
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def good(self, at: datetime) -> bool:
        """Whether it opens anything at an instant."""
        return self.revoked_at is None and (self.expires_at is None or at < self.expires_at)


class Given(NamedTuple):
    """An answer that was given. `fingerprint`: of the request."""

    fingerprint: str
    status: int
    headers: str
    body: str


class Begun(NamedTuple):
    """What is known of a write with an Idempotency-Key. `first`: nobody did it yet, it is ours to do; `given`: the
    answer, if there is one; neither: somebody is doing it, or (`fingerprint`) did something else under this key."""

    first: bool
    fingerprint: str
    given: Given | None = None


class ApiStore(ListStore, Protocol):
    """See the module's docstring."""

    def keep_key(self, key: Key) -> None:
        """Add a key, or write it anew (by id)."""

    def all_keys(self) -> Sequence[Key]:
        """All keys, revoked ones too, in the order in which they were made."""

    def touch_keys(self, used: Mapping[str, datetime]) -> None:
        """When keys (by id) were used last; an earlier instant than the known one changes nothing."""

    def begin_write(self, caller: str, key: str, fingerprint: str, real_at: datetime) -> Begun:
        """Begin a write of a caller under an Idempotency-Key, unless it was begun or done already (KEPT_FOR)."""

    def end_write(self, caller: str, key: str, given: Given | None) -> None:
        """What was answered to it; None: nothing was done, and it may be tried again."""
