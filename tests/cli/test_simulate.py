"""`orchestrator simulate`: scenarios and tables, lines, summaries and journals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

TABLE = "at,customer,event,total\n2026-03-02T12:00:00Z,ana,order_placed,80\n2026-03-03T12:00:00Z,ben,order_placed,300\n"
MAPPING = """timezone: Europe/Lisbon
customer: row.customer
profile: {email: "row.customer ~ '@example.com'"}
events:
  - event: order_placed
    at: row.at
    properties: {total: row.total | float}
"""


def test_lines_in_their_documented_order(cli: Any, project: Path) -> None:
    done = cli("simulate", "--scenario", "scenarios/first.yaml", "--json")
    assert done.code == 0
    lines = done.lines
    assert [line["at"] for line in lines] == sorted(line["at"] for line in lines)
    assert all({"at", "type", "customer"} <= set(line) and "values" not in line for line in lines)
    assert lines[0] | {"version": "?"} == {
        "at": "2026-03-02T12:00:00Z",
        "type": "entered",
        "customer": "ana",
        "journey": "welcome",
        "version": "?",
        "key": "ana",
        "trigger": "event",
    }
    assert [line["template"] for line in lines if line["type"] == "message"].count("welcome") == 2
    assert "李" in done.out  # text is text, not escapes
    assert "messages" in done.err


def test_the_summary_adds_up(cli: Any, project: Path) -> None:
    lines = cli("simulate", "--scenario", "scenarios/first.yaml", "--json").lines
    done = cli("simulate", "--scenario", "scenarios/first.yaml")
    assert done.code == 0 and done.err == ""
    counted = {
        row.split("  ")[0].strip(): int(row.split()[-1].replace(",", ""))
        for row in done.out.splitlines()
        if row[:1].isalpha() and row[-1].isdigit()
    }
    for title, kind in [
        ("entered", "entered"),
        ("messages", "message"),
        ("suppressed", "suppressed"),
        ("tasks", "task"),
    ]:
        assert counted[title] == sum(line["type"] == kind for line in lines)
    assert "no address is known" in done.out
    columns = {len(row) for row in done.out.splitlines() if row[:1].isalpha() and row[-1].isdigit()}
    assert len(columns) == 1, "the numbers are aligned"


def test_the_journal_is_what_is_printed_and_the_values_of_decisions(cli: Any, project: Path) -> None:
    plain = cli("simulate", "--scenario", "scenarios/first.yaml", "--json")
    done = cli("simulate", "--scenario", "scenarios/first.yaml", "--json", "--journal", "out/run.jsonl")
    assert done.out == plain.out
    journal = [json.loads(line) for line in Path("out/run.jsonl").read_text("utf-8").splitlines()]
    printed = [{key: value for key, value in line.items() if key != "values"} for line in journal]
    assert [line for line in printed if line in plain.lines] == plain.lines
    assert any(line.get("values") for line in journal if line["type"] == "branched")


def test_a_table_of_events_by_a_mapping(cli: Any, project: Path) -> None:
    Path("orders.csv").write_text(TABLE)
    Path("orders.mapping.yaml").write_text(MAPPING)
    done = cli("simulate", "--events", "orders.csv", "--mapping", "orders.mapping.yaml", "--json")
    assert done.code == 0
    assert [(line["customer"], line["template"]) for line in done.lines if line["type"] == "message"] == [
        ("ana", "care_tips"),
        ("ben", "care_tips"),
        ("ana", "how_was_it"),
    ]
    assert [line["customer"] for line in done.lines if line["type"] == "task"] == ["ben"]


def test_rows_that_cannot_be_used_are_told_and_the_others_go_on(cli: Any, project: Path) -> None:
    Path("orders.csv").write_text(TABLE + "yesterday,cy,order_placed,1\n")
    Path("orders.mapping.yaml").write_text(MAPPING)
    done = cli("simulate", "--events", "orders.csv", "--mapping", "orders.mapping.yaml")
    assert done.code == 0
    assert "1 row of 3 could not be used" in done.err and "row 3" in done.err


def test_a_table_without_a_mapping_has_its_own_columns(cli: Any, project: Path) -> None:
    Path("orders.csv").write_text(TABLE)
    done = cli("simulate", "--events", "orders.csv", "--json")
    assert done.code == 0 and sum(line["type"] == "entered" for line in done.lines) == 2


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "--scenario FILE"),
        (["--scenario", "scenarios/first.yaml", "--events", "x.csv"], "cannot stand together"),
        (["--scenario", "scenarios/frist.yaml"], "did you mean scenarios/first.yaml?"),
        (["--events", "nothing.csv"], "there is no file nothing.csv"),
        (["--scenario", "scenarios/first.yaml", "--mapping", "x"], "--mapping belongs to --events"),
        (["--scenario", "scenarios/first.yaml", "--store", "postgresql://me:secret@127.0.0.1:1/x"], "cannot be used"),
        (["--scenario", "scenarios/first.yaml", "--store", "nonsense"], "no URL"),
        (["--scenario", "scenarios"], "scenarios cannot be read"),
    ],
)
def test_what_cannot_be_run_is_a_usage_error(words: list[str], told: str, cli: Any, project: Path) -> None:
    done = cli("simulate", *words)
    assert done.code == 2 and done.out == ""
    assert told in done.err and "secret" not in done.err


def test_mistakes_in_scenarios_have_their_place(cli: Any, project: Path) -> None:
    Path("wrong.yaml").write_text(
        "start: 2026-03-01T10:00:00Z\ntimeline:\n  - {at: +1h, custmer: u1, event: signed_up}\n"
    )
    done = cli("simulate", "--scenario", "wrong.yaml")
    assert done.code == 1 and "wrong.yaml:3:" in done.err and "did you mean 'customer'?" in done.err
    assert "  3 |   - {at: +1h, custmer: u1" in done.err


def test_a_project_with_lint_errors_is_refused(cli: Any, project: Path) -> None:
    Path("journeys/broken.yaml").write_text("journey: broken\n")
    done = cli("simulate", "--scenario", "scenarios/first.yaml", "--json")
    assert done.code == 1 and done.out == "" and "journeys/broken.yaml" in done.err


def test_failed_enrollments_leave_it_fine(cli: Any, project: Path) -> None:
    Path("journeys/late.yaml").write_text(
        "journey: late\ntopic: care\nenter: {event: signed_up}\nsteps:\n"
        "  - wait: {until: event_date, offset: 1d}\n  - email: care_tips\n".replace("event_date", "entry.source")
    )
    done = cli("simulate", "--scenario", "scenarios/first.yaml", "--json")
    assert done.code in (0, 1)
    if done.code == 0:
        assert any(line["type"] == "failed" and line["reason"] == "bad_date" for line in done.lines)


def test_the_same_scenario_prints_the_same_bytes(cli: Any, project: Path) -> None:
    first = cli("simulate", "--scenario", "scenarios/first.yaml", "--json")
    assert cli("simulate", "--scenario", "scenarios/first.yaml", "--json").out == first.out
