"""Values of the language as SQL: each kind with the expressions that say what it is, and how two of them compare.

A comparison is a condition: true, false, or NULL where only the evaluator can tell (an error, a kind of value that is
not looked into here). `around` wraps a condition about a term in the query that the term needs, so that a value that
has to be looked up is looked up once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from orchestrator.core.expression.nodes import Comparison
from orchestrator.stores.segment_sql.dialects import Dialect, Json, NotInSql, quoted, safe_number

Around = Callable[[str], str]
UNSURE: Final = "CAST(NULL AS BOOLEAN)"
_AT_ONCE: Final = 64
"""Conditions side by side: SQLite's functions take 127 arguments at most."""
TRUE: Final = "TRUE"
FALSE: Final = "FALSE"


def as_it_is(condition: str) -> str:
    """Of a term that needs no query."""
    return condition


@dataclass(frozen=True)
class Known:
    """A constant: none, true or false, a number, a text, or a list of these."""

    value: object


@dataclass(frozen=True)
class Data:
    """Something in somebody's data, of whatever kind. `default` stands in where there is none."""

    json: Json
    around: Around = as_it_is
    hides: bool = False
    """Null may mean that it is sealed."""
    inside: Callable[[str], str] = as_it_is
    """The text of a property of what stands there, by its name."""
    of_customer: bool = False


@dataclass(frozen=True)
class Texts:
    """A column that holds a text or NULL (none)."""

    sql: str
    around: Around = as_it_is


@dataclass(frozen=True)
class Number:
    """A number. `sql` is NULL for none; `unsure` where it is not exact or not known."""

    sql: str
    unsure: str = FALSE
    around: Around = as_it_is
    margin: str | None = None
    """How far the true value may lie from `sql`; None: it is exact."""
    always: bool = False
    """Never none."""


@dataclass(frozen=True)
class Moment:
    """A date (`unit` day: days since 1970), an instant or a length of time (micro: microseconds)."""

    kind: str
    """day, instant or span."""
    sql: str
    unsure: str = FALSE
    around: Around = as_it_is


@dataclass(frozen=True)
class Truth:
    """True or false; NULL: unsure."""

    sql: str


@dataclass(frozen=True)
class Choice:
    """One value where a condition holds (true or false, never NULL), else another."""

    condition: str
    then: Term
    otherwise: Term
    around: Around = as_it_is


@dataclass(frozen=True)
class Record:
    """An object that is there or not, such as a past event."""

    there: str


Term: TypeAlias = Known | Data | Texts | Number | Moment | Truth | Choice | Record

_TAGS: Final = ("$t", "$d", "$s", "$f")
"""Keys under which JSON keeps what it has no word for; see orchestrator.core.state."""


def data_at(
    dialect: Dialect, document: str, path: tuple[str | int, ...], known: int, hides: bool, around: Around = as_it_is
) -> Data:
    """A place of a document. The first `known` names of its path lead to an object in any case; what else stands on
    the way must be an object or nothing, for a property of anything else is an error."""
    found = dialect.json(document, path)
    inside: Callable[[str], str] = lambda tag: dialect.json(document, (*path, tag)).text  # noqa: E731
    on_the_way = []
    for n in range(known, len(path)):
        parent = dialect.json(document, path[:n])
        tagged = " AND ".join(f"{dialect.json(document, (*path[:n], tag)).type} IS NULL" for tag in _TAGS)
        none = f"{parent.type} IS NULL" if hides else parent.is_none
        on_the_way.append(f"({none} OR ({parent.type} = 'object' AND {tagged}))")
    if not on_the_way:
        return Data(found, around, hides, inside)
    checked: Around = lambda body: around(f"CASE WHEN {' AND '.join(on_the_way)} THEN {body} END")  # noqa: E731
    return Data(found, checked, hides, inside)


_ORDERS: Final = frozenset({"<", "<=", ">", ">="})
_TURNED: Final[dict[Comparison, Comparison]] = {
    "<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!=",
}  # fmt: skip


def is_none(term: Term) -> str:
    """The condition `x is none`."""
    match term:
        case Known(value=value):
            return TRUE if value is None else FALSE
        case Data(json=json, around=around, hides=hides):
            if hides:
                return around(f"CASE WHEN {json.type} IS NULL THEN TRUE WHEN {json.is_none} THEN NULL ELSE FALSE END")
            return around(f"({json.is_none})")
        case Texts(sql=sql, around=around):
            return around(f"({sql} IS NULL)")
        case Number(sql=sql, unsure=unsure, around=around) | Moment(sql=sql, unsure=unsure, around=around):
            return around(_sure(unsure, f"({sql} IS NULL)"))
        case Truth(sql=sql):
            return f"CASE WHEN ({sql}) IS NOT NULL THEN FALSE END"
        case Choice(condition=condition, then=then, otherwise=otherwise, around=around):
            return around(f"CASE WHEN {condition} THEN {is_none(then)} ELSE {is_none(otherwise)} END")
        case Record(there=there):
            return f"(NOT {there})"


def is_true(term: Term) -> str:
    """The condition that a value is when it stands alone."""
    match term:
        case Known(value=value):
            return TRUE if value else FALSE
        case Data(json=j, around=around, hides=hides):
            return around(
                f"CASE WHEN {j.is_none} THEN {_none(j, hides, FALSE)} WHEN {j.is_true} THEN TRUE WHEN {j.is_false} "
                f"THEN FALSE WHEN {j.is_text} THEN {j.text} <> '' WHEN {j.is_list} THEN {j.size} > 0 "
                f"WHEN {j.is_number} THEN CASE WHEN {j.is_safe} THEN {j.number} <> 0 END END"
            )
        case Texts(sql=sql, around=around):
            return around(f"coalesce({sql} <> '', FALSE)")
        case Number():
            return compare(term, "!=", Known(0), none=FALSE)
        case Moment(kind="span", sql=sql, unsure=unsure, around=around):
            return around(_sure(unsure, f"coalesce({sql} <> 0, FALSE)"))
        case Moment(sql=sql, unsure=unsure, around=around):
            return around(_sure(unsure, f"({sql} IS NOT NULL)"))
        case Truth(sql=sql):
            return sql
        case Choice(condition=condition, then=then, otherwise=otherwise, around=around):
            return around(f"CASE WHEN {condition} THEN {is_true(then)} ELSE {is_true(otherwise)} END")
        case Record(there=there):
            return there


def compare(left: Term, operator: Comparison, right: Term, none: str | None = None) -> str:
    """The condition of a comparison. `none`: what it is where the left side is none, if not as the language says.
    Raises NotInSql."""
    match left, right:
        case Choice(condition=condition, then=then, otherwise=otherwise, around=around), _:
            yes, no = compare(then, operator, right), compare(otherwise, operator, right)
            return around(f"CASE WHEN {condition} THEN {yes} ELSE {no} END")
        case _, Choice(condition=condition, then=then, otherwise=otherwise, around=around):
            yes, no = compare(left, operator, then), compare(left, operator, otherwise)
            return around(f"CASE WHEN {condition} THEN {yes} ELSE {no} END")
        case _, Known(value=list() as values) if operator in ("in", "not in"):
            return _among(left, operator, values)
        case Known(), Known():
            raise NotInSql("constants are compared with one another")
        case Known(), _ if operator in _TURNED:
            return compare(right, _TURNED[operator], left)
    if operator in ("in", "not in"):
        raise NotInSql(f"'{operator}' asks a value that is no constant list")
    if isinstance(right, Known) and right.value is None:
        if operator in _ORDERS:
            return f"CASE WHEN ({is_none(left)}) IS NOT NULL THEN FALSE END"
        return is_none(left) if operator == "==" else f"(NOT {is_none(left)})"
    match left, right:
        case Data(), Known(value=value):
            return left.around(_data_with(left, operator, value))
        case Texts(sql=sql, around=around), Known(value=str() as text):
            return around(_null(f"{sql} {_sql(operator)} {quoted(text)}", sql, operator))
        case Texts(sql=sql, around=around), Known():
            return around(
                f"CASE WHEN {sql} IS NULL THEN {_without(operator)} "
                f"{'' if operator in _ORDERS else f'ELSE {_without(operator)}'} END"
            )
        case Number(), Known(value=bool()) | Known(value=str()):
            outcome = UNSURE if operator in _ORDERS else _without(operator)
            body = f"CASE WHEN {left.sql} IS NULL THEN {_without(operator)} ELSE {outcome} END"
            return left.around(_sure(left.unsure, body))
        case Number(), Known(value=int() | float() as number):
            return left.around(_numbers(left, operator, _number(number), none))
        case Number(margin=None), Number(margin=None):
            unsure = f"({left.unsure} OR {right.unsure})"
            body = _both(left.sql, operator, right.sql)
            return left.around(right.around(_sure(unsure, body)))
        case Moment(kind=kind), Moment(kind=other) if kind == other:
            unsure = f"({left.unsure} OR {right.unsure})"
            return left.around(right.around(_sure(unsure, _both(left.sql, operator, right.sql))))
        case Number(), Data() if left.margin is None:
            return compare(right, _TURNED[operator], left)
        case Data(json=j), Number(margin=None):
            exact = f"CASE WHEN {j.is_safe} THEN {_both(j.number, operator, right.sql)} END"
            other = UNSURE if operator in _ORDERS else _without(operator)
            body = (
                f"CASE WHEN {j.is_none} THEN {_none(j, left.hides, _with_none(operator, right.sql))} "
                f"WHEN {j.is_number} THEN {exact} WHEN {j.is_text} OR {j.is_true} OR {j.is_false} OR {j.is_list} "
                f"THEN {other} END"
            )
            return left.around(right.around(_sure(right.unsure, body)))
        case Data(json=a), Data(json=b):
            return left.around(right.around(_data_with_data(a, operator, b, left.hides or right.hides)))
        case Truth(sql=sql), Known(value=bool() as wanted) if operator in ("==", "!="):
            return f"(({sql}) = {TRUE if wanted == (operator == '==') else FALSE})"
    raise NotInSql("values of these kinds are compared by the evaluator")


def _sure(unsure: str, condition: str) -> str:
    return condition if unsure == FALSE else f"CASE WHEN NOT {unsure} THEN {condition} END"


def _sql(operator: Comparison) -> str:
    return {"==": "=", "!=": "<>"}.get(operator, operator)


def _without(operator: Comparison) -> str:
    """A comparison of two values that are different, or of none in an order."""
    return TRUE if operator == "!=" else FALSE


def _with_none(operator: Comparison, other: str) -> str:
    """none compared with a value that may be NULL (none)."""
    return {"==": f"({other} IS NULL)", "!=": f"({other} IS NOT NULL)"}.get(operator, FALSE)


def _null(condition: str, sql: str, operator: Comparison) -> str:
    return f"coalesce({condition}, {_without(operator)})"


def _both(one: str, operator: Comparison, two: str) -> str:
    """Two exact values, NULL for none."""
    if operator in ("==", "!="):
        equal = f"CASE WHEN {one} IS NULL OR {two} IS NULL THEN {one} IS NULL AND {two} IS NULL ELSE {one} = {two} END"
        return equal if operator == "==" else f"(NOT {equal})"
    return f"coalesce({one} {operator} {two}, FALSE)"


def _number(value: int | float) -> str:
    if value != value or not (value == 0 or 1e-100 <= abs(value) <= 2**53):
        raise NotInSql("the number is too large, or too near to 0, to be compared exactly in SQL")
    return repr(float(value)) if isinstance(value, float) else f"{value}.0" if abs(value) >= 2**31 else str(value)


def _numbers(left: Number, operator: Comparison, number: str, none: str | None) -> str:
    body = f"{left.sql} {_sql(operator)} {number}"
    if left.margin is not None:
        body = f"CASE WHEN {left.margin} = 0 OR abs({left.sql} - {number}) > {left.margin} THEN {body} END"
    if not left.always:
        body = f"CASE WHEN {left.sql} IS NULL THEN {none or _without(operator)} ELSE {body} END"
    return _sure(left.unsure, body)


def _none(json: Json, hides: bool, otherwise: str) -> str:
    """What holds where `is_none` does: null may be something sealed."""
    return f"CASE WHEN {json.type} IS NULL THEN {otherwise} END" if hides else otherwise


def _data_with(left: Data, operator: Comparison, value: object) -> str:
    j = left.json
    begin = f"CASE WHEN {j.is_none} THEN {_none(j, left.hides, _without(operator))}"
    others = UNSURE if operator in _ORDERS else _without(operator)
    match value:
        case bool():
            wanted = j.is_true if value else j.is_false
            if operator in _ORDERS:
                return f"{begin} END"
            same, different = (TRUE, FALSE) if operator == "==" else (FALSE, TRUE)
            return (
                f"{begin} WHEN {wanted} THEN {same} WHEN {j.is_true} OR {j.is_false} OR {j.is_text} OR {j.is_list} "
                f"OR {j.is_number} THEN {different} END"
            )
        case int() | float():
            exact = f"CASE WHEN {j.is_safe} THEN {j.number} {_sql(operator)} {_number(value)} END"
            return (
                f"{begin} WHEN {j.is_number} THEN {exact} WHEN {j.is_text} OR {j.is_true} OR {j.is_false} "
                f"OR {j.is_list} THEN {others} END"
            )
        case str():
            return (
                f"{begin} WHEN {j.is_text} THEN {j.text} {_sql(operator)} {quoted(value)} WHEN {j.is_number} "
                f"OR {j.is_true} OR {j.is_false} OR {j.is_list} THEN {others} END"
            )
    raise NotInSql("a property is compared with something else than a number, a text, true or false")


def _data_with_data(a: Json, operator: Comparison, b: Json, hides: bool) -> str:
    if hides:
        raise NotInSql("two properties that may be sealed are compared")
    numbers = f"CASE WHEN {a.is_safe} THEN CASE WHEN {b.is_safe} THEN {a.number} {_sql(operator)} {b.number} END END"
    if operator in _ORDERS:
        one_none = FALSE
        mixed = ""
    else:
        both = f"({a.is_none} AND {b.is_none})"
        one_none = both if operator == "==" else f"(NOT {both})"
        plain_a = f"({a.is_number} OR {a.is_text} OR {a.is_true} OR {a.is_false})"
        plain_b = f"({b.is_number} OR {b.is_text} OR {b.is_true} OR {b.is_false})"
        same = f"(({a.is_true} AND {b.is_true}) OR ({a.is_false} AND {b.is_false}))"
        same = f"coalesce({same}, FALSE)"
        mixed = f"WHEN {plain_a} AND {plain_b} THEN {same if operator == '==' else f'(NOT {same})'}"
    return (
        f"CASE WHEN {a.is_none} OR {b.is_none} THEN {one_none} WHEN {a.is_number} AND {b.is_number} THEN {numbers} "
        f"WHEN {a.is_text} AND {b.is_text} THEN {a.text} {_sql(operator)} {b.text} {mixed} END"
    )


def _among(left: Term, operator: Comparison, values: list[object]) -> str:
    """`x in ['a', 'b']`: the comparisons with each, in their order, up to the first that is true."""
    if not values:
        return TRUE if operator == "not in" else FALSE
    found = first_that([compare(left, "==", Known(value)) for value in values], FALSE, TRUE)
    return found if operator == "in" else f"(NOT {found})"


def first_that(conditions: Sequence[str], goes_on: str, else_is: str) -> str:
    """The conditions from the left, the next where this one is `goes_on`: what the first other one is, `goes_on` where
    there is none. Many stand beside one another, not inside: SQLite's parser has a stack of a hundred places."""
    if len(conditions) > _AT_ONCE:
        head, rest = conditions[: _AT_ONCE - 1], conditions[_AT_ONCE - 1 :]
        return first_that([*head, first_that(rest, goes_on, else_is)], goes_on, else_is)
    if len(conditions) == 1:
        return conditions[0]
    if len(conditions) == 2:
        one, two = conditions
        return UNSURE if one == UNSURE else f"CASE {one} WHEN {goes_on} THEN {two} WHEN {else_is} THEN {else_is} END"
    each = ", ".join(f"CASE {one} WHEN {goes_on} THEN NULL WHEN {else_is} THEN 1 ELSE 2 END" for one in conditions)
    return f"CASE coalesce({each}, 0) WHEN 1 THEN {else_is} WHEN 0 THEN {goes_on} END"


def arithmetic(dialect: Dialect, left: Term, operator: str, right: Term) -> Term:
    """`+`, `-`, `*` of numbers and moments. Raises NotInSql."""
    one, two = as_number(left), as_number(right)
    if one is not None and two is not None and operator in "+-*":
        result = f"({one.sql} {operator} {two.sql})"
        unsure = f"({one.unsure} OR {two.unsure} OR coalesce(NOT {safe_number(result)}, FALSE))"
        return Number(result, unsure, lambda body: one.around(two.around(body)))
    match left, right:
        case Moment(kind="instant"), Moment(kind="instant") if operator == "-":
            kind = "span"
        case Moment(kind="instant" | "span"), Moment(kind="span") if operator in "+-":
            kind = left.kind
        case Moment(kind="span"), Moment(kind="instant") if operator == "+":
            kind = "instant"
        case Moment(kind="day"), Moment(kind="day") if operator == "-":
            return Number(
                dialect.double(f"{left.sql} - {right.sql}"),
                f"({left.unsure} OR {right.unsure})",
                lambda body: left.around(right.around(body)),
            )
        case _:
            raise NotInSql(f"'{operator}' of these kinds of values is computed by the evaluator")
    far = 1 << 57  # some four thousand years: what comes near the calendar's end is an error there
    result = f"({left.sql} {operator} {right.sql})"
    unsure = f"({left.unsure} OR {right.unsure} OR coalesce(abs({result}) > {far}, FALSE))"
    return Moment(kind, result, unsure, lambda body: left.around(right.around(body)))


def as_number(term: Term) -> Number | None:
    """A term as a number, where it can be one. What is none of its data is unsure, or none."""
    match term:
        case Known(value=bool()):
            return None
        case Known(value=int() | float() as value):
            return Number(_number(float(value)))
        case Number(margin=None):
            return term
        case Data(json=j, hides=hides, around=around):
            sql = f"CASE WHEN {j.is_number} THEN CASE WHEN {j.is_safe} THEN {j.number} END END"
            none = f"{j.type} IS NULL" if hides else j.is_none
            return Number(f"({sql})", f"(NOT ({none}) AND ({sql}) IS NULL)", around)
        case _:
            return None
