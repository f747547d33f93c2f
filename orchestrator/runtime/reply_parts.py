"""Long texts come in parts, each in a callback of its own, in any order and to any process: they are joined before
anybody reads them, since "stop" at the beginning of a part is no STOP.

Parts wait in the store, where fetched answers wait: sealed as those are, and gone after an hour.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from orchestrator.channels.hooks.protocol import Told
from orchestrator.channels.hooks.reading import clean, event_id
from orchestrator.stores.protocol import Store

WAIT_FOR: Final = timedelta(hours=1)
"""Parts of one text come within seconds; one that is lost lets the others go."""


def joined(store: Store, provider: str, told: Sequence[Told], now: datetime) -> Iterator[Told]:
    """What was said, with texts joined whose parts are all there; a part that waits for others is kept, and left out.
    Raises StoreBusy."""
    for one in told:
        if one.part is None:
            yield one
        elif (whole := _whole(store, provider, one, now)) is not None:
            yield whole


def _whole(store: Store, provider: str, one: Told, now: datetime) -> Told | None:
    assert one.part is not None
    reference, number, total = one.part
    names = [f"part:{provider}:{one.address}:{reference}:{total}:{n}" for n in range(1, total + 1)]
    store.keep_reply(names[number - 1], 200, {"text": one.text or "", "id": one.event_id}, now + WAIT_FOR)
    parts = []
    for name in names:
        found = store.cached_reply(name, now)
        if found is None:
            return None
        parts.append(found[1])
    text = "".join(str(part["text"]) for part in parts)
    return one._replace(event_id=event_id("parts", str(parts[0]["id"])), text=clean(text), part=None)
