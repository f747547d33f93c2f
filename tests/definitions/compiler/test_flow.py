"""Where the flow goes: properties over random nested journeys, and a few journeys to read."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.program import (
    END,
    Choose,
    Do,
    Goto,
    Journey,
    Leave,
    Repeat,
    RepeatAgain,
    Split,
    Step,
    Survey,
    WaitSomething,
)
from orchestrator.definitions.compiler.journey import compile_journey
from orchestrator.definitions.compiler.plan import Plan
from orchestrator.definitions.models.journey import JourneyModel
from orchestrator.definitions.source import Document

SIMPLE: list[dict[str, Any]] = [
    {"wait": "1d"},
    {"email": "hello"},
    {"send": {"first_of": [{"sms": "hello"}, {"email": "hello"}]}},
    {"exit": "enough"},
    {"fetch": {"url": "https://x.example/", "default": None}},
    {"add_tag": "vip"},
]


RULES = ["", "fail", "continue", "exit"]
SURVEY = {"name": "s", "kind": "nps", "up_to": "1d"}


def _lists(steps: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(steps, max_size=3)


def _nested(steps: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    lists = _lists(steps)
    return st.one_of(
        st.builds(lambda a, b: {"if": "true", "then": a, "else": b}, lists, lists),
        st.builds(lambda a, b: {"choose": [{"when": "true", "do": x} for x in a], "default": b}, _lists(lists), lists),
        st.builds(lambda a, e: {"do": a} | ({"on_error": e} if e else {}), lists, st.sampled_from(RULES)),
        st.builds(lambda a, b: {"split": {"name": "t", "variants": {"a": a, "b": {"do": b}}}}, lists, lists),
        st.builds(lambda a: {"repeat": {"times": 2, "do": a}}, lists),
        st.builds(lambda a, b: {"wait": {"event": "e", "up_to": "1d"}, "then": a, "else": b}, lists, lists),
        st.builds(lambda a, b: {"survey": SURVEY, "then": a, "else": b}, lists, lists),
    )


STEPS = st.recursive(st.sampled_from(SIMPLE), _nested, max_leaves=15)
EXIT_STEPS = st.lists(
    st.sampled_from([{"email": "hello"}, {"do": [{"sms": "hello"}, {"exit": "x"}]}, {"if": "true"}]), max_size=3
)


def compiled(steps: list[Any], exits: list[list[Any]] = []) -> Journey:  # noqa: B006
    data = {
        "journey": "j",
        "enter": {"event": "e"},
        "exit": [{"event": f"x{number}", "do": do} for number, do in enumerate(exits)],
        "steps": steps,
    }
    document = Document("journeys/j.yaml", "", data)
    source = compile_journey(JourneyModel.model_validate(data), document, Plan())
    assert source.journey is not None, source.problems
    assert len(source.paths) == len(source.names) == len(source.journey.steps)
    return source.journey


def ways_on(step: Step) -> list[int]:
    """Every index at which the flow may go on after a step."""
    match step:
        case Leave():
            return []
        case Goto():
            return [step.target]
        case Choose():
            return [*(branch.target for branch in step.branches), step.otherwise]
        case Do():
            return [step.first]
        case Split():
            return [*(variant.target for variant in step.variants), step.next]
        case Repeat():
            return [step.first, step.next]
        case RepeatAgain():
            return [step.repeat]
        case WaitSomething() | Survey():
            return [step.then, step.otherwise]
        case _:
            return [step.next]


@given(st.lists(STEPS, max_size=5), st.lists(EXIT_STEPS, max_size=3))
def test_every_index_is_valid_and_stays_in_its_region(steps, exits):
    journey = compiled(steps, exits)
    for index, step in enumerate(journey.steps):
        assert step.index == index
        inside = [n for n in (*ways_on(step), step.next, step.on_error_next) if n != END]
        assert all(0 <= n < len(journey.steps) and journey.steps[n].in_exit == step.in_exit for n in inside)
        if step.following is not None:
            assert index < step.following == step.next
    assert journey.first == (0 if steps else END)


@given(st.lists(STEPS, max_size=5), st.lists(EXIT_STEPS, max_size=3))
def test_from_every_step_the_end_can_be_reached_without_going_round(steps, exits):
    journey = compiled(steps, exits)
    for step in journey.steps:
        index, seen = step.index, set()
        while index != END:
            assert index not in seen
            seen.add(index)
            here = journey.steps[index]
            if isinstance(here, Leave):
                break
            index = journey.steps[here.repeat].next if isinstance(here, RepeatAgain) else here.next


@given(st.lists(STEPS, max_size=5))
def test_every_step_can_be_reached_unless_the_flow_left_before(steps):
    journey = compiled(steps)
    reached, waiting = set(), [journey.first]
    while waiting:
        index = waiting.pop()
        if index != END and index not in reached:
            reached.add(index)
            waiting += ways_on(journey.steps[index])
    if not any(isinstance(step, Leave) for step in journey.steps):
        unreached = [step for step in journey.steps if step.index not in reached]
        assert unreached == [], [step.id for step in unreached]


@given(st.lists(STEPS, max_size=5), st.lists(EXIT_STEPS, max_size=3))
def test_ids_are_unique_and_the_same_each_time(steps, exits):
    journey = compiled(steps, exits)
    ids = [step.id for step in journey.steps]
    assert len(set(ids)) == len(ids)
    assert journey.by_id == {step_id: index for index, step_id in enumerate(ids)}
    assert ids == [step.id for step in compiled(steps, exits).steps]


@given(st.lists(STEPS, max_size=5), st.lists(STEPS, max_size=3))
def test_steps_added_behind_leave_the_ids_before_alone(steps, more):
    before = [step.id for step in compiled(steps).steps]
    assert [step.id for step in compiled(steps + more).steps][: len(before)] == before


@given(st.lists(STEPS, max_size=5))
def test_loops_name_the_repeats_around_a_step(steps):
    journey = compiled(steps)
    for step in journey.steps:
        around = [
            repeat.id
            for repeat in journey.steps
            if isinstance(repeat, Repeat) and repeat.index < step.index <= repeat.again
        ]
        assert list(step.loops) == around


def test_a_journey_to_read():
    journey = compiled(
        [
            {"if": "true", "then": [{"email": "a"}, {"email": "b"}], "else": []},
            {"repeat": {"times": 2, "do": [{"sms": "c"}, {"do": []}]}},
            {"exit": "done"},
        ]
    )
    assert [(step.index, step.id, step.next, step.following) for step in journey.steps] == [
        (0, "if_1", 3, 3),
        (1, "email_1", 2, 2),
        (2, "email_2", 3, None),
        (3, "repeat_1", 7, 7),
        (4, "sms_1", 5, 5),
        (5, "do_1", 6, None),
        (6, "repeat_1/again", 3, None),
        (7, "exit_1", END, None),
    ]
    assert journey.steps[0].otherwise == 3 and journey.steps[5].first == 6


def test_an_exits_steps_stand_behind_the_journeys_own_and_count_apart():
    journey = compiled(
        [{"email": "a"}, {"if": "true", "then": [{"email": "b"}]}],
        [[{"email": "c"}, {"if": "true", "then": [{"sms": "d"}]}], [], [{"email": "e"}]],
    )
    assert [step.id for step in journey.steps] == [
        "email_1",
        "if_1",
        "email_2",
        "exit_email_1",
        "exit_if_1",
        "exit_sms_1",
        "exit_email_2",
    ]
    assert [rule.do for rule in journey.exits] == [3, END, 6]
    assert [step.next for step in journey.steps[3:]] == [4, END, END, END]
    assert [step.in_exit for step in journey.steps] == [False] * 3 + [True] * 4


def test_explicit_ids_count_as_well():
    journey = compiled([{"id": "first", "email": "a"}, {"email": "b"}])
    assert [step.id for step in journey.steps] == ["first", "email_2"]


def test_the_rule_for_errors_is_the_steps_own_else_that_of_the_nearest_do_that_has_one():
    journey = compiled(
        [
            {
                "do": [
                    {"email": "a"},
                    {"do": [{"sms": "b"}, {"sms": "c", "on_error": "fail"}], "on_error": "fail"},
                    {"do": [{"push": "d"}], "on_error": "exit"},
                    {"fetch": {"url": "https://x.example/"}},
                    {"fetch": {"url": "https://x.example/", "default": 1}},
                    {"fetch": {"url": "https://x.example/", "default": 1}, "on_error": "fail"},
                ],
                "on_error": "continue",
            },
            {"exit": "end"},
        ]
    )
    after = journey.by_id["exit_1"]
    assert {step.id: (step.on_error, step.on_error_next) for step in journey.steps} == {
        "do_1": ("continue", after),
        "email_1": ("continue", after),
        "do_2": ("fail", journey.by_id["do_3"]),
        "sms_1": ("continue", after),
        "sms_2": ("fail", journey.by_id["do_3"]),
        "do_3": ("exit", journey.by_id["fetch_1"]),
        "push_1": ("exit", journey.by_id["fetch_1"]),
        "fetch_1": ("continue", after),
        "fetch_2": ("default", journey.by_id["fetch_3"]),
        "fetch_3": ("fail", after),
        "exit_1": ("fail", END),
    }


def test_an_empty_journey_has_no_first_step():
    journey = compiled([])
    assert journey.first == END and journey.steps == ()


def test_deep_nesting_is_no_problem():
    steps: list[Any] = [{"email": "a"}]
    for _ in range(60):
        steps = [{"if": "true", "then": steps}]
    assert len(compiled(steps).steps) == 61
