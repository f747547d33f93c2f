"""`deploy --canary` and `canary`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from orchestrator.definitions.load import load_project
from orchestrator.runtime.canary import DEFAULT_HOLD
from orchestrator.runtime.deployment import load_snapshot
from orchestrator.settings import read_settings
from orchestrator.wiring.databases import database_at, open_database
from orchestrator.wiring.engine import start_engine
from orchestrator.wiring.installation import installation
from tests.cli.test_deploy_safety import audit, change, code_in, deployed, settings_of

__all__ = ["deployed"]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ORCHESTRATOR_")]:
        monkeypatch.delenv(name)


def test_a_canary_from_the_deploy_to_the_release(cli: Any, deployed: Path) -> None:
    assert "no canary runs" in cli("canary").out
    change(deployed)
    done = cli("deploy", "--yes", "--canary", "5%")
    assert done.code == 0 and "5% go first, the others go on in version" in done.out
    with installation(Path(".")) as place:
        [canary] = place.store.switches().canaries
        assert canary.journey == "welcome" and canary.enters and canary.share == 0.05
        assert canary.until_at - canary.since_at == DEFAULT_HOLD
        versions = {path for snapshot in place.store.snapshots() for path in [snapshot.digest]}
        assert len(versions) == 2, "the version before is kept, though nobody is in it"
    assert "canary of welcome 0.05" in audit()[-1][2]
    assert "welcome: on until" in cli("canary").out and "0 customers held" in cli("canary", "welcome").out
    assert "a canary of welcome runs" in cli("doctor").out
    [found] = cli("canary", "--json").json
    assert (found["journey"], found["others"], found["held"]) == ("welcome", "old_version", 0)
    stopped = cli("canary", "welcome", "--stop")
    assert stopped.code == 0 and "is stopped" in stopped.out
    assert cli("canary", "welcome", "--release").code == 0
    assert audit()[-1][1:] == ("canary release", "welcome")
    again = cli("canary", "welcome", "--release")
    assert again.code == 2 and "no canary of 'welcome' runs" in again.err


def test_of_new_journeys_the_others_wait(cli: Any, project: Path) -> None:
    done = cli("deploy", "--yes", "--canary", "10", "--hold", "30m")
    assert done.code == 0 and done.out.count("10% go first, the others wait until") == 2


def test_the_files_of_before_take_it_back(cli: Any, deployed: Path) -> None:
    path = deployed / "journeys" / "welcome.yaml"
    before = path.read_text()
    change(deployed)
    assert cli("deploy", "--yes", "--canary", "5%").code == 0
    path.write_text(before)
    done = cli("deploy", "--yes")
    assert done.code == 0 and "is taken back" in done.out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--canary", "0%"], "above 0% and below 100%"),
        (["--canary", "100%"], "above 0% and below 100%"),
        (["--canary", "some"], "above 0% and below 100%"),
        (["--canary", "5%", "--hold", "soon"], "expected a time up to 90 days"),
        (["--canary", "5%", "--hold", "0s"], "expected a time up to 90 days"),
        (["--hold", "2h"], "add --canary 5%"),
        (["--canary", "5%"], "none does here"),
    ],
)
def test_what_no_canary_can_be_made_of(cli: Any, deployed: Path, words: list[str], said: str) -> None:
    done = cli("deploy", "--yes", *words)
    assert done.code == 2 and said in done.err
    assert cli("canary", "--release").code == 2 and len(audit()) == 1


def test_what_was_approved_as_a_canary_is_not_approved_as_a_whole(cli: Any, deployed: Path) -> None:
    settings_of(deployed, "approval: {above: 100}")
    change(deployed)
    words = ("deploy", "--yes", "--as", "ana", "--expect", "welcome=5000")
    refused = cli(*words, "--canary", "5%")
    assert refused.code == 2 and "canary 5%" in refused.err
    assert cli("approve", code_in(refused.err), "--as", "li").code == 0
    assert cli(*words).code == 2
    assert cli(*words, "--canary", "50%").code == 2
    assert cli(*words, "--canary", "5%").code == 0


def test_a_process_that_starts_with_other_files_lets_nobody_go_by_the_way(cli: Any, deployed: Path) -> None:
    change(deployed)
    assert cli("deploy", "--yes", "--canary", "5%").code == 0
    path = deployed / "journeys" / "welcome.yaml"
    path.write_text(path.read_text().replace("changed_1:", "changed_9:"))
    store = open_database(database_at("sqlite:///.orchestrator/orchestrator.db"))
    try:
        loaded = load_project(deployed)
        start_engine(store, loaded, read_settings(), deployed, secret=b"tests", base_url="http://localhost")
        [canary] = store.switches().canaries
        assert canary.state == "on" and canary.before != loaded.project.journeys["welcome"].version
        snapshots = {load_snapshot(snapshot).project.journeys["welcome"].version for snapshot in store.snapshots()}
        assert canary.before in snapshots
    finally:
        store.close()
