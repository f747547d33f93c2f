"""Rules are total: on any journey that can be written they end, and what they say points into the file."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.definitions.lint import lint_project

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


@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(steps=_STEPS, exit_steps=st.lists(_PLAIN, max_size=2), condition=st.sampled_from([None, *CONDITIONS]))
def test_rules_end_and_point_into_the_file(
    steps: list[Any], exit_steps: list[Any], condition: Any, project: Path
) -> None:
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
    loaded, problems = lint_project(project)
    assert loaded.sources["campaign"].journey is not None, problems
    assert not [problem for problem in problems if problem.code == "unknown_key"], problems
    for problem in problems:
        lines = (project / problem.path).read_text(encoding="utf-8").split("\n")
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert problem.message and "\n" not in problem.headline()
