"""The boxes of a picture: what is written in them, how large they have to be, and how they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape

from orchestrator.insights.graph_model import Edge, Graph
from orchestrator.insights.svg_text import Font, text_width, visible, wrapped
from orchestrator.records import dataclass

HEADING = Font(20, bold=True)
BELOW_HEADING = Font(12)
TITLE = Font(14, bold=True)
LINE = Font(12, mono=True)
STEP_ID = Font(10, mono=True)
LABEL = Font(11, mono=True)

WIDEST_TEXT = 300.0
NARROWEST_BOX = 120.0
PADDING = 14.0
MOST_LINES = 4
_LEADING = 1.45


@dataclass(frozen=True, slots=True)
class Text:
    """A line of text; `style` are its CSS classes."""

    text: str
    font: Font
    style: str


@dataclass(frozen=True, slots=True)
class Box:
    """What is written in a box, broken into lines, and the size that it needs. `hint` is all of it, for the pointer."""

    kind: str
    texts: tuple[Text, ...]
    hint: str
    width: float
    height: float


def box_of(kind: str, small: str | None, title: str, lines: Sequence[str]) -> Box:
    """A box with a small line (a step's id) above its title and its lines below."""
    texts = [Text(line, STEP_ID, "mono soft") for line in (wrapped(small, STEP_ID, WIDEST_TEXT, 1) if small else ())]
    texts += [Text(line, TITLE, "bold") for line in wrapped(title, TITLE, WIDEST_TEXT, MOST_LINES)]
    for text in lines:
        texts += [Text(line, LINE, "mono soft") for line in wrapped(text, LINE, WIDEST_TEXT, MOST_LINES)]
    width = max(NARROWEST_BOX, width_of(texts) + 2 * PADDING + (PADDING if kind == "decision" else 0.0))
    hint = "\n".join(visible(line) for line in (title, *lines))
    return Box(kind, tuple(texts), hint, width, height_of(texts) + 2 * PADDING - 6.0)


def label_of(edge: Edge) -> Box | None:
    """The label in the middle of an edge, where it has one."""
    if not edge.label:
        return None
    texts = tuple(Text(line, LABEL, "mono") for line in wrapped(edge.label, LABEL, WIDEST_TEXT * 0.8, 3))
    return Box("label", texts, visible(edge.label), width_of(texts) + 14.0, height_of(texts) + 6.0)


def heading_of(graph: Graph, widest: float) -> list[Text]:
    """The journey's title, and its id and version below."""
    title = [Text(line, HEADING, "bold") for line in wrapped(graph.title, HEADING, widest, 3)]
    below = f"{graph.journey} · version {graph.version}"
    return title + [Text(line, BELOW_HEADING, "soft") for line in wrapped(below, BELOW_HEADING, widest, 2)]


def width_of(texts: Sequence[Text]) -> float:
    """Pixels of the widest line."""
    return max((text_width(text.text, text.font) for text in texts), default=0.0)


def height_of(texts: Sequence[Text]) -> float:
    """Pixels of all lines."""
    return sum(text.font.size * _LEADING for text in texts)


def draw_box(box: Box, left: float, top: float) -> str:
    """A box with its texts."""
    return (
        f'<g class="{box.kind}"><title>{escape(box.hint)}</title>'
        + _outline(box, left, top)
        + draw_texts(box.texts, left + box.width / 2, top + PADDING - 3.0, "middle")
        + "</g>"
    )


def draw_label(label: Box, left: float, top: float) -> str:
    """An edge's label."""
    return (
        f'<g><title>{escape(label.hint)}</title><rect class="label" x="{number(left)}" y="{number(top)}" '
        f'width="{number(label.width)}" height="{number(label.height)}" rx="9"/>'
        + draw_texts(label.texts, left + label.width / 2, top + 3.0, "middle")
        + "</g>"
    )


def _outline(box: Box, left: float, top: float) -> str:
    w, h = box.width, box.height
    if box.kind == "decision":
        cut = PADDING
        corners = [(cut, 0), (w - cut, 0), (w, h / 2), (w - cut, h), (cut, h), (0, h / 2)]
        points = " ".join(f"{number(left + x)},{number(top + y)}" for x, y in corners)
        return f'<polygon class="box" points="{points}"/>'
    radius = min(h / 2, 18.0) if box.kind in ("entry", "end") else 6.0
    return (
        f'<rect class="box" x="{number(left)}" y="{number(top)}" width="{number(w)}" height="{number(h)}" '
        f'rx="{number(radius)}"/>'
    )


def draw_texts(texts: Sequence[Text], x: float, top: float, anchor: str) -> str:
    """Lines of text below each other; `anchor` is `start` or `middle`."""
    out = []
    y = top
    for text in texts:
        y += text.font.size * _LEADING
        out.append(
            f'<text class="{text.style}" x="{number(x)}" y="{number(y - text.font.size * 0.4)}" '
            f'font-size="{number(text.font.size)}" text-anchor="{anchor}">{escape(text.text)}</text>'
        )
    return "".join(out)


def number(value: float) -> str:
    """A coordinate with one decimal at most."""
    return f"{value:.1f}".removesuffix(".0")
