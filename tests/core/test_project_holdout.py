"""The project's control group: the same people in every journey, whatever it is called, and no journey's own group."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.core.identity import held_out, held_out_of_all
from orchestrator.core.inbox import Identified
from orchestrator.runtime.ingest import Incoming
from orchestrator.stores.memory import MemoryStore
from tests.small_projects import project_of
from tests.world import Engine, Happening, exactly

START = datetime(2026, 3, 2, 10, tzinfo=UTC)
PEOPLE = [f"u{number}" for number in range(300)]
WRITES: dict[str, Any] = {
    "topic": "promotions",
    "enter": {"event": "go", "key": "event.order", "reentry": "always"},
    "steps": [{"email": "hello"}],
}


def lived(folder: Path, journeys: Mapping[str, Mapping[str, Any]], holdout: str, salt: str = "7") -> Engine:
    """Everybody enters every journey, twice."""
    folder.mkdir()
    engine = Engine(MemoryStore(salt), project_of(folder, journeys, project={"holdout": holdout}), START)
    known = {"consents": {"promotions": {"email": "in"}}}
    happenings = [
        Happening(START, name, Identified({"email": f"{name}@example.com", **known}, silent=True)) for name in PEOPLE
    ]
    for number in range(2):
        at = START + timedelta(days=number + 1)
        happenings += [Happening(at, name, Incoming(name, "go", {"order": str(number)}, at)) for name in PEOPLE]
    exactly(engine, happenings, START + timedelta(days=4))
    return engine


def group(engine: Engine, journey: str) -> set[str]:
    """Whom a journey did not treat: all of their passages alike, and no message to anybody of them."""
    lines = [line for line in engine.journal if line.journey == journey]
    drawn = {(line.customer, line.data["variant"]) for line in lines if line.type == "assigned"}
    assert len(drawn) == len(PEOPLE), "a customer stays in the group"
    out = {customer for customer, variant in drawn if variant == "holdout"}
    assert {line.customer for line in lines if line.type == "message"} == set(PEOPLE) - out
    refused = [line for line in lines if line.type == "suppressed"]
    assert {line.customer for line in refused} == out
    assert all(line.data["reason"] == "holdout" for line in refused)
    return out


def test_the_group_is_the_same_in_every_journey_and_after_a_rename(tmp_path: Path) -> None:
    two = lived(tmp_path / "two", {"a": WRITES, "b": WRITES}, "20%")
    renamed = lived(tmp_path / "renamed", {"another_name": WRITES}, "20%")
    assert group(two, "a") == group(two, "b") == group(renamed, "another_name")
    assert 0.1 < len(group(two, "a")) / len(PEOPLE) < 0.3
    more = lived(tmp_path / "more", {"a": WRITES}, "30%")
    assert group(two, "a") < group(more, "a"), "a larger group holds the smaller one"
    other = lived(tmp_path / "other", {"a": WRITES}, "20%", salt="8")
    assert group(two, "a") != group(other, "a"), "another installation has a group of its own"


def test_a_journey_with_a_group_of_its_own_holds_both_out(tmp_path: Path) -> None:
    engine = lived(tmp_path / "both", {"a": {**WRITES, "holdout": "30%"}, "b": WRITES}, "20%")
    both, of_all = group(engine, "a"), group(engine, "b")
    assert of_all < both
    assert both == {name for name in PEOPLE if name in of_all or held_out("7", "a", name, 0.3)}
    told = {line.customer for line in engine.journal if line.type == "assigned" and line.values}
    assert told == of_all, "`why` tells which group it is"


def test_transactional_messages_go_to_everybody(tmp_path: Path) -> None:
    engine = lived(tmp_path / "all", {"a": {**WRITES, "topic": "orders"}}, "100%")
    assert {line.customer for line in engine.journal if line.type == "message"} == set(PEOPLE)


# --- the draw ---------------------------------------------------------------------------------------------------------


@given(st.text(max_size=20), st.text(max_size=40), st.floats(0, 1))
def test_the_draw_is_the_documented_one(salt: str, customer: str, holdout: float) -> None:
    """docs/language.md: salt, `global_holdout`, customer; no journey is in it."""
    text = "\x1f".join((salt, "global_holdout", customer)).encode("utf-8", "surrogatepass")
    share = int.from_bytes(blake2b(text).digest()[:8], "big") / 2**64
    assert held_out_of_all(salt, customer, holdout) == (share < holdout)
    assert not held_out_of_all(salt, customer, 0.0)
    assert held_out_of_all(salt, customer, 1.0)


@pytest.mark.parametrize("holdout", [0.01, 0.05, 0.2, 0.5])
def test_shares_are_near_and_the_draws_of_journeys_are_others(holdout: float) -> None:
    count = 20_000
    people = [f"customer-{number}" for number in range(count)]
    of_all = {name for name in people if held_out_of_all("7", name, holdout)}
    of_one = {name for name in people if held_out("7", "a", name, holdout)}
    five_sigma = 5 * (holdout * (1 - holdout) / count) ** 0.5
    for found in (of_all, of_one):
        assert abs(len(found) / count - holdout) < five_sigma
    both = holdout * holdout  # nobody is in both more often than by chance
    assert abs(len(of_all & of_one) / count - both) < 5 * (both * (1 - both) / count) ** 0.5 + 1 / count
