"""Where the flow goes: nested lists of steps become one flat row of places, each knowing its neighbours.

Pure arithmetic over the shape of the file, before any step is compiled. A step stands before the steps of its blocks,
depth first, in the order of the file; behind the body of a `repeat` stands one place more, from which the flow returns.
The last step of a block goes on where the step that holds the block goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, NamedTuple

from orchestrator.core.program import END, OnError
from orchestrator.definitions.source import Path
from orchestrator.records import dataclass

AGAIN = "again"
"""The verb of the place behind the body of a `repeat`."""


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """A list of steps inside a step: `name` tells it from the step's others (`then`, `else`, `do`, ...)."""

    name: str
    steps: tuple[StepNode, ...]


@dataclass(frozen=True, slots=True, eq=False)
class StepNode:
    """One step as it stands in the file. `model` is its parsed form, `path` its place in the document."""

    verb: str
    path: Path
    model: Any
    blocks: tuple[Block, ...] = ()
    explicit_id: str | None = None
    on_error: OnError | None = None
    size: int = field(init=False)
    """How many places the step and everything in it take."""

    def __post_init__(self) -> None:
        inside = sum(step.size for block in self.blocks for step in block.steps)
        object.__setattr__(self, "size", 1 + inside + (self.verb == "repeat"))


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A step's place in the flat row. `targets` holds, for each of its blocks, where the block begins: its first step,
    or for an empty block where the flow goes on. `again` is set for a `repeat` only."""

    node: StepNode
    index: int
    id: str
    next: int
    following: int | None
    targets: Mapping[str, int]
    on_error: OnError
    on_error_next: int
    loops: tuple[str, ...]
    in_exit: bool
    again: int | None = None


class _ErrorRule(NamedTuple):
    """The rule of an enclosing `do`, and where `continue` goes on by it."""

    on_error: OnError
    next: int


class _Surroundings(NamedTuple):
    """What a list of steps inherits from the step that holds it."""

    rule: _ErrorRule | None
    loops: tuple[str, ...]
    in_exit: bool


def walk(nodes: Sequence[StepNode]) -> Iterator[StepNode]:
    """The steps and everything in them: depth first, in the order of the file."""
    for node in nodes:
        yield node
        for block in node.blocks:
            yield from walk(block.steps)


def lay_out(
    nodes: Sequence[StepNode], ids: Mapping[StepNode, str], *, start: int = 0, in_exit: bool = False
) -> list[Place]:
    """The places of a list of steps and of everything below, ascending by index from `start` without a gap.

    The flow leaves the list to `END`. `ids` names every step of `walk(nodes)`.
    """
    places: list[Place] = []
    _lay_out_list(nodes, start, END, _Surroundings(None, (), in_exit), ids, places)
    return places


def first_of(nodes: Sequence[StepNode], start: int) -> int:
    """Where a list that was laid out from `start` begins."""
    return start if nodes else END


def size_of(nodes: Sequence[StepNode]) -> int:
    """How many places a list takes."""
    return sum(node.size for node in nodes)


def again_id(repeat_id: str) -> str:
    """The id of the place behind a repeat's body; a stroke cannot stand in an id that an author writes."""
    return f"{repeat_id}/{AGAIN}"


def _lay_out_list(
    nodes: Sequence[StepNode],
    start: int,
    leave_to: int,
    around: _Surroundings,
    ids: Mapping[StepNode, str],
    places: list[Place],
) -> None:
    index = start
    for number, node in enumerate(nodes):
        last = number + 1 == len(nodes)
        following = None if last else index + node.size
        goes_on = leave_to if following is None else following
        _lay_out_step(node, index, goes_on, following, around, ids, places)
        index += node.size


def _lay_out_step(
    node: StepNode,
    index: int,
    goes_on: int,
    following: int | None,
    around: _Surroundings,
    ids: Mapping[StepNode, str],
    places: list[Place],
) -> None:
    step_id = ids[node]
    rule = _ErrorRule(node.on_error, goes_on) if node.on_error is not None else around.rule
    on_error, on_error_next = rule if rule is not None else _ErrorRule("fail", goes_on)
    repeats = node.verb == "repeat"
    again = index + node.size - 1 if repeats else None
    block_leaves_to = goes_on if again is None else again

    targets, block_start = {}, index + 1
    for block in node.blocks:
        targets[block.name] = block_start if block.steps else block_leaves_to
        block_start += size_of(block.steps)

    place = Place(
        node=node,
        index=index,
        id=step_id,
        next=goes_on,
        following=following,
        targets=targets,
        on_error=on_error,
        on_error_next=on_error_next,
        loops=around.loops,
        in_exit=around.in_exit,
        again=again,
    )
    places.append(place)

    inside = around
    if node.verb == "do" and node.on_error not in (None, "fail"):
        inside = inside._replace(rule=rule)
    if repeats:
        inside = inside._replace(loops=(*around.loops, step_id))
    block_start = index + 1
    for block in node.blocks:
        _lay_out_list(block.steps, block_start, block_leaves_to, inside, ids, places)
        block_start += size_of(block.steps)
    if again is not None:
        places.append(_returning(place, again))


def _returning(repeat: Place, again: int) -> Place:
    """The place behind the body of a repeat."""
    node = StepNode(AGAIN, repeat.node.path, None)
    return Place(
        node=node,
        index=again,
        id=again_id(repeat.id),
        next=repeat.index,
        following=None,
        targets={},
        on_error=repeat.on_error,
        on_error_next=repeat.on_error_next,
        loops=(*repeat.loops, repeat.id),
        in_exit=repeat.in_exit,
    )
