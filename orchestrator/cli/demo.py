"""`orchestrator demo`: two years of bookings run through a journey, in a minute, with the real engine."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from orchestrator.cli.arguments import at_least
from orchestrator.cli.json_lines import LineWriter, without_values
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.progress import progress_bar
from orchestrator.cli.project_loading import load_valid
from orchestrator.cli.runs import note_ingest, read_table
from orchestrator.cli.terminal import Terminal

if TYPE_CHECKING:
    from orchestrator.definitions.load import LoadedProject
    from orchestrator.insights.run_summary import RunSummary

DESCRIPTION = """Watch two years of hotel bookings run through a journey of five reminders. The bookings are made
up, from a seed, and look like real ones; the engine is the real one, on a virtual clock. Nothing is sent to anybody."""
EXAMPLES = """
orchestrator demo
orchestrator demo --rows 2000 --keep demo
"""

HERE = Path(__file__).resolve().parent.parent / "demo"
PROJECT = HERE / "project"
MAPPING = HERE / "bookings.mapping.yaml"
ROWS = 20_000
SEED = 7


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many bookings, which ones, and whether they are kept."""
    parser.add_argument(
        "--rows", metavar="N", type=at_least(1), default=ROWS, help=f"how many bookings (default {ROWS})"
    )
    parser.add_argument("--seed", metavar="N", type=int, default=SEED, help=f"which bookings (default {SEED})")
    parser.add_argument(
        "--keep", metavar="DIR", type=Path, help="keep the bookings and the journal there, to look further"
    )


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Makes the bookings, runs them, and tells what happened, to all and to one."""
    from orchestrator.demo.bookings import write_bookings_csv

    with _folder(args.keep) as folder:
        bookings, journal = folder / "bookings.csv.gz", folder / "run.jsonl"
        write_bookings_csv(bookings, args.seed, args.rows)
        loaded = load_valid(PROJECT, terminal)
        counts, star = _replay(loaded, bookings, journal, terminal)
        _tell(loaded, journal, star, terminal)
    terminal.data({"summary": counts.as_dict(), "customer": star})
    _look_further(args.keep, star, terminal)
    return 0


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """The folder for bookings and journal: the one to keep, or one that is gone afterwards."""
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        yield keep
        return
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="orchestrator-demo-") as name:
        yield Path(name)


def _replay(loaded: LoadedProject, bookings: Path, journal: Path, terminal: Terminal) -> tuple[RunSummary, str | None]:
    """Runs the table, writes the journal, prints the counts; returns them and the customer to tell about."""
    from orchestrator.insights.run_summary import RunSummary, summary_text
    from orchestrator.testing.replay import simulate_events
    from orchestrator.testing.simulation import NOT_PRINTED

    table = read_table(bookings, MAPPING, loaded, terminal)
    counts, star = RunSummary(), _Star()
    began = perf_counter()
    with journal.open("w", encoding="utf-8", errors="backslashreplace") as file:
        writer = LineWriter(file)
        count = without_values(counts.add, NOT_PRINTED)

        def emit(line: dict[str, Any]) -> None:
            count(line)
            star.look_at(line)
            line.pop("html", None)  # ten kilobytes a message, of which the story tells the subject
            line.pop("text", None)
            writer.write(line)

        with progress_bar(terminal, "two years of bookings") as progress:
            summary = simulate_events(loaded, table, emit, progress, with_values=True)
        writer.close()
    seconds = perf_counter() - began
    days = (summary.ended_at - summary.started_at).days
    note_ingest(summary, terminal)
    terminal.say(
        f"{number_of(table.rows, 'booking')} and what became of them, {number_of(days, 'day')} "
        f"in {seconds:.1f} seconds: {number_of(counts.lines, 'decision')}\n"
    )
    terminal.say(summary_text(counts))
    return counts, star.customer


class _Star:
    """Finds a customer worth telling about: reminded at least twice, and then cancelled."""

    def __init__(self) -> None:
        self._reminded: dict[str, int] = {}
        self.customer: str | None = None
        self._best = -1

    def look_at(self, line: dict[str, Any]) -> None:
        """One line of the run."""
        customer, kind = line["customer"], line["type"]
        if kind == "message":
            self._reminded[customer] = self._reminded.get(customer, 0) + 1
        elif kind in ("exited", "completed"):
            reminded = self._reminded.pop(customer, 0)
            worth = reminded + (10 if kind == "exited" and reminded >= 2 else 0)
            if worth > self._best:
                self._best, self.customer = worth, customer


def _tell(loaded: LoadedProject, journal: Path, customer: str | None, terminal: Terminal) -> None:
    if customer is None:
        return
    from orchestrator.cli.why import titles_of
    from orchestrator.insights.journal import customer_lines
    from orchestrator.insights.why import story_text, tell

    lines, _ = customer_lines(journal, customer)
    terminal.say(f"\none of them, by `orchestrator why {customer}`:\n")
    terminal.say(story_text(tell(lines, customer, loaded.project.timezone), titles_of(loaded)))


def _look_further(keep: Path | None, customer: str | None, terminal: Terminal) -> None:
    project = f"orchestrator --project {shlex.quote(str(PROJECT))}"
    terminal.say("\nto look further:")
    if keep is None:
        terminal.say("  orchestrator demo --keep demo                keeps the bookings and the journal to ask about")
    else:
        terminal.say(f"  {project} why {customer or 'CUSTOMER'} --journal {shlex.quote(str(keep / 'run.jsonl'))}")
    terminal.say(f"  {project} graph booking_reminders --output journey.svg")
    terminal.say("  orchestrator init harbour                    a project of your own")
