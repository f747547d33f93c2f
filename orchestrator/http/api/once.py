"""Idempotency keys: a write that is sent again is answered again, and not done again.

A caller that missed the answer sends the same request under the same `Idempotency-Key` and gets what it was answered,
status included, for 24 hours. What failed for a while (5xx, 429) was not done and is not kept.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import datetime
from hashlib import blake2b
from typing import Final

from orchestrator.http.api.call import Answer
from orchestrator.http.problems import HttpRefusal, json_bytes
from orchestrator.stores.protocol import Store
from orchestrator.stores.protocol_api import Given

HEADER: Final = "idempotency-key"
LONGEST: Final = 200
_FIT: Final = re.compile(r"[\x21-\x7e]{1,200}")
LONGEST_KEPT: Final = 256_000
"""Characters of an answer that is kept."""


def given_key(value: str | None) -> str | None:
    """The key of a request. Raises HttpRefusal (400)."""
    if value is None:
        return None
    if not _FIT.fullmatch(value):
        detail = f"Idempotency-Key: expected 1 to {LONGEST} printable ASCII characters without blanks, such as a UUID"
        raise HttpRefusal(400, "bad_idempotency_key", detail)
    return value


def fingerprint_of(method: str, target: str, body: bytes) -> str:
    """What tells two requests apart."""
    return blake2b(f"{method} {target}\n".encode("utf-8", "backslashreplace") + body, digest_size=16).hexdigest()


def write_id(caller: str, key: str) -> str:
    """An id of a write that is the same when it comes again."""
    return "api-" + blake2b(f"{caller}\n{key}".encode(), digest_size=16).hexdigest()


def done_once(
    store: Store, caller: str, key: str, fingerprint: str, real_at: datetime, do: Callable[[], Answer]
) -> Answer:
    """What `do` answers, or what was answered when it was done. Raises HttpRefusal (409, 422), and what `do` raises."""
    begun = store.begin_write(caller, key, fingerprint, real_at)
    if begun.fingerprint != fingerprint:
        detail = "this Idempotency-Key was sent with another request before; use a new one for every write"
        raise HttpRefusal(422, "idempotency_key_reused", detail)
    if begun.given is not None:
        kept = begun.given
        headers = {**json.loads(kept.headers), "Idempotent-Replayed": "true"}
        if not kept.body:
            return Answer(None, kept.status, headers)
        return Answer(None, kept.status, headers, kept.body.encode(), headers.pop("Content-Type", "application/json"))
    if not begun.first:
        detail = "the same write is being done just now; send it again after a while to get its answer"
        raise HttpRefusal(409, "in_progress", detail, {"Retry-After": "1"})
    try:
        answer = do()
    except HttpRefusal as refusal:
        if refusal.status < 500 and refusal.status != 429:
            store.end_write(caller, key, _refused(fingerprint, refusal))
        else:
            store.end_write(caller, key, None)
        raise
    except BaseException:
        store.end_write(caller, key, None)
        raise
    store.end_write(caller, key, _given(fingerprint, answer))
    return answer


def _given(fingerprint: str, answer: Answer) -> Given | None:
    document = answer.document if answer.again is None else answer.again
    body = answer.body if answer.body is not None else b"" if document is None else json_bytes(document)
    if len(body) > LONGEST_KEPT:
        return None
    headers = {**answer.headers, **({"Content-Type": answer.media} if body else {})}
    return Given(fingerprint, answer.status, json.dumps(headers), body.decode())


def _refused(fingerprint: str, refusal: HttpRefusal) -> Given:
    from orchestrator.http.problems import problem

    answer = problem(refusal)
    headers = {**refusal.headers, "Content-Type": answer.media_type}
    return Given(fingerprint, refusal.status, json.dumps(headers), bytes(answer.body).decode())
