"""Lists that are uploaded, and rows that are uploaded to journeys, as one customer's turns see them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.inbox import Identified, ListChanged, RowUploaded
from orchestrator.core.index import Index
from orchestrator.core.state import body_from_json, body_to_json
from orchestrator.definitions.load import load_project
from orchestrator.errors import UsageError
from orchestrator.runtime.lists import (
    change_list_once,
    check_list,
    check_upload,
    leave_others_once,
    mark_of,
    upload_once,
)
from orchestrator.stores.memory import MemoryStore
from tests.small_projects import project_files, project_of, write_files
from tests.stores.driving import START, arrive, create, later, turns

SEGMENTS: dict[str, Any] = {
    "vips": {"list": True, "title": "Our best guests"},
    "rich_vips": {"where": "in_segment('vips') and customer.points > 10"},
}
JOURNEYS: dict[str, Any] = {
    "greeting": {
        "enter": {"segment": "vips", "reentry": "always"},
        "exit": {"left_segment": "vips"},
        "steps": [{"wait": "1d"}],
    },
    "rich": {"enter": {"segment": "rich_vips"}, "steps": [{"wait": "1h"}]},
    "fair": {
        "enter": {"upload": "fair_leads", "where": "entry.stand == 'A1'", "key": "entry.badge", "reentry": "always"},
        "steps": [{"wait": "1h"}],
    },
}


@pytest.fixture
def store(tmp_path: Path) -> MemoryStore:
    made = MemoryStore()
    made.deploy(Index(project_of(tmp_path, JOURNEYS, segments=SEGMENTS).project), START)
    create(made, "u1", "u2", points=20)
    made.drain_journal()
    return made


def told(store: MemoryStore) -> list[tuple[str, str, str | None]]:
    """(customer, type, journey or edge of the segment)."""
    lines = sorted(store.drain_journal(), key=lambda line: (line.at, line.customer, line.seq))
    return [(line.customer, line.type, line.journey or f"{line.data['edge']} {line.data['name']}") for line in lines
            if line.type in ("segment", "entered", "exited", "refused")]  # fmt: skip


def test_who_is_put_on_a_list_enters_once(store: MemoryStore) -> None:
    assert change_list_once(store, "vips", ["u1"], True, START).taken == 1
    assert change_list_once(store, "vips", ["u1"], True, START).taken == 1  # again: nothing changes
    turns(store, START)
    lines = told(store)
    assert lines[0] == ("u1", "segment", "entered vips")
    assert sorted(lines) == [
        ("u1", "entered", "greeting"), ("u1", "entered", "rich"),
        ("u1", "segment", "entered rich_vips"), ("u1", "segment", "entered vips"),
    ]  # fmt: skip
    assert store.segment_sizes() == {"vips": 1, "rich_vips": 1}


def test_who_leaves_a_list_leaves_what_rests_on_it(store: MemoryStore) -> None:
    change_list_once(store, "vips", ["u1", "u2"], True, START)
    turns(store, START)
    store.drain_journal()
    assert leave_others_once(store, "vips", {mark_of("u2")}, later(1)) == 1
    turns(store, later(1))
    lines = told(store)
    assert ("u1", "segment", "left vips") in lines
    assert ("u1", "exited", "greeting") in lines
    assert ("u1", "segment", "left rich_vips") in lines
    assert store.segment_sizes() == {"vips": 1, "rich_vips": 1}


def test_a_list_outlasts_events_and_deploys(store: MemoryStore, tmp_path: Path) -> None:
    change_list_once(store, "vips", ["u1"], True, START)
    turns(store, START)
    arrive(store, "u1", Identified({"points": 1}), later(1))
    store.deploy(Index(project_of(tmp_path / "again", JOURNEYS, segments=SEGMENTS).project), later(2))
    turns(store, later(2))
    assert store.segment_sizes() == {"vips": 1, "rich_vips": 0}


def test_unknown_customers_are_created_on_a_list_and_passed_over_off_it(store: MemoryStore) -> None:
    done = change_list_once(store, "vips", ["new", "u1"], True, START)
    assert (done.taken, done.created) == (2, 1)
    assert change_list_once(store, "vips", ["nobody"], False, START).taken == 0
    turns(store, START)
    assert store.segment_sizes()["vips"] == 2
    assert store.card("nobody") is None


def test_rows_of_an_upload_enter_once(store: MemoryStore) -> None:
    rows = [("u1", {"stand": "A1", "badge": "7"}, "t:1"), ("u1", {"stand": "A1", "badge": "8"}, "t:2"),
            ("u2", {"stand": "B2", "badge": "9"}, "t:3")]  # fmt: skip
    assert upload_once(store, "fair_leads", rows, START).taken == 3
    assert upload_once(store, "fair_leads", rows, START).duplicates == 3
    turns(store, START)
    lines = told(store)
    assert lines == [("u1", "entered", "fair"), ("u1", "entered", "fair"), ("u2", "refused", "fair")]


def test_names_that_are_none_are_told(store: MemoryStore) -> None:
    check_list(store.index.project, "vips")
    check_upload(store, "fair_leads")
    with pytest.raises(UsageError, match="vips"):
        check_list(store.index.project, "vip")
    with pytest.raises(UsageError, match="condition"):
        check_list(store.index.project, "rich_vips")
    with pytest.raises(UsageError, match="fair_leads"):
        check_upload(store, "fair_lead")


@pytest.mark.parametrize("body", [ListChanged("vips"), ListChanged("vips", False), RowUploaded("x", {"a": 1}, "t:1")])
def test_items_survive_the_database(body: Any) -> None:
    assert body_from_json(body_to_json(body)) == body


@pytest.mark.parametrize(
    ("segment", "code"), [({"title": "Nobody"}, "missing_key"), ({"where": "true", "list": True}, "bad_value")]
)
def test_a_segment_says_in_one_way_who_is_in_it(tmp_path: Path, segment: dict[str, Any], code: str) -> None:
    files = project_files({"greeting": JOURNEYS["greeting"]}, segments={"vips": segment})
    assert code in {problem.code for problem in load_project(write_files(tmp_path, files)).problems}
