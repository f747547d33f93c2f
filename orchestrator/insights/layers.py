"""A layered drawing of a directed graph, top down: which row each box stands in, and in which order.

The classical four steps (Sugiyama, Tagawa, Toda 1981): turn the edges that close a cycle around, give each box the
row of its longest path from the top, order the rows so that few edges cross, and place them (in `placing.py`). Boxes
stand in even rows; odd rows are for the labels of edges, which take part as boxes of their own, so that no label ever
lies on anything else.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

SWEEPS = 12
MOST_SWAPS = 8
"""Rounds of exchanging neighbours after each sweep; each round only ever improves."""


class Link(NamedTuple):
    """An edge to draw, by the numbers of its boxes. `width`, `height`: of its label, 0 where it has none."""

    source: int
    target: int
    width: float = 0.0
    height: float = 0.0


@dataclass(slots=True)
class Cell:
    """A place in a row: a box, an edge's label, or the point where an edge passes the row."""

    row: int
    width: float
    height: float
    box: int | None = None
    above: list[int] = field(default_factory=list)
    below: list[int] = field(default_factory=list)
    x: float = 0.0


@dataclass(slots=True)
class Chain:
    """An edge as the cells from its upper to its lower box. `turned`: it points up. `label`: the cell of its label."""

    cells: list[int]
    turned: bool
    label: int | None


@dataclass(slots=True)
class Layers:
    """The cells; the first ones are the boxes. `rows` hold their numbers from left to right."""

    cells: list[Cell]
    rows: list[list[int]]
    chains: list[Chain]


def layered(sizes: Sequence[tuple[float, float]], links: Sequence[Link]) -> Layers:
    """Rows for boxes of these sizes; `links` without those from a box to itself. One chain for each link, in order."""
    turned = _turned(len(sizes), links)
    ways = [(b, a) if back else (a, b) for (a, b, _, _), back in zip(links, turned, strict=True)]
    ranks = _ranks(len(sizes), ways)
    cells = [
        Cell(2 * rank, width, height, box) for box, (rank, (width, height)) in enumerate(zip(ranks, sizes, strict=True))
    ]
    chains = []
    for link, way, back in zip(links, ways, turned, strict=True):
        chains.append(_chain(cells, link, way, back))
    rows: list[list[int]] = [[] for _ in range(1 + max((cell.row for cell in cells), default=0))]
    for number in _discovered(cells):
        rows[cells[number].row].append(number)
    layers = Layers(cells, rows, chains)
    _untangle(layers)
    return layers


def _turned(count: int, links: Sequence[Link]) -> list[bool]:
    """Which links close a cycle, by a search from the first boxes on, in the order of the links."""
    out: list[list[tuple[int, int]]] = [[] for _ in range(count)]
    for number, link in enumerate(links):
        out[link.source].append((number, link.target))
    state = [0] * count  # 0 not seen, 1 on the way, 2 done
    turned = [False] * len(links)
    for root in range(count):
        if state[root]:
            continue
        state[root] = 1
        stack = [(root, iter(out[root]))]
        while stack:
            box, ways = stack[-1]
            for number, target in ways:
                if state[target] == 1:
                    turned[number] = True
                elif state[target] == 0:
                    state[target] = 1
                    stack.append((target, iter(out[target])))
                    break
            else:
                state[box] = 2
                stack.pop()
    return turned


def _ranks(count: int, ways: Sequence[tuple[int, int]]) -> list[int]:
    """The length of the longest way to each box, from any box that none leads to."""
    waiting = [0] * count
    out: list[list[int]] = [[] for _ in range(count)]
    for source, target in ways:
        waiting[target] += 1
        out[source].append(target)
    ranks = [0] * count
    free = [box for box in range(count) if not waiting[box]]
    for box in free:
        for target in out[box]:
            ranks[target] = max(ranks[target], ranks[box] + 1)
            waiting[target] -= 1
            if not waiting[target]:
                free.append(target)
    return ranks


def _chain(cells: list[Cell], link: Link, way: tuple[int, int], back: bool) -> Chain:
    source, target = way
    chain = [source]
    label = None
    top, bottom = cells[source].row, cells[target].row
    label_row = (bottom - 1 if back else top + 1) if link.height else None
    for row in range(top + 1, bottom):
        is_label = row == label_row
        cells.append(Cell(row, link.width if is_label else 0.0, link.height if is_label else 0.0))
        number = len(cells) - 1
        chain.append(number)
        if is_label:
            label = number
    chain.append(target)
    for upper, lower in pairwise(chain):
        cells[upper].below.append(lower)
        cells[lower].above.append(upper)
    return Chain(chain, back, label)


def _discovered(cells: Sequence[Cell]) -> list[int]:
    """All cells in the order of a search downwards from the top, so that the first branch begins on the left."""
    seen = [False] * len(cells)
    found = []
    for root in range(len(cells)):
        stack = [root] if not cells[root].above else []
        while stack:
            number = stack.pop()
            if seen[number]:
                continue
            seen[number] = True
            found.append(number)
            stack.extend(reversed(cells[number].below))
    return found + [number for number in range(len(cells)) if not seen[number]]


def _untangle(layers: Layers) -> None:
    """Sort each row by where its neighbours stand, downwards and upwards, and keep the order with fewest crossings."""
    best = [list(row) for row in layers.rows]
    fewest = _crossings(layers)
    for sweep in range(SWEEPS):
        if not fewest:
            break
        down = sweep % 2 == 0
        rows = layers.rows if down else layers.rows[::-1]
        for fixed, row in pairwise(rows):
            places = {number: place for place, number in enumerate(fixed)}
            keys = {number: _centre(layers.cells[number], places, down, place) for place, number in enumerate(row)}
            row.sort(key=keys.__getitem__)
        _swap_neighbours(layers)
        crossings = _crossings(layers)
        if crossings < fewest:
            fewest, best = crossings, [list(row) for row in layers.rows]
    layers.rows = best


def _swap_neighbours(layers: Layers) -> None:
    """Exchange two cells that stand side by side wherever fewer edges cross then."""
    for _ in range(MOST_SWAPS):
        swapped = False
        places = {number: place for row in layers.rows for place, number in enumerate(row)}
        for row in layers.rows:
            for place in range(len(row) - 1):
                left, right = layers.cells[row[place]], layers.cells[row[place + 1]]
                now = _crossed(left.above, right.above, places) + _crossed(left.below, right.below, places)
                then = _crossed(right.above, left.above, places) + _crossed(right.below, left.below, places)
                if then < now:
                    row[place], row[place + 1] = row[place + 1], row[place]
                    places[row[place]], places[row[place + 1]] = place, place + 1
                    swapped = True
        if not swapped:
            return


def _crossed(left: Sequence[int], right: Sequence[int], places: Mapping[int, int]) -> int:
    """How many edges of the left one of two cells cross edges of the right one."""
    return sum(1 for one in left for other in right if places[one] > places[other])


def _centre(cell: Cell, places: Mapping[int, int], down: bool, place: int) -> float:
    neighbours = [places[number] for number in (cell.above if down else cell.below) if number in places]
    return sum(neighbours) / len(neighbours) if neighbours else float(place)


def _crossings(layers: Layers) -> int:
    count = 0
    for upper, lower in pairwise(layers.rows):
        places = {number: place for place, number in enumerate(lower)}
        passed: list[int] = []
        for number in upper:
            ends = sorted(places[below] for below in layers.cells[number].below if below in places)
            count += sum(len(passed) - bisect_left(passed, end + 1) for end in ends)
            for end in ends:
                insort(passed, end)
    return count
