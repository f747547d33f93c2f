"""Several conditions over the customers of some shards, as one query: each row is read and parsed once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from orchestrator.core.expression.expr import Expr
from orchestrator.core.project import Project, Segment
from orchestrator.core.time.zones import local, same_offset, to_utc, zone_or_none
from orchestrator.errors import BadDate
from orchestrator.stores.instants import micros
from orchestrator.stores.segment_sql.conditions import Compiled, Surroundings, begin_name, compile_condition
from orchestrator.stores.segment_sql.dialects import Dialect, quoted
from orchestrator.stores.segment_sql.terms import UNSURE

_EPOCH: Final = date(1970, 1, 1)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Verdicts:
    """Conditions over customers. `names` are those of the columns v0, v1, ... of `sql`: (shard, id, v0, v1, ...), each
    true, false, or NULL where the evaluator decides."""

    names: tuple[str, ...]
    compiled: tuple[Compiled, ...]
    sql: str

    @property
    def columns(self) -> list[str]:
        """The columns of the conditions."""
        return [f"v{n}" for n in range(len(self.names))]


def conditions_of(segments: Sequence[Segment]) -> Mapping[str, Expr]:
    """The conditions of segments by their names, for `in_segment`; lists that are uploaded have none."""
    return {segment.name: segment.where for segment in segments if not getattr(segment, "listed", False)}


def verdicts(
    wanted: Mapping[str, Expr],
    project: Project,
    dialect: Dialect,
    now: datetime,
    zones: Iterable[str],
    shards: str,
    sealed: bool = False,
) -> Verdicts:
    """The query for some conditions. `shards`: a condition on c.shard; `zones`: all that customers are in."""
    around = Surroundings(dialect, project, now, sealed)
    segments = conditions_of(project.segments)
    compiled: list[Compiled] = []
    levels: list[list[int]] = []
    decided: dict[str, str] = {}
    depths: dict[str, int] = {}
    for n, (name, expr) in enumerate(wanted.items()):
        compiled.append(compile_condition(expr, around, segments, decided))
        # A condition that asks for another one stands in a query around that one's.
        depth = max((depths[asked] + 1 for asked in expr.needs.segments if asked in depths), default=0)
        levels += [[] for _ in range(depth + 1 - len(levels))]
        levels[depth].append(n)
        if segments.get(name) is expr:
            depths[name], decided[name] = depth, f"c.v{n}"
    zoned, choices = any(one.zoned for one in compiled), any(one.consents for one in compiled)
    days = sorted(set().union(*(one.days for one in compiled)))
    columns = "c.shard, c.id, c.external_id, c.created_at, c.zone, "
    columns += f"{dialect.document('c.state')} AS doc"
    source = "customers AS c"
    if choices:
        empty = "'[]'::jsonb" if dialect.name == "postgresql" else "'[]'"
        columns += f", CASE WHEN k.state IS NULL THEN {empty} ELSE {dialect.document('k.state')} END AS choices"
        source += " LEFT JOIN consents AS k ON k.shard = c.shard AND k.customer = c.id"
    # The limit keeps the database from merging the inner query into the outer one, which would parse the state anew for
    # every word of every condition.
    bound = "OFFSET 0" if dialect.name == "postgresql" else "LIMIT -1"
    rows = f"(SELECT {columns} FROM {source} WHERE {shards} {bound}) AS c"
    for named in (around.columns, around.derived):
        if named:
            more = ", ".join(f"{expression} AS {name}" for expression, name in named.items())
            rows = f"(SELECT c.*, {more} FROM {rows} {bound}) AS c"
    head = _zones(zones, days, now, dialect) if zoned else ""
    join = " LEFT JOIN z ON z.zone = c.zone" if zoned else ""
    for level in levels:
        some = [(n, compiled[n].sql if compiled[n].sql != UNSURE else _null(dialect)) for n in level]
        found = ", ".join(f"{sql} AS v{n}" for n, sql in some)
        rows = f"(SELECT c.*, {found} FROM {rows}{join} {bound}) AS c"
    all_of_them = ", ".join(f"c.v{n}" for n in range(len(compiled)))
    return Verdicts(tuple(wanted), tuple(compiled), f"{head}SELECT c.shard, c.id, {all_of_them} FROM {rows}")


def _null(dialect: Dialect) -> str:
    return "NULL::boolean" if dialect.name == "postgresql" else "NULL"


def _zones(zones: Iterable[str], days: Sequence[int], now: datetime, dialect: Dialect) -> str:
    """What day it is in every zone, and when the days begin that are asked for."""
    names = ["zone", "today", *(begin_name(day) for day in days)]
    rows = []
    for name in sorted(zones):
        zone = zone_or_none(name)
        if zone is None:
            continue
        try:
            today = local(now, zone).date()
        except BadDate:
            continue
        values = [(today - _EPOCH).days, *(_begin(today, day, zone) for day in days)]
        numbers = ", ".join(f"CAST({'NULL' if value is None else value} AS BIGINT)" for value in values)
        rows.append(f"({quoted(name)}, {numbers})")
    if not rows:
        rows = [f"('', {', '.join('CAST(NULL AS BIGINT)' for _ in names[1:])})"]
    kept = "AS MATERIALIZED" if dialect.name == "postgresql" else "AS"
    return f"WITH z ({', '.join(names)}) {kept} (VALUES {', '.join(rows)}) "


def _begin(today: date, days: int, zone: ZoneInfo) -> int | None:
    """The one instant at which a local day begins; None where clocks change near it, so that there may be two."""
    try:
        midnight = datetime.combine(today, time(0)) + days * _DAY
        begins_at = to_utc(midnight, zone)
    except (BadDate, OverflowError):
        return None
    if not same_offset(begins_at.astimezone(UTC).toordinal(), 0, zone):
        return None
    return micros(begins_at)
