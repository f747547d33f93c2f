"""From a program to boxes and arrows: every way that the engine can take is drawn, and no other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from orchestrator.core.program import Journey
from orchestrator.insights.graph_model import Graph, graph_of
from orchestrator.insights.mermaid import mermaid_text

JourneyOf = Callable[[str], Journey]


def drawn(graph: Graph) -> list[str]:
    """Edges as text: ``a -label-> b``."""
    return [f"{e.source} -{e.label}-> {e.target}" if e.label else f"{e.source} -> {e.target}" for e in graph.edges]


CASES = {
    "a straight line": (
        "enter: {event: e1}\nsteps:\n  - wait: 1d\n  - email: m\n",
        ["@entry_1 -> wait_1", "wait_1 -> email_1", "email_1 -> @completed"],
    ),
    "nothing at all": ("enter: {event: e1}\nsteps: []\n", ["@entry_1 -> @completed"]),
    "if and exit": (
        "enter: {event: e1}\nsteps:\n  - if: entry.n > 1\n    then: [{email: m}]\n    else: [{exit: small}]\n",
        [
            "@entry_1 -> if_1",
            "if_1 -then-> email_1",
            "if_1 -else-> @exit:small:if_1",
            "email_1 -> @completed",
        ],
    ),
    "an if that leads to the same place needs no labels": (
        "enter: {event: e1}\nsteps:\n  - if: entry.n > 1\n    then: []\n  - email: m\n",
        ["@entry_1 -> if_1", "if_1 -> email_1", "email_1 -> @completed"],
    ),
    "if past": (
        (
            "enter: {date: customer.birthday}\nsteps:\n"
            "  - wait: {until: entry.date, offset: -7d, if_past: skip_next}\n  - email: m\n"
            "  - wait: {until: entry.date, if_past: exit}\n"
        ),
        [
            "@entry_1 -> wait_1",
            "wait_1 -in time-> email_1",
            "wait_1 -past-> wait_2",
            "email_1 -> wait_2",
            "wait_2 -> @completed",
            "wait_2 -past-> @exit:past:wait_2",
        ],
    ),
    "a wait for something": (
        "enter: {event: e1}\nsteps:\n  - wait: {event: e2, up_to: 2d}\n    then:\n      - exit: done\n  - email: m\n",
        [
            "@entry_1 -> wait_1",
            "wait_1 -it happened-> @exit:done:wait_1",
            "wait_1 -time is up-> email_1",
            "email_1 -> @completed",
        ],
    ),
    "a split with a control group": (
        (
            "enter: {event: e1}\nsteps:\n  - split: {name: s, control: 20, variants: "
            "{a: {weight: 3, do: [{email: m}]}, b: {weight: 1, do: [{exit: b}]}}}\n  - wait: 1d\n"
        ),
        [
            "@entry_1 -> split_1",
            "split_1 -a 60%-> email_1",
            "split_1 -b 20%-> @exit:b:split_1",
            "split_1 -control 20%-> wait_1",
            "email_1 -> wait_1",
            "wait_1 -> @completed",
        ],
    ),
    "a loop goes back to its head": (
        "enter: {event: e1}\nsteps:\n  - repeat: {times: 3, every: 1d, do: [{email: m}]}\n",
        [
            "@entry_1 -> repeat_1",
            "repeat_1 -each time-> email_1",
            "repeat_1 -done-> @completed",
            "email_1 -> repeat_1",
        ],
    ),
    "blocks are no boxes, unless they can be skipped": (
        (
            "enter: {event: e1}\nsteps:\n  - do:\n      - email: m\n"
            "  - skip_if: customer.tier == 'a'\n    do:\n      - email: m\n"
        ),
        [
            "@entry_1 -> email_1",
            "email_1 -> do_2",
            "do_2 -no-> email_2",
            "do_2 -yes-> @completed",
            "email_2 -> @completed",
        ],
    ),
    "an exit that can be skipped": (
        "enter: {event: e1}\nsteps:\n  - skip_if: customer.tier == 'a'\n    exit: enough\n  - email: m\n",
        [
            "@entry_1 -> exit_1",
            "exit_1 -no-> @exit:enough:exit_1",
            "exit_1 -yes-> email_1",
            "email_1 -> @completed",
        ],
    ),
    "a coupon that runs out": (
        "enter: {event: e1}\nsteps:\n  - coupon: {offer: o1, as: c, on_exhausted: exit}\n  - email: m\n",
        [
            "@entry_1 -> coupon_1",
            "coupon_1 -> email_1",
            "coupon_1 -exhausted-> @exit:exhausted:coupon_1",
            "email_1 -> @completed",
        ],
    ),
    "two ways in": (
        "enter: [{event: e1}, {event: e2, id: second}]\nsteps:\n  - email: m\n",
        ["@entry_1 -> email_1", "@entry_2 -> email_1", "email_1 -> @completed"],
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_edges(case: str, journey_of: JourneyOf) -> None:
    text, expected = CASES[case]
    graph = graph_of(journey_of(text))
    assert sorted(drawn(graph)) == sorted(expected)
    assert {edge.source for edge in graph.edges} | {edge.target for edge in graph.edges} == {n.id for n in graph.nodes}


def test_a_goto_back_is_drawn_to_its_step(journey_of: JourneyOf) -> None:
    text = (
        "enter: {event: e1}\nsteps:\n  - {id: top, wait: 1d}\n  - email: m\n"
        "  - if: visits('top') < 3\n    then:\n      - goto: top\n"
    )
    assert "if_1 -then-> top" in drawn(graph_of(journey_of(text)))


def test_words_and_rules(journey_of: JourneyOf) -> None:
    text = """enter: {event: e1, where: event.n > 1, key: event.s, reentry: {after: 7d}}
exit:
  - {event: e2, where: event.n == entry.n, reason: changed, do: [{email: m}]}
  - when: customer.email == none
update: {event: e1, where: event.s == entry.s}
goal: {event: e2, within: 7d, value: event.n, exit: true}
holdout: 12.5%
throttle: {max: 20000, per: 1h}
limits: {entries_per_day: 5, messages_total: 6}
late: {after: 6h, then: exit}
steps:
  - wait: {window: "08:00-20:00", on: [mon, tue, wed, sat]}
  - {id: ask, email: {template: m, valid_for: 2d, on_cap: hold}, skip_if: customer.tier == 'a', on_error: continue}
  - task: {queue: team, title: "Call {{ customer.tier }}", due: 1d, wait: true}
"""
    graph = graph_of(journey_of(text))
    nodes = {node.id: node for node in graph.nodes}
    assert nodes["@entry_1"].title == "on e1"
    assert nodes["@entry_1"].lines == ("where event.n > 1", "key event.s", "again: 7d after entry")
    assert (nodes["wait_1"].title, nodes["wait_1"].lines) == ("wait for 08:00-20:00", ("on mon, tue, wed, sat",))
    assert nodes["ask"].lines == (
        "valid for 2d",
        "if capped: hold",
        "skipped if customer.tier == 'a'",
        "on error: continue",
    )
    assert nodes["task_1"].lines == ("Call {{ customer.tier }}", "due in 1d", "waits until it is closed")
    assert [(rule.kind, rule.title) for rule in graph.rules] == [
        ("exit", "exit on e2"),
        ("exit", "exit when customer.email == none"),
        ("update", "update on e1"),
        ("goal", "goal: e2"),
        ("limit", "holdout 12.5%"),
        ("limit", "at most 20,000 messages per 1h"),
        ("limit", "at most 5 entries a day"),
        ("limit", "at most 6 messages in all"),
        ("limit", "if 6h late: exit"),
    ]
    assert graph.rules[0].lines == ("where event.n == entry.n", "reason changed", "then email: m")


def test_mermaid_escapes_what_would_end_a_label(journey_of: JourneyOf) -> None:
    text = 'title: \'Say "hi" # now\'\nenter: {event: e1, where: event.s == "x"}\nsteps:\n  - email: m\n'
    lines = mermaid_text(graph_of(journey_of(text))).splitlines()
    assert lines[:4] == ["---", 'title: "Say \\"hi\\" # now"', "---", "flowchart TD"]
    assert lines[4] == '    n0(["on e1<br/>where event.s == #quot;x#quot;"])'
