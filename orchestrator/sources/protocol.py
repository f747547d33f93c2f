"""A stream of records that a broker keeps: read in batches, and marked as read only after our own commit, so that what
is read again after a crash is known by its id."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol


class Record(NamedTuple):
    """One record. `id` names its place for ever (`topic/partition/offset`), so that it can stand in for a message id;
    `at`: when the broker, or whoever wrote it, says that it was written. `mark` is the stream's own."""

    id: str
    value: bytes
    at: datetime | None
    mark: Any
    attributes: Mapping[str, str] = {}
    """Headers of the record, by small letters."""


class StreamGone(Exception):
    """The broker does not answer, or takes no marks from us any more: nothing is lost, it is tried again."""


class Stream(Protocol):
    """A broker's stream, as one member of a group of readers sees it."""

    @property
    def name(self) -> str:
        """What it is called in figures: letters, digits, `-`, `_` and `.`."""

    def read(self, limit: int, within: float) -> Sequence[Record]:
        """At most `limit` records that nobody of the group has, waiting at most so many seconds. Raises StreamGone."""

    def commit(self, records: Sequence[Record]) -> None:
        """These were taken: nobody of the group gets them again. Raises StreamGone."""

    def again(self, records: Sequence[Record]) -> None:
        """These were read and not taken: they come again."""

    def lag(self) -> int | None:
        """How many records wait behind the last one that was taken; None: not known."""

    def close(self) -> None:
        """Leave the group, so that the others take over at once."""
