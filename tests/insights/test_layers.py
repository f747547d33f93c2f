"""Layered drawings: whatever the graph, nothing overlaps and every edge goes from row to row."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.insights.layers import Link, layered
from orchestrator.insights.placing import BETWEEN_LINES, place


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[tuple[float, float]], list[Link]]:
    count = draw(st.integers(1, 12))
    sizes = draw(st.lists(st.tuples(st.floats(20, 400), st.floats(20, 200)), min_size=count, max_size=count))
    ends = st.integers(0, count - 1)
    labels = st.sampled_from([(0.0, 0.0), (60.0, 20.0), (240.0, 60.0)])
    pairs = draw(st.lists(st.tuples(ends, ends, labels), max_size=24))
    return sizes, [Link(a, b, *label) for a, b, label in pairs if a != b]


@given(graphs())
def test_cells_of_a_row_never_overlap(graph: tuple[list[tuple[float, float]], list[Link]]) -> None:
    layers = layered(*graph)
    width = place(layers)
    for row in layers.rows:
        cells = [layers.cells[number] for number in row]
        for left, right in pairwise(cells):
            assert right.x - right.width / 2 - (left.x + left.width / 2) >= BETWEEN_LINES - 1e-6
        for cell in cells:
            assert cell.x - cell.width / 2 >= -1e-6 and cell.x + cell.width / 2 <= width + 1e-6


@given(graphs())
def test_every_edge_runs_through_consecutive_rows(graph: tuple[list[tuple[float, float]], list[Link]]) -> None:
    sizes, links = graph
    layers = layered(sizes, links)
    assert sorted(number for row in layers.rows for number in row) == list(range(len(layers.cells)))
    assert [cell.box for cell in layers.cells[: len(sizes)]] == list(range(len(sizes)))
    for link, chain in zip(links, layers.chains, strict=True):
        ends = (chain.cells[0], chain.cells[-1])
        assert ends == ((link.target, link.source) if chain.turned else (link.source, link.target))
        rows = [layers.cells[number].row for number in chain.cells]
        assert rows == list(range(rows[0], rows[-1] + 1)) and len(rows) >= 3
        assert (chain.label is not None) == bool(link.height)
        if chain.label is not None:
            label = layers.cells[chain.label]
            assert (label.width, label.height) == (link.width, link.height)


@given(graphs())
def test_the_same_graph_is_drawn_the_same_way(graph: tuple[list[tuple[float, float]], list[Link]]) -> None:
    first, second = layered(*graph), layered(*graph)
    assert place(first) == place(second)
    assert [cell.x for cell in first.cells] == [cell.x for cell in second.cells]


def test_a_chain_of_boxes_is_one_straight_line() -> None:
    layers = layered([(100, 40), (300, 40), (50, 40)], [Link(0, 1), Link(1, 2)])
    place(layers)
    assert len({cell.x for cell in layers.cells}) == 1


def test_two_branches_do_not_cross() -> None:
    # The second branch reaches the first end and the other way round: the ends change places.
    layers = layered([(50, 40)] * 5, [Link(0, 1), Link(0, 2), Link(1, 4), Link(2, 3)])
    place(layers)
    x = [cell.x for cell in layers.cells]
    assert (x[1] < x[2]) == (x[4] < x[3])


def test_a_thousand_boxes_in_a_row_are_no_problem() -> None:
    layers = layered([(50, 40)] * 1_000, [Link(n, n + 1) for n in range(999)])
    assert place(layers) == 50
