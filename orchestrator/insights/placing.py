"""Where the cells of a layered drawing stand: each as near to its neighbours in other rows as the row's order allows.

Within one row that is a least-squares problem with an order to keep, which the pool-adjacent-violators algorithm
solves exactly; rows are taken downwards and upwards by turns.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.insights.layers import Cell, Layers

ROUNDS = 16
BETWEEN_BOXES = 28.0
BETWEEN_LINES = 16.0
_STRAIGHT = 4.0
"""How much more an edge's passing points resist being moved than boxes do: long edges stay straight."""


def place(layers: Layers) -> float:
    """Sets every cell's `x` (its middle), the leftmost edge at 0; returns the width of it all."""
    for row in layers.rows:
        x = 0.0
        for number in row:
            cell = layers.cells[number]
            cell.x = x + cell.width / 2
            x += cell.width + BETWEEN_BOXES
    for turn in range(ROUNDS):
        down = turn % 2 == 0
        both = turn >= ROUNDS - 4
        for row in layers.rows if down else reversed(layers.rows):
            _settle(layers.cells, row, down, both)
    left = min((cell.x - cell.width / 2 for cell in layers.cells), default=0.0)
    for cell in layers.cells:
        cell.x -= left
    return max((cell.x + cell.width / 2 for cell in layers.cells), default=0.0)


def _settle(cells: Sequence[Cell], row: Sequence[int], down: bool, both: bool) -> None:
    wanted, weights, offsets = [], [], []
    offset = 0.0
    for place, number in enumerate(row):
        cell = cells[number]
        if place:
            offset += _apart(cells[row[place - 1]], cell)
        neighbours = [*cell.above, *cell.below] if both else (cell.above if down else cell.below)
        middle = sum(cells[near].x for near in neighbours) / len(neighbours) if neighbours else cell.x
        wanted.append(middle - offset)
        weights.append((_STRAIGHT if cell.box is None else 1.0) if neighbours else 0.25)
        offsets.append(offset)
    for number, x, offset in zip(row, in_order(wanted, weights), offsets, strict=True):
        cells[number].x = x + offset


def _apart(left: Cell, right: Cell) -> float:
    lines = left.box is None and right.box is None
    return (left.width + right.width) / 2 + (BETWEEN_LINES if lines else BETWEEN_BOXES)


def in_order(wanted: Sequence[float], weights: Sequence[float]) -> list[float]:
    """The non-decreasing numbers that are nearest to `wanted` by weighted squares."""
    blocks: list[tuple[float, float, int]] = []  # mean, weight, how many
    for value, weight in zip(wanted, weights, strict=True):
        block = (value, weight, 1)
        while blocks and blocks[-1][0] > block[0]:
            mean, heavy, count = blocks.pop()
            total = heavy + block[1]
            block = ((mean * heavy + block[0] * block[1]) / total, total, count + block[2])
        blocks.append(block)
    return [mean for mean, _, count in blocks for _ in range(count)]
