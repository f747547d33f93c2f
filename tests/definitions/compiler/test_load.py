"""From a folder to a project: the examples of the language reference, names across files, and what is told."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from orchestrator.core.program import IssueCoupon, WaitUntilDate
from orchestrator.definitions.load import LoadedProject, load_project
from orchestrator.errors import ProjectInvalid

EXAMPLES = Path(__file__).resolve().parents[2] / "cases" / "compiler" / "examples"


@pytest.fixture(scope="module")
def examples() -> LoadedProject:
    return load_project(EXAMPLES)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the examples, to be spoilt."""
    return Path(shutil.copytree(EXAMPLES, tmp_path / "project"))


def spoil(root: Path, path: str, old: str, new: str) -> None:
    file = root / path
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def headlines(loaded: LoadedProject) -> list[str]:
    return [problem.headline() for problem in loaded.problems]


# The five examples --------------------------------------------------------------------------------------------------


def test_the_examples_have_no_problems(examples):
    assert headlines(examples) == []
    assert set(examples.project.journeys) == {"abandoned_cart", "booking_care", "post_stay", "store_flyer", "win_back"}
    assert examples.require_valid() is examples


def test_the_examples_look_as_they_should(examples):
    cart = examples.project.journeys["abandoned_cart"]
    assert [step.id for step in cart.steps] == [
        "wait_1",
        "send_1",
        "wait_2",
        "email_1",
        "wait_3",
        "if_1",
        "coupon_1",
        "send_2",
    ]
    coupon = cart.steps[6]
    assert isinstance(coupon, IssueCoupon) and coupon.carrier == 7 and coupon.on_exhausted == "exit"
    care = examples.project.journeys["booking_care"]
    assert care.timezone.expr is not None and care.steps[care.exits[0].do].id == "exit_email_1"
    assert isinstance(care.steps[1], WaitUntilDate) and care.steps[1].if_past == "skip_next"
    assert care.events == {"booking_changed", "booking_cancelled"}
    stay = examples.project.journeys["post_stay"]
    assert [step.id for step in stay.steps] == [
        "wait_1",
        "survey_1",
        "exit_1",
        "choose_1",
        "task_1",
        "wait_2",
        "email_1",
        "email_2",
    ]
    assert examples.project.journeys["win_back"].holdout == 0.1
    assert [segment.name for segment in examples.project.segments] == ["buyers", "flyer_readers", "high_value"]


def test_every_step_knows_its_place_in_the_file(examples):
    source = examples.sources["post_stay"]
    assert source.paths[2] == ("steps", 1, "else", 0)
    assert source.paths[4] == ("steps", 2, "choose", 0, "do", 0)
    line = source.document.position(source.paths[4]).line
    assert "task:" in source.document.lines[line - 1]


def test_loading_twice_gives_equal_programs(examples):
    again = load_project(EXAMPLES)
    assert again.project.journeys == examples.project.journeys


# Templates ----------------------------------------------------------------------------------------------------------


def test_templates_are_picked_with_their_values(examples):
    reference = examples.project.templates.pick("email", "cart_coupon", "pt-PT")
    assert reference is not None
    assert (reference.channel, reference.name, reference.locale) == ("email", "cart_coupon", None)
    assert "coupon.code" in [key for key, _ in reference.uses]
    assert all(expr.source == key for key, expr in reference.uses)
    assert examples.project.templates.pick("email", "cart_coupon", None) is reference
    assert examples.project.templates.pick("email", "nothing", None) is None
    assert examples.project.templates.pick("sms", "thank_you", None) is None


# Problems -----------------------------------------------------------------------------------------------------------


def test_one_journey_with_mistakes_leaves_the_others_alone(copy):
    spoil(copy, "journeys/stay/post_stay.yaml", "answer.score <= 6", "anwser.score <= 6")
    spoil(copy, "journeys/shop/win_back.yaml", "holdout: 10%", "holdout: 110%")
    loaded = load_project(copy)
    assert [problem.path for problem in loaded.problems] == [
        "journeys/shop/win_back.yaml",
        "journeys/stay/post_stay.yaml",
    ]
    assert set(loaded.project.journeys) == {"abandoned_cart", "booking_care", "store_flyer"}
    assert loaded.sources["post_stay"].journey is None and "win_back" not in loaded.sources
    with pytest.raises(ProjectInvalid) as refused:
        loaded.require_valid()
    assert refused.value.problems == loaded.problems


def test_problems_stand_in_the_order_of_paths_and_places(copy):
    spoil(copy, "journeys/stay/post_stay.yaml", "answer.score <= 6", "anwser.score <= 6 and nope")
    spoil(copy, "journeys/segments.yaml", "'buyers'", "'buyer'")
    places = [(problem.path, problem.line, problem.column) for problem in load_project(copy).problems]
    assert places == sorted(places) and len(places) == 3


def test_only_tells_of_some_files(copy):
    spoil(copy, "journeys/stay/post_stay.yaml", "answer.score <= 6", "anwser.score <= 6")
    spoil(copy, "journeys/segments.yaml", "'buyers'", "'buyer'")
    assert len(load_project(copy).problems) == 2
    stay = load_project(copy, only=[copy / "journeys" / "stay"])
    assert [problem.path for problem in stay.problems] == ["journeys/stay/post_stay.yaml"]
    assert load_project(copy, only=[copy / "journeys" / "shop" / "win_back.yaml"]).problems == ()


def test_names_of_a_file_that_cannot_be_read_are_not_called_unknown(copy):
    (copy / "journeys/schema.yaml").write_text("customer: [", encoding="utf-8")
    (copy / "journeys/segments.yaml").write_text("buyers: [", encoding="utf-8")
    (copy / "journeys/offers.yaml").write_text("x: [", encoding="utf-8")
    loaded = load_project(copy)
    assert {problem.path for problem in loaded.problems} == {
        "journeys/offers.yaml",
        "journeys/schema.yaml",
        "journeys/segments.yaml",
    }


def test_segments_that_go_in_a_circle_are_told(copy):
    spoil(copy, "journeys/segments.yaml", "did('order_placed', within='365d')", "in_segment('flyer_readers')")
    assert [problem.code for problem in load_project(copy).problems] == ["segment_cycle", "segment_cycle"]


def test_an_enroll_step_elsewhere_makes_its_values_known(copy):
    spoil(
        copy, "journeys/shop/win_back.yaml", "- email: whats_new", "- if: entry.reason == 'lost'\n  - email: whats_new"
    )
    assert [problem.code for problem in load_project(copy).problems] == ["unknown_property"]
    spoil(
        copy,
        "journeys/stay/post_stay.yaml",
        "- email: thank_you",
        "- enroll: {journey: win_back, with: {reason: lost}}",
    )
    assert headlines(load_project(copy)) == []


def test_a_folder_without_a_project(tmp_path):
    loaded = load_project(tmp_path)
    assert loaded.project.journeys == {}
    load_project(tmp_path / "missing")
