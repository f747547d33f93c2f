"""All bookings through five reminders: the real engine in memory, messages rendered, every line printed."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from orchestrator.cli.json_lines import LineWriter
from orchestrator.definitions.event_tables import replay_events
from orchestrator.definitions.load import load_project
from orchestrator.definitions.mapping import load_mapping
from orchestrator.definitions.yaml_loader import load_document
from orchestrator.testing.parallel_replay import PARTS
from orchestrator.testing.replay import simulate_events

HERE = Path(__file__).resolve().parent


def run(table_path: Path, out: Any) -> dict[str, Any]:
    """Returns the figures of one replay."""
    started = time.perf_counter()
    loaded = load_project(HERE / "reminders")
    path = HERE / "hotel.mapping.yaml"
    mapping, problems = load_mapping(load_document(path.name, path.read_text()), loaded.project.timezone)
    assert mapping is not None, problems
    table = replay_events(table_path, mapping)
    mapped = time.perf_counter()
    writer = LineWriter(out)
    summary = simulate_events(loaded, table, writer.write_text, prepare=writer.text_of)
    writer.close()
    ended = time.perf_counter()
    return {
        "seconds": ended - started,
        "mapping_seconds": mapped - started,
        "transitions": sum(summary.lines.values()),
        "messages": summary.lines["message"],
        "events": summary.events,
        "mib": _most_mib(),
    }


def _most_mib() -> float:
    """The most memory of all processes together: what they share is counted in each of them."""
    own, each = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return (own + PARTS * each) / 1024


if __name__ == "__main__":
    with open("/dev/null", "w") as sink:
        print(json.dumps(run(Path(sys.argv[1]), sink)))
