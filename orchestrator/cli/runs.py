"""Reads what a run is made of: a scenario file, or a table of events with its mapping."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli.problem_list import number_of
from orchestrator.cli.progress import progress_bar
from orchestrator.cli.project_loading import nearest_file, raise_errors, read_document
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.definitions.event_tables import ReplayTable
    from orchestrator.definitions.load import LoadedProject
    from orchestrator.definitions.scenario_items import Scenario
    from orchestrator.testing.simulation import Summary

Emit = Callable[[dict[str, Any]], None]
MOST_REJECTS_SHOWN = 5


def read_scenario(path: Path, terminal: Terminal) -> Scenario:
    """The scenario in a file. Raises UsageError and ProjectInvalid."""
    from orchestrator.definitions.scenario import load_scenario

    document = read_document(path)
    scenario, problems = load_scenario(document, path.parent)
    raise_errors(problems, terminal)
    assert scenario is not None  # without an error there is one
    return scenario


def read_table(path: Path, mapping_path: Path | None, loaded: LoadedProject, terminal: Terminal) -> ReplayTable:
    """The events of a table, sorted; says which rows could not be used. Raises UsageError and ProjectInvalid."""
    from orchestrator.definitions.event_tables import replay_events
    from orchestrator.definitions.mapping import load_mapping

    mapping = None
    if not path.exists():
        raise UsageError(f"there is no file {path}{nearest_file(path)}", "file_missing")
    if mapping_path is not None:
        mapping, problems = load_mapping(read_document(mapping_path), loaded.project.timezone)
        raise_errors(problems, terminal)
    with progress_bar(terminal, f"reading {path.name}") as progress:
        table = replay_events(path, mapping, zone=loaded.project.timezone, progress=progress)
    rejects = table.rejects
    if rejects.count:
        terminal.note(f"{number_of(rejects.count, 'row')} of {table.rows:,} could not be used:")
        for row in rejects.first[:MOST_REJECTS_SHOWN]:
            place = f", line {row.line}" if row.line is not None else ""
            terminal.note(f"  row {row.row}{place}: {row.reason}")
        if rejects.count > MOST_REJECTS_SHOWN:
            terminal.note(f"  and {rejects.count - MOST_REJECTS_SHOWN:,} more")
    return table


def note_ingest(summary: Summary, terminal: Terminal) -> None:
    """Says what became of events that were not simply taken."""
    if summary.duplicates:
        terminal.note(f"{number_of(summary.duplicates, 'event')} had an id that was known already")
    if summary.conflicts:
        terminal.note(f"{number_of(summary.conflicts, 'event')} had a known id and other content; the first one won")
    for why in summary.refused[:MOST_REJECTS_SHOWN]:
        terminal.note(f"an event was refused: {why}")
    if len(summary.refused) > MOST_REJECTS_SHOWN:
        terminal.note(f"and {len(summary.refused) - MOST_REJECTS_SHOWN:,} more events were refused")
    for (event, what), count in summary.violations.most_common(MOST_REJECTS_SHOWN):
        terminal.note(f"{number_of(count, 'event')} {event}: {what} (see schema.yaml)")
