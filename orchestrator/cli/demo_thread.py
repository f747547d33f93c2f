"""The demonstration's season in a thread of its own, beside the server: progress, report, and one customer's story."""

from __future__ import annotations

import argparse
from time import perf_counter
from typing import TYPE_CHECKING, Any

from orchestrator.cli.beside_server import BesideServer
from orchestrator.cli.demo import CUSTOMERS, DATABASE, DAYS, PACE, START
from orchestrator.cli.demo_season import Asked, Ended, Season
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.terminal import Terminal

if TYPE_CHECKING:
    from orchestrator.cli.demo_outbox import DemoOutbox
    from orchestrator.core.project import Project
    from orchestrator.definitions.load import LoadedProject
    from orchestrator.wiring.engine import Running


class Demonstration(BesideServer):
    """The season, with progress and report."""

    broken_off = Ended
    broken_off_means = "stopped before the end of the season"
    goes_on = "\nthe status page goes on until Ctrl-C"

    def __init__(
        self,
        args: argparse.Namespace,
        terminal: Terminal,
        loaded: LoadedProject,
        running: Running,
        outbox: DemoOutbox,
        began: float,
    ) -> None:
        super().__init__("season", terminal, running, _nothing)
        self._args = args
        self._loaded = loaded
        self._outbox = outbox
        self._began = began

    def stays(self) -> bool:
        """On a terminal, unless it is not wanted."""
        return self._terminal.people.isatty() and not self._args.exit

    def play(self) -> None:
        """The whole season. Raises Ended."""
        from orchestrator.cli.demo_figures import SeasonFigures
        from orchestrator.cli.demo_progress import SeasonProgress
        from orchestrator.cli.demo_star import Star

        args, figures, star = self._args, SeasonFigures(), Star()

        def hear(line: dict[str, Any]) -> None:
            figures.add(line)
            star.look_at(line)

        progress = SeasonProgress(self._terminal, lambda: figures.messages)
        asked = Asked(args.seed, args.customers, START, args.days, _pace(args.customers, args.days))
        season = Season(self.running, asked, hear, progress.move, self.stopping.is_set)
        progress.begin(args.customers)
        season.run()
        progress.close()
        figures.note(season.answers, season.came_back)
        figures.running = _under_way(self.running)
        self._tell(season, figures, star)

    def _tell(self, season: Season, figures: Any, star: Any) -> None:
        from orchestrator.cli.demo_figures import figures_text

        args, terminal = self._args, self._terminal
        seconds = perf_counter() - self._began
        terminal.say(
            f"\n{number_of(args.customers, 'customer')}, {season.begin:%Y-%m-%d} to {season.end:%Y-%m-%d}: "
            f"{number_of(season.events, 'event')}, {number_of(figures.messages, 'message')}, "
            f"{number_of(figures.summary.lines, 'decision')} in {seconds:.0f} seconds"
        )
        for line in figures_text(figures, self._loaded.project.events):
            terminal.say(line)
        if star.customer is not None:
            terminal.say(f"\none of them, by `orchestrator why {star.customer}`\n")
            terminal.say(_story(self.running, self._loaded.project, star.customer))
        folder = self._outbox.folder
        terminal.say(
            f"\nmessages    {number_of(self._outbox.written, 'file')} in {folder}: some of each kind in each language; "
            f"all {figures.messages:,} are in the database"
        )
        terminal.say(f"status page {self.running.base_url}/")
        terminal.data(
            {
                "customers": args.customers,
                "events": season.events,
                "messages_sent": figures.messages,
                "files": self._outbox.written,
                "outbox": str(folder),
                "database": str(folder.parent / DATABASE),
                "customer": star.customer,
                "seconds": round(seconds, 1),
                "parked": len(self.running.store.overview().parked),
                **figures.as_dict(),
            }
        )
        terminal.flush()


def _pace(customers: int, days: int) -> float:
    """Few guests, or few days, are livelier, so that there is as much to see; never livelier than real ones."""
    return min(1.0, max(PACE, PACE * CUSTOMERS * DAYS / (customers * days)))


def _nothing() -> None:
    """Until the server is there, nothing has to be ended."""


def _under_way(running: Running) -> dict[str, int]:
    """Enrollments that run, by journey."""
    seen = running.store.overview().enrollments
    return {journey: count for (journey, status), count in sorted(seen.items()) if status == "running"}


def _story(running: Running, project: Project, customer: str) -> str:
    """What `why` tells of a customer."""
    from orchestrator.cli.json_lines import line_with_values
    from orchestrator.insights.local_time import local_time_of
    from orchestrator.insights.why import story_text, tell

    card = running.store.card(customer)
    local = local_time_of(card.customer if card is not None else None, project.timezone)
    lines = [line_with_values(transition) for transition in running.store.journal(customer)]
    titles = {journey.id: journey.title for journey in project.journeys.values()}
    return story_text(tell(lines, customer, local, None, project.journeys), titles)
