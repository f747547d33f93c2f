"""Progress bars: on a terminal's stderr, never in a pipe."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from orchestrator.cli.terminal import Terminal

Progress = Callable[[int, int], None]
"""Called with (done, all)."""

_BETWEEN = 0.1
"""Seconds between two drawings."""


@contextmanager
def progress_bar(terminal: Terminal, title: str) -> Iterator[Progress | None]:
    """A callback that moves a bar; None where nobody looks."""
    if not terminal.shows_progress:
        yield None
        return
    # Imported here: half of what `orchestrator --help` may cost in all.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=terminal.err), transient=True, auto_refresh=False) as bars:
        task = bars.add_task(title, total=None)
        drawn_at = 0.0

        def move(done: int, total: int) -> None:
            nonlocal drawn_at
            now = monotonic()
            if now - drawn_at >= _BETWEEN or done >= total:
                drawn_at = now
                bars.update(task, completed=done, total=total, refresh=True)

        yield move
