"""The composition root: what can be used in this version, and how the rest is refused."""

from __future__ import annotations

import pytest

from orchestrator.errors import UsageError
from orchestrator.wiring import check_simulation_store, refuse_test_send, settings_of


def test_simulations_run_in_memory() -> None:
    check_simulation_store(None)
    check_simulation_store("memory://")


@pytest.mark.parametrize("url", ["sqlite:///x.db", "postgresql://u:secret@db/x", "x", "http://["])
def test_other_stores_are_refused_with_what_is_possible(url: str) -> None:
    with pytest.raises(UsageError, match="memory://") as refused:
        check_simulation_store(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("channel", "told"),
    [("email", "ORCHESTRATOR_SMTP_URL"), ("sms", "ORCHESTRATOR_SMS_URL"), ("push", "cannot hand push")],
)
def test_a_test_send_needs_a_provider(channel: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ORCHESTRATOR_SMTP_URL", raising=False)
    monkeypatch.delenv("ORCHESTRATOR_SMS_URL", raising=False)
    with pytest.raises(UsageError, match=told):
        refuse_test_send(settings_of(), channel, "seed@example.com")


def test_a_configured_provider_is_not_used_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_SMTP_URL", "smtp://mail.example.com")
    with pytest.raises(UsageError, match="nothing was sent"):
        refuse_test_send(settings_of(), "email", "seed@example.com")


def test_urls_of_the_command_line_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", "sqlite:///env.db")
    assert settings_of("sqlite:///line.db").database_url == "sqlite:///line.db"
