"""The picture as a file: well-formed, alone, and with every text inside its box."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.project import Project
from orchestrator.definitions.load import load_project
from orchestrator.insights.graph_model import Edge, Graph, Node, Rule, graph_of
from orchestrator.insights.svg import svg_text
from orchestrator.insights.svg_text import Font, text_width

ROOT = Path(__file__).resolve().parents[2]
SVG = "{http://www.w3.org/2000/svg}"
TEXTS = st.text(max_size=80)


@st.composite
def pictures(draw: st.DrawFn) -> Graph:
    kinds = st.sampled_from(["entry", "wait", "decision", "message", "action", "end"])
    nodes = [
        Node(
            f"step_{place}",
            draw(kinds),
            draw(TEXTS),
            tuple(draw(st.lists(TEXTS, max_size=3))),
            draw(st.sampled_from([None, "wait"])),
        )
        for place in range(draw(st.integers(1, 6)))
    ]
    ends = st.sampled_from([node.id for node in nodes])
    edges = [Edge(draw(ends), draw(ends), draw(st.none() | TEXTS)) for _ in range(draw(st.integers(0, 8)))]
    rules = [Rule("exit", draw(TEXTS), (draw(TEXTS),)) for _ in range(draw(st.integers(0, 2)))]
    return Graph("j", draw(TEXTS), "0123456789ab", tuple(nodes), tuple(edges), tuple(rules))


def boxes(svg: str) -> list[tuple[float, float, float, float, ElementTree.Element]]:
    """left, top, right, bottom of each box or label, and its group."""
    found = []
    for group in ElementTree.fromstring(svg).iter(f"{SVG}g"):
        shape = group.find(f"{SVG}rect")
        if shape is not None:
            x, y, w, h = (float(shape.get(name, "0")) for name in ("x", "y", "width", "height"))
            found.append((x, y, x + w, y + h, group))
        else:
            points = [
                tuple(map(float, point.split(","))) for point in group.find(f"{SVG}polygon").get("points", "").split()
            ]  # type: ignore[union-attr]
            found.append(
                (
                    min(p[0] for p in points),
                    min(p[1] for p in points),
                    max(p[0] for p in points),
                    max(p[1] for p in points),
                    group,
                )
            )
    return found


def check(svg: str) -> None:
    root = ElementTree.fromstring(svg)
    width, height = float(root.get("width", "0")), float(root.get("height", "0"))
    placed = boxes(svg)
    for left, top, right, bottom, group in placed:
        assert left >= 0 and right <= width and top >= 0 and bottom <= height
        for text in group.iter(f"{SVG}text"):
            style = text.get("class", "")
            font = Font(float(text.get("font-size", "0")), "mono" in style, "bold" in style)
            assert text_width(text.text or "", font) <= right - left
            assert top <= float(text.get("y", "0")) <= bottom
    for place, one in enumerate(placed):
        for other in placed[:place]:
            apart = one[0] >= other[2] or other[0] >= one[2] or one[1] >= other[3] or other[1] >= one[3]
            assert apart, "two boxes overlap"


@given(pictures())
def test_any_picture_is_well_formed_and_nothing_overlaps(graph: Graph) -> None:
    check(svg_text(graph))


def shipped() -> list[tuple[str, Path]]:
    roots = [ROOT, ROOT / "orchestrator" / "project_template", ROOT / "orchestrator" / "demo" / "project"]
    return [
        (file.stem, root)
        for root in roots
        for file in (root / "journeys").rglob("*.yaml")
        if "steps:" in file.read_text("utf-8")
    ]


@cache
def project(root: Path) -> Project:
    return load_project(root).project


@pytest.mark.parametrize(("name", "root"), shipped(), ids=lambda value: value if isinstance(value, str) else value.name)
def test_shipped_journeys(name: str, root: Path) -> None:
    graph = graph_of(project(root).journeys[name])
    svg = svg_text(graph)
    check(svg)
    assert len(boxes(svg)) == len(graph.nodes) + len(graph.rules) + sum(1 for edge in graph.edges if edge.label)
    assert svg.count("marker-end") == len(graph.edges)


def test_nothing_is_loaded_from_anywhere() -> None:
    svg = svg_text(Graph("j", "t", "v", (Node("a", "wait", "https://evil.example/x.js", ("<script>",)),), (), ()))
    assert not re.search(r"(?:href|src|url\()\s*=?\s*[\"']?(?!#)https?:", svg)
    assert "<script" not in svg and "@import" not in svg
    assert "prefers-color-scheme: dark" in svg
