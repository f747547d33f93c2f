"""A journey as a picture's content: nodes, edges with their labels, and the rules that hold at any time.

Steps that only say where to go (`do`, `goto`, the end of a `repeat`) are edges here, not nodes.
"""

from __future__ import annotations

from typing import Any, Literal

from orchestrator.core.program import (
    END,
    Choose,
    Do,
    Goto,
    IssueCoupon,
    Journey,
    Leave,
    Repeat,
    RepeatAgain,
    Send,
    Split,
    Step,
    Survey,
    WaitFor,
    WaitSomething,
    WaitUntilDate,
    WaitUntilTime,
    WaitWindow,
)
from orchestrator.insights.rule_words import exit_words, goal_words, limit_words, trigger_words, update_words
from orchestrator.insights.step_words import step_words
from orchestrator.insights.words import Words, percent
from orchestrator.records import dataclass

NodeKind = Literal["entry", "wait", "decision", "message", "action", "end"]
RuleKind = Literal["exit", "update", "goal", "limit"]
COMPLETED = "@completed"


@dataclass(frozen=True, slots=True)
class Node:
    """A box. `id` is the step's id, or begins with `@` for what is no step: entries and ends."""

    id: str
    kind: NodeKind
    title: str
    lines: tuple[str, ...] = ()
    verb: str | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """From one box to the next. `label` says on what condition; None: always. `loop`: part of a repeat's return."""

    source: str
    target: str
    label: str | None = None
    loop: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds wherever an enrollment stands."""

    kind: RuleKind
    title: str
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Graph:
    """A journey's picture before it is drawn. Nodes stand in the order in which a reader meets them."""

    journey: str
    title: str
    version: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    rules: tuple[Rule, ...]

    def as_dict(self) -> dict[str, Any]:
        """The machine form: `{journey, title, version, nodes, edges, rules}`; keys without a value are left out."""
        return {
            "journey": self.journey,
            "title": self.title,
            "version": self.version,
            "nodes": [
                {"id": node.id, "kind": node.kind}
                | ({"verb": node.verb} if node.verb else {})
                | {"title": node.title, "lines": list(node.lines)}
                for node in self.nodes
            ],
            "edges": [
                {"from": edge.source, "to": edge.target} | ({"label": edge.label} if edge.label else {})
                for edge in self.edges
            ],
            "rules": [{"kind": rule.kind, "title": rule.title, "lines": list(rule.lines)} for rule in self.rules],
        }


def graph_of(journey: Journey) -> Graph:
    """The picture of a journey: everything that can be reached from its entries."""
    drawing = _Drawing(journey)
    drawing.draw()
    return Graph(
        journey.id,
        journey.title or journey.id,
        journey.version,
        tuple(drawing.nodes.values()),
        tuple(drawing.edges),
        _rules(journey),
    )


def _rules(journey: Journey) -> tuple[Rule, ...]:
    found: list[tuple[RuleKind, Words]] = [("exit", exit_words(rule, journey)) for rule in journey.exits]
    found += [("update", update_words(rule)) for rule in journey.updates]
    if journey.goal is not None:
        found.append(("goal", goal_words(journey.goal)))
    found += [("limit", words) for words in limit_words(journey)]
    return tuple(Rule(kind, words.title, words.lines) for kind, words in found)


class _Drawing:
    """Walks the program once, depth first, in the order of the file."""

    def __init__(self, journey: Journey) -> None:
        self._journey = journey
        self.nodes: dict[str, Node] = {}
        self.edges: list[Edge] = []

    def draw(self) -> None:
        first = self._journey.first
        for place, trigger in enumerate(self._journey.triggers, 1):
            words = trigger_words(trigger)
            node = Node(f"@entry_{place}", "entry", words.title, words.lines)
            self.nodes[node.id] = node
            self._edge(node.id, first, None)
        stack = [first]
        seen: set[int] = set()
        while stack:
            index, _ = self._settled(stack.pop())
            if index in seen or self._is_end(index):
                continue
            seen.add(index)
            stack.extend(reversed(self._draw_step(self._journey.steps[index])))

    def _draw_step(self, step: Step) -> list[int]:
        """Adds the step's node and the edges out of it; returns where they lead."""
        if isinstance(step, (Do, Goto, Leave)) and step.skip_if is not None:
            return self._draw_skippable(step)
        words = step_words(step)
        self.nodes[step.id] = Node(step.id, _kind(step), words.title, words.lines, step.verb)
        ways = self._ways(step)
        if len({self._settled(index) for index, _ in ways}) == 1:
            ways = [(ways[0][0], None)]
        for index, label in ways:
            self._edge(step.id, index, label)
        if isinstance(step, (WaitFor, WaitUntilTime, WaitUntilDate, WaitWindow)) and step.if_past == "exit":
            self._edge_to_exit(step.id, "past", "past")
        if isinstance(step, IssueCoupon) and step.on_exhausted == "exit":
            self._edge_to_exit(step.id, "exhausted", "exhausted")
        return [index for index, _ in ways]

    def _draw_skippable(self, step: Do | Goto | Leave) -> list[int]:
        """A step that only leads elsewhere, and may be skipped, is a decision."""
        assert step.skip_if is not None
        self.nodes[step.id] = Node(step.id, "decision", f"skip if {step.skip_if.source}", (), step.verb)
        ways = []
        if isinstance(step, Leave):
            self._edge_to_exit(step.id, step.reason, "no")
        else:
            ways.append(step.first if isinstance(step, Do) else step.target)
            self._edge(step.id, ways[0], "no")
        self._edge(step.id, step.next, "yes")
        return [*ways, step.next]

    def _ways(self, step: Step) -> list[tuple[int, str | None]]:
        """Where the flow can go from a step, and on what condition."""
        match step:
            case WaitSomething() if step.up_to is not None:
                return [(step.then, "it happened"), (step.otherwise, "time is up")]
            case WaitSomething():
                return [(step.then, None)]
            case Survey() if step.up_to is not None:
                return [(step.then, "answered"), (step.otherwise, "no answer")]
            case Choose() if step.verb == "if":
                return [(step.branches[0].target, "then"), (step.otherwise, "else")]
            case Choose():
                ways: list[tuple[int, str | None]] = [(b.target, f"{b.label}: {b.when.source}") for b in step.branches]
                return [*ways, (step.otherwise, step.otherwise_label)]
            case Split():
                return _split_ways(step)
            case Repeat():
                return [(step.first, "each time"), (step.next, "done")]
            case IssueCoupon() if step.on_exhausted == "goto":
                return [(step.next, "issued"), (step.exhausted_target, "exhausted")]
            case WaitFor() | WaitUntilTime() | WaitUntilDate() | WaitWindow():
                if step.if_past == "skip_next" and step.following is not None:
                    return [(step.next, "in time"), (self._journey.steps[step.following].next, "past")]
                return [(step.next, None)]
            case _:
                return [(step.next, None)]

    def _edge(self, source: str, index: int, label: str | None) -> None:
        settled, loop = self._settled(index)
        if settled == END:
            self.nodes.setdefault(COMPLETED, Node(COMPLETED, "end", "completed"))
            self._add(Edge(source, COMPLETED, label, loop))
            return
        step = self._journey.steps[settled]
        if isinstance(step, Leave) and step.skip_if is None:
            self._edge_to_exit(source, step.reason, label)
        else:
            self._add(Edge(source, step.id, label, loop))

    def _edge_to_exit(self, source: str, reason: str, label: str | None) -> None:
        """Each way out has an end of its own near by, so that no long edges cross the picture."""
        end = Node(f"@exit:{reason}:{source}", "end", f"exit: {reason}")
        self.nodes.setdefault(end.id, end)
        self._add(Edge(source, end.id, label))

    def _add(self, edge: Edge) -> None:
        if edge not in self.edges:
            self.edges.append(edge)

    def _is_end(self, index: int) -> bool:
        if index == END:
            return True
        step = self._journey.steps[index]
        return isinstance(step, Leave) and step.skip_if is None

    def _settled(self, index: int) -> tuple[int, bool]:
        """Past the steps that are no nodes; and whether the way was a repeat's return."""
        seen: set[int] = set()
        loop = False
        while index != END and index not in seen:
            seen.add(index)
            step = self._journey.steps[index]
            if isinstance(step, Do) and step.skip_if is None:
                index = step.first
            elif isinstance(step, Goto) and step.skip_if is None:
                index = step.target
            elif isinstance(step, RepeatAgain):
                index, loop = step.repeat, True
            else:
                return index, loop
        return END, loop


def _split_ways(step: Split) -> list[tuple[int, str | None]]:
    total = sum(variant.weight for variant in step.variants) or 1
    ways: list[tuple[int, str | None]] = [
        (variant.target, f"{variant.name} {percent((1 - step.control) * variant.weight / total)}")
        for variant in step.variants
    ]
    return [*ways, (step.next, f"control {percent(step.control)}")] if step.control else ways


def _kind(step: Step) -> NodeKind:
    match step:
        case WaitFor() | WaitUntilTime() | WaitUntilDate() | WaitWindow() | WaitSomething():
            return "wait"
        case Choose() | Split() | Repeat():
            return "decision"
        case Send() | Survey():
            return "message"
        case _:
            return "action"
