"""What the models make of files: full forms, defaults, and what each step says about itself."""

from __future__ import annotations

from typing import TypeVar

import pytest
from pydantic import BaseModel

from orchestrator.definitions.models.actions import CouponStep, FetchStep, GoOn
from orchestrator.definitions.models.flow import STEPS, IfStep, SplitStep, SurveyStep, WaitStep
from orchestrator.definitions.models.journey import EXITS, JourneyModel
from orchestrator.definitions.models.messages import EmailStep, SendStep
from orchestrator.definitions.models.offers import OffersModel
from orchestrator.definitions.models.project import DEFAULT_STAGES, ProjectModel
from orchestrator.definitions.models.schema import SchemaModel
from orchestrator.definitions.models.steps import StepBase
from orchestrator.definitions.models.triggers import (
    TRIGGERS,
    AttributeTrigger,
    OnceTrigger,
    ScheduleTrigger,
    SegmentTrigger,
    StageTrigger,
)
from orchestrator.definitions.models.waits import WaitFor, WaitUntil
from orchestrator.definitions.validation import validate
from orchestrator.definitions.yaml_loader import load_document

Model = TypeVar("Model", bound=BaseModel)


def made(model: type[Model], text: str) -> Model:
    instance, problems = validate(load_document("a.yaml", text), model)
    assert problems == []
    assert instance is not None
    return instance


def step(text: str) -> StepBase:
    lines = text.strip().replace("\n", "\n    ")
    journey = made(JourneyModel, f"journey: j\nenter: {{api: true}}\nsteps:\n  - {lines}\n")
    (only,) = journey.steps
    return only


def trigger(text: str) -> object:
    (only,) = made(JourneyModel, f"journey: j\nenter: {text}\nsteps: []\n").enter
    return only


def test_short_forms_become_full_ones() -> None:
    email = step("email: cart_first")
    assert isinstance(email, EmailStep)
    assert (email.verb, email.channel, email.message.template) == ("email", "email", "cart_first")
    assert email.email.on_quiet == "hold" and email.email.on_cap == "skip"
    wait = step("wait: 3d")
    assert isinstance(wait, WaitStep) and isinstance(wait.wait, WaitFor) and wait.wait.for_ == "3d"
    coupon = step("coupon: vip10")
    assert isinstance(coupon, CouponStep)
    assert (coupon.coupon.offer, coupon.coupon.as_, coupon.coupon.on_exhausted) == ("vip10", "coupon", "skip")


def test_one_or_many() -> None:
    journey = made(
        JourneyModel,
        "journey: j\nenter: {event: a, unless_in: b}\nexit: {when: true}\nupdate: {event: c}\nsteps: []\n",
    )
    assert len(journey.enter) == len(journey.exit) == len(journey.update) == 1
    assert journey.enter[0].unless_in == ["b"]
    assert journey.exit[0].when == "true"  # type: ignore[union-attr]


def test_steps_lists_may_be_empty_or_have_nothing_behind_the_colon() -> None:
    branch = step("if: true\nthen:\nelse: []")
    assert isinstance(branch, IfStep)
    assert (branch.then, branch.else_) == ([], [])
    assert made(JourneyModel, "journey: j\nenter: {api: true}\nsteps:\n").steps == []


def test_split_shapes_and_percentages() -> None:
    split = step("split: {name: s, variants: {a: {weight: 50, do: [{exit: x}]}, b: [{exit: y}]}, control: 10%}")
    assert isinstance(split, SplitStep)
    assert split.split.control == 10.0
    assert {name: variant.weight for name, variant in split.split.variants.items()} == {"a": 50, "b": 1}
    assert [variant.do[0].verb for variant in split.split.variants.values()] == ["exit", "exit"]


@pytest.mark.parametrize(
    ("written", "percent"), [("10%", 10.0), ("10", 10.0), ("2.5 %", 2.5), ("0", 0.0), ("100", 100.0)]
)
def test_holdout(written: str, percent: float) -> None:
    assert made(JourneyModel, f"journey: j\nenter: {{api: true}}\nholdout: {written}\nsteps: []\n").holdout == percent


def test_send_keeps_order_and_options() -> None:
    send = step("send: {first_of: [{push: a}, {email: {template: b, locale: zh}}], valid_for: 12h}")
    assert isinstance(send, SendStep)
    assert [(way.channel, way.message.template) for way in send.send.choices] == [("push", "a"), ("email", "b")]
    assert send.send.valid_for == "12h"
    assert send.send.choices[1].message.locale == "zh"


def test_rules_for_errors_and_zones_are_found_inside_and_beside_the_verb() -> None:
    inside = step("fetch: {url: x, on_error: default}")
    beside = step("fetch: x\non_error: default")
    assert isinstance(inside, FetchStep) and isinstance(beside, FetchStep)
    assert inside.error_rule == beside.error_rule == "default"
    assert step("wait: {until: entry.at, timezone: Asia/Shanghai}").zone_rule == "Asia/Shanghai"
    assert step("email: a\ntimezone: Asia/Shanghai").zone_rule == "Asia/Shanghai"
    assert step("if: true").error_rule is None
    assert step("set: {customer.a: 1}").error_rule is None


def test_null_defaults_are_told_from_none_given() -> None:
    given, absent = step("fetch: {url: x, default: null}"), step("fetch: {url: x}")
    assert isinstance(given, FetchStep) and isinstance(absent, FetchStep)
    assert given.fetch.has_default and not absent.fetch.has_default
    change = trigger("{attribute: customer.plan, from: null}")
    assert isinstance(change, AttributeTrigger)
    assert change.has_from and not change.has_to


def test_expressions_that_yaml_reads_as_values_are_text_again() -> None:
    journey = made(
        JourneyModel,
        "journey: j\nenter: {event: a, where: true, key: 7}\ngoal: {event: b, value: 2.5}\nsteps: [{if: false}]\n",
    )
    assert (journey.enter[0].where, journey.enter[0].key) == ("true", "7")
    assert journey.goal is not None and journey.goal.value == "2.5"
    branch = journey.steps[0]
    assert isinstance(branch, IfStep) and branch.if_ == "false"


def test_segment_is_a_trigger_of_its_own_or_the_audience_of_another() -> None:
    assert isinstance(trigger("{segment: s}"), SegmentTrigger)
    assert isinstance(trigger('{segment: s, schedule: "0 9 * * *"}'), ScheduleTrigger)
    assert isinstance(trigger("{segment: s, once: 2026-11-27T10:00}"), OnceTrigger)
    stage = trigger("{stage: loyalty}")
    assert isinstance(stage, StageTrigger) and stage.stage.to == "loyalty"


def test_coupon_goto_and_survey_choices() -> None:
    coupon = step("coupon: {offer: o, on_exhausted: {goto: later}}")
    assert isinstance(coupon, CouponStep) and coupon.coupon.on_exhausted == GoOn(goto="later")
    survey = step("survey: {name: s, kind: choice, choices: [a, b]}")
    assert isinstance(survey, SurveyStep)
    assert (survey.survey.via, survey.survey.template, survey.survey.choices) == ("email", None, ["a", "b"])


def test_waits_know_whether_something_happens() -> None:
    until = step('wait: {until: "09:00", on: [mon..fri]}')
    assert isinstance(until, WaitStep) and isinstance(until.wait, WaitUntil)
    assert not until.wait.FOR_SOMETHING and until.wait.on == ["mon..fri"]
    event = step("wait: {event: e, up_to: 2d, as: order}\nelse: [{exit: x}]")
    assert isinstance(event, WaitStep) and event.wait.FOR_SOMETHING
    assert event.else_[0].verb == "exit"


def test_every_verb_names_itself() -> None:
    assert all(verb == model.VERB for verb, model in STEPS.items())
    assert all(key == model.KIND for key, model in TRIGGERS.items())
    assert all(verb in model.known_keys() for verb, model in STEPS.items())
    assert all(key in model.known_keys() for key, model in (*TRIGGERS.items(), *EXITS.items()))


def test_project_defaults_and_stages() -> None:
    project = made(ProjectModel, "")
    assert tuple(project.stages) == DEFAULT_STAGES
    assert project.settings.late_tolerance == "5m"
    assert project.quiet_hours is None
    assert list(made(ProjectModel, "stages: [a, b]").stages) == ["a", "b"]
    mapped = made(ProjectModel, "stages: {a: , b: {where: customer.x > 2}}").stages
    assert mapped["a"].where is None and mapped["b"].where == "customer.x > 2"


def test_schema_short_forms() -> None:
    schema = made(
        SchemaModel,
        "events:\n  a:\n    b: string\n    c: {type: list, of: {d: number}}\n    e: {type: list, of: string}\n  f:\n",
    )
    a = schema.events["a"]
    assert a["b"].type == "string"
    assert isinstance(a["c"].of, dict) and a["c"].of["d"].type == "number"
    assert a["e"].of == "string"
    assert schema.events["f"] == {}


def test_offer_limits() -> None:
    offers = made(
        OffersModel, "a: {discount: {percent: 5}, limits: {per_customer: 2}}\nb: {discount: {gift: SKU}}\n"
    ).root
    per_customer = offers["a"].limits.per_customer
    assert per_customer is not None and (per_customer.max, per_customer.per) == (2, None)
    assert offers["b"].codes.length == 8


def test_models_do_not_change() -> None:
    with pytest.raises(Exception, match="frozen"):
        step("email: a").id = "b"  # type: ignore[misc]
