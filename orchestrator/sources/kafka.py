"""Kafka by librdkafka (the extra `kafka`): one member of a consumer group; offsets are committed after our own commit.

Within one process nothing is under way while the group gives partitions to others: a batch is read, taken and committed
before the next call. A member that is thrown out meanwhile (a pause longer than `max.poll.interval.ms`) has its commit
refused, and whoever has the partition now reads the batch again: its ids are known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from orchestrator.errors import UsageError
from orchestrator.sources.protocol import Record, StreamGone

DEFAULTS: Final[Mapping[str, Any]] = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "earliest",
    "partition.assignment.strategy": "cooperative-sticky",
    "isolation.level": "read_committed",
    "queued.max.messages.kbytes": 16_384,
    "fetch.message.max.bytes": 1_048_576,
    "max.poll.interval.ms": 600_000,
    "session.timeout.ms": 30_000,
    "allow.auto.create.topics": False,
}


class KafkaStream:
    """One member of a group. `options` are librdkafka's own, over DEFAULTS."""

    def __init__(self, servers: str, topic: str, group: str, options: Mapping[str, Any]) -> None:
        library = _library()
        self.name = topic
        self._topic = topic
        self._errors = library.KafkaException
        self._no_error = library.KafkaError
        self._partition = library.TopicPartition
        self._consumer = library.Consumer({**DEFAULTS, "bootstrap.servers": servers, "group.id": group, **options})
        self._consumer.subscribe([topic])

    def read(self, limit: int, within: float) -> Sequence[Record]:
        """See Stream."""
        try:
            found = self._consumer.consume(limit, within)
        except self._errors as error:
            raise StreamGone(str(error)[:200]) from None
        faults = [wrong for message in found if (wrong := message.error()) is not None]
        made = [self._record(message) for message in found if message.error() is None]
        # What stands beside an error is taken: librdkafka counts it as read, and never gives it again.
        if not made and (gone := [one for one in faults if one.code() != self._no_error._PARTITION_EOF]):
            raise StreamGone(str(gone[0])[:200])
        return made

    def commit(self, records: Sequence[Record]) -> None:
        """See Stream."""
        last: dict[int, int] = {}
        for record in records:
            partition, offset = record.mark
            last[partition] = max(offset, last.get(partition, -1))
        offsets = [self._partition(self._topic, partition, offset + 1) for partition, offset in sorted(last.items())]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except self._errors as error:
            raise StreamGone(f"offsets were not committed: {error}"[:200]) from None

    def again(self, records: Sequence[Record]) -> None:
        """See Stream: back to the first of each partition, as far as they are ours still."""
        first: dict[int, int] = {}
        for record in records:
            partition, offset = record.mark
            first[partition] = min(offset, first.get(partition, offset))
        for partition, offset in first.items():
            with suppress(self._errors):
                self._consumer.seek(self._partition(self._topic, partition, offset))

    def lag(self) -> int | None:
        """Records between what is committed and the end of the partitions that are ours."""
        try:
            mine = self._consumer.assignment()
            waiting = 0
            for at in self._consumer.committed(mine, timeout=5) if mine else []:
                low, high = self._consumer.get_watermark_offsets(at, timeout=5)
                waiting += max(0, high - max(at.offset, low))
            return waiting
        except self._errors:
            return None

    def close(self) -> None:
        """See Stream."""
        self._consumer.close()

    def _record(self, message: Any) -> Record:
        partition, offset = message.partition(), message.offset()
        kind, millis = message.timestamp()
        at = datetime.fromtimestamp(millis / 1000, UTC) if kind and 0 < millis < 10**14 else None
        headers = {
            name.lower(): value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
            for name, value in message.headers() or ()
        }
        id = f"kafka:{self._topic}/{partition}/{offset}"
        return Record(id, message.value() or b"", at, (partition, offset), headers)


def _library() -> Any:
    try:
        import confluent_kafka
    except ImportError:
        raise UsageError(
            "reading from Kafka needs the package confluent-kafka; install the extra `kafka`: "
            "pip install 'orchestrator[kafka]'",
            "extra_missing",
        ) from None
    return confluent_kafka
