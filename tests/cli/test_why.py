"""`orchestrator why`: the story of a customer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

SCENARIO = ("--scenario", "scenarios/first.yaml")


def test_the_story_of_a_customer(cli: Any, project: Path) -> None:
    done = cli("why", "ana", *SCENARIO)
    assert done.code == 0 and done.err == ""
    assert done.out.startswith(
        "ana, in the local time of Europe/Lisbon (the customer's time zone)\n\nwelcome: Welcome\n"
    )
    assert "  Mon 2026-03-02 12:00 +00:00  entered (trigger: event)\n" in done.out
    assert "was sent the e-mail 'welcome' to ana@example.com at email_1: “Welcome, Ana”" in done.out
    assert "was given the coupon HELLO" in done.out
    assert "left at wait_2: order_placed" in done.out
    assert "because entry.total was 230" in done.out
    assert "redeemed the coupon HELLO" in done.out


def test_one_journey_and_what_was_not_sent(cli: Any, project: Path) -> None:
    done = cli("why", "joao", "after_purchase", *SCENARIO)
    assert "got no e-mail at email_1: no address is known (no_address)" in done.out
    assert "welcome: Welcome" not in cli("why", "li", "after_purchase", *SCENARIO).out


def test_a_refusal_is_explained(cli: Any, project: Path) -> None:
    scenario = Path("scenarios/first.yaml")
    more = "".join(
        f"  - {{at: +{day}d, customer: joao, event: order_placed, properties: {{total: 9}}}}\n" for day in (20, 21, 22)
    )
    scenario.write_text(scenario.read_text("utf-8") + more, "utf-8")
    done = cli("why", "joao", *SCENARIO)
    assert "was not let in: the same key had been in before, and `reentry` did not allow it again (reentry)" in done.out
    assert "and 2 more times, the last on Tue 2026-03-24" in done.out


def test_a_journal_tells_the_same_story(cli: Any, project: Path) -> None:
    cli("simulate", *SCENARIO, "--journal", "run.jsonl")
    title, *told = cli("why", "ana", "--journal", "run.jsonl").out.splitlines()
    assert title == "ana, in the local time of Europe/Lisbon (the project's time zone)", "a journal holds no profiles"
    assert told == cli("why", "ana", *SCENARIO).out.splitlines()[1:]


def test_a_story_is_told_in_the_customers_own_time(cli: Any, project: Path) -> None:
    done = cli("why", "li", *SCENARIO)
    assert done.out.startswith("li, in the local time of Asia/Shanghai (the customer's time zone)\n")
    assert " +08:00  entered" in done.out and "+00:00" not in done.out
    assert cli("why", "li", *SCENARIO, "--json").json["timezone_of"] == "customer"


def test_a_country_of_several_zones_is_told_in_the_projects_and_says_so(cli: Any, project: Path) -> None:
    scenario = Path("scenarios/several.yaml")
    scenario.write_text(
        "start: 2026-03-02T10:00:00Z\n"
        "customers: [{id: rui, phone: '+351912345678', consents: {promotions: {sms: in}}}]\n"
        "timeline: [{at: +0s, customer: rui, event: signed_up}]\n"
    )
    done = cli("why", "rui", "--scenario", scenario)
    several = "the project's time zone, as the phone number's country has several"
    assert done.out.startswith(f"rui, in the local time of Europe/Lisbon ({several})\n")
    assert f" at wait_1 ({several})" in done.out


def test_a_journal_without_its_project_is_told_in_utc(
    cli: Any, project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("simulate", *SCENARIO, "--journal", tmp_path / "run.jsonl")
    monkeypatch.chdir(tmp_path)
    done = cli("why", "ana", "--journal", "run.jsonl")
    assert done.code == 0 and "local time of UTC" in done.out and "--project" in done.err


def test_json(cli: Any, project: Path) -> None:
    done = cli("why", "ana", "--json", *SCENARIO)
    story = done.json
    assert (story["customer"], story["timezone"]) == ("ana", "Europe/Lisbon")
    welcome, after, *_ = story["journeys"]
    assert (welcome["journey"], welcome["title"]) == ("welcome", "Welcome")
    first = {"text": "entered (trigger: event)", "because": ["in_segment('buyers') was false"]}
    assert welcome["passages"][0]["told"][0] == {"at": "2026-03-02T12:00:00Z", **first}
    assert any(told["because"] == ["entry.total was 230"] for told in after["passages"][0]["told"])
    assert "ana, in the local time" in done.err


def test_nothing_happened(cli: Any, project: Path) -> None:
    done = cli("why", "joao", "welcome", *SCENARIO)
    assert done.code == 0 and "joao: nothing happened in welcome" in done.out


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["an", *SCENARIO], 2, "there is no customer 'an'; did you mean 'ana'?"),
        (["xyz", *SCENARIO], 2, "there are ana, li, joao"),
        (["ana", "welcom", *SCENARIO], 2, "did you mean 'welcome'?"),
        (["ana"], 2, "--scenario FILE"),
        (["ana", *SCENARIO, "--journal", "x"], 2, "cannot stand together"),
        (["ana", "--journal", "none.jsonl"], 2, "none.jsonl cannot be read"),
        (["ana", "--journal", "README.md"], 1, "README.md:1:1: this is no line of a journal"),
    ],
)
def test_what_cannot_be_told(words: list[str], code: int, told: str, cli: Any, project: Path) -> None:
    done = cli("why", *words)
    assert done.code == code and told in done.err and done.out == ""
