"""What readers of callbacks share: JSON of anybody, values in it that may be anything, secrets compared safely.

Whatever a body holds, nothing here raises but HookRefused.
"""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parseaddr, parsedate_to_datetime
from hashlib import blake2b
from hmac import compare_digest
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from orchestrator.channels.hooks.protocol import Heard, HookRefused, Posted, Told

LARGEST: Final = 4 * 1024 * 1024
"""Bytes of a body; the largest that a provider sends is a batch of some thousand events."""
LONGEST_TEXT: Final = 2000
LONGEST_ID: Final = 200
MOST_EVENTS: Final = 10_000


class ClosedHook:
    """Stands in where no secret is configured: nothing is taken, since nothing can be checked."""

    def __init__(self, provider: str, wanted: str) -> None:
        self.provider = provider
        self._wanted = wanted

    def read(self, posted: Posted) -> Heard:
        """Refuses. Raises HookRefused."""
        raise HookRefused(403, f"callbacks of {self.provider} are not taken: its address lacks ?hook={self._wanted}")


class TokenHook:
    """Events of a provider that signs nothing: its requests show a token that was given to it. `tokens`: those that are
    good, more than one while it is being replaced. Events that are told twice in one request count once."""

    provider = ""
    taken: bytes = b""
    """What it wants to hear."""
    taken_type = "text/plain; charset=utf-8"

    def __init__(self, tokens: Sequence[str]) -> None:
        self._tokens = tuple(tokens)

    def read(self, posted: Posted) -> Heard:
        """See Hook."""
        check_token(posted, self._tokens)
        found = (self.told(event) for event in events_of(json_of(posted.body)))
        once = {one.event_id: one for one in found if one is not None}
        return Heard(tuple(once.values()), self.taken, self.taken_type)

    def told(self, event: Any) -> Told | None:
        """What one event says; None: nothing that matters."""
        raise NotImplementedError


def json_of(body: bytes) -> Any:
    """The JSON of a body. Raises HookRefused."""
    if len(body) > LARGEST:
        raise HookRefused(413, f"a body of {len(body)} bytes; at most {LARGEST} are read")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise HookRefused(400, "the body is no JSON") from None


def within(value: Any, *path: str | int) -> Any:
    """What lies at a path through objects and lists; None: nothing does."""
    for step in path:
        if isinstance(step, str):
            value = value.get(step) if isinstance(value, dict) else None
        else:
            value = value[step] if isinstance(value, list) and step < len(value) else None
    return value


def text_in(value: Any, *path: str | int) -> str | None:
    """A text at a path, without what cannot be stored; numbers as they are written. None: there is none."""
    found = within(value, *path)
    if isinstance(found, int) and not isinstance(found, bool) and abs(found) < 1 << 64:
        found = str(found)
    return clean(found) if isinstance(found, str) and found else None


def clean(text: str) -> str | None:
    """A text that any database takes; None: nothing is left of it."""
    return text[:LONGEST_TEXT].replace("\x00", "").encode("utf-8", "ignore").decode("utf-8") or None


def address_in(value: Any, *path: str | int) -> str | None:
    """A bare e-mail address at a path (`Ana <ana@example.com>` is one, too)."""
    text = text_in(value, *path)
    if text is None:
        return None
    bare = parseaddr(text)[1] if "<" in text else text.strip()
    return bare if "@" in bare and bare.isprintable() and " " not in bare else None


def instant_in(value: Any, *path: str | int) -> datetime | None:
    """An instant at a path: seconds or milliseconds since 1970, or text with a zone (ISO 8601, RFC 5322)."""
    found = within(value, *path)
    if isinstance(found, str) and found.isascii() and found.replace(".", "", 1).isdigit() and len(found) < 20:
        found = float(found)
    if isinstance(found, (int, float)) and not isinstance(found, bool):
        if not 0 < found < 1e15:
            return None
        seconds = found / 1000 if found > 1e11 else found
        return datetime.fromtimestamp(seconds, UTC) if 0 < seconds < 1e11 else None
    if not isinstance(found, str) or len(found) > 60:
        return None
    for reader in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            at = reader(found.strip())
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        try:
            return at.astimezone(UTC) if at.tzinfo is not None else None
        except (ValueError, OverflowError):
            return None
    return None


def event_id(*parts: str | int | None) -> str:
    """One id from parts: the same for the same ones. Long or odd ones are hashed."""
    joined = ":".join("" if part is None else str(part) for part in parts)
    if len(joined) <= LONGEST_ID and joined.isascii() and joined.isprintable() and " " not in joined:
        return joined
    return f"h:{blake2b(joined.encode('utf-8', 'surrogatepass')).hexdigest()[:40]}"


def same(one: str | bytes, other: str | bytes) -> bool:
    """Whether two secrets are equal, in a time that does not tell where they differ."""
    sides = [side.encode("utf-8", "surrogatepass") if isinstance(side, str) else side for side in (one, other)]
    return compare_digest(*sides)


def decoded(base64: str) -> bytes:
    """The bytes of strict base64; empty: it is none."""
    try:
        return b64decode(base64, validate=True)
    except ValueError:
        return b""


def check_fresh(posted: Posted, seconds: str, oldest: timedelta, ahead: timedelta = timedelta(minutes=5)) -> None:
    """Whether a signature was made lately. `seconds`: since 1970, as the provider wrote them. Raises HookRefused."""
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 11):
        raise HookRefused(401, "its signature has no time")
    made_at = datetime.fromtimestamp(int(seconds), UTC)
    if not posted.at - oldest <= made_at <= posted.at + ahead:
        raise HookRefused(403, f"its signature was made at {made_at:%Y-%m-%dT%H:%M:%SZ}, which is too far from now")


def check_token(posted: Posted, secrets: Sequence[str]) -> None:
    """For providers that sign nothing: the shared secret in `Authorization: Bearer`, as user and password of
    `Authorization: Basic` (`user:password`, or the password alone), or as `?token=`. Raises HookRefused."""
    shown = list(_shown(posted))
    if not shown:
        raise HookRefused(401, "it shows no token")
    found = [same(one, secret) for one in shown for secret in secrets]  # all of them: time tells nothing
    if not any(found):
        raise HookRefused(403, "it shows a wrong token")


def _shown(posted: Posted) -> list[str]:
    kind, _, value = posted.headers.get("authorization", "").partition(" ")
    found = []
    if kind.lower() == "bearer" and value.strip():
        found.append(value.strip())
    elif kind.lower() == "basic":
        pair = decoded(value.strip()).decode("utf-8", "replace")
        found += [text for text in (pair, pair.partition(":")[2]) if text]
    try:
        query = urlsplit(posted.url).query
        found += [value for name, value in parse_qsl(query, max_num_fields=50) if name == "token" and value]
    except ValueError:
        pass
    return found


def secrets_of(hook: str) -> tuple[str, ...]:
    """The secrets of the option `hook`: several with commas between them, while one is being replaced."""
    return tuple(part.strip() for part in hook.split(",") if part.strip())


def events_of(value: Any) -> Sequence[Mapping[str, Any]]:
    """The events of a body that is one, or a list of them. Raises HookRefused where it is neither."""
    events = value if isinstance(value, list) else [value]
    if len(events) > MOST_EVENTS:
        raise HookRefused(413, f"{len(events)} events; at most {MOST_EVENTS} are read")
    if not all(isinstance(event, dict) for event in events):
        raise HookRefused(400, "the body holds something that is no event")
    return events
