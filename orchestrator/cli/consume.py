"""`orchestrator consume`: takes events from Kafka or from a Redis stream."""

from __future__ import annotations

import argparse
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli.project_loading import raise_errors, read_document
from orchestrator.cli.terminal import Terminal

if TYPE_CHECKING:
    from orchestrator.definitions.mapping import TableMapping

DESCRIPTION = """Take events from Kafka (the extra `kafka`) or from a Redis stream, as one of a group: start as many as
there are partitions. A record is JSON in Segment's shape (an item, or a batch), a CloudEvent, or whatever a mapping
file knows (as for `import`, with `row` for the record). It is marked as read after it is stored here; what is read
again after a crash is known by its messageId, or else by its place in the stream. Records that cannot be taken are kept
with the refused items, counted and passed over. Ends gracefully on SIGTERM."""
EXAMPLES = """
orchestrator consume 'kafka://broker-1:9092,broker-2:9092/events?group=journeys'
orchestrator consume redis://localhost:6379/0/events
orchestrator consume kafka://localhost:9092/orders --mapping definitions/orders.mapping.yaml
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The stream, a mapping, the size of a batch."""
    parser.add_argument(
        "stream", metavar="URL", help="kafka://HOST:9092/TOPIC?group=G or redis://HOST:6379/0/KEY?group=G"
    )
    parser.add_argument("--mapping", metavar="M", type=Path, help="a mapping file for records of another shape")
    parser.add_argument(
        "--prefix", metavar="P", default="", help="stands before customers' ids of CloudEvents and mappings"
    )
    parser.add_argument("--batch", metavar="N", type=int, default=500, help="records of one transaction (default: 500)")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Takes records until it is told to stop."""
    from orchestrator.wiring.consuming import open_consuming

    consumers: Any = import_module("orchestrator.sources.consumer")
    places: Any = import_module("orchestrator.sources.places")
    reading: Any = import_module("orchestrator.sources.reading")
    segment: Any = import_module("orchestrator.http.segment_documents")
    serving: Any = import_module("orchestrator.wiring.serving")
    from threading import Event

    stop = Event()
    with open_consuming(args.project, args.database, args.broker, _sender) as place:
        mapping = _mapping(args, place, terminal)
        stream = places.stream_at(args.stream)
        consumer = consumers.Consumer(
            place.store, stream, reading.Reader(segment.items_of, mapping, args.prefix),
            journey_now=place.journey_now, real_now=place.real_now, count=place.count, nudge=place.nudge,
            violations=place.violations, batch=max(1, min(args.batch, 5_000)),
        )  # fmt: skip
        place.lag = lambda: consumer.lag
        terminal.say(f"taking from {stream.name}")
        terminal.flush()
        with serving.signals_to(stop.set, lambda: os._exit(130)), place.kept_up(stream.name):
            try:
                consumer.run(stop)
            finally:
                stream.close()
    terminal.note("stopped")
    return 0


def _sender(settings: Any) -> Any:
    """What nudges the workers; made only where there is a broker."""
    from orchestrator.cli.processes import celery_app

    return import_module("orchestrator.tasks.sending").sender(celery_app(settings))


def _mapping(args: argparse.Namespace, place: Any, terminal: Terminal) -> TableMapping | None:
    if args.mapping is None:
        return None
    from orchestrator.definitions.mapping import load_mapping

    mapping, problems = load_mapping(read_document(args.mapping), place.store.index.project.timezone)
    raise_errors(problems, terminal)
    return mapping
