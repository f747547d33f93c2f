"""Mistakes in mapping files: each at its place, with what a mapping knows."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest

from orchestrator.definitions.mapping import TableMapping, load_mapping
from orchestrator.definitions.yaml_loader import load_document
from orchestrator.errors import Problem

REST = "customer: row.id\nevents: [{event: e, at: row.at}]\n"


def load(text: str) -> tuple[TableMapping | None, tuple[Problem, ...]]:
    return load_mapping(load_document("m.yaml", text), ZoneInfo("Europe/Lisbon"))


CASES = [
    ("", "1:1", "needs `customer`"),
    ("timezone: Europe/Lisbonn\n" + REST, "1:11", "did you mean 'Europe/Lisbon'?"),
    ("vars: {a: b + 1}\n" + REST, "1:11", "variables see those above them"),
    ("vars: {amount: '1', b: amuont}\n" + REST, "1:24", "did you mean 'amount'?"),
    ("vars: {row: row.x}\n" + REST, "1:8", "'row' is a word of the expression language"),
    ("vars: {a: now}\n" + REST, "1:11", "`now` is not known in a mapping; a mapping knows row"),
    ("vars: {a: today}\n" + REST, "1:11", "`today` is not known in a mapping"),
    ("vars: {a: days_since(row.d)}\n" + REST, "1:11", "depends on the clock"),
    ("vars:\n  a: count('e', within='1d')\n" + REST, "2:6", "`count()` is not known in a mapping"),
    ("vars: {a: in_segment('s')}\n" + REST, "1:11", "`in_segment()` is not known in a mapping"),
    ("vars:\n  a: catalog('c', row.k).x\n" + REST, "2:6", "`catalog()` is not known in a mapping"),
    ("vars: {a: row.x +}\n" + REST, "1:18", "ends too early"),
    ("vars: {a: row.x | lenght}\n" + REST, "1:19", "did you mean 'length'?"),
    ("customer: customer.id\nevents: [{event: e, at: row.at}]\n", "1:11", "`customer` is not known"),
    ("customer: row.id\nevents: []\n", "2:9", "`events` is empty"),
    ("customer: row.id\nevents: [{evnt: e, at: row.at}]\n", "2:11", "did you mean 'event'?"),
    ("customer: row.id\nevents: [{event: e}]\n", "2:10", "needs `at`"),
    ("customer: row.id\nevents: [{event: e, at: row.at, properties: {x: '{{ row.x }}'}}]\n", "2:49", "row.x"),
    ("customer: row.id\nevents: [{event: e, at: row.at, properties: {x: [1, {y: zz}]}}]\n", "2:57", "'zz'"),
    ("profile: {emial: row.e}\n" + REST, "1:11", "did you mean 'email'?"),
    ("profile: {consents: {p: {email: yes}}}\n" + REST, "1:33", "takes in or out"),
    ("profile: {timezone: Europe/Nowhere}\n" + REST, "1:21", "'Europe'"),
]


@pytest.mark.parametrize(("text", "place", "words"), CASES, ids=[f"{place} {words}" for _, place, words in CASES])
def test_a_mistake_is_pointed_at(text: str, place: str, words: str) -> None:
    mapping, problems = load(text)
    assert mapping is None
    headlines = [problem.headline() for problem in problems]
    assert any(f"m.yaml:{place}:" in headline and words in headline for headline in headlines), headlines


def test_a_mapping_without_a_zone_takes_the_default() -> None:
    mapping, problems = load(REST)
    assert mapping is not None and problems == ()
    assert mapping.zone.key == "Europe/Lisbon"
    assert set(mapping.columns) == {"id", "at"}


def test_columns_with_any_name_can_be_read() -> None:
    mapping, problems = load("customer: row['Customer ID']\nevents: [{event: e, at: row.at}]\n")
    assert mapping is not None and problems == ()
    assert "Customer ID" in mapping.columns
