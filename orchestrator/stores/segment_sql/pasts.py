"""Questions about past events as subqueries over `events`, by the index (shard, customer, name, at)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from orchestrator.core.expression.nodes import History
from orchestrator.core.expression.types import DATE, DATETIME, Type
from orchestrator.stores.instants import micros
from orchestrator.stores.segment_sql.dialects import Dialect, NotInSql, exists, quoted
from orchestrator.stores.segment_sql.terms import Data, Known, Moment, Number, Record, Term, Texts, Truth, data_at

_UNBOUNDED: Final = frozenset({"did", "count", "first", "last"})
_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
_MARGIN: Final = 1e-12
"""Of a sum of doubles, the share of the sum of their sizes by which their order may change it, times their number."""


@dataclass(frozen=True)
class Window:
    """Which events count: all, or those in (since, until], in microseconds."""

    since: int | None
    until: int | None


def window_of(node: History, history: timedelta, now: datetime) -> Window:
    """As orchestrator.core.expression.compile_history has it."""
    within = None if node.within is None else node.within.length_for
    if node.since_entry:
        raise NotInSql("there is no entry outside of a journey")
    if node.function in _UNBOUNDED and within is None and node.where is None:
        return Window(None, None)
    stays_for = history if within is None or within > history else within
    try:
        start = now - stays_for
    except OverflowError:
        start = _EARLIEST
    return Window(micros(start), micros(now))


@dataclass(frozen=True)
class Past:
    """The events of one name of the customer of the row."""

    dialect: Dialect
    alias: str
    name: str
    window: Window
    sealed: bool

    def rows(self) -> str:
        """FROM and WHERE."""
        a = self.alias
        mine = f"{a}.shard = c.shard AND {a}.customer = c.id"
        found = f"FROM events AS {a} WHERE {mine} AND {a}.name = {quoted(self.name)}"
        if self.window.since is not None:
            found += f" AND {a}.at > {self.window.since} AND {a}.at <= {self.window.until}"
        return found

    def document(self) -> str:
        """The properties."""
        return f"({self.dialect.document(f'{self.alias}.properties')})"

    def property(self, path: list[str | int]) -> Term:
        """A property of the event in this row, for its `where`."""
        a = self.alias
        return _property(self.dialect, path, self.name, f"{a}.at", f"{a}.id", self.document(), self.sealed)


@dataclass(frozen=True)
class OneEvent(Record):
    """The first or last event, or none."""

    past: Past | None = None
    newest: bool = True

    def property(self, path: list[str | int]) -> Term:
        """A property of it; none where there is no event."""
        past = self.past
        assert past is not None
        order = "DESC" if self.newest else "ASC"
        a = past.alias
        one = f"{past.rows()} ORDER BY {a}.at {order}, {a}.seq {order} LIMIT 1"
        match path:
            case ["at"]:
                edge = "max" if self.newest else "min"
                return Moment("instant", f"(SELECT {edge}({a}.at) {past.rows()})")
            case ["name"]:
                raise NotInSql("the name of an event that is looked for by it")
            case ["id"]:
                return Texts(past.dialect.cut(f"(SELECT {a}.id {one})"))
        place = path[1:] if path[0] == "properties" else path
        if not place:
            raise NotInSql("all properties at once")
        row = f"o{a}"
        text = f"(SELECT {a}.properties {one})"
        around: Callable[[str], str] = lambda body: (  # noqa: E731
            f"(SELECT CASE WHEN {row}.whole IS NULL OR {row}.doc IS NOT NULL THEN {body} END FROM "
            f"(SELECT {row}x.whole, {past.dialect.document(f'{row}x.whole')} AS doc FROM (SELECT {text} AS whole) "
            f"AS {row}x) AS {row})"
        )
        return _data(past.dialect, f"{row}.doc", place, past.sealed, around)


def _property(
    dialect: Dialect, path: list[str | int], name: str, at: str, id: str, document: str, sealed: bool
) -> Term:
    match path:
        case ["at"]:
            return Moment("instant", at)
        case ["name"]:
            return Known(name)
        case ["id"]:
            return Texts(dialect.cut(id))
    place = path[1:] if path[0] == "properties" else path
    if not place:
        raise NotInSql("all properties at once")
    readable: Callable[[str], str] = lambda body: f"CASE WHEN {document} IS NOT NULL THEN {body} END"  # noqa: E731
    return _data(dialect, document, place, sealed, readable)


def _data(dialect: Dialect, document: str, path: list[str | int], sealed: bool, around: Callable[[str], str]) -> Data:
    place = tuple(f"${name}" if isinstance(name, str) and name.startswith("$") else name for name in path)
    return data_at(dialect, document, place, 1, sealed, around)


def term(node: History, past: Past, where: str | None, declared: Type | None) -> Term:
    """The value of a question. `where`: the condition on each event; `declared`: the type of the property that is
    added up. Raises NotInSql."""
    match node.function:
        case "did":
            if where is None:
                return Truth(exists(past.rows()))
            n = f"w{past.alias}"
            # One event about which SQL is not sure makes the whole question the evaluator's.
            return Truth(
                f"(SELECT CASE WHEN count(*) = count({n}.hit) THEN coalesce(max({n}.hit), 0) > 0 END FROM "
                f"(SELECT CASE {where} WHEN TRUE THEN 1 WHEN FALSE THEN 0 END AS hit {past.rows()}) AS {n})"
            )
        case "count":
            return _count(past, where)
        case "first" | "last":
            if where is not None:
                raise NotInSql("the first or last event for which a condition holds")
            return OneEvent(exists(past.rows()), past, node.function == "last")
        case "sum" | "avg" | "min" | "max":
            if declared in (DATE, DATETIME):
                raise NotInSql("the figure of a date")
            assert node.prop is not None
            return _figure(node, past, where, node.prop.text)


def _count(past: Past, where: str | None) -> Term:
    if where is None:
        return Number(past.dialect.double(f"(SELECT count(*) {past.rows()})"), always=True)
    n = f"n{past.alias}"
    around: Callable[[str], str] = lambda body: (  # noqa: E731
        f"(SELECT {body} FROM (SELECT count(*) AS total, count({n}y.hit) AS sure, coalesce(sum({n}y.hit), 0) AS hits "
        f"FROM (SELECT CASE {where} WHEN TRUE THEN 1 WHEN FALSE THEN 0 END AS hit {past.rows()}) AS {n}y) AS {n})"
    )
    return Number(past.dialect.double(f"{n}.hits"), f"({n}.total <> {n}.sure)", around, always=True)


def _figure(node: History, past: Past, where: str | None, prop: str) -> Term:
    """sum, avg, min or max of a property; events without it do not count, and one that holds no number makes it the
    evaluator's. Whole numbers are added exactly; of others the order of the additions may change the last digits."""
    j = past.property(["properties", prop])
    assert isinstance(j, Data)
    n = f"f{past.alias}"
    r = f"{n}r"
    json = past.dialect.kept(f"{r}.t", f"{r}.v", lambda: "NULL")
    fence = "OFFSET 0" if past.dialect.name == "postgresql" else "LIMIT -1"
    none = f"{json.type} IS NULL" if j.hides else json.is_none
    value = f"CASE WHEN {json.is_number} THEN CASE WHEN {json.is_safe} THEN {json.number} END END"
    # 0: it does not count; 1: it does; 2: nobody knows.
    kind = f"CASE WHEN {none} THEN 0 WHEN ({value}) IS NOT NULL THEN 1 ELSE 2 END"
    kind = f"CASE WHEN {r}.unread THEN 2 ELSE {kind} END"
    columns = f"{j.json.type} AS t, {j.json.raw} AS v, {past.document()} IS NULL AS unread"
    if where is not None:
        kind = f"CASE {r}.hit WHEN TRUE THEN {kind} WHEN FALSE THEN 0 ELSE 2 END"
        columns += f", {where} AS hit"
    whole = f"{n}y.v = floor({n}y.v)" if past.dialect.name == "postgresql" else f"{n}y.v = CAST({n}y.v AS INTEGER)"
    counted = f"CASE WHEN {n}y.kind = 1 THEN {n}y.v END"
    around: Callable[[str], str] = lambda body: (  # noqa: E731
        f"(SELECT {body} FROM (SELECT count({counted}) AS n, coalesce(max({n}y.kind), 0) AS worst, "
        f"coalesce(sum({counted}), 0) AS total, coalesce(sum(abs({counted})), 0) AS size, "
        f"coalesce(min(CASE WHEN {n}y.kind <> 1 OR {whole} THEN 1 ELSE 0 END), 1) AS exact, "
        f"min({counted}) AS least, max({counted}) AS most "
        f"FROM (SELECT {kind} AS kind, {value} AS v FROM (SELECT {columns} {past.rows()} {fence}) AS {r} {fence}) "
        f"AS {n}y) AS {n})"
    )
    unsure = f"({n}.worst = 2 OR {n}.size > {2**53})"
    match node.function:
        case "sum":
            margin = f"(CASE WHEN {n}.exact = 1 THEN 0 ELSE {n}.size * {n}.n * {_MARGIN} END)"
            return Number(f"{n}.total", unsure, around, margin, always=True)
        case "avg":
            sql = f"(CASE WHEN {n}.n > 0 THEN {n}.total / {past.dialect.double(f'{n}.n')} END)"
            margin = f"(CASE WHEN {n}.exact = 1 THEN 0 ELSE {n}.size * {_MARGIN} END)"
            return Number(sql, unsure, around, margin)
        case "min":
            return Number(f"{n}.least", f"({n}.worst = 2)", around)
        case _:
            return Number(f"{n}.most", f"({n}.worst = 2)", around)
