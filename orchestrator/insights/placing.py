"""Where the cells of a layered drawing stand: in their rows' order, with edges as straight as they can be.

The algorithm of Brandes and Köpf (2001): cells are stacked into vertical blocks along the middle ones of their edges,
and blocks are pushed together. That is done four times, downwards and upwards, from the left and from the right; each
cell stands at the mean of the two middle results.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from orchestrator.insights.layers import Cell, Layers

BETWEEN_BOXES = 28.0
BETWEEN_LINES = 18.0


def place(layers: Layers) -> float:
    """Sets every cell's `x` (its middle), the leftmost edge at 0; returns the width of it all."""
    cells = layers.cells
    conflicts = _conflicts(layers)
    results = []
    for down in (True, False):
        for from_left in (True, False):
            rows = layers.rows if down else layers.rows[::-1]
            rows = rows if from_left else [row[::-1] for row in rows]
            roots = _blocks(cells, rows, down, conflicts)
            results.append([x if from_left else -x for x in _pushed_together(cells, rows, roots)])
    _line_up(cells, results)
    for number, cell in enumerate(cells):
        middle = sorted(xs[number] for xs in results)[1:3]
        cell.x = sum(middle) / 2
    left = min((cell.x - cell.width / 2 for cell in cells), default=0.0)
    for cell in cells:
        cell.x -= left
    return max((cell.x + cell.width / 2 for cell in cells), default=0.0)


def _conflicts(layers: Layers) -> frozenset[tuple[int, int]]:
    """Edges' parts (upper, lower) that cross a part between two passing points: those of long edges stay straight."""
    cells = layers.cells
    found = set()
    for upper, lower in pairwise(layers.rows):
        above = {number: place for place, number in enumerate(upper)}
        parts = [
            (above[source], place, cells[source].box is None and cells[target].box is None, source, target)
            for place, target in enumerate(lower)
            for source in cells[target].above
            if source in above
        ]
        inner = [part for part in parts if part[2]]
        for start, end, is_inner, source, target in parts:
            if not is_inner and any((start - other[0]) * (end - other[1]) < 0 for other in inner):
                found.add((source, target))
    return frozenset(found)


def _blocks(
    cells: Sequence[Cell], rows: Sequence[Sequence[int]], down: bool, conflicts: frozenset[tuple[int, int]]
) -> list[int]:
    """For each cell the first cell of its block. A cell joins the block of its middle neighbour in the row before."""
    roots = list(range(len(cells)))
    for before, row in pairwise(rows):
        places = {number: place for place, number in enumerate(before)}
        taken = -1
        for number in row:
            near = sorted((places[other], other) for other in (cells[number].above if down else cells[number].below))
            for at, other in _middle(near):
                part = (other, number) if down else (number, other)
                if at > taken and part not in conflicts:
                    roots[number] = roots[other]
                    taken = at
                    break
    return roots


def _middle(near: Sequence[tuple[int, int]]) -> Sequence[tuple[int, int]]:
    """The median of the neighbours, or both of them."""
    return near[(len(near) - 1) // 2 : len(near) // 2 + 1]


def _pushed_together(cells: Sequence[Cell], rows: Sequence[Sequence[int]], roots: Sequence[int]) -> list[float]:
    """A place for each cell, equal within a block: as far left as the order allows, then right as far as that helps."""
    apart: dict[tuple[int, int], float] = {}
    after: dict[int, set[int]] = {root: set() for root in roots}
    waiting = dict.fromkeys(after, 0)
    for row in rows:
        for left, right in pairwise(row):
            pair = (roots[left], roots[right])
            if pair not in apart:
                waiting[pair[1]] += 1
                after[pair[0]].add(pair[1])
            apart[pair] = max(apart.get(pair, 0.0), _between(cells[left], cells[right]))
    order = [root for root, count in waiting.items() if not count]
    xs = dict.fromkeys(after, 0.0)
    for root in order:
        for right in sorted(after[root]):
            xs[right] = max(xs[right], xs[root] + apart[root, right])
            waiting[right] -= 1
            if not waiting[right]:
                order.append(right)
    for root in reversed(order):
        if after[root]:
            xs[root] = max(xs[root], min(xs[right] - apart[root, right] for right in after[root]))
    return [xs[root] for root in roots]


def _between(left: Cell, right: Cell) -> float:
    lines = left.box is None and right.box is None
    return (left.width + right.width) / 2 + (BETWEEN_LINES if lines else BETWEEN_BOXES)


def _line_up(cells: Sequence[Cell], results: Sequence[list[float]]) -> None:
    """Shift all results to the narrowest one: those from the left by their left edge, the others by their right."""
    edges = [
        (
            min(x - cell.width / 2 for x, cell in zip(xs, cells, strict=True)),
            max(x + cell.width / 2 for x, cell in zip(xs, cells, strict=True)),
        )
        for xs in results
        if cells
    ]
    if not edges:
        return
    narrowest = min(edges, key=lambda edge: edge[1] - edge[0])
    for place, (xs, edge) in enumerate(zip(results, edges, strict=True)):
        shift = narrowest[0] - edge[0] if place % 2 == 0 else narrowest[1] - edge[1]
        xs[:] = [x + shift for x in xs]
