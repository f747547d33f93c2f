"""`deploy --expect`, `approve`, `lift --spend`: what stands between a mistake and many customers."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.cli.deploy_safety import LONGEST_NUMBER, MOST_EXPECTED, read_expected
from orchestrator.core.project import Approval
from orchestrator.definitions.load import load_project
from orchestrator.errors import UsageError
from orchestrator.runtime.approval import HELD_FOR, approve, approvers, ask, asked, code_of, people_missing, strictest
from orchestrator.runtime.expected_entries import expectations
from orchestrator.settings import read_settings
from orchestrator.stores.memory import MemoryStore
from orchestrator.wiring.databases import database_at, open_database
from orchestrator.wiring.engine import start_engine
from orchestrator.wiring.installation import installation

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ORCHESTRATOR_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def deployed(cli: Any, project: Path) -> Path:
    assert cli("deploy", "--yes").code == 0
    return project


def change(root: Path, journey: str = "welcome") -> None:
    path = root / "journeys" / f"{journey}.yaml"
    text = path.read_text()
    number = text.count("# changed") + 1
    path.write_text(re.sub(r"(?m)^steps:", f"vars:\n  changed_{number}: '{number}'\nsteps:", text) + "\n# changed\n")


def settings_of(root: Path, words: str) -> None:
    path = root / "journeys" / "project.yaml"
    text = path.read_text()
    if re.search(r"(?m)^settings:", text):
        text = re.sub(r"(?m)^settings:.*$", f"settings: {{{words}}}", text)
    else:
        text += f"\nsettings: {{{words}}}\n"
    path.write_text(text)


def audit() -> list[tuple[str, str, str]]:
    with sqlite3.connect(".orchestrator/orchestrator.db") as connection:
        found = connection.execute("SELECT actor, action, detail FROM audit ORDER BY id").fetchall()
    connection.close()
    return found


def code_in(text: str) -> str:
    found = re.search(r"orchestrator approve ([0-9a-f]{12})", text)
    assert found, text
    return found[1]


# --- expectations -----------------------------------------------------------------------------------------------------


def test_what_is_expected_is_watched_from_the_deploy_on(cli: Any, deployed: Path) -> None:
    change(deployed)
    assert cli("deploy", "--yes", "--expect", "12,000").code == 0
    with installation(Path(".")) as place:
        [found] = expectations(place.store)
    assert (found.journey, found.number, found.bound) == ("welcome", 12_000, 14_400)
    assert "12000 expected in welcome" in audit()[-1][2]
    assert "welcome (14,400)" in cli("doctor").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--expect", "many"], "expected a number of customers"),
        (["--expect", "0"], "expected a number of customers"),
        (["--expect", "0000000000019999999999"], "expected a number of customers"),
        (["--expect", "-5"], "expected a number of customers"),
        (["--expect", "welcom=5"], "did you mean welcome?"),
        (["--expect", "welcome=5", "--expect", "welcome=6"], "says twice"),
        (["--as", "a:b"], "without colons"),
    ],
)
def test_what_cannot_be_expected(cli: Any, deployed: Path, words: list[str], said: str) -> None:
    change(deployed)
    done = cli("deploy", "--yes", *words)
    assert done.code == 2 and said in done.err
    assert len(audit()) == 1, "nothing was deployed"


def test_a_bare_number_stands_for_one_journey(cli: Any, project: Path) -> None:
    done = cli("deploy", "--yes", "--expect", "5")
    assert done.code == 2 and "2 journeys change" in done.err and "--expect welcome=N" in done.err


# --- approvals --------------------------------------------------------------------------------------------------------


def test_above_the_bound_somebody_else_has_to_say_yes(cli: Any, deployed: Path) -> None:
    settings_of(deployed, "approval: {above: 100}")
    change(deployed)
    silent = cli("deploy", "--yes", "--as", "ana")
    assert silent.code == 2 and "--expect welcome=N" in silent.err
    words = ("deploy", "--yes", "--as", "ana", "--expect", "welcome=5000")
    refused = cli(*words)
    assert refused.code == 2 and "nothing was deployed: welcome=5000, shared setting settings" in refused.err
    code = code_in(refused.err)
    own = cli("approve", code, "--as", "Ana")
    assert own.code == 2 and "somebody else has to approve it" in own.err
    assert cli(*words).code == 2
    yes = cli("approve", code[:6], "--as", "li", "--json")
    assert yes.code == 0 and yes.json == {"action": "approve", "code": code, "by": "li", "asked_by": ["ana"]}
    other = cli("deploy", "--yes", "--as", "ana", "--expect", "welcome=6000")
    assert other.code == 2 and code_in(other.err) != code, "another number is another request"
    assert cli(*words).code == 0
    assert "approved by li" in audit()[-1][2] and audit()[-1][0].startswith("ana")
    assert [action for _, action, _ in audit()] == ["deploy", "approve", "deploy"]


def test_below_the_bound_nobody_is_asked(cli: Any, deployed: Path) -> None:
    settings_of(deployed, "approval: {above: 100}")
    code = code_in(cli("deploy", "--yes", "--as", "ana").err)
    assert cli("approve", code, "--as", "li").code == 0
    assert cli("deploy", "--yes", "--as", "ana").code == 0
    change(deployed)
    assert cli("deploy", "--yes", "--expect", "100").code == 0


def test_nobody_takes_the_rule_away_and_uses_that(cli: Any, deployed: Path) -> None:
    settings_of(deployed, "approval: {above: 100}")
    code = code_in(cli("deploy", "--yes", "--as", "ana").err)
    cli("approve", code, "--as", "li")
    assert cli("deploy", "--yes", "--as", "ana").code == 0
    settings_of(deployed, "late_events: 24h")
    change(deployed)
    assert "has to be approved" in cli("deploy", "--yes", "--expect", "5").err


def test_a_process_that_starts_deploys_nothing_that_needs_approval(cli: Any, deployed: Path) -> None:
    settings_of(deployed, "approval: {above: 100}")
    database = database_at("sqlite:///.orchestrator/orchestrator.db")
    store = open_database(database)
    loaded = load_project(deployed).require_valid()
    with pytest.raises(UsageError, match="run `orchestrator deploy` first"):
        start_engine(store, loaded, read_settings(), deployed, secret=b"s" * 32, base_url="http://localhost")
    store.close()


def test_requests_and_approvals_are_forgotten_after_a_week() -> None:
    store = MemoryStore()
    code = code_of("d" * 64, {"j": 5})
    ask(store, code, ["j=5"], "ana", NOW)
    request = asked(store, code, NOW)
    assert request == (code, ("ana",), ("j=5",))
    approve(store, request, "li", NOW)
    assert approvers(store, code, NOW) == ("li",)
    late = NOW + HELD_FOR * 1.01
    assert approvers(store, code, late) == ()
    with pytest.raises(UsageError, match="nobody has asked for that"):
        asked(store, code, late)
    for wrong in ("", "abc", "approval:x", "%" * 12):
        with pytest.raises(UsageError):
            asked(store, wrong, NOW)


def test_how_many_people_are_missing() -> None:
    rule = Approval(10, 3)
    assert people_missing(rule, "ana", []) == 2
    assert people_missing(rule, "ana", ["li", "Ana"]) == 1
    assert people_missing(rule, "ana", ["li", "bo"]) == 0
    assert strictest([None, Approval(10, 2), Approval(50, 3)]) == Approval(10, 3)
    assert strictest([None]) is None


@given(st.text("0123456789,_", max_size=30) | st.integers(0, 10**25).map(str) | st.integers(1, 6000).map("9".__mul__))
def test_what_is_expected_is_a_bounded_number_or_refused(digits: str) -> None:
    """Whatever is written, what is stored is what was said, and within the bound."""
    plain = digits.replace(",", "").replace("_", "")
    try:
        found = read_expected([f"j={digits}"], ["j"])["j"]
    except UsageError:
        assert len(plain) > LONGEST_NUMBER or not plain or not 0 < int(plain) <= MOST_EXPECTED
    else:
        assert 0 < found <= MOST_EXPECTED
        assert str(found) == plain.lstrip("0")


def test_the_code_stands_for_files_and_numbers() -> None:
    codes = {code_of(digest, expected) for digest in ("a", "b") for expected in ({"j": 1}, {"j": 2}, {"k": 1}, {})}
    assert len(codes) == 8 and all(re.fullmatch("[0-9a-f]{12}", code) for code in codes)


# --- money ------------------------------------------------------------------------------------------------------------


def test_the_spend_limit_is_lifted(cli: Any, deployed: Path) -> None:
    done = cli("lift", "--spend", "--json")
    assert done.code == 0 and json.loads(done.out)["waited"] is False
    assert audit()[-1][1:] == ("lift", "spend limit")


def test_doctor_says_so_in_test_mode(cli: Any, deployed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TEST_MODE", "seeds")
    monkeypatch.setenv("ORCHESTRATOR_SEEDS", "ana@example.com, li@example.com")
    assert "test mode: messages reach the 2 seed addresses only" in cli("doctor").out
