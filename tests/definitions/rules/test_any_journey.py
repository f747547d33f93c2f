"""Rules are total: on any journey that can be written they end, and what they say points into the file."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.core.expression.nodes import Node
from orchestrator.definitions.lint import lint_project
from orchestrator.definitions.load import load_project
from orchestrator.definitions.rules.analysis.conditions import absent_if, present_if
from orchestrator.definitions.rules.analysis.results import NONE, UNSET, VALUE, conditions_on, set_on
from orchestrator.definitions.rules.analysis.subject import JourneySubject, Subject

CASES = Path(__file__).resolve().parents[2] / "cases" / "lint" / "rules"
IDS = [f"s{number}" for number in range(8)]
CONDITIONS = [
    "coupon is not none",
    "customer.visits > 3",
    "visits('s1') < 3",
    "order == none",
    "now > entry.at",
    "often",
]

FIRST = [{"email": "hello"}, {"wait": "1h"}]
LAST = [
    {"coupon": {"offer": "ten", "as": "coupon"}},
    {"wait": {"event": "order_placed", "as": "order"}, "then": []},
    {"fetch": {"url": "https://example.com", "as": "page"}},
]
"""Whatever is drawn between them, every name is given somewhere."""

_PLAIN = st.sampled_from(
        [
            {"email": "hello"}, {"email": "code"}, {"exit": "done"}, {"track": "signed_up"},
            {"email": {"template": "hello", "subject": "{{ coupon.code }} {{ order.total }} {{ page.title }}"}},
            {"coupon": {"offer": "ten", "as": "coupon", "on_exhausted": "skip"}}, {"enroll": "campaign"},
            {"fetch": {"url": "https://example.com/{{ order.total }}", "as": "page"}}, {"add_tag": "seen"},
            {"set": {"customer.visits": "{{ customer.visits + 1 }}"}}, {"stage": "loyalty"},
            {"task": {"queue": "care_team", "title": "Call {{ order.total }}", "as": "call"}},
        ]
)  # fmt: skip
_WAITS = st.sampled_from(
    [
        {"wait": "1d"},
        {"wait": {"until": "09:00"}},
        {"wait": {"window": "08:00-20:00"}},
        {"wait": {"until": "entry.at", "offset": "3d", "if_past": "skip_next"}},
        {"wait": {"when": "customer.visits > 3"}},
        {"task": {"queue": "care_team", "title": "Call", "as": "call", "wait": True}},
    ]
)
_LEAVES = st.one_of(
    _PLAIN,
    _WAITS,
    st.builds(lambda target: {"goto": target}, st.sampled_from(IDS)),
    st.builds(
        lambda target: {"coupon": {"offer": "ten", "as": "coupon", "on_exhausted": {"goto": target}}},
        st.sampled_from(IDS),
    ),
)  # fmt: skip


def _branching(steps: st.SearchStrategy[list[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    condition = st.sampled_from(CONDITIONS)
    return st.one_of(
        st.builds(lambda when, then, other: {"if": when, "then": then, "else": other}, condition, steps, steps),
        st.builds(
            lambda when, do, other: {"choose": [{"when": when, "do": do}], "default": other}, condition, steps, steps
        ),
        st.builds(
            lambda then, other: {
                "wait": {"event": "order_placed", "up_to": "2d", "as": "order"}, "then": then, "else": other,
            },
            steps, steps,
        ),
        st.builds(lambda a, b: {"split": {"name": "test", "variants": {"a": a, "b": b}, "control": 10}}, steps, steps),
        st.builds(lambda do: {"repeat": {"times": 3, "do": do}}, steps),
        st.builds(lambda do: {"repeat": {"times": 3, "every": "1d", "do": do}}, steps),
        st.builds(lambda do: {"do": do, "on_error": "continue"}, steps),
    )  # fmt: skip


_STEPS = st.recursive(
    st.lists(_LEAVES, max_size=4),
    lambda steps: st.lists(st.one_of(_LEAVES, _branching(steps)), max_size=4),
    max_leaves=14,
)


def _named(steps: list[Any], condition: Any) -> list[Any]:
    """The steps with ids for the jumps to lead to, and conditions here and there."""
    number = 0

    def visit(listed: list[Any]) -> list[Any]:
        nonlocal number
        out = []
        for step in listed:
            named = {"id": IDS[number]} if number < len(IDS) else {}
            guard = {"skip_if": condition} if number == 2 and condition else {}
            number += 1
            out.append({**named, **guard, **{key: _inside(value, visit) for key, value in step.items()}})
        return out

    named = visit(steps)
    count = max(1, min(number, len(IDS)))
    known = {name: IDS[place % count] for place, name in enumerate(IDS)}
    return json.loads(json.dumps(named), object_hook=lambda step: _leading_to(step, known)) if number else named


def _leading_to(step: dict[str, Any], known: dict[str, str]) -> dict[str, Any]:
    """With jumps to steps that are there."""
    return {key: known.get(value, value) if key == "goto" else value for key, value in step.items()}


def _inside(value: Any, visit: Any) -> Any:
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return visit(value) if "when" not in value[0] else [{**value[0], "do": visit(value[0]["do"])}]
    if isinstance(value, dict):
        return {key: _inside(part, visit) for key, part in value.items()}
    return value


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("any")
    shutil.copytree(CASES / "_base", folder, dirs_exist_ok=True)
    return folder


def _write(project: Path, steps: list[Any], exit_steps: list[Any], condition: Any) -> None:
    journey = {
        "journey": "campaign",
        "topic": "promotions",
        "vars": {"often": "visits('s0') < 5"},
        "enter": {"event": "order_placed", "reentry": "always"},
        "exit": {"when": "customer.plan == 'gold'", "do": exit_steps},
        "steps": _named([*FIRST, *steps, *LAST], condition),
    }
    path = project / "journeys" / "campaign.yaml"
    path.write_text(json.dumps(journey, indent=1), encoding="utf-8")


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(steps=_STEPS, exit_steps=st.lists(_PLAIN, max_size=2), condition=st.sampled_from([None, *CONDITIONS]))
def test_rules_end_and_point_into_the_file(
    steps: list[Any], exit_steps: list[Any], condition: Any, project: Path
) -> None:
    _write(project, steps, exit_steps, condition)
    loaded, problems = lint_project(project)
    assert loaded.sources["campaign"].journey is not None, problems
    assert not [problem for problem in problems if problem.code == "unknown_key"], problems
    for problem in problems:
        lines = (project / problem.path).read_text(encoding="utf-8").split("\n")
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert problem.message and "\n" not in problem.headline()


def _walk(journey: JourneySubject, choose: random.Random) -> None:
    """One customer's way, drawn at random; what the analysis says of each step must hold there."""
    names = journey.results.names
    here, state = journey.journey.first, dict.fromkeys(names, UNSET)
    for _ in range(60):
        if here < 0:
            return
        assert here in journey.graph.reached
        assert all(journey.results.before[here][name] & state[name] for name in names), journey.steps[here].id
        step = journey.steps[here]
        ways = [
            edge
            for edge in journey.graph.ways[here]
            if _fits(step.skip_if and [(step.skip_if.node, edge.kind == "skipped")], journey, state)
        ]
        if not ways:
            return
        edge = choose.choice(ways)
        if edge.kind not in ("skipped", "failed"):
            for name, bits in set_on(step, edge).items():
                state[name] = choose.choice([bit for bit in (UNSET, NONE, VALUE) if bits & bit])
        if not _fits(conditions_on(step, edge), journey, state):
            return
        here = edge.target


def _fits(conditions: Iterable[tuple[Node, bool]] | None, journey: JourneySubject, state: dict[str, int]) -> bool:
    """Whether conditions can come out so, as far as they speak of results."""
    return all(
        all(state.get(name, VALUE) == VALUE for name in present_if(node, outcome, journey.variables))
        and not any(state.get(name) == VALUE for name in absent_if(node, outcome, journey.variables))
        for node, outcome in conditions or ()
    )


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(steps=_STEPS, condition=st.sampled_from([None, *CONDITIONS]), seed=st.integers(0, 1000))
def test_no_customer_meets_what_the_analysis_rules_out(
    steps: list[Any], condition: Any, seed: int, project: Path
) -> None:
    _write(project, steps, [], condition)
    subject = Subject(load_project(project))
    journey = next(journey for journey in subject.journeys if journey.id == "campaign")
    choose = random.Random(seed)
    for _ in range(30):
        _walk(journey, choose)
