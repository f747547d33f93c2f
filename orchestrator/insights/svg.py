"""A journey's picture as one SVG file: layered, readable, light or dark as its reader's screen, nothing loaded from
anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from orchestrator.insights.graph_model import Edge, Graph
from orchestrator.insights.layers import Chain, Layers, Link, layered
from orchestrator.insights.placing import place
from orchestrator.insights.svg_boxes import (
    BELOW_HEADING,
    PADDING,
    Box,
    Text,
    box_of,
    draw_box,
    draw_label,
    draw_texts,
    heading_of,
    height_of,
    label_of,
    number,
    width_of,
)
from orchestrator.insights.svg_text import visible

MARGIN = 32.0
ROW_GAP = 22.0
TIP = 8.0
"""The last pixels of an edge run straight down, so that its tip points at the box."""
RULE_GAP = 12.0

_SANS = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', "
    "sans-serif"
)
_MONO = (
    "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'PingFang SC', 'Microsoft YaHei', "
    "'Noto Sans CJK SC', monospace"
)
STYLE = f"""
text {{ fill: #1d2733; font-family: {_SANS} }}
.mono {{ font-family: {_MONO} }}
.bold {{ font-weight: 600 }} .soft {{ fill: #55626f }}
.page {{ fill: #ffffff }} .box {{ stroke-width: 1.5; fill: #f4f6f8; stroke: #8a97a5 }}
.entry .box {{ fill: #e3f4ea; stroke: #2f8f5b }} .wait .box {{ fill: #fdf3dc; stroke: #b98516 }}
.decision .box {{ fill: #efe8fb; stroke: #7a55c0 }} .message .box {{ fill: #e2eefc; stroke: #2f6fbf }}
.end .box {{ fill: #eceff2; stroke: #66727f }} .rule .box {{ fill: none; stroke-dasharray: 5 4 }}
.edge {{ fill: none; stroke: #7b8895; stroke-width: 1.5 }} .loop {{ stroke-dasharray: 6 4 }}
.tip {{ fill: #7b8895 }} .label {{ fill: #ffffff; stroke: #c3cbd3; stroke-width: 1 }}
@media (prefers-color-scheme: dark) {{
text {{ fill: #e4eaf0 }} .soft {{ fill: #a3b0bd }}
.page {{ fill: #12181f }} .box {{ fill: #1e2731; stroke: #71808f }}
.entry .box {{ fill: #153526; stroke: #4fbf85 }} .wait .box {{ fill: #3a2d10; stroke: #dba83c }}
.decision .box {{ fill: #2b2145; stroke: #a687e6 }} .message .box {{ fill: #152c47; stroke: #5f9fe8 }}
.end .box {{ fill: #262e37; stroke: #8f9caa }} .rule .box {{ fill: none }}
.edge {{ stroke: #8895a2 }} .tip {{ fill: #8895a2 }} .label {{ fill: #12181f; stroke: #4a5763 }}
}}"""


def svg_text(graph: Graph) -> str:
    """The picture as an SVG document, with a line break at the end."""
    picture = _Picture(graph)
    return picture.document()


class _Picture:
    """One journey's picture while it is being drawn."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._boxes = [box_of(n.kind, n.id if n.verb else None, n.title, n.lines) for n in graph.nodes]
        self._rules = [box_of("rule", None, rule.title, rule.lines) for rule in graph.rules]
        self._edges = [edge for edge in graph.edges if edge.source != edge.target]
        self._labels = [label_of(edge) for edge in self._edges]
        places = {node.id: number for number, node in enumerate(graph.nodes)}
        self._loops = [places[edge.source] for edge in graph.edges if edge.source == edge.target]
        links = [
            Link(places[edge.source], places[edge.target], label.width if label else 0, label.height if label else 0)
            for edge, label in zip(self._edges, self._labels, strict=True)
        ]
        self._layers = layered([(box.width, box.height) for box in self._boxes], links)
        self._graph_width = place(self._layers) + (26.0 if self._loops else 0.0)

    def document(self) -> str:
        rule_width = max((rule.width for rule in self._rules), default=0.0)
        rules_left = MARGIN + self._graph_width + MARGIN
        right = rules_left + rule_width if self._rules else MARGIN + self._graph_width
        heading = heading_of(self._graph, max(right - MARGIN, 320.0))
        top = MARGIN + height_of(heading) + 16.0
        self._tops = self._row_tops(top)
        body = [draw_texts(heading, MARGIN, MARGIN, "start")]
        body += [self._edge(chain, edge) for chain, edge in zip(self._layers.chains, self._edges, strict=True)]
        body += [self._label(*pair) for pair in zip(self._layers.chains, self._labels, strict=True)]
        body += [self._box(place, box) for place, box in enumerate(self._boxes)]
        body += [self._self_loop(place) for place in self._loops]
        bottom = self._draw_rules(rules_left, top, rule_width, body)
        width = max(right, MARGIN + width_of(heading)) + MARGIN
        height = max(self._tops[-1] + self._row_height(len(self._tops) - 1), bottom) + MARGIN
        return self._framed(number(width), number(height), [part for part in body if part])

    def _framed(self, width: str, height: str, body: Sequence[str]) -> str:
        graph = self._graph
        about = f"Journey {graph.journey}: {len(graph.nodes)} boxes, {len(graph.edges)} arrows"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title desc" '
            f'width="{width}" height="{height}" viewBox="0 0 {width} {height}">\n'
            f'<title id="title">{escape(visible(graph.title))}</title>\n<desc id="desc">{escape(about)}</desc>\n'
            f"<style>{STYLE}\n</style>\n"
            '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" '
            'orient="auto"><path class="tip" d="M0 0L8 4L0 8z"/></marker></defs>\n'
            f'<rect class="page" width="{width}" height="{height}"/>\n' + "\n".join(body) + "\n</svg>\n"
        )

    def _row_height(self, row: int) -> float:
        return max((self._layers.cells[cell].height for cell in self._layers.rows[row]), default=0.0)

    def _row_tops(self, top: float) -> list[float]:
        tops = []
        for row in range(len(self._layers.rows)):
            tops.append(top)
            top += self._row_height(row) + ROW_GAP
        return tops

    def _top_of(self, cell: int, height: float) -> float:
        """The top of something of this height that stands in the middle of its row."""
        row = self._layers.cells[cell].row
        return self._tops[row] + (self._row_height(row) - height) / 2

    def _box(self, cell: int, box: Box) -> str:
        left = MARGIN + self._layers.cells[cell].x - box.width / 2
        return draw_box(box, left, self._top_of(cell, box.height))

    def _label(self, chain: Chain, label: Box | None) -> str:
        if label is None or chain.label is None:
            return ""
        left = MARGIN + self._layers.cells[chain.label].x - label.width / 2
        return draw_label(label, left, self._top_of(chain.label, label.height))

    def _edge(self, chain: Chain, edge: Edge) -> str:
        cells = self._layers.cells
        first, last = chain.cells[0], chain.cells[-1]
        start_x = _port(self._layers, first, chain.cells[1], below=True)
        points = [
            (start_x, self._top_of(first, cells[first].height) + cells[first].height),
            (start_x, self._tops[cells[first].row] + self._row_height(cells[first].row)),
        ]
        for passed in chain.cells[1:-1]:
            top = self._tops[cells[passed].row]
            points += [(cells[passed].x, top), (cells[passed].x, top + self._row_height(cells[passed].row))]
        end_x = _port(self._layers, last, chain.cells[-2], below=False)
        points += [(end_x, self._tops[cells[last].row] - TIP), (end_x, self._top_of(last, cells[last].height))]
        if chain.turned:  # it points up: the tip is at the other end
            points[1] = (start_x, points[1][1] + TIP)
            points.reverse()
        style = "edge loop" if edge.loop or chain.turned else "edge"
        return f'<path class="{style}" d="{_curve(points)}" marker-end="url(#tip)"/>'

    def _self_loop(self, cell: int) -> str:
        box = self._boxes[cell]
        x = number(MARGIN + self._layers.cells[cell].x + box.width / 2)
        y = number(self._top_of(cell, 0.0) - 8)
        return f'<path class="edge loop" d="M{x} {y}c26 -14 26 30 0 16" marker-end="url(#tip)"/>'

    def _draw_rules(self, left: float, top: float, width: float, body: list[str]) -> float:
        """The boxes of what holds at any time, one below the other; returns where they end."""
        if not self._rules:
            return top
        heading = [Text("at any time", BELOW_HEADING, "soft")]
        body.append(draw_texts(heading, left, top, "start"))
        y = top + height_of(heading) + 4.0
        for rule in self._rules:
            body.append(draw_box(Box(rule.kind, rule.texts, rule.hint, width, rule.height), left, y))
            y += rule.height + RULE_GAP
        return y - RULE_GAP


def _port(layers: Layers, cell: int, towards: int, *, below: bool) -> float:
    """Where an edge leaves or reaches a box: its edges stand side by side, in the order in which they go away."""
    box = layers.cells[cell]
    others = sorted(box.below if below else box.above, key=lambda other: layers.cells[other].x)
    if len(others) == 1:
        return box.x
    room = min(box.width - 3 * PADDING, 26.0 * (len(others) - 1))
    return box.x + room * (others.index(towards) / (len(others) - 1) - 0.5)


def _curve(points: Sequence[tuple[float, float]]) -> str:
    (x, y), *rest = points
    out = [f"M{number(x + MARGIN)} {number(y)}"]
    for next_x, next_y in rest:
        end = f"{number(next_x + MARGIN)} {number(next_y)}"
        if abs(next_x - x) < 0.5 or next_y == y:
            out.append(f"L{end}")
        else:
            middle = number((y + next_y) / 2)
            out.append(f"C{number(x + MARGIN)} {middle} {number(next_x + MARGIN)} {middle} {end}")
        x, y = next_x, next_y
    return "".join(out)
