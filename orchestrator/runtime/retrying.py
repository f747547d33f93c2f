"""When a message that a provider refused for now is tried again, in real time. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from orchestrator.core.identity import share

FIRST_RETRY: Final = timedelta(seconds=30)
LONGEST_RETRY: Final = timedelta(minutes=30)
SHORTEST_AFTER: Final = timedelta(seconds=1)
LONGEST_AFTER: Final = timedelta(hours=1)
GIVEN_UP_AFTER: Final = timedelta(days=1)
"""Since the first try."""


def retry_at(message_id: str, first_tried_at: datetime | None, real_at: datetime, after: float | None) -> datetime:
    """The next try: as long from now as the message has been tried for, so that pauses double, from 30 s to 30 min.

    What the provider asked for (`after`, in seconds) binds from one second to one hour. A quarter of it is drawn from
    the message's id, so that those who were refused together do not come back together.
    """
    tried_for = real_at - first_tried_at if first_tried_at is not None else timedelta(0)
    wait = min(max(tried_for, FIRST_RETRY), LONGEST_RETRY)
    if after is not None and after == after:  # not NaN
        wait = timedelta(seconds=min(max(after, SHORTEST_AFTER.total_seconds()), LONGEST_AFTER.total_seconds()))
    return real_at + wait * (1 + share("retry", message_id, str(tried_for)) / 4)


def given_up(first_tried_at: datetime | None, real_at: datetime) -> bool:
    """Whether it has been tried for so long that the last answer stands."""
    return first_tried_at is not None and real_at - first_tried_at >= GIVEN_UP_AFTER
