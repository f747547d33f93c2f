"""Segments, in the order of their dependencies: a segment stands behind those that its condition asks for."""

from __future__ import annotations

from collections.abc import Mapping

from orchestrator.core.expression.expr import Expr, compiled
from orchestrator.core.expression.needs import NOTHING as NOTHING_ASKED
from orchestrator.core.expression.nodes import Fact, Word
from orchestrator.core.project import Segment
from orchestrator.definitions.compiler.fields import NOTHING, Fields
from orchestrator.definitions.compiler.names import Names
from orchestrator.definitions.models.segments import Segment as SegmentModel


def compile_segments(models: Mapping[str, SegmentModel], fields: Fields, names: Names) -> tuple[Segment, ...]:
    """The segments whose conditions can be used. A cycle among them is a problem at each of its members."""
    conditions: dict[str, Expr] = {}
    lists = {name: _on_the_list(name) for name, model in models.items() if model.list}
    for name, model in models.items():
        if model.where is None:
            continue
        expr = fields.expression(model.where, (name, "where"), names)
        if expr is not NOTHING:
            conditions[name] = expr
    conditions = {name: lists.get(name) or conditions[name] for name in models if name in lists or name in conditions}
    asked = {name: sorted(expr.needs.segments & conditions.keys()) for name, expr in conditions.items()}
    circular = in_cycles(asked)
    for name in circular:
        message = f"the segment '{name}' depends on itself: {_way_round(name, asked)}"
        hint = "take one of them out of the other's condition"
        fields.complain((name, "where"), "segment_cycle", message, hint)
    return tuple(
        Segment(name, conditions[name], models[name].title or "", name in lists)
        for name in in_order(asked)
        if name not in circular
    )


def _on_the_list(name: str) -> Expr:
    """The condition of a list: what is stored. It changes by nothing that happens, and asks for nothing."""
    source = f"in_segment('{name}')"
    return compiled(source, Fact("in_segment", (Word(name),)), asks=NOTHING_ASKED)


def in_order(asked: Mapping[str, list[str]]) -> list[str]:
    """The names, each behind those it asks for; else in the order of the file. Without recursion."""
    done: dict[str, None] = {}
    for name in asked:
        waiting = [(name, iter(asked[name]))]
        on_the_way = {name}
        while waiting:
            current, rest = waiting[-1]
            following = next((other for other in rest if other not in done and other not in on_the_way), None)
            if following is None:
                done[current] = None
                waiting.pop()
            else:
                on_the_way.add(following)
                waiting.append((following, iter(asked[following])))
    return list(done)


def in_cycles(asked: Mapping[str, list[str]]) -> frozenset[str]:
    """The names from which a way leads back to themselves."""
    return frozenset(name for name in asked if _shortest_way(name, asked) is not None)


def _way_round(name: str, asked: Mapping[str, list[str]]) -> str:
    way = _shortest_way(name, asked)
    assert way is not None
    return " -> ".join(way)


def _shortest_way(name: str, asked: Mapping[str, list[str]]) -> list[str] | None:
    """The shortest way from a name back to itself, breadth first."""
    came_from: dict[str, str] = {}
    reached = [name]
    for current in reached:
        for other in asked[current]:
            if other == name:
                way = [name, current]
                while way[-1] != name or len(way) == 1:
                    way.append(came_from[way[-1]])
                return way[::-1] if current != name else [name, name]
            if other not in came_from:
                came_from[other] = current
                reached.append(other)
    return None
