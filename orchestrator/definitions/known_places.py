"""Where a key is known: which model takes which keys, and below which key of which file it stands.

The map is read from the models' own annotations, once, and only when a file has a mistake.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel
from typing_extensions import TypeAliasType, TypeIs

from orchestrator.definitions.faults import listed

if TYPE_CHECKING:
    from orchestrator.definitions.models.base import FileModel

Models = tuple[type["FileModel"], ...]


@cache
def models_below(model: type[FileModel]) -> Mapping[str, Models]:
    """For each key of a model the models that its value may be made of."""
    return {
        info.alias or name: tuple(dict.fromkeys(found for found in models_in(info.annotation) if _is_ours(found)))
        for name, info in model.model_fields.items()
    }


def belongs_hint(model: type[FileModel], key: str, present: Iterable[str]) -> str | None:
    """Where `key`, unknown to `model`, is known nearby: below one of the keys that are present, or one level up."""
    below = models_below(model)
    for field in (*present, *below):
        # A list of steps takes nearly every key somewhere: to point there would help nobody.
        if any(key in inner.known_keys() and not hasattr(inner, "VERB") for inner in below.get(field, ())):
            return f"`{key}` belongs under `{field}`"
    parents = _parents().get(model, ())
    for parent, field in parents:
        with_it = [
            telling
            for other in models_below(parent)[field]
            if key in other.known_keys() and (telling := _telling_key(other))
        ]
        if with_it:
            return f"`{key}` stands only with {listed([f'`{other}`' for other in with_it])}"
    for parent, field in parents:
        if key in parent.known_keys():
            return f"`{key}` belongs beside `{field}`, not below it"
    return None


def _telling_key(model: type[FileModel]) -> str | None:
    """The key that tells a mapping of this model from its siblings: the first that it needs."""
    needed = [name.rstrip("_") for name, info in model.model_fields.items() if info.is_required()]
    return needed[0] if needed else None


def elsewhere_hint(key: str) -> str | None:
    """Where else in the project `key` is known, or None."""
    for model, place in _places().items():
        if key in model.known_keys():
            return f"`{key}` belongs {place}"
    return None


@cache
def _places() -> Mapping[type[FileModel], str]:
    """Every model of every file, nearest to its file's top first, and the words for where it stands."""
    from orchestrator.definitions.models.roots import ROOTS

    places: dict[type[FileModel], str] = {}
    waiting: deque[tuple[type[FileModel], str, str]] = deque((root, label, "") for label, root in ROOTS.items())
    while waiting:
        model, label, under = waiting.popleft()
        if model in places:
            continue
        places[model] = f"under `{under}` in {label}" if under else f"at the top of {label}"
        for key, inner in models_below(model).items():
            waiting.extend((child, label, key) for child in inner)
    return places


@cache
def _parents() -> Mapping[type[FileModel], list[tuple[type[FileModel], str]]]:
    parents: dict[type[FileModel], list[tuple[type[FileModel], str]]] = {}
    for model in _places():
        for key, inner in models_below(model).items():
            for child in inner:
                parents.setdefault(child, []).append((model, key))
    return parents


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models of any family that an annotation mentions, through aliases, unions, lists and mappings.

    A model may come twice: of a union that is told apart by a key, the key's choices are mentioned as well.
    """
    from orchestrator.definitions.shapes import ByKey

    if isinstance(annotation, TypeAliasType):
        yield from models_in(annotation.__value__)
    elif isinstance(annotation, type) and get_origin(annotation) is None:
        if issubclass(annotation, BaseModel):
            yield annotation
    elif isinstance(annotation, ByKey):
        yield from annotation.choices().values()
    else:
        for part in get_args(annotation):
            yield from models_in(part)


def _is_ours(model: type[BaseModel]) -> TypeIs[type[FileModel]]:
    from orchestrator.definitions.models.base import FileModel

    return issubclass(model, FileModel)
