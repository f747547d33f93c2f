"""`orchestrator simulate`: a scenario or a table of events through the real engine, on a virtual clock."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from orchestrator.cli.arguments import only_one
from orchestrator.cli.json_lines import LineWriter, without_values
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.progress import progress_bar
from orchestrator.cli.project_loading import load_valid
from orchestrator.cli.runs import Emit, note_ingest, read_scenario, read_table
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.insights.run_summary import RunSummary
    from orchestrator.wiring.databases import OpenStore

_Prepared = tuple[Callable[[Any], None], Callable[[dict[str, Any]], Any]]
"""(what takes what was made of a line, what makes it)"""

DESCRIPTION = """Run a scenario, or replay a table of events (CSV, JSON Lines, either gzipped), on a virtual clock with
the real engine: months pass in seconds, and nothing is sent. With --json every decision is printed as one line."""
EXAMPLES = """
orchestrator simulate --scenario scenarios/first.yaml
orchestrator simulate --scenario scenarios/first.yaml --json | jq 'select(.type == "message")'
orchestrator simulate --events bookings.csv.gz --mapping bookings.mapping.yaml --journal run.jsonl
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """One of --scenario and --events."""
    parser.add_argument("--scenario", metavar="FILE", type=Path, help="a scenario file: customers and a timeline")
    parser.add_argument("--events", metavar="FILE", type=Path, help="a table of events, replayed from its first one on")
    parser.add_argument("--mapping", metavar="FILE", type=Path, help="how the table's rows become events")
    parser.add_argument(
        "--store",
        metavar="URL",
        help="where the state is kept during the run: memory:// (default) or sqlite:///FILE; an empty one is migrated",
    )
    parser.add_argument(
        "--journal", metavar="FILE", type=Path, help="also write every decision, with its values, for why"
    )


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Runs it; prints lines (--json) or a summary."""
    from orchestrator.wiring.databases import simulation_store

    source = only_one(args, "scenario", "events")
    if source is None:
        raise UsageError("give what to run: --scenario FILE, or --events FILE", "nothing_to_run")
    if args.mapping is not None and source != "events":
        raise UsageError("--mapping belongs to --events; a scenario needs none", "mapping_without_events")
    with simulation_store(args.store) as open_store:
        loaded = load_valid(args.project, terminal)
        run_it = _run_scenario if source == "scenario" else _run_events
        return run_it(args, terminal, loaded, open_store)


def _run_scenario(args: argparse.Namespace, terminal: Terminal, loaded: Any, open_store: OpenStore | None) -> int:
    from orchestrator.testing.scenario_run import simulate_scenario

    scenario = read_scenario(args.scenario, terminal)
    with _sinks(args, terminal) as sinks:
        began = perf_counter()
        summary = simulate_scenario(loaded, scenario, sinks.emit, with_values=sinks.with_values, open_store=open_store)
    _conclude(terminal, sinks, summary, perf_counter() - began)
    return 0


def _run_events(args: argparse.Namespace, terminal: Terminal, loaded: Any, open_store: OpenStore | None) -> int:
    from orchestrator.testing.replay import simulate_events

    table = read_table(args.events, args.mapping, loaded, terminal)
    if not len(table):
        raise UsageError(f"{args.events} holds no event; is the mapping the right one?", "no_events")
    with _sinks(args, terminal) as sinks, progress_bar(terminal, "events") as progress:
        began = perf_counter()
        store = open_store(None, {}) if open_store is not None else None
        emit, prepare = sinks.prepared or (sinks.emit, None)
        summary = simulate_events(
            loaded, table, emit, progress, prepare=prepare, with_values=sinks.with_values, store=store
        )
    _conclude(terminal, sinks, summary, perf_counter() - began)
    return 0


class _Sinks:
    """Where lines go: `emit` is handed to the engine; `counts` is what people are shown in the end.

    `prepared`: the same in two halves, the second of which may run in the process in which a line arises.
    """

    def __init__(self, emit: Emit, with_values: bool, counts: Any, prepared: _Prepared | None = None) -> None:
        self.emit = emit
        self.with_values = with_values
        self.counts = counts
        self.prepared = prepared


@contextmanager
def _sinks(args: argparse.Namespace, terminal: Terminal) -> Iterator[_Sinks]:
    """Counts always; lines to stdout with --json; lines with their values to the journal."""
    from orchestrator.insights.run_summary import RunSummary
    from orchestrator.testing.simulation import NOT_PRINTED

    counts = RunSummary()
    if args.journal is None:
        writer = LineWriter(terminal.out)
        emit = _both(counts.add, writer.write) if terminal.json_output else counts.add
        yield _Sinks(emit, False, counts, _in_halves(counts, writer if terminal.json_output else None))
        writer.close()
        return
    args.journal.parent.mkdir(parents=True, exist_ok=True)
    with args.journal.open("w", encoding="utf-8", errors="backslashreplace") as file:
        journal, writer = LineWriter(file), LineWriter(terminal.out)
        shown = _both(counts.add, writer.write) if terminal.json_output else counts.add
        yield _Sinks(_both(journal.write, without_values(shown, NOT_PRINTED)), True, counts)
        journal.close()
        writer.close()


def _in_halves(counts: RunSummary, writer: LineWriter | None) -> _Prepared:
    """Counts lines and writes them; their texts, and what is counted of them, may be made elsewhere."""
    from orchestrator.insights.run_summary import counted_part

    if writer is None:
        return counts.add, counted_part
    text_of = writer.text_of

    def prepare(line: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        return text_of(line), counted_part(line)

    def emit(made: tuple[str, dict[str, Any]]) -> None:
        counts.add(made[1])
        writer.write_text(made[0])

    return emit, prepare


def _both(first: Emit, second: Emit) -> Emit:
    def emit(line: dict[str, Any]) -> None:
        first(line)
        second(line)

    return emit


def _conclude(terminal: Terminal, sinks: _Sinks, summary: Any, seconds: float) -> None:
    from orchestrator.core.time.iso import format_instant
    from orchestrator.insights.run_summary import summary_text

    if terminal.json_output:
        terminal.flush()
    note_ingest(summary, terminal)
    terminal.say(
        f"{number_of(summary.events, 'event')} of {number_of(summary.customers, 'customer')}, "
        f"{format_instant(summary.started_at)} to {format_instant(summary.ended_at)}\n"
    )
    terminal.say(summary_text(sinks.counts))
    terminal.detail(f"{number_of(sinks.counts.lines, 'line')} in {seconds:.2f} s")
    if summary.parked:
        terminal.note(f"{number_of(summary.parked, 'customer')} had to be parked: their decisions could not be taken")
