"""Reads the fields of one file into values of the core, and keeps what is wrong with them.

A field that cannot be read becomes a problem and a harmless stand-in, so that everything else is still looked at.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import time, timedelta
from typing import Any, Final, Literal, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from orchestrator.core.expression.expr import Expr, compiled
from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.core.expression.nodes import Literal as LiteralNode
from orchestrator.core.expression.types import Enum, Record, Scalar, Type, type_name
from orchestrator.core.interpolation import Template
from orchestrator.core.program import CUSTOMER_ZONE, ZoneRule
from orchestrator.core.time.clock_text import parse_days, parse_time_of_day, parse_window
from orchestrator.core.time.cron import Cron, parse_cron
from orchestrator.core.time.durations import Duration, parse_duration, parse_fixed
from orchestrator.core.time.waits import Window
from orchestrator.core.time.zones import zone_names, zone_or_none
from orchestrator.definitions.compiler.names import Names
from orchestrator.definitions.compiler.template_text import Hole, Miswritten, cut
from orchestrator.definitions.source import Document, Path
from orchestrator.errors import Problem

T = TypeVar("T")


class Wanted(NamedTuple):
    """What kind of value a field needs: the words for it, and the kinds that will do."""

    words: str
    kinds: frozenset[str]


DATE: Final = Wanted("a date or an instant", frozenset({"date", "datetime", "string"}))
DURATION: Final = Wanted("a duration, such as days(3)", frozenset({"duration"}))
NUMBER: Final = Wanted("a number", frozenset({"number", "integer"}))
TEXT: Final = Wanted("a text", frozenset({"string"}))

NOTHING: Final = compiled("none", LiteralNode(None))
"""Stands in for an expression that cannot be read."""
_MIDNIGHT = time(0)
_SPOKEN_DURATION = re.compile(r"[-+]?[0-9][\w\s.,:]*|[-+]?P[0-9TYMWDHS.]+")
_SPOKEN_TIME = re.compile(r"[0-9]{1,2}(?:[:.h][0-9]{1,2}){0,2}\s*h?\s*(?:[ap]\.?m\.?)?", re.IGNORECASE)
_SPOKEN_ZONE = re.compile(r"[A-Za-z_]+(?:/[A-Za-z0-9_+-]+)+")


class Fields:
    """The fields of one document. `problems` grows as they are read."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.problems: list[Problem] = []

    def complain(
        self,
        path: Path,
        code: str,
        message: str,
        hint: str | None = None,
        *,
        key: bool = False,
        offset: int | None = None,
        length: int | None = None,
        severity: Literal["error", "warning"] = "error",
    ) -> None:
        """Note a problem at the value at `path`, at its key, or at `offset` inside its text."""
        self.problems.append(
            self.document.problem(path, code, message, hint, key=key, offset=offset, length=length, severity=severity)
        )

    # --- expressions --------------------------------------------------------------------------------------------------

    def expression(
        self, source: str, path: Path, names: Names, wanted: Wanted | None = None, *, at: int | None = 0
    ) -> Expr:
        """An expression that stands at `at` inside the text at `path`; None: it stands nowhere, point at the whole."""
        outcome = names.read(source)
        for finding in outcome.findings:
            self.complain(
                path,
                finding.code,
                finding.message,
                finding.hint,
                offset=None if at is None else at + finding.offset,
                length=None if at is None else finding.length,
                severity=finding.severity,
            )
        if outcome.expr is None:
            return NOTHING
        if wanted is not None and not _may_be(outcome.kind, wanted):
            message = f"this is {type_name(outcome.kind)}, and {wanted.words} is needed here"
            self.complain(path, "type_clash", message, offset=at, length=len(source) if at is not None else None)
        return outcome.expr

    def optional(self, source: str | None, path: Path, names: Names, wanted: Wanted | None = None) -> Expr | None:
        """An expression, where one is written."""
        return None if source is None else self.expression(source, path, names, wanted)

    # --- templates ----------------------------------------------------------------------------------------------------

    def template(self, value: Any, path: Path, names: Names) -> Template:
        """A template field: text with `{{ }}`; or any other value, with templates wherever it holds text."""
        match value:
            case str():
                return self._text(value, path, names)
            case list():
                items = tuple(self.template(item, (*path, number), names) for number, item in enumerate(value))
                constant = all(_is_constant(item) for item in items)
                return Template(literal=[_literal(item) for item in items]) if constant else Template(items=items)
            case dict():
                entries = tuple((key, self.template(item, (*path, key), names)) for key, item in value.items())
                if all(_is_constant(item) for _, item in entries):
                    return Template(literal={key: _literal(item) for key, item in entries})
                return Template(entries=entries)
            case _:
                return Template(literal=value)

    def optional_template(self, value: Any, path: Path, names: Names) -> Template | None:
        """A template, where one is written."""
        return None if value is None else self.template(value, path, names)

    def templates(self, values: Mapping[str, Any], path: Path, names: Names) -> tuple[tuple[str, Template], ...]:
        """A mapping of names to templates, in the order of the file."""
        return tuple((name, self.template(value, (*path, name), names)) for name, value in values.items())

    def _text(self, text: str, path: Path, names: Names) -> Template:
        try:
            pieces = cut(text)
        except Miswritten as wrong:
            self.complain(path, wrong.code, str(wrong), wrong.hint, offset=wrong.offset, length=wrong.length)
            return Template(literal=text)
        if not any(isinstance(piece, Hole) for piece in pieces):
            return Template(literal=text)
        return Template(
            tuple(
                self.expression(piece.source, path, names, at=piece.offset) if isinstance(piece, Hole) else piece
                for piece in pieces
            )
        )

    # --- times --------------------------------------------------------------------------------------------------------

    def duration(self, text: str | None, path: Path, *, negative: bool = False) -> Duration | None:
        """A duration whose d, w, mo and y are calendar time; None where none is written."""
        if text is None:
            return None
        return self._read(lambda t: parse_duration(t, negative=negative), text, path, Duration())

    def fixed(self, text: str | None, path: Path) -> timedelta | None:
        """A duration in which d is 24 hours and w is 168; None where none is written."""
        return None if text is None else self._read(parse_fixed, text, path, timedelta(0))

    def duration_or_expression(
        self, text: str | None, path: Path, names: Names, *, negative: bool = False
    ) -> tuple[Duration | None, Expr | None]:
        """A duration, or the expression that gives one; both None where nothing is written."""
        if text is None:
            return None, None
        bare = text.strip()
        try:
            return parse_duration(bare, negative=negative), None
        except ValueError:
            if _SPOKEN_DURATION.fullmatch(bare):
                return self.duration(bare, path, negative=negative), None
        return None, self.expression(text, path, names, DURATION)

    def offset_beside_at(self, offset: Duration, path: Path) -> None:
        """Complain that an offset in h, m or s stands with `at`."""
        message = f"the offset {offset} holds hours, minutes or seconds, and cannot stand with `at`, a time of day"
        self.complain(path, "bad_value", message, "give the offset in days, or leave `at` out")

    def time_of_day(self, text: str | None, path: Path) -> time | None:
        """A local time of day; None where none is written."""
        return None if text is None else self._read(parse_time_of_day, text, path, _MIDNIGHT)

    def looks_like_time(self, text: str) -> bool:
        """Whether a time of day is meant, rightly written or not: `09:00`, `9am`."""
        return _SPOKEN_TIME.fullmatch(text.strip()) is not None and not text.strip().isdigit()

    def window(self, text: str, path: Path) -> Window:
        """A daily window of local time."""
        return self._read(parse_window, text, path, Window(_MIDNIGHT, _MIDNIGHT))

    def days(self, value: Any, path: Path) -> frozenset[int] | None:
        """Days of the week, Monday 0; None where none are written."""
        return None if value is None else self._read(parse_days, value, path, None)

    def cron(self, text: str, path: Path) -> Cron:
        """A five-field schedule."""
        return self._read(parse_cron, text, path, parse_cron("0 0 * * *"))

    def _read(self, parse: Callable[[Any], T], value: Any, path: Path, stand_in: T) -> T:
        try:
            return parse(value)
        except ValueError as error:
            self.complain(path, "bad_value", str(error))
            return stand_in

    # --- zones --------------------------------------------------------------------------------------------------------

    def zone(self, name: str | None, path: Path) -> ZoneInfo | None:
        """An IANA zone; None for `customer` and where nothing is written."""
        if name is None or name == "customer":
            return None
        zone = zone_or_none(name)
        if zone is None:
            self._unknown_zone(name, path)
        return zone

    def zone_rule(self, text: str | None, path: Path, names: Names) -> ZoneRule | None:
        """`customer`, an IANA zone, or an expression that gives a zone's name; None where nothing is written."""
        if text is None:
            return None
        bare = text.strip()
        if bare == "customer":
            return CUSTOMER_ZONE
        zone = zone_or_none(bare)
        if zone is not None:
            return ZoneRule(zone)
        if _SPOKEN_ZONE.fullmatch(bare):
            self._unknown_zone(bare, path)
            return CUSTOMER_ZONE
        return ZoneRule(None, self.expression(text, path, names, TEXT))

    def _unknown_zone(self, name: str, path: Path) -> None:
        way_out = "write customer, a zone such as Europe/Lisbon, or an expression"
        hint = did_you_mean(name, sorted(zone_names())) or way_out
        self.complain(path, "bad_zone", f"there is no time zone '{name}'", hint)


def _may_be(kind: Type, wanted: Wanted) -> bool:
    """Whether a value of this type can be what is wanted; of unknown ones the best is hoped."""
    match kind:
        case Scalar(kind=word):
            return word in ("unknown", "none") or word in wanted.kinds
        case Enum():
            return "string" in wanted.kinds
        case Record(fields=None):
            return True
        case _:
            return False


def _is_constant(template: Template) -> bool:
    return not template.parts and template.items is None and template.entries is None


def _literal(template: Template) -> Any:
    return template.literal
