"""From plain data to a model, and from the library's errors to ours, with positions and a way out: `validate`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, RootModel, ValidationError
from yaml.nodes import MappingNode, Node, SequenceNode

from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.definitions import expression_cut as cut
from orchestrator.definitions.faults import MARK, described, listed, quoted
from orchestrator.definitions.shapes import TAG
from orchestrator.definitions.source import Document, Path, is_flow
from orchestrator.errors import Problem

Model = TypeVar("Model", bound=BaseModel)

_KEY_MARK = "[key]"
_TAKES = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "list_type": "a list, whose lines start with a dash",
    "dict_type": "a mapping, whose lines read `key: value`",
    "model_type": "a mapping, whose lines read `key: value`",
    "none_required": "nothing",
}


def validate(document: Document, model: type[Model]) -> tuple[Model | None, list[Problem]]:
    """The model of a document, or None where anything is wrong; and all problems, those of reading included.

    A file without content is an empty mapping. Problems stand in the order of the file.
    """
    if not document.ok and document.data is None:
        return None, list(document.problems)
    data = {} if document.data is None else document.data
    found = list(document.problems)
    instance: Model | None = None
    try:
        instance = model.model_validate(data)
    except ValidationError as error:
        found += [_empty_file(document, error)] if document.data is None else _problems(document, model, error)
    return (instance if document.ok else None), in_order(found)


def in_order(problems: Iterable[Problem]) -> list[Problem]:
    """By path, line and column, each once."""
    unique = {(p.path, p.line, p.column, p.code, p.message): p for p in problems}
    return sorted(unique.values(), key=lambda p: (p.path, p.line, p.column, p.code))


def _empty_file(document: Document, error: ValidationError) -> Problem:
    needed = [f"`{details['loc'][-1]}`" for details in error.errors(include_url=False) if details["loc"]]
    message = f"the file is empty; it needs {listed(needed).replace(' or ', ' and ')}"
    return document.problem((), "missing_key", message, "write them, each on a line of its own")


def _problems(document: Document, model: type[BaseModel], error: ValidationError) -> list[Problem]:
    told: dict[tuple[Path, str], Problem] = {}
    broken = [problem for problem in document.problems if problem.severity == "error"]
    cut_at: set[Path] = set()
    for details in error.errors(include_url=False):
        place = _Place(document, details["loc"])
        problem = _problem(document, model, details, place)
        if problem.code == cut.CODE:
            if place.path[:-1] in cut_at:
                continue
            cut_at.add(place.path[:-1])
        if broken and _follows(document, place.path, problem, broken):
            continue
        # Branches of a union that the model does not tell apart itself: the first is said, the others are noise.
        told.setdefault((place.path, "" if place.in_union else problem.code + problem.message), problem)
    return list(told.values())


def _follows(document: Document, path: Path, problem: Problem, broken: list[Problem]) -> bool:
    """Whether a problem only follows from what could not be read, there or (for what is missing) anywhere inside."""
    found = document.locate(path)
    if found is None:
        return False
    start, end = found.node.start_mark, found.node.end_mark
    if problem.code in ("missing_key", "no_value") and path:
        return any((start.line, start.column) <= (p.line - 1, p.column - 1) <= (end.line, end.column) for p in broken)
    return any((p.line - 1, p.column - 1) == (start.line, start.column) for p in broken)


class _Place:
    """Where an error location leads: the path as far as the file goes, and what is left of the location."""

    def __init__(self, document: Document, location: Iterable[str | int]) -> None:
        node: Node | None = document.root
        path: list[str | int] = []
        self.rest: list[str | int] = []
        self.of_key = False
        self.in_union = False
        for element in location:
            if element == _KEY_MARK:
                self.of_key = True
            elif isinstance(node, MappingNode) and (child := _child(node, element)) is not None:
                node = child
                path.append(element)
            elif isinstance(node, SequenceNode) and isinstance(element, int) and element < len(node.value):
                node = node.value[element]
                path.append(element)
            elif isinstance(element, str) and element.startswith(TAG):
                continue
            elif isinstance(element, str) and (element.endswith("Model") or "[" in element or element in _UNION_PARTS):
                self.in_union = True
            elif element != 0 or isinstance(node, SequenceNode):
                self.rest.append(element)
        self.path: Path = tuple(path)
        self._document = document

    def key_before(self) -> str | None:
        """The key that stands before the place's own in the same mapping."""
        found = self._document.locate(self.path[:-1])
        if found is None or not isinstance(found.node, MappingNode) or not self.path:
            return None
        keys = [key.value for key, _ in found.node.value]
        at = keys.index(self.path[-1]) if self.path[-1] in keys else 0
        return keys[at - 1] if at else None

    def subject(self) -> str:
        """What the sentence is about: a key, an item of a list, or the file."""
        if self.of_key:
            return f"the key `{self.path[-1]}`" if self.path else "a key"
        for back, element in enumerate(reversed(self.path)):
            if isinstance(element, str):
                number = next((e for e in self.path[len(self.path) - back :] if isinstance(e, int)), None)
                return f"`{element}`" if number is None else f"entry {number + 1} of `{element}`"
        return "the file"


_UNION_PARTS = frozenset({"str", "int", "float", "bool", "dict", "list", "constrained-str"})


def _child(node: MappingNode, element: str | int) -> Node | None:
    return next((value for key, value in node.value if key.value == element), None)


def _problem(document: Document, model: type[BaseModel], details: Mapping[str, Any], place: _Place) -> Problem:
    context: Mapping[str, Any] = details.get("ctx", {})
    if MARK in context:
        code, message, hint = details["type"], context["message"], context["hint"]
        if code == "unknown_key" and context.get("null") and _inside_braces(document, place.path):
            message, hint, code = f"the value before `{place.path[-1]}` is cut", _comma_hint(place), cut.CODE
        message = message.replace("{it}", place.subject())
        at = context.get("at")
        if at is not None:
            return document.problem((*place.path, at), code, message, hint, key=True)
        key = place.of_key or code in ("unknown_key", "not_yet", "no_value", "indentation", cut.CODE, "missing_key")
        return document.problem(place.path, code, message, hint, key=key)
    code, message, hint, key = _translated(document, model, details, place)
    return document.problem(place.path, code, message, hint, key=key)


def _translated(
    document: Document, model: type[BaseModel], details: Mapping[str, Any], place: _Place
) -> tuple[str, str, str | None, bool]:
    """Code, message, hint and whether it is about the key, for an error of the library's own."""
    kind: str = details["type"]
    value = details["input"]
    if kind == "missing":
        name = details["loc"][-1]
        return "missing_key", f"{place.subject()} needs `{name}`", f"add `{name}: ...`", True
    if kind == "extra_forbidden":
        known = _known_keys(model, details["loc"][:-1])
        hint = did_you_mean(str(details["loc"][-1]), known) or (f"known here: {listed(known, 12)}" if known else None)
        return "unknown_key", f"unknown key `{details['loc'][-1]}`", hint, True
    if kind in _TAKES:
        hint = quoted(value) if kind == "string_type" else None
        if kind == "list_type" and isinstance(value, dict) and any(key.startswith("-") for key in value):
            hint = "write a space behind each dash"
        return "wrong_type", f"{place.subject()} takes {_TAKES[kind]}, not {described(value)}", hint, False
    if kind in ("too_short", "string_too_short"):
        return "bad_value", f"{place.subject()} is empty", "add an entry, or remove it", False
    if kind == "literal_error":
        words = [word.strip("'") for word in details["ctx"]["expected"].replace(" or ", ", ").split(", ")]
        hint = did_you_mean(value, words) if isinstance(value, str) else None
        return "bad_value", f"{place.subject()} takes {listed(words)}, not {described(value)}", hint, False
    if kind in ("greater_than_equal", "less_than_equal", "greater_than", "less_than"):
        limit = next(iter(details["ctx"].values()))
        bound = f"at {'least' if kind.startswith('greater') else 'most'} {limit}"
        return "bad_value", f"{place.subject()} is {bound}, not {described(value)}", None, False
    return "bad_value", f"{place.subject()} cannot be {described(value)}", None, False


def _comma_hint(place: _Place) -> str:
    return cut.COMMA if place.key_before() in cut.EXPRESSION_KEYS else cut.COMMA_IN_TEXT


def _inside_braces(document: Document, path: Path) -> bool:
    found = document.locate(path[:-1])
    return found is not None and is_flow(found.node)


def _known_keys(model: type[BaseModel], location: Iterable[str | int]) -> list[str]:
    """The keys that a model of another family takes at a location."""
    from orchestrator.definitions.known_places import models_in

    here: list[type[BaseModel]] = [model]
    for element in location:
        if isinstance(element, str) and element != _KEY_MARK:
            fields = [info for m in here for n, info in m.model_fields.items() if element in (info.alias, n)]
            inner = [found for info in fields for found in models_in(info.annotation)]
            here = inner or here
    return [info.alias or name for m in here if not issubclass(m, RootModel) for name, info in m.model_fields.items()]
