"""A journey's picture as Mermaid text, which GitHub, GitLab and many editors draw."""

from __future__ import annotations

from orchestrator.insights.graph_model import Graph, Node, NodeKind

_SHAPES: dict[NodeKind, tuple[str, str]] = {
    "entry": ("([", "])"),
    "wait": ("[/", "/]"),
    "decision": ("{{", "}}"),
    "message": ("[", "]"),
    "action": ("[[", "]]"),
    "end": ("([", "])"),
}


def mermaid_text(graph: Graph) -> str:
    """A `flowchart TD`, with a line break at the end. Names are numbered: a step may be called `end`."""
    names = {node.id: f"n{place}" for place, node in enumerate(graph.nodes)}
    out = ["---", f"title: {_front_matter(graph.title)}", "---", "flowchart TD"]
    for node in graph.nodes:
        before, after = _SHAPES[node.kind]
        out.append(f'    {names[node.id]}{before}"{_label(node)}"{after}')
    for edge in graph.edges:
        label = f'|"{_escaped(edge.label)}"|' if edge.label else ""
        out.append(f"    {names[edge.source]} {'-.->' if edge.loop else '-->'}{label} {names[edge.target]}")
    if graph.rules:
        out.append('    subgraph rules["at any time"]')
        for place, rule in enumerate(graph.rules):
            text = "<br/>".join(_escaped(line) for line in (rule.title, *rule.lines))
            out.append(f'        r{place}["{text}"]')
        out.append("    end")
    return "\n".join(out) + "\n"


def _label(node: Node) -> str:
    return "<br/>".join(_escaped(line) for line in (node.title, *node.lines))


def _escaped(text: str) -> str:
    """Mermaid's own entities: quotes end a label, and `#` begins an entity."""
    flat = " ".join(text.split())
    for char, code in (("#", "#35;"), ('"', "#quot;"), ("<", "#lt;"), (">", "#gt;"), ("`", "#96;")):
        flat = flat.replace(char, code)
    return flat


def _front_matter(text: str) -> str:
    """A YAML string in double quotes."""
    flat = " ".join(text.split())
    return '"' + flat.replace("\\", "\\\\").replace('"', '\\"') + '"'
