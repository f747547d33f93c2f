"""A replay shared between processes: each takes part of the customers, and the lines are joined in their order.

Only where no customer can feel another: what customers share (coupons, limits, throttles, turns of a task queue,
schedules, remembered answers) has one order, which two processes cannot keep. Whatever goes wrong in a process, the
table is replayed in this one, from the start, and lines that were printed already are not printed again.
"""

from __future__ import annotations

import fcntl
import marshal
import os
import pickle
import signal
import sys
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from operator import itemgetter
from typing import Any, Final

from orchestrator.core.index import Index
from orchestrator.core.program import Fetch, IssueCoupon, OpenTask
from orchestrator.core.project import Project
from orchestrator.definitions.event_tables import ReplayTable
from orchestrator.runtime.breaker import MOST_RENDER_ERRORS
from orchestrator.testing.simulation import Emit, Progress, Summary

PARTS: Final = 2
LEAST_EVENTS: Final = 20_000
"""Events from which starting processes pays."""
AT_ONCE: Final = 500
"""Customers at their instants whose lines are handed over together."""
MOST_AHEAD: Final = 20_000
"""The same of one process that may wait here for those of the other."""
_PIPE_BYTES: Final = 1 << 20
_FORK: Final = get_context("fork")
"""So that project and table are there without being sent."""
_Pipe = tuple[Connection, Connection]
"""(to read from, to write to)"""
_Placed = tuple[str, str, list[Any], tuple[str, str] | None]
"""(instant as text that sorts, customer, the lines or what was made of them, journey and version of a text that could
not be rendered). What happened to one customer at one instant stays together."""

Line = dict[str, Any]
Prepare = Callable[[Line], Any]
"""Makes of a line, in the process where it arose, what is handed on instead: plain values, such as finished text."""
Run = Callable[[ReplayTable, Emit, Progress | None], Summary]
"""Replays a table, or a part of one, in this process."""


def may_share(project: Project, table: ReplayTable) -> bool:
    """Whether sharing is worth it, possible on this machine, and changes no line."""
    if len(table) < LEAST_EVENTS or sys.platform != "linux" or threading.active_count() > 1:
        return False
    return len(os.sched_getaffinity(0)) >= PARTS and not table.gives_ids and customers_are_strangers(Index(project))


def customers_are_strangers(index: Index) -> bool:
    """Whether nothing that one customer does can change what becomes of another."""
    if index.schedules or "message_sent" in index.listened:  # who hears of a message in which claim depends on others
        return False
    return not any(
        journey.throttle is not None
        or journey.limits.entries_per_day is not None
        or journey.limits.messages_total is not None
        or any(isinstance(s, (IssueCoupon, OpenTask)) or (isinstance(s, Fetch) and s.cache) for s in journey.steps)
        for journey in index.journeys
    )


def replay_shared(
    run: Run,
    table: ReplayTable,
    emit: Callable[[Any], None],
    progress: Progress | None,
    parts: int,
    prepare: Prepare | None = None,
    alone: Run | None = None,
) -> Summary:
    """Replay the parts of a table in processes of their own. Lines, order and counts are those of `run` on all of it.

    `emit` gets the lines, or what `prepare` makes of them. Only the reasons in `refused` stand part by part. `alone`:
    in place of `run`, where all is replayed in this process after all.
    """
    joined = _Joined(emit, progress, len(table), parts)
    processes: list[ForkProcess] = []
    pipes = [_FORK.Pipe(duplex=False) for _ in range(parts)]
    try:
        _start(processes, pipes, run, table, prepare)
        return joined.read([reader for reader, _ in pipes])
    except _CannotShare:
        pass
    finally:
        for process in processes:
            process.kill()
            process.join()
        for reader, _ in pipes:
            reader.close()
    return (alone or run)(table, _without_first(joined.printed, prepared(emit, prepare)), progress)


def prepared(emit: Callable[[Any], None], prepare: Prepare | None) -> Emit:
    """Hands on what is made of each line."""
    return emit if prepare is None else lambda line: emit(prepare(line))


def _start(
    processes: list[ForkProcess], pipes: list[_Pipe], run: Run, table: ReplayTable, prepare: Prepare | None
) -> None:
    """Start a process for each pipe, which is then open in this process for reading only. Raises _CannotShare."""
    ends = [end for pipe in pipes for end in pipe]
    try:
        for number, (_, writer) in enumerate(pipes):
            others = [end for end in ends if end is not writer]
            share = (run, table, number, len(pipes), writer, others, prepare)
            process = _FORK.Process(target=_replay_part, args=share, daemon=True)
            process.start()
            processes.append(process)
    except OSError:  # no memory or no room for another process
        raise _CannotShare from None
    finally:
        for _, writer in pipes:
            writer.close()


def _without_first(count: int, emit: Emit) -> Emit:
    """Passes on all lines but the first `count`."""
    left = count

    def pass_on(line: Line) -> None:
        nonlocal left
        if left:
            left -= 1
        else:
            emit(line)

    return pass_on


class _CannotShare(Exception):
    """A process failed, or its customers turned out to feel each other."""


# --- in a process of its own -----------------------------------------------------------------------------------------


def _replay_part(
    run: Run,
    table: ReplayTable,
    number: int,
    parts: int,
    writer: Connection,
    others: list[Connection],
    prepare: Prepare | None,
) -> None:
    """Send the lines of one part in frames of (events done, lines, None), and at last the summary."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other process ends this one
    for other in others:
        other.close()  # so that writing fails when nobody reads any more
    lines: list[_Placed] = []
    done = 0
    at = said = whose = ""

    def emit(line: Line) -> None:
        nonlocal at, said, whose
        failed = line["type"] == "suppressed" and line["reason"] == "render_error"
        customer, made = line["customer"], line if prepare is None else prepare(line)
        if not failed and customer == whose and line["at"] == said and lines:
            lines[-1][2].append(made)
            return
        if len(lines) >= AT_ONCE:
            send(None)
        if line["at"] != said:
            said = line["at"]
            at = said[:-1]  # without its Z, which would come after a fraction of a second
        whose = customer
        lines.append((at, customer, [made], (line["journey"], line["version"]) if failed else None))

    def send(summary: bytes | None) -> None:
        writer.send_bytes(marshal.dumps((done, lines, summary)))
        lines.clear()

    def count(events: int, total: int) -> None:
        nonlocal done
        done = events

    try:
        fcntl.fcntl(writer.fileno(), fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        summary = run(table.part(number, parts), emit, count)
        send(pickle.dumps(summary))
    except Exception:  # whatever it is, it happens again in the process that reads, where it is seen
        pass
    finally:
        writer.close()


# --- in this process -------------------------------------------------------------------------------------------------


class _Part:
    """What came from one process: lines that were not printed yet, in their order."""

    def __init__(self) -> None:
        self.lines: list[_Placed] = []
        self.last = ""
        self.done = 0
        self.summary: Summary | None = None

    def take(self, frame: bytes) -> None:
        self.done, lines, summary = marshal.loads(frame)
        if lines:
            self.lines += lines
            self.last = lines[-1][0]
        if summary is not None:
            self.summary = pickle.loads(summary)

    def before(self, at: str | None) -> list[_Placed]:
        """The lines before an instant (None: all), which are taken out."""
        count = len(self.lines) if at is None else bisect_left(self.lines, at, key=_at)
        ready, self.lines = self.lines[:count], self.lines[count:]
        return ready


class _Joined:
    """Joins the lines of all parts. `printed` counts those handed on."""

    def __init__(self, emit: Callable[[Any], None], progress: Progress | None, total: int, parts: int) -> None:
        self._emit = emit
        self._progress = progress
        self._total = total
        self._parts = [_Part() for _ in range(parts)]
        self._render_errors: Counter[tuple[str, str]] = Counter()
        self.printed = 0

    def read(self, readers: list[Connection]) -> Summary:
        """Everything, to the end. Raises _CannotShare."""
        part_of = dict(zip(readers, self._parts))
        while True:
            running = [part for part in self._parts if part.summary is None]
            if not running:
                self._print(None)
                return self._summary()
            behind = min(part.last for part in running)
            heard = [
                reader
                for reader, part in part_of.items()
                if part.summary is None and (part.last <= behind or len(part.lines) < MOST_AHEAD)
            ]
            for reader in wait(heard):
                assert isinstance(reader, Connection)
                try:
                    part_of[reader].take(reader.recv_bytes())
                except (EOFError, OSError):
                    raise _CannotShare from None
            self._print(min((part.last for part in self._parts if part.summary is None), default=None))
            if self._progress is not None:
                self._progress(sum(part.done for part in self._parts), self._total)

    def _print(self, before: str | None) -> None:
        """Print what nothing can precede any more: the lines before an instant that every process has reached."""
        ready = [line for part in self._parts for line in part.before(before)]
        ready.sort(key=_place)  # within a customer and instant they stand in their order already
        for _, _, _, error in ready:
            if error is not None:
                self._count_render_error(error)
        emit = self._emit
        for _, _, lines, _ in ready:
            for line in lines:
                self.printed += 1
                emit(line)

    def _count_render_error(self, journey: tuple[str, str]) -> None:
        """So many that the breaker pauses the journey would change what becomes of everyone in it."""
        self._render_errors[journey] += 1
        if self._render_errors[journey] >= MOST_RENDER_ERRORS:
            raise _CannotShare

    def _summary(self) -> Summary:
        found = [part.summary for part in self._parts if part.summary is not None]
        whole = Summary(min(s.started_at for s in found), max(s.ended_at for s in found))
        for summary in found:
            whole.customers += summary.customers
            whole.events += summary.events
            whole.lines += summary.lines
            whole.duplicates += summary.duplicates
            whole.refused += summary.refused
            whole.conflicts += summary.conflicts
            whole.violations += summary.violations
            whole.parked += summary.parked
        return whole


_at: Final = itemgetter(0)
_place: Final = itemgetter(0, 1)
