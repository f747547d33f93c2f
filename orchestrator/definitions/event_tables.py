"""A table of events for replay: read, mapped, sorted, and kept small enough to hold whole.

Events are sorted by (instant, row, place in the mapping). A row that cannot be used gives nothing, and is counted and
reported with its number and reason; it never ends the replay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32
from zoneinfo import ZoneInfo

from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.definitions.divided_reading import may_divide, second_process
from orchestrator.definitions.mapping import TableMapping
from orchestrator.definitions.mapping_rows import RowMapper, RowUnusable
from orchestrator.definitions.plain_rows import NEEDED, PlainRows
from orchestrator.definitions.scenario_items import CustomerSpec
from orchestrator.definitions.table_lines import Progress
from orchestrator.definitions.table_readers import (
    ROW_NUMBER,
    Format,
    OnReject,
    RejectedRow,
    Row,
    read_rows,
    table_format,
)
from orchestrator.errors import Problem, ProjectInvalid

MOST_REJECTS_KEPT = 1_000


class ReplayEvent(NamedTuple):
    """One event in the order of the replay. `profile` stands at a customer's first event only: create him with it, in
    silence, before the event; None where he exists already."""

    at: datetime
    customer: str
    name: str
    properties: dict[str, Any]
    message_id: str
    profile: CustomerSpec | None


_replay_event: Callable[[tuple[Any, ...]], ReplayEvent] = partial(tuple.__new__, ReplayEvent)
"""From all fields in their order, without the calls that naming the class takes."""

Kept = tuple[datetime, str, int, tuple[Any, ...], int | str]
"""An event as it is kept: instant, customer, shape, values, and the row's number or the id that the table gives.

A plain tuple of plain values, because the collector of cycles forgets about those, and there are hundreds of thousands.
"""
Profile = tuple[datetime, int, tuple[Any, ...]]
"""What a customer is created with: the instant of the first event, the number of its row, and what that row gives."""


@dataclass
class Rejects:
    """Rows that were not used: how many, for which reasons, and the first thousand of them."""

    count: int = 0
    last: int = 0
    """The number of the last one."""
    first: list[RejectedRow] = field(default_factory=list)
    tell: OnReject | None = None

    def add(self, rejected: RejectedRow) -> None:
        """Counts one, keeps it where there is room, and hands it on."""
        self.count += 1
        self.last = rejected.row
        if len(self.first) < MOST_REJECTS_KEPT:
            self.first.append(rejected)
        if self.tell is not None:
            self.tell(rejected)

    def join(self, count: int, first: list[RejectedRow]) -> None:
        """Adds those of other rows of the same table."""
        self.count += count
        self.last = max([self.last, *(rejected.row for rejected in first)])
        self.first = sorted([*self.first, *first], key=attrgetter("row"))[:MOST_REJECTS_KEPT]


Half = tuple[list[Kept], dict[str, Profile], int, list[RejectedRow]]
"""What was made of part of the rows: events, profiles, how many could not be used, and the first of those."""


class ReplayTable:
    """All events of a table in their order. Iterating makes each event anew: what is kept stays small.

    `rows` counts those of the table, used or not; `customers` those who have an event; `rejects` what was not used.
    """

    def __init__(self, name: str, mapper: RowMapper | PlainRows, rejects: Rejects) -> None:
        self.name = name
        self.rows = 0
        self.rejects = rejects
        self._mapper = mapper
        self._events: list[Kept] = []
        self._profiles: dict[str, Profile] = {}

    def add(self, row: Row) -> None:
        """Maps one row and keeps its events; a row that cannot be used goes to the rejects."""
        number: int = row[ROW_NUMBER]
        try:
            customer, events = self._mapper.map(row)
            if not events:
                return
            first_at = min([event.at for event in events])
            known = self._profiles.get(customer)
            if known is None or first_at < known[0]:
                self._profiles[customer] = (first_at, number, self._mapper.profile(row))
        except RowUnusable as error:
            self.rejects.add(RejectedRow(number, None, str(error)))
            return
        for at, shape, values, message_id in events:
            self._events.append((at, customer, shape, values, number if message_id is None else message_id))

    def found(self) -> Half:
        """What was made of the rows, for `join`."""
        return self._events, self._profiles, self.rejects.count, self.rejects.first

    def join(self, half: Half) -> None:
        """Adds what was made of other rows of the same table. No event has an id of the table's own."""
        events, profiles, rejected, first = half
        self._events += events
        self._events.sort(key=itemgetter(4))  # the row; sorting is stable, so that places stay in their order
        for customer, profile in profiles.items():
            known = self._profiles.get(customer)
            if known is None or profile[:2] < known[:2]:
                self._profiles[customer] = profile
        self.rejects.join(rejected, first)

    def sort(self) -> None:
        """Brings the events into their order. They were added by row and place, and sorting is stable."""
        self._events.sort(key=itemgetter(0))

    def __len__(self) -> int:
        return len(self._events)

    @property
    def customers(self) -> int:
        """How many customers have an event."""
        return len(self._profiles)

    @property
    def first_at(self) -> datetime | None:
        """The instant of the first event: where the clock of a replay starts. None where there is no event."""
        return self._events[0][0] if self._events else None

    @property
    def last_at(self) -> datetime | None:
        """The instant of the last event."""
        return self._events[-1][0] if self._events else None

    @property
    def gives_ids(self) -> bool:
        """Whether an event has an id of the table's own, so that two customers may have events of one id."""
        return any(isinstance(source, str) for *_, source in self._events)

    def part(self, number: int, of: int) -> ReplayTable:
        """The events of every `of`-th customer, by a hash that is the same everywhere; `number` counts from 0."""
        mine = {customer for customer in self._profiles if crc32(customer.encode()) % of == number}
        part = ReplayTable(self.name, self._mapper, self.rejects)
        part.rows = self.rows
        part._events = [event for event in self._events if event[1] in mine]
        part._profiles = {customer: profile for customer, profile in self._profiles.items() if customer in mine}
        return part

    def __iter__(self) -> Iterator[ReplayEvent]:
        created: set[str] = set()
        shapes = self._mapper.shapes
        for at, customer, shape, values, source in self._events:
            profile = None
            if customer not in created:
                created.add(customer)
                first_at, _, values_given = self._profiles[customer]
                profile = self._mapper.customer_spec(customer, first_at, values_given)
            name, names, place = shapes[shape]
            message_id = source if isinstance(source, str) else f"{self.name}:{source}:{place}"
            yield _replay_event((at, customer, name, dict(zip(names, values)), message_id, profile))


def replay_events(
    path: Path,
    mapping: TableMapping | None,
    *,
    zone: ZoneInfo | None = None,
    progress: Progress | None = None,
    rejected: OnReject | None = None,
) -> ReplayTable:
    """All events of the table at `path`, by `mapping`; without one by the columns at, customer and event.

    `zone` is that of times without a zone, where there is no mapping (default UTC). `rejected` is told every row that
    was not used, in order. Raises UsageError and ProjectInvalid as `read_rows` does; the latter also where a column
    that the mapping reads does not exist, and where not one row could be used.
    """
    rejects = Rejects(tell=rejected)
    kind = table_format(path)

    def empty(rejects: Rejects) -> ReplayTable:
        mapper = PlainRows(zone or ZoneInfo("UTC")) if mapping is None else RowMapper(mapping, all_text=kind == "csv")
        return ReplayTable(path.name.removesuffix(".gz"), mapper, rejects)

    def every_other(table: ReplayTable) -> Half:
        for row in read_rows(path):
            if not row[ROW_NUMBER] % 2:
                table.add(row)
        return table.found()

    table = empty(rejects)
    read = partial(_read, table, path, mapping, kind, progress)
    divided = mapping is not None and not mapping.gives_ids and rejected is None
    if divided and kind != "parquet" and may_divide(path, path.suffix == ".gz"):
        with second_process(lambda: every_other(empty(Rejects()))) as other_half:
            last = read(lambda number: number % 2)
            table.join(other_half())
    else:
        last = read(None)
    table.rows = max(last, rejects.last)
    table.sort()
    if not table and rejects.count:
        first = rejects.first[0]
        message = f"not one of {table.rows:,} rows could be used; the first, row {first.row}: {first.reason}"
        hint = "give a mapping, or mend it" if mapping is None else f"mend {mapping.path}, or the table"
        raise ProjectInvalid([Problem(str(path), first.line or 1, 1, "table_unusable", message, hint)])
    return table


def _read(
    table: ReplayTable,
    path: Path,
    mapping: TableMapping | None,
    kind: Format,
    progress: Progress | None,
    mine: Callable[[int], int] | None,
) -> int:
    """Add the rows of the table (those whose number is `mine`). Returns the number of the last one."""
    last = 0
    for row in read_rows(path, rejected=table.rejects.add, progress=progress):
        if not last and kind != "jsonl":
            _check_columns(path, mapping, row)
        last = row[ROW_NUMBER]
        if mine is None or mine(last):
            table.add(row)
    return last


def _check_columns(path: Path, mapping: TableMapping | None, row: Row) -> None:
    """Where every row has the same columns, one that is missing is a mistake in the mapping, not in every row."""
    if mapping is None:
        missing = [name for name in NEEDED if name not in row]
        if missing:
            message = f"the table has no column {' and no column '.join(map(repr, missing))}"
            hint = f"give a mapping (--mapping FILE), or name columns {', '.join(NEEDED)}"
            raise ProjectInvalid([Problem(str(path), 1, 1, "unknown_column", message, hint)])
        return
    problems = [
        replace(problem, hint=did_you_mean(column, row) or f"it has {', '.join(list(row)[:12])}")
        for column, problem in mapping.columns.items()
        if column not in row
    ]
    if problems:
        raise ProjectInvalid(problems)
