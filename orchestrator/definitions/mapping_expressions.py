"""The expressions of a mapping file: read, checked and compiled; they see `row` and the variables above them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any, Final

from orchestrator.core.expression.check import check
from orchestrator.core.expression.expr import TooMuchWork, compiled
from orchestrator.core.expression.finding import Finding
from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.core.expression.needs import needs
from orchestrator.core.expression.nodes import Attribute, CatalogRow, Fact, History, Item, Literal, Name, Node, walk
from orchestrator.core.expression.reserved import NAMES
from orchestrator.core.expression.scope import Evaluator, Scope, Value
from orchestrator.core.expression.types import OBJECT, Type, Types
from orchestrator.definitions.expression_tokens import ExpressionSyntax
from orchestrator.definitions.expressions import parse
from orchestrator.definitions.scenario_findings import Findings, Where
from orchestrator.definitions.table_readers import ROW_NUMBER, Row
from orchestrator.errors import Problem
from orchestrator.records import dataclass

ROW: Final = "row"
MOST_ANSWERS: Final = 1 << 14
"""Values that one expression remembers."""

_ALL_TEXT: Final = "\0all_text"
"""Stands in a scope's results where nothing else can: no expression can write this name."""
_MISSING: Final[Any] = object()


@dataclass(frozen=True, slots=True)
class Field:
    """A compiled expression. `columns` are those it reads, its variables' included: equal texts, equal values.

    None: it reads the row's number, or the row as a whole, so that no two rows are alike to it.
    """

    evaluate: Evaluator
    columns: tuple[str, ...] | None = None


def constant(value: Value) -> Field:
    """A value that stands in the file as it is."""
    return Field(lambda scope: value, ())


class ExpressionReader:
    """Reads the expressions of one file in its order. `columns` are those of `row` that it met, each with the problem
    to tell where a table has no such column."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.columns: dict[str, Problem] = {}
        self._variables: dict[str, Evaluator] = {}
        self._columns_of: dict[str, tuple[str, ...] | None] = {}
        self._types: dict[str, Type] = {}
        self._of_source: dict[str, Field] = {}

    def declare(self, name: str, source: str, where: Where) -> None:
        """A variable, which the expressions read from now on may use; evaluated at most once a row, when used."""
        if name == ROW:
            hint = "choose another name"
            self.findings.error(where, "bad_value", "`row` is the row itself", hint, key=True)
            return
        field, kind = self._read(source, where)
        self._variables[name] = _once_a_row(name, field)
        self._columns_of[name] = field.columns
        self._types[name] = kind

    def field(self, source: str, where: Where) -> Field:
        """One expression; after a finding, one that gives none."""
        return self._read(source, where)[0]

    def nested(self, value: Any, where: Where) -> Field:
        """An expression, or lists and mappings of expressions."""
        if isinstance(value, dict):
            fields = {key: self.nested(item, (*where, key)).evaluate for key, item in value.items()}
            return Field(lambda scope: {key: evaluate(scope) for key, evaluate in fields.items()})
        if isinstance(value, list):
            items = [self.nested(item, (*where, place)).evaluate for place, item in enumerate(value)]
            return Field(lambda scope: [evaluate(scope) for evaluate in items])
        return self.field(value, where)

    def _read(self, source: str, where: Where) -> tuple[Field, Type]:
        try:
            node = parse(source)
        except ExpressionSyntax as error:
            self._say(where, error.code, error.message, error.hint, error.offset)
            return constant(None), OBJECT
        types = Types(results={ROW: OBJECT}, vars=self._types)
        kind, findings = check(node, types)
        strangers = _strangers(node)
        for offset, what in strangers:
            message = f"{what} is not known in a mapping"
            self._say(where, "not_in_mapping", message, f"a mapping knows {self._known_names()}", offset)
        for finding in findings if not strangers else ():
            hint = self._hint(node, finding)
            self._say(where, finding.code, finding.message, hint, finding.offset, finding.length)
        for column, offset in _columns(node):
            if column not in self.columns:
                message = f"the table has no column '{column}'"
                document = self.findings.document
                self.columns[column] = document.problem(
                    where, "unknown_column", message, offset=offset, length=len(column)
                )
        try:
            field = Field(compiled(source, node, types=types, vars=self._variables).evaluate, self._columns_read(node))
        except TooMuchWork as error:
            self._say(where, "expression_too_large", str(error), "make it simpler", 0)
            return constant(None), OBJECT
        if field.columns is None:
            # Ids are written out in every event: what no two rows share is at least evaluated once a row.
            field = self._of_source.setdefault(source, Field(_once_a_row(f"\0{len(self._of_source)}", field)))
        return field, kind

    def _known_names(self) -> str:
        return ", ".join([ROW, *self._types])

    def _hint(self, node: Node, finding: Finding) -> str | None:
        """The finding's own way out; for an unknown name that of mappings, which know few names, and in their order."""
        if finding.code != "unknown_name":
            return finding.hint
        names = [part.name for part in walk(node) if isinstance(part, Name) and part.offset == finding.offset]
        near = did_you_mean(names[0], [ROW, *self._types]) if names else None
        return near or f"known here: {self._known_names()} (variables see those above them); a text stands in quotes"

    def _say(
        self, where: Where, code: str, message: str, hint: str | None, offset: int, length: int | None = None
    ) -> None:
        document = self.findings.document
        problem = document.problem(where, code, message, hint, offset=offset, length=length)
        self.findings.problems.append(problem)

    def _columns_read(self, node: Node) -> tuple[str, ...] | None:
        """The columns of an expression and of its variables, or None (see Field)."""
        own = [column for column, _ in _columns(node)]
        names = [part.name for part in walk(node) if isinstance(part, Name)]
        if names.count(ROW) > len(own) or ROW_NUMBER in own:
            return None
        for name in names:
            if name in self._columns_of:
                inner = self._columns_of[name]
                if inner is None:
                    return None
                own.extend(inner)
        return tuple(dict.fromkeys(own))


def _columns(node: Node) -> Iterator[tuple[str, int]]:
    """The columns that an expression names, each with its offset, as often as it names them."""
    for part in walk(node):
        match part:
            case Attribute(target=Name(name="row"), name=column, offset=offset):
                yield column, offset
            case Item(target=Name(name="row"), key=Literal(value=str() as column, offset=offset)):
                yield column, offset
            case _:
                continue


def _strangers(node: Node) -> list[tuple[int, str]]:
    """What has no meaning here, each with its offset: the customer, the past, and the clock."""
    found: list[tuple[int, str]] = []
    for part in walk(node):
        match part:
            case Name(name=name, offset=offset) if name in NAMES:
                found.append((offset, f"`{name}`"))
            case History(function=function, offset=offset) | Fact(function=function, offset=offset):
                found.append((offset, f"`{function}()`"))
            case CatalogRow(offset=offset):
                found.append((offset, "`catalog()`"))
            case _:
                continue
    if not found and needs(node).timed:
        found.append((0, "an expression that depends on the clock"))
    return found


def row_results(row: Row, *, all_text: bool) -> dict[str, Any]:
    """The results of a row's scope. `all_text`: every value of every row is text, as in CSV.

    Only text can be remembered by: 1, 1.0 and true are three values and one key of a dict.
    """
    return {ROW: row, _ALL_TEXT: True} if all_text else {ROW: row}


def by_texts(columns: tuple[str, ...] | None, evaluate: Callable[[Row], Any]) -> Callable[[Row], Any]:
    """`evaluate`, which remembers what it made of the same texts in `columns`; without columns it is left as it is."""
    if not columns:
        return evaluate
    texts_of = itemgetter(*columns)
    known: dict[Any, Any] = {}

    def remembered(row: Row) -> Any:
        texts = texts_of(row)
        value = known.get(texts, _MISSING)
        if value is _MISSING:
            value = evaluate(row)
            # Lists and mappings could be changed by whoever gets them, so each row gets its own.
            if len(known) < MOST_ANSWERS and not isinstance(value, (list, dict)):
                known[texts] = value
        return value

    return remembered


def _once_a_row(key: str, field: Field) -> Evaluator:
    """Remembers the field's value beside `row`, in the results of the row's scope; and by texts, where all is text."""
    evaluate = field.evaluate
    known: dict[Any, Any] = {}
    texts_of = itemgetter(*field.columns) if field.columns else None

    def remembered(scope: Scope) -> Value:
        results = scope.results
        value: Value = results.get(key, _MISSING)
        if value is not _MISSING:
            return value
        if texts_of is not None and _ALL_TEXT in results:
            texts = texts_of(results[ROW])
            value = known.get(texts, _MISSING)
            if value is _MISSING:
                value = evaluate(scope)
                if len(known) < MOST_ANSWERS:
                    known[texts] = value
        else:
            value = evaluate(scope)
        results[key] = value
        return value

    return remembered
