"""Every expression and template of a model with its place in the file, found by the kinds that the models declare."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel

from orchestrator.core.expression.nodes import Node
from orchestrator.definitions.compiler.names import tree_or_none
from orchestrator.definitions.compiler.template_text import Hole, Miswritten, cut
from orchestrator.definitions.field_kinds import Kind
from orchestrator.definitions.known_places import models_in
from orchestrator.definitions.models.steps import StepBase
from orchestrator.definitions.source import Path


class Text(NamedTuple):
    """One expression: the scalar at `path` holds it from `offset` on. `printed`: it stands in `{{ }}` of a template,
    so that a missing value is an error where it is printed between other text."""

    node: Node
    source: str
    path: Path
    offset: int
    printed: bool


def texts_of(model: BaseModel, path: Path) -> Iterator[Text]:
    """The expressions of a model that stands at `path`, those in its templates included; not those of steps below it.

    What cannot be read (a literal such as `3d`, or a mistake that is told elsewhere) is left out.
    """
    kinds, others = _fields(type(model))
    written = model.model_fields_set  # a field that is not there holds no text
    for name, kind in kinds:
        if name in written:
            yield from _texts(getattr(model, name), (*path, name.rstrip("_")), kind == "template")
    for name in others:
        if name in written:
            yield from _below(getattr(model, name), (*path, name.rstrip("_")))


def model_at(model: Any, path: Path) -> Any:
    """The part of a model to which a path of its file leads."""
    for element in path:
        if isinstance(model, BaseModel):
            name = str(element)
            model = getattr(model, name if name in type(model).model_fields else f"{name}_")
        else:
            model = model[element]
    return model


def _below(value: Any, path: Path) -> Iterator[Text]:
    match value:
        case StepBase():
            return
        case BaseModel():
            yield from texts_of(value, path)
        case list():
            for number, item in enumerate(value):
                yield from _below(item, (*path, number))
        case dict():
            for key, item in value.items():
                yield from _below(item, (*path, key))


def _texts(value: Any, path: Path, template: bool) -> Iterator[Text]:
    match value:
        case str() if template:
            yield from _holes(value, path)
        case str():
            node = tree_or_none(value)
            if node is not None:
                yield Text(node, value, path, 0, False)
        case list():
            for number, item in enumerate(value):
                yield from _texts(item, (*path, number), template)
        case dict():
            for key, item in value.items():
                yield from _texts(item, (*path, key), template)


def _holes(text: str, path: Path) -> Iterator[Text]:
    try:
        pieces = cut(text)
    except Miswritten:
        return
    for piece in pieces:
        if isinstance(piece, Hole):
            node = tree_or_none(piece.source)
            if node is not None:
                yield Text(node, piece.source, path, piece.offset, len(pieces) > 1)


@cache
def _fields(model: type[BaseModel]) -> tuple[tuple[tuple[str, str], ...], tuple[str, ...]]:
    """The fields that hold expressions or templates, each with which; and those that hold models with such fields."""
    kinds, others = [], []
    for name, info in model.model_fields.items():
        found = {kind.name for kind in info.metadata if isinstance(kind, Kind)} | _kinds_in(info.annotation)
        told = next((kind for kind in ("expression", "template") if kind in found), None)
        if told is not None:
            kinds.append((name, told))
        elif any(not issubclass(below, StepBase) for below in models_in(info.annotation)):
            others.append(name)
    return tuple(kinds), tuple(others)


def _kinds_in(annotation: Any) -> set[str]:
    """The kinds of the texts in an annotation such as ``dict[str, Annotated[str, Kind(...)]] | None``."""
    if isinstance(annotation, Kind):
        return {annotation.name}
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return set()
    return {kind for part in get_args(annotation) for kind in _kinds_in(part)}
