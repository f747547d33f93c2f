"""`serve`, `worker` and `beat`: what is refused before anything begins. That they work is shown in tests/tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cli.main import main
from orchestrator.cli.worker import LANES
from orchestrator.wiring import broker

BROKER = ("--broker", "redis://127.0.0.1:1/0")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("BROKER_URL", "DATABASE_URL", "PROJECT", "SECRET_KEY"):
        monkeypatch.delenv(f"ORCHESTRATOR_{name}", raising=False)
        monkeypatch.setenv(f"ORCHESTRATOR_{name}", "")  # what a command puts there goes again
    monkeypatch.setenv("REMAP_SIGTERM", "SIGQUIT")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("command", ["serve", "worker", "beat"])
def test_without_a_broker_there_are_no_processes(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command]) == 2
    assert "set ORCHESTRATOR_BROKER_URL or give --broker" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["serve", "worker", "beat"])
def test_a_database_in_memory_cannot_be_shared(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, *BROKER, "--database", "memory://"]) == 2
    assert "this needs a database that stays" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lanes", "why"),
    [("turn,promotonal", "did you mean promotional?"), ("x", "there are turn, "), (",", "no lane is named")],
)
def test_a_lane_that_does_not_exist_is_refused(lanes: str, why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["worker", *BROKER, "--lanes", lanes]) == 2
    assert why in capsys.readouterr().err


def test_serve_wants_something_deployed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", *BROKER, "--port", "0"]) == 2
    assert "there is no database" in capsys.readouterr().err
    assert main(["db", "upgrade"]) == 0
    assert main(["serve", *BROKER, "--port", "0"]) == 2
    assert "run `orchestrator deploy` first" in capsys.readouterr().err


def test_postgresql_needs_a_key_that_all_processes_share(capsys: pytest.CaptureFixture[str]) -> None:
    from orchestrator.settings import read_settings
    from orchestrator.wiring.secret_key import secret_of

    with pytest.raises(Exception, match="ORCHESTRATOR_SECRET_KEY is not set"):
        secret_of(read_settings(), None)


def test_doctor_says_that_the_broker_is_away(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", *BROKER]) == 1
    assert "redis://127.0.0.1:1/0 does not answer" in capsys.readouterr().out


def test_the_lanes_of_the_command_line_are_those_of_the_broker() -> None:
    assert LANES == broker.LANES
