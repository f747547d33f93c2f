"""A condition's tree as SQL: the same tree that the evaluator reads, node by node (the language reference, section 4).

What comes out is true, false or NULL: "let the evaluator decide about this row". Whatever SQL cannot decide exactly
is NULL there, never approximated: values of a kind that nobody expected, texts that are no dates, sums that lie within
the error of their additions, parts of the language that have no words in SQL (`Compiled.parts` tells which, and why).
As the evaluator does, `and` and `or` look no further than they must, so that an error there is an error here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final

from orchestrator.core.expression.check import kinds_of
from orchestrator.core.expression.constants import NotConstant, constant_value
from orchestrator.core.expression.expr import Expr
from orchestrator.core.expression.nodes import (
    And,
    Arithmetic,
    Attribute,
    Call,
    Compare,
    Comparison,
    Conditional,
    Fact,
    Filter,
    History,
    IsNone,
    Item,
    Literal,
    Name,
    Node,
    Not,
    Or,
)
from orchestrator.core.expression.reserved import properties_of
from orchestrator.core.expression.text import text_of
from orchestrator.core.expression.types import DATE, DATETIME, Type, Types
from orchestrator.core.project import Project
from orchestrator.stores.instants import micros
from orchestrator.stores.segment_sql import facts, pasts
from orchestrator.stores.segment_sql.dialects import Dialect, NotInSql
from orchestrator.stores.segment_sql.terms import (
    FALSE,
    TRUE,
    UNSURE,
    Choice,
    Data,
    Known,
    Moment,
    Number,
    Term,
    Texts,
    Truth,
    arithmetic,
    compare,
    data_at,
    first_that,
    is_none,
    is_true,
)

MOST_TEXT: Final = 200_000
"""Characters of one condition in SQL; a longer one is the evaluator's."""
_EPOCH: Final = date(1970, 1, 1)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIELDS: Final = {"email": 1, "phone": 2, "timezone": 3, "locale": 4, "country": 5, "currency": 6, "stage": 8}
"""Where reserved attributes stand in a customer's state; see orchestrator.stores.records."""
TAGS: Final = 7
SEGMENTS: Final = 9
UNKNOWN: Final = frozenset({"score", "scores", "account", "accounts", "owner"})
"""Names of `customer` that are worked out in a turn, and stand in no row of their own."""


@dataclass(frozen=True)
class Surroundings:
    """What a condition is compiled for: the database, the definitions, the present instant, and whether rows may be
    sealed."""

    dialect: Dialect
    project: Project
    now: datetime
    sealed: bool = False
    columns: dict[str, str] = field(default_factory=dict)
    """Expressions over a customer's state that the query works out once a row, with the names of their columns."""
    derived: dict[str, str] = field(default_factory=dict)
    """The same, of expressions over those columns."""

    def column(self, expression: str) -> str:
        """An expression over the state, as the column that it is worked out in."""
        return f"c.{self.columns.setdefault(expression, f'x{len(self.columns)}')}"

    def derive(self, expression: str) -> str:
        """An expression over columns, as the column that it is worked out in."""
        return f"c.{self.derived.setdefault(expression, f'y{len(self.derived)}')}"

    @property
    def now_us(self) -> int:
        """The present instant in microseconds."""
        return micros(self.now)


@dataclass
class Compiled:
    """A condition in SQL. `parts`: (text of a part, why) of what the evaluator decides; `days`: how many days from
    today the instants are asked for at which a local day begins."""

    sql: str
    parts: list[tuple[str, str]] = field(default_factory=list)
    days: set[int] = field(default_factory=set)
    zoned: bool = False
    consents: bool = False

    @property
    def decides(self) -> bool:
        """Whether SQL decides anything."""
        return self.sql != UNSURE


def compile_condition(
    expr: Expr,
    around: Surroundings,
    segments: Mapping[str, Expr] | None = None,
    decided: Mapping[str, str] | None = None,
) -> Compiled:
    """The condition of a segment, over a row of `customers` that the query calls c, whose state is `c.doc`, whose zone
    is `z`, whose choices are `c.choices`. `segments`: the conditions that `in_segment` asks for, by name; of others the
    stored membership counts. `decided`: columns in which such a condition was worked out already."""
    compiler = _Compiler(around, segments or {}, decided or {})
    sql = compiler.whole(expr)
    if len(sql) > MOST_TEXT:
        sql = UNSURE
        compiler.out.parts = [(text_of(expr.node)[:200], "it is too long in SQL")]
    compiler.out.sql = sql
    return compiler.out


class _Compiler:
    """One pass over one condition, and those of the segments that it asks for."""

    def __init__(self, around: Surroundings, segments: Mapping[str, Expr], decided: Mapping[str, str]) -> None:
        self.decided = decided
        self.around = around
        self.dialect = around.dialect
        self.segments = segments
        self.out = Compiled(UNSURE)
        self.kinds: Mapping[int, Type] = {}
        self.types: Types | None = None
        self.it: pasts.Past | None = None
        self.count = 0
        self._asked: list[str] = []

    def alias(self) -> str:
        """A name that nobody else has in this statement."""
        self.count += 1
        return f"e{self.count}"

    def whole(self, expr: Expr) -> str:
        """The condition of one expression, with the types that it was checked with."""
        before, it, types = self.kinds, self.it, self.types
        self.kinds = {} if expr.types is None else kinds_of(expr.node, expr.types)
        self.types = expr.types
        self.it = None
        try:
            return self.condition(expr.node)
        finally:
            self.kinds, self.it, self.types = before, it, types

    # --- conditions -------------------------------------------------------------------------------------------------

    def condition(self, node: Node) -> str:
        """A part as a condition: what SQL cannot say is NULL, and is noted."""
        match node:
            case And(operands=operands):
                return self._chain(operands, goes_on=TRUE, else_is=FALSE)
            case Or(operands=operands):
                return self._chain(operands, goes_on=FALSE, else_is=TRUE)
            case Not(operand=operand):
                inner = self.condition(operand)
                return inner if inner == UNSURE else f"(NOT {inner})"
            case Conditional(test=test, then=then, otherwise=otherwise):
                asked = self.condition(test)
                if asked == UNSURE:
                    return UNSURE
                yes, no = self.condition(then), self.condition(otherwise)
                return f"CASE {asked} WHEN TRUE THEN {yes} WHEN FALSE THEN {no} END"
        mark = len(self.out.parts)
        try:
            return self._simple(node)
        except NotInSql as error:
            del self.out.parts[mark:]
            self.out.parts.append((text_of(node)[:200], str(error)))
            return UNSURE

    def _chain(self, operands: tuple[Node, ...], goes_on: str, else_is: str) -> str:
        """The operands from the left: the next is looked at where this one does not decide."""
        conditions = [self.condition(operand) for operand in operands]
        if UNSURE in conditions:  # nothing behind it is ever looked at
            conditions = conditions[: conditions.index(UNSURE) + 1]
        return first_that(conditions, goes_on, else_is)

    def _simple(self, node: Node) -> str:
        match node:
            case Compare(first=first, rest=rest):
                return self._compare(first, rest)
            case IsNone(operand=operand):
                return is_none(self.term(operand))
            case Fact():
                return self._fact(node)
            case _:
                return is_true(self.term(node))

    def _compare(self, first: Node, rest: tuple[tuple[Comparison, Node], ...]) -> str:
        pairs = []
        left = first
        for operator, right in rest:
            pairs.append(self._pair(left, operator, right))
            left = right
        found = pairs[-1]
        for pair in reversed(pairs[:-1]):
            found = f"CASE {pair} WHEN TRUE THEN {found} WHEN FALSE THEN FALSE END"
        return found

    def _pair(self, left: Node, operator: Comparison, right: Node) -> str:
        if operator in ("in", "not in") and _is_tags(right):
            return self._tagged(left, operator)
        counted = self._days_against(left, operator, right)
        if counted is not None:
            return counted
        return compare(self.term(left), operator, self.term(right))

    def _tagged(self, left: Node, operator: Comparison) -> str:
        value = _constant(left)
        if not isinstance(value, str):
            raise NotInSql("tags are asked for a constant text")
        held = facts.holds(self.dialect, TAGS, value)
        return held if operator == "in" else f"(NOT {held})"

    def _fact(self, node: Fact) -> str:
        word = node.words[0].text
        if node.function == "in_segment":
            if word in self.decided:
                return self.decided[word]
            expr = self.segments.get(word)
            if expr is None:
                return facts.holds(self.dialect, SEGMENTS, word)
            if word in self._asked:
                raise NotInSql(f"the segment '{word}' asks for itself")
            self._asked.append(word)
            try:
                return f"({self.whole(expr)})"
            finally:
                self._asked.pop()
        if node.function == "consented":
            self.out.consents = True
        return facts.fact(node, self.around.project, self.dialect, self.around.now_us, self.around.sealed)

    # --- days -------------------------------------------------------------------------------------------------------

    def _days_against(self, left: Node, operator: Comparison, right: Node) -> str | None:
        """`days_since(instant) > 30` and its like: the instant stands before or behind the one at which a local day
        began in the customer's zone, which is known for every zone. None: it is something else."""
        if operator in ("in", "not in"):
            return None
        turned = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
        match left, right:
            case Call(function="days_since" | "days_until" as name, args=(argument,)), other:
                pass
            case other, Call(function="days_since" | "days_until" as name, args=(argument,)):
                operator = turned.get(operator, operator)  # type: ignore[assignment]
            case _:
                return None
        number = _constant(other)
        assert argument is not None
        term = self.term(argument)
        if not (isinstance(term, Moment) and term.kind == "instant"):
            return None
        if not isinstance(number, int) or isinstance(number, bool) or abs(number) > 40_000:
            raise NotInSql("days are compared with a constant whole number")
        if name == "days_since":  # of the day: today - number, with the order the other way
            number, operator = -number, turned.get(operator, operator)  # type: ignore[assignment]
        begins, ends = self._begin_of(number), self._begin_of(number + 1)
        inside = {
            "<": f"{term.sql} < {begins}",
            "<=": f"{term.sql} < {ends}",
            ">": f"{term.sql} >= {ends}",
            ">=": f"{term.sql} >= {begins}",
            "==": f"{term.sql} >= {begins} AND {term.sql} < {ends}",
            "!=": f"({term.sql} < {begins} OR {term.sql} >= {ends})",
        }[operator]
        none = TRUE if operator == "!=" else FALSE
        body = f"CASE WHEN {term.sql} IS NULL THEN {none} ELSE {inside} END"
        return term.around(body if term.unsure == FALSE else f"CASE WHEN NOT {term.unsure} THEN {body} END")

    def _begin_of(self, days: int) -> str:
        """The instant at which the day begins that is so many days from today; NULL where that is not one instant."""
        self.out.days.add(days)
        self.out.zoned = True
        return f"z.{begin_name(days)}"

    # --- values -----------------------------------------------------------------------------------------------------

    def term(self, node: Node) -> Term:
        """A part as a value. Raises NotInSql."""
        try:
            return _known(constant_value(node))
        except NotConstant:
            pass
        match node:
            case Literal(value=value):
                return Known(value)
            case Name(name="now"):
                return Moment("instant", str(self.around.now_us))
            case Name(name="today"):
                self.out.zoned = True
                return Moment("day", "z.today", "(z.today IS NULL)")
            case Attribute() | Item():
                return self._property(node)
            case Arithmetic(first=first, rest=rest):
                return self._arithmetic(first, rest)
            case Conditional(test=test, then=then, otherwise=otherwise):
                asked = self.condition(test)
                if asked == UNSURE:
                    raise NotInSql("its condition is decided by the evaluator")
                return Choice(asked, self.term(then), self.term(otherwise), _only_where(asked))
            case Filter(target=target, name="default", args=(instead,)) if instead is not None:
                found = self.term(target)
                asked = is_none(found)
                return Choice(asked, self.term(instead), found, _only_where(asked))
            case Filter(name=name):
                raise NotInSql(f"the filter '{name}' has no words in SQL")
            case Call(function="days_since" | "days_until" as name, args=(argument,)) if argument is not None:
                return self._days(name, self.term(argument))
            case History():
                return self.past(node)
            case And() | Or() | Not() | Compare() | IsNone() | Fact():
                if isinstance(node, (And, Or)):
                    raise NotInSql("'and' and 'or' give the value that decided")
                return Truth(self._simple(node) if not isinstance(node, Not) else self.condition(node))
            case Call(function=name):
                raise NotInSql(f"'{name}' of something that is not constant has no words in SQL")
            case _:
                raise NotInSql("it has no words in SQL")

    def _arithmetic(self, first: Node, rest: tuple[tuple[str, Node], ...]) -> Term:
        if sum(operator == "*" for operator, _ in rest) > 2:
            raise NotInSql("more than two multiplications may leave the range of a double")
        value = self.term(first)
        for operator, other in rest:
            value = arithmetic(self.dialect, value, operator, self.term(other))
        return value

    def _days(self, name: str, term: Term) -> Term:
        if not (isinstance(term, Moment) and term.kind == "day"):
            raise NotInSql(f"'{name}' of an instant is compared with a constant whole number, or left to the evaluator")
        self.out.zoned = True
        difference = f"z.today - {term.sql}" if name == "days_since" else f"{term.sql} - z.today"
        return Number(self.dialect.double(difference), f"(z.today IS NULL OR {term.unsure})", term.around)

    def past(self, node: History) -> Term:
        """A question about past events."""
        window = pasts.window_of(node, self.around.project.settings.history, self.around.now)
        past = pasts.Past(self.dialect, self.alias(), node.event.text, window, self.around.sealed)
        where: str | None = None
        if node.where is not None:
            if self.it is not None:
                raise NotInSql("a past inside a past")
            self.it = past
            try:
                where = self.condition(node.where)
            finally:
                self.it = None
            if where == UNSURE:
                raise NotInSql("its 'where' is decided by the evaluator")
        declared = None
        if node.prop is not None:
            declared = self._declared_of_event(node)
        return pasts.term(node, past, where, declared)

    def _declared_of_event(self, node: History) -> Type | None:
        fields = None if self.types is None else properties_of(node.event.text, self.types)
        assert node.prop is not None
        return None if fields is None else fields.get(node.prop.text)

    def _property(self, node: Attribute | Item) -> Term:
        root, path = _path(node)
        declared = self.kinds.get(id(node))
        match root:
            case Name(name="customer"):
                found = self._customer(path)
            case Name(name="it") if self.it is not None:
                found = self.it.property(path)
            case History(function="first" | "last"):
                record = self.past(root)
                assert isinstance(record, pasts.OneEvent)
                found = record.property(path)
            case _:
                raise NotInSql("only properties of the customer and of past events have words in SQL")
        return self._read(found, declared)

    def _read(self, term: Term, declared: Type | None) -> Term:
        """A property as its declared type has it: texts of dates are read."""
        if declared not in (DATE, DATETIME) or isinstance(term, Moment):
            return term
        if not isinstance(term, Data):
            raise NotInSql("a date that stands in no data")
        j = term.json
        if declared == DATE:
            tagged, value, kind = "$d", self.dialect.day, "day"
        else:
            tagged, value, kind = "$t", self.dialect.instant, "instant"
        text = f"CASE WHEN {j.is_text} THEN {j.text} ELSE {term.inside(tagged)} END"
        sql = value(f"({text})")
        if term.of_customer:
            sql = self.around.derive(sql)
        none = f"{j.type} IS NULL" if term.hides else j.is_none
        return Moment(kind, f"({sql})", f"(NOT ({none}) AND ({sql}) IS NULL)", term.around)

    def _customer(self, path: list[str | int]) -> Term:
        name, rest = path[0], path[1:]
        if name == "attributes":
            if not rest:
                raise NotInSql("all attributes at once")
            return self._attribute(rest, defaults=False)
        if rest and name in (*_FIELDS, "id", "created_at", "tags"):
            raise NotInSql(f"'{name}' has no properties")
        match name:
            case "id":
                return Texts(self.dialect.cut("c.external_id"))
            case "created_at":
                return Moment("instant", "c.created_at")
            case "tags":
                return self._of_customer((TAGS,), 1, False)
            case str() if name in _FIELDS:
                return self._of_customer((_FIELDS[name],), 1, self.around.sealed and name in ("email", "phone"))
            case str() if name in UNKNOWN:
                raise NotInSql(f"'customer.{name}' is worked out in a turn")
        return self._attribute(path, defaults=True)

    def _of_customer(self, path: tuple[str | int, ...], known: int, hides: bool) -> Data:
        """A place of the state, worked out once a row for all conditions."""
        found = data_at(self.dialect, "c.doc", path, known, hides, _readable)
        column = self.around.column
        json = self.dialect.kept(column(found.json.type), column(found.json.raw), lambda: column(found.json.size))
        inside: Callable[[str], str] = lambda tag: column(found.inside(tag))  # noqa: E731
        return replace(found, json=json, inside=inside, of_customer=True)

    def _attribute(self, path: list[str | int], defaults: bool) -> Term:
        name = path[0]
        found = self._of_customer((0, *_escaped(path)), 2, self.around.sealed)
        spec = self.around.project.attributes.get(name) if isinstance(name, str) else None
        if not defaults or spec is None or spec.default is None:
            return found
        if len(path) > 1 or not isinstance(spec.default, (bool, int, float, str)):
            raise NotInSql(f"'customer.{name}' has a default that is looked into")
        if self.kinds and spec.type in ("date", "datetime"):
            raise NotInSql(f"'customer.{name}' has a default that is a date")
        return Choice(f"({found.json.type} IS NULL)", Known(spec.default), found, _readable)


def _readable(body: str) -> str:
    """What is asked of a state that the database cannot read is the evaluator's."""
    return f"CASE WHEN c.doc IS NOT NULL THEN {body} END"


def begin_name(days: int) -> str:
    """The column of a zone that says when the day begins that is so many days from today."""
    return f"b{days}" if days >= 0 else f"b_{-days}"


def _only_where(asked: str) -> Callable[[str], str]:
    """A choice whose condition is unsure is unsure itself."""
    return lambda body: f"CASE WHEN ({asked}) IS NOT NULL THEN {body} END"


def _known(value: object) -> Term:
    match value:
        case datetime():
            return Moment("instant", str(micros(value)))
        case date():
            return Moment("day", str((value - _EPOCH).days))
        case timedelta():
            return Moment("span", str(value // _MICROSECOND))
        case dict():
            raise NotInSql("an object")
        case list() if any(isinstance(item, (date, timedelta, list, dict)) for item in value):
            raise NotInSql("a list of something else than texts and numbers")
    return Known(value)


def _constant(node: Node) -> object:
    try:
        return constant_value(node)
    except NotConstant:
        raise NotInSql("it is compared with something that is not constant") from None


def _is_tags(node: Node) -> bool:
    match node:
        case Attribute(target=Name(name="customer"), name="tags"):
            return True
    return False


def _path(node: Node) -> tuple[Node, list[str | int]]:
    """The names from what a property belongs to down to it. Raises NotInSql for computed names."""
    names: list[str | int] = []
    while True:
        match node:
            case Attribute(target=target, name=name) | Item(target=target, key=Literal(value=str() as name)):
                names.append(name)
                node = target
            case Item():
                raise NotInSql("a place in a list, or a computed name")
            case _:
                return node, names[::-1]


def _escaped(path: list[str | int]) -> list[str | int]:
    """Names as JSON has them: one that begins with a `$` gets a second one."""
    return [f"${name}" if isinstance(name, str) and name.startswith("$") else name for name in path]
