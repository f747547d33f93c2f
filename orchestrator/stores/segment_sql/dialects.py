"""What the two databases say differently, for conditions that are compiled to SQL: access to JSON, and instants.

All texts that are put into a statement are quoted here. A condition is an SQL expression that is true, false, or NULL:
"this row is for the evaluator to decide".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from orchestrator.errors import UsageError

LARGEST: Final = 2**53
"""Up to here every whole number is a double of its own: comparisons of doubles are exact."""
_SMALLEST: Final = 1e-100
"""What is nearer to 0 is left to the evaluator: products of two such numbers would leave the range of a double."""


class NotInSql(UsageError):
    """A part of a condition that SQL cannot decide exactly. `part`: the place in the source; the message says why."""

    def __init__(self, message: str, offset: int = 0) -> None:
        super().__init__(message, "not_in_sql")
        self.offset = offset


class Json(NamedTuple):
    """One place of a JSON text, as SQL expressions: what stands there (`is_*`), and its value read as text or number.
    `type` is NULL where nothing stands there."""

    type: str
    text: str
    number: str
    """A double; to be used only where `is_safe` holds."""
    is_safe: str
    """A number of which comparisons and sums of doubles are exact; to be used only where `is_number` holds."""
    size: str
    """Of a list: how many items; to be used only where `is_list` holds."""
    is_text: str
    is_number: str
    is_true: str
    is_false: str
    is_list: str
    is_none: str
    """Nothing stands there, or null."""
    raw: str
    """What stands there, as the database has it."""


class Dialect(Protocol):
    """One database's way to say it."""

    name: str

    def json(self, document: str, path: tuple[str | int, ...]) -> Json:
        """A place of a document. `document`: as `document` gives it."""

    def kept(self, type: str, raw: str, size: Callable[[], str]) -> Json:
        """A place whose type and value were worked out in columns."""

    def document(self, column: str) -> str:
        """A column of JSON text, parsed where that pays; NULL where the database cannot read it as the evaluator does.
        To be computed once a row."""

    def items(self, document: str, path: tuple[str | int, ...], alias: str) -> tuple[str, str]:
        """(what stands in FROM, an item's text) of the items of a list; none where there is no list."""

    def item(self, alias: str, place: int) -> str:
        """The text at a place of an item that is a list itself."""

    def day(self, text: str) -> str:
        """Days from 1970-01-01 to the date that a text is, which must look like 2026-03-01; NULL for any other text."""

    def instant(self, text: str) -> str:
        """Microseconds from 1970 to the instant that a text is, in UTC; NULL for whatever looks otherwise."""

    def double(self, expression: str) -> str:
        """A whole number as a double."""

    def cut(self, column: str) -> str:
        """A text column as texts are compared: by code point."""


def quoted(text: str) -> str:
    """A text as SQL writes it. Raises NotInSql for one that no database holds."""
    if "\0" in text or any("\ud800" <= mark <= "\udfff" for mark in text):
        raise NotInSql("the text holds a character that the databases cannot hold")
    return "'" + text.replace("'", "''") + "'"


def exists(rows: str) -> str:
    """Whether there is a row: FROM and WHERE. PostgreSQL would answer EXISTS for all customers of the database at once,
    whatever part of them is asked for."""
    return f"coalesce((SELECT TRUE {rows} LIMIT 1), FALSE)"


def safe_number(number: str) -> str:
    """Whether a number is one of which comparisons and sums are exact."""
    return f"({number} = 0 OR abs({number}) BETWEEN {_SMALLEST!r} AND {LARGEST})"


_DAYS_OF_MONTH: Final = "CASE WHEN {month} = 2 THEN 28 WHEN {month} IN (4, 6, 9, 11) THEN 30 ELSE 31 END"
"""29 February is left to the evaluator."""


class Sqlite:
    """SQLite from 3.38, whose JSON functions read the text each time; it remembers the last few."""

    name = "sqlite"

    def document(self, column: str) -> str:
        return f"CASE WHEN instr({column}, '\\u0000') = 0 THEN {column} END"

    def json(self, document: str, path: tuple[str | int, ...]) -> Json:
        place = quoted("$" + "".join(f"[{key}]" if isinstance(key, int) else _sqlite_key(key) for key in path))
        size = f"json_array_length({document}, {place})"
        return self.kept(f"json_type({document}, {place})", f"json_extract({document}, {place})", lambda: size)

    def kept(self, type: str, raw: str, size: Callable[[], str]) -> Json:
        return Json(
            type=type,
            text=raw,
            number=f"CAST({raw} AS REAL)",
            is_safe=_safe_data(raw),
            size=size(),
            is_text=f"{type} = 'text'",
            is_number=f"{type} IN ('integer', 'real')",
            is_true=f"{type} = 'true'",
            is_false=f"{type} = 'false'",
            is_list=f"{type} = 'array'",
            is_none=f"coalesce({type}, 'null') = 'null'",
            raw=raw,
        )

    def items(self, document: str, path: tuple[str | int, ...], alias: str) -> tuple[str, str]:
        place = quoted("$" + "".join(f"[{key}]" if isinstance(key, int) else _sqlite_key(key) for key in path))
        return f"json_each({document}, {place}) AS {alias}", f"{alias}.value"

    def item(self, alias: str, place: int) -> str:
        return f"json_extract({alias}.value, '$[{place}]')"

    def day(self, text: str) -> str:
        like = f"{text} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]' AND {text} > '0001'"
        # Both hold only for a date of the calendar: another one is moved to one as soon as
        # days are added, and is written differently then.
        days = f"CAST(julianday({text}) - 2440587.5 AS INTEGER)"
        return f"CASE WHEN {like} AND date({text}, '+0 days') = {text} THEN {days} END"

    def instant(self, text: str) -> str:
        digit = "[0-9]"
        second = f"{digit * 4}-{digit * 2}-{digit * 2}T{digit * 2}:{digit * 2}:{digit * 2}"
        shapes = [(f"{second}Z", 0), (f"{second}+00:00", 0)]
        shapes += [(f"{second}.{digit * 3}Z", 3), (f"{second}.{digit * 6}+00:00", 6), (f"{second}.{digit * 6}Z", 6)]
        head = f"substr({text}, 1, 19)"
        cases = []
        for shape, digits in shapes:
            fraction = f" + CAST(substr({text}, 21, {digits}) AS INTEGER) * {10 ** (6 - digits)}" if digits else ""
            cases.append(f"WHEN {text} GLOB '{shape}' THEN CAST(strftime('%s', {head}) AS INTEGER) * 1000000{fraction}")
        valid = f"strftime('%Y-%m-%dT%H:%M:%S', {head}, '+0 days') = {head} AND {text} > '0001'"
        return f"CASE WHEN {valid} THEN CASE {' '.join(cases)} END END"

    def double(self, expression: str) -> str:
        return f"CAST({expression} AS REAL)"

    def cut(self, column: str) -> str:
        return column


def _safe_data(raw: str) -> str:
    """As `safe_number`, of what JSON holds: abs() of the least whole number is an error that ends the statement."""
    small = f"{raw} BETWEEN -{_SMALLEST!r} AND {_SMALLEST!r}"
    return f"({raw} = 0 OR ({raw} BETWEEN -{LARGEST} AND {LARGEST} AND NOT ({small})))"


def _sqlite_key(key: str) -> str:
    # SQLite compares names as the text has them: one that was written with an escape is not found.
    if not all(" " <= mark <= "~" and mark not in '"\\' for mark in key):
        raise NotInSql(f"SQLite cannot look up the name {key!r} in JSON")
    return f'."{key}"'


class Postgres:
    """PostgreSQL: a text is read once, as jsonb."""

    name = "postgresql"

    def document(self, column: str) -> str:
        # What jsonb refuses (half of a surrogate pair, U+0000) would end the whole statement.
        return f"CASE WHEN strpos({column}, '\\u0000') = 0 AND strpos({column}, '\\ud') = 0 THEN {column}::jsonb END"

    def json(self, document: str, path: tuple[str | int, ...]) -> Json:
        value = "(" + document + "".join(f" -> {key if isinstance(key, int) else quoted(key)}" for key in path) + ")"
        return self.kept(f"jsonb_typeof({value})", value, lambda: f"jsonb_array_length({value})")

    def kept(self, type: str, raw: str, size: Callable[[], str]) -> Json:
        return Json(
            type=type,
            text=f"({raw} #>> '{{}}')",
            number=f"{raw}::float8",
            is_safe=safe_number(f"{raw}::numeric"),
            size=f"jsonb_array_length({raw})",
            is_text=f"{type} = 'string'",
            is_number=f"{type} = 'number'",
            is_true=f"{raw} = 'true'::jsonb",
            is_false=f"{raw} = 'false'::jsonb",
            is_list=f"{type} = 'array'",
            is_none=f"coalesce({type}, 'null') = 'null'",
            raw=raw,
        )

    def items(self, document: str, path: tuple[str | int, ...], alias: str) -> tuple[str, str]:
        value = f"({document}" + "".join(f" -> {key if isinstance(key, int) else quoted(key)}" for key in path) + ")"
        some = f"CASE WHEN jsonb_typeof({value}) = 'array' THEN {value} ELSE '[]'::jsonb END"
        return f"jsonb_array_elements({some}) AS {alias} (value)", f"({alias}.value #>> '{{}}')"

    def item(self, alias: str, place: int) -> str:
        return f"({alias}.value ->> {place})"

    def day(self, text: str) -> str:
        year, month, day = (f"substr({text}, {at}, {n})::int" for at, n in ((1, 4), (6, 2), (9, 2)))
        date = f"make_date({year}, {month}, {day}) - date '1970-01-01'"
        return (
            f"CASE WHEN {text} ~ '^[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}$' THEN CASE WHEN {year} > 0 "
            f"AND {month} BETWEEN 1 AND 12 AND {day} BETWEEN 1 AND {_DAYS_OF_MONTH.format(month=month)} "
            f"THEN {date} END END"
        )

    def instant(self, text: str) -> str:
        shape = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}([.]([0-9]{3}|[0-9]{6}))?(Z|[+]00:00)$"
        hour, minute, second = (f"substr({text}, {at}, 2)::bigint" for at in (12, 15, 18))
        digits = f"rpad(substring({text} from '[.]([0-9]+)'), 6, '0')::bigint"
        fraction = f"CASE WHEN substr({text}, 20, 1) = '.' THEN {digits} ELSE 0 END"
        day = self.day(f"substr({text}, 1, 10)")
        return (
            f"CASE WHEN {text} ~ '{shape}' THEN CASE WHEN {hour} < 24 AND {minute} < 60 AND {second} < 60 THEN "
            f"((({day})::bigint * 24 + {hour}) * 60 + {minute}) * 60000000 + {second} * 1000000 + {fraction} END END"
        )

    def double(self, expression: str) -> str:
        return f"({expression})::float8"

    def cut(self, column: str) -> str:
        return f'({column}) COLLATE "C"'


SQLITE: Final = Sqlite()
POSTGRES: Final = Postgres()
