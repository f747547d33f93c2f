"""What surrounds the steps: exits, updates, the goal, variables, the zone, the version, the events listened to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from orchestrator.core.expression.scope import NoFacts, Scope
from orchestrator.core.program import CUSTOMER_ZONE, END, Late, Limits, Throttle
from orchestrator.definitions.compiler.journey import version_of
from orchestrator.definitions.yaml_loader import load_document

DAY = timedelta(days=1)
FULL = """\
journey: j
title: A journey
stage: use
topic: promotions
timezone: Europe/Lisbon
enter: {event: cart_updated, key: event.cart_id}
exit:
  - event: order_placed
    where: event.cart_id == entry.cart_id
    do: [{email: hello}]
  - {when: customer.email == none, reason: no address}
  - left_segment: vip
update: {event: cart_updated, where: event.cart_id == entry.cart_id}
goal: {event: order_placed, within: 7d, value: event.total, currency: event.currency, exit: true}
holdout: 10%
priority: 70
throttle: {max: 20000, per: 1h}
limits: {entries_per_day: 20000, messages_total: 100000}
late: {after: 6h, then: skip_messages}
steps:
  - wait: {any: [{event: booked}, {when: customer.visits > 3}], up_to: 1d}
"""


def scope(**changes) -> Scope:
    now = datetime(2026, 3, 1, 10, tzinfo=UTC)
    return Scope({"plan": "gold"}, now=now, zone=ZoneInfo("UTC"), facts=NoFacts(), **changes)


def test_a_whole_journey(journey_of):
    journey = journey_of(FULL)
    assert (journey.id, journey.title, journey.stage, journey.topic) == ("j", "A journey", "use", "promotions")
    assert journey.timezone.zone == ZoneInfo("Europe/Lisbon")
    assert (journey.holdout, journey.priority) == (0.1, 70)
    assert journey.throttle == Throttle(20000, timedelta(hours=1))
    assert journey.limits == Limits(20000, 100000)
    assert journey.late == Late(timedelta(hours=6), "skip_messages")
    placed, empty, left = journey.exits
    assert (placed.reason, placed.event, placed.where.source, placed.when) == (
        "order_placed",
        "order_placed",
        "event.cart_id == entry.cart_id",
        None,
    )
    assert journey.steps[placed.do].id == "exit_email_1"
    assert (empty.reason, empty.event, empty.when.source, empty.do) == (
        "no address",
        None,
        "customer.email == none",
        END,
    )
    assert (left.reason, left.when.source) == ("left_segment", "not in_segment('vip')")
    assert journey.watches == (empty, left)
    (update,) = journey.updates
    assert (update.event, update.where.source) == ("cart_updated", "event.cart_id == entry.cart_id")
    goal = journey.goal
    assert (goal.event, goal.within, goal.exit) == ("order_placed", 7 * DAY, True)
    assert (goal.value.source, goal.currency.source) == ("event.total", "event.currency")
    assert journey.events == {"order_placed", "cart_updated", "booked"}


def test_what_is_left_out_has_its_defaults(journey_of):
    journey = journey_of("journey: j\nenter: {event: booked}\nsteps: []\n")
    assert journey.timezone == CUSTOMER_ZONE
    assert (journey.exits, journey.updates, journey.goal, journey.late, journey.throttle) == ((), (), None, None, None)
    assert (journey.holdout, journey.priority, journey.limits) == (0.0, 50, Limits())
    assert journey.events == frozenset()


@pytest.mark.parametrize(("field", "text"), [("within", "1mo"), ("within", "1y")])
def test_goals_have_fixed_units(field, text):
    from orchestrator.definitions.models.journey import Goal

    with pytest.raises(ValueError, match="no fixed length"):
        Goal.model_validate({"event": "booked", field: text})


def test_reasons_of_exits(journey_of):
    journey = journey_of(
        "journey: j\nenter: {event: booked}\n"
        "exit: [{event: order_placed}, {when: 'true'}, {left_segment: vip, reason: gone}]\nsteps: []\n"
    )
    assert [rule.reason for rule in journey.exits] == ["order_placed", "when", "gone"]


# Variables ----------------------------------------------------------------------------------------------------------


def test_a_variable_may_use_those_above_it(steps_of):
    (step,) = steps_of(
        "- if: big",
        """
        enter: {event: cart_updated}
        vars:
          basket: entry.items | length
          big: basket > 2 and customer.plan == 'gold'
        """,
    )
    condition = step.branches[0].when
    assert condition.truth(scope(entry={"items": [1, 2, 3]})) is True
    assert condition.truth(scope(entry={"items": [1]})) is False
    assert {"items"} <= condition.needs.entry and {"plan"} <= condition.needs.customer


def test_a_variable_below_is_not_known_yet(problems_of):
    (told,) = problems_of("- exit: x", "enter: {event: booked}\nvars: {a: b + 1, b: '2'}\n")
    assert "journeys/j.yaml:3:11: 'b' is not known here" in told


def test_a_variable_that_is_wrong_is_told_once(problems_of):
    told = problems_of("- if: a > 1\n- if: a > 2", "enter: {event: booked}\nvars: {a: customer.nope}\n")
    assert len(told) == 1 and "journeys/j.yaml:3:20: no attribute 'nope' is declared" in told[0]


def test_before_the_entry_only_variables_that_need_none_are_known(source_of):
    source = source_of(
        "journey: j\nvars: {gold: customer.plan == 'gold', big: entry.total > 9, both: big and gold}\n"
        "enter:\n  - {event: cart_updated, where: gold}\n  - {event: cart_updated, where: big}\n"
        "  - {event: cart_updated, where: both}\nsteps: []\n"
    )
    assert [(problem.code, problem.line) for problem in source.problems] == [("unknown_name", 5), ("unknown_name", 6)]


# Where which event is seen ------------------------------------------------------------------------------------------


def test_steps_see_no_event_but_those_of_an_events_exit_do(source_of):
    source = source_of(
        "journey: j\nenter: {event: booked}\n"
        "exit: {event: order_placed, do: [{set: {customer.visits: '{{ event.total }}'}}]}\n"
        "steps: [{set: {customer.visits: '{{ event.total }}'}}]\n"
    )
    assert [(problem.line, problem.code) for problem in source.problems] == [(4, "unknown_name")]


def test_an_exit_cannot_wait(source_of):
    do = "[{wait: 1d}, {if: 'true', then: [{task: {queue: q, title: t, wait: true}}]}, {survey: {name: s, kind: nps}}]"
    source = source_of(f"journey: j\nenter: {{event: booked}}\nexit: {{event: order_placed, do: {do}}}\nsteps: []\n")
    assert [problem.code for problem in source.problems] == ["wait_in_exit", "wait_in_exit"]


def test_a_goto_stays_in_its_region(source_of):
    source = source_of(
        "journey: j\nenter: {event: booked}\nexit: {event: order_placed, do: [{goto: mail}, {id: bye, email: hello}]}\n"
        "steps: [{goto: bye}, {id: mail, email: hello}]\n"
    )
    assert [(problem.line, problem.code) for problem in source.problems] == [(4, "unknown_step"), (3, "unknown_step")]


# Versions -----------------------------------------------------------------------------------------------------------

PLAIN = "journey: j\nenter: {event: booked}\nsteps:\n  - wait: 1d\n  - email: hello\n"


def version(text: str) -> str:
    return version_of(load_document("journeys/j.yaml", text).data)


@pytest.mark.parametrize(
    "same",
    [
        "# a remark\njourney: j   # another\n\nenter:\n  event: booked\nsteps:\n- wait: 1d\n- email: hello\n",
        "steps: [{wait: 1d}, {email: hello}]\nenter: {event: booked}\njourney: 'j'\n",
        PLAIN + "tests:\n  - {name: t, start: 2026-01-01T00:00:00Z, expect: [{no_messages: true}]}\n",
        PLAIN.replace("\n", "\r\n"),
    ],
    ids=["comments", "order of keys", "tests", "line ends"],
)
def test_the_version_is_that_of_the_content(same):
    assert version(same) == version(PLAIN)
    assert len(version(same)) == 12 and set(version(same)) <= set("0123456789abcdef")


@pytest.mark.parametrize("other", [PLAIN.replace("1d", "2d"), PLAIN.replace("hello", "hi"), PLAIN + "priority: 50\n"])
def test_other_content_has_another_version(other):
    assert version(other) != version(PLAIN)


def test_the_version_is_the_hash_of_canonical_json(journey_of):
    import hashlib

    canonical = '{"enter":{"event":"booked"},"journey":"j","steps":[{"wait":"1d"},{"email":"hello"}]}'
    assert journey_of(PLAIN).version == hashlib.sha256(canonical.encode()).hexdigest()[:12]
