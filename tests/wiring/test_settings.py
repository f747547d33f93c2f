"""Settings: read once, typed, refused with a way out, never showing a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.settings import read_settings, unknown_variables, without_password


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "BROKER_URL", "SECRET_KEY", "BASE_URL", "SMTP_URL", "SMS_URL"):
        monkeypatch.delenv(f"ORCHESTRATOR_{name}", raising=False)


def test_defaults() -> None:
    settings = read_settings()
    assert settings.database_url is None and settings.broker_url is None and settings.secret_key is None
    assert settings.base_url == "http://localhost:8000"


def test_the_environment_and_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", "postgresql+psycopg://u:p@db/x")
    monkeypatch.setenv("ORCHESTRATOR_BROKER_URL", "")
    assert read_settings().database_url == "postgresql+psycopg://u:p@db/x"
    assert read_settings().broker_url is None, "an empty variable is not set"
    assert read_settings(database_url="sqlite:///x.db").database_url == "sqlite:///x.db"
    assert read_settings(database_url=None).database_url == "postgresql+psycopg://u:p@db/x"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("DATABASE_URL", "mysql://root:hunter2@db/x", "sqlite://, postgresql://"),
        ("DATABASE_URL", "localhost", "is no URL"),
        ("BROKER_URL", "redis://", "names no host"),
        ("BASE_URL", "ftp://example.com", "https://journeys.example.com"),
        ("SMTP_URL", "mail.example.com", "smtp://"),
        ("SECRET_KEY", "hunter2", "at least 32 random characters"),
        ("SMS_URL", "http://[", "is no URL"),
    ],
)
def test_refusals_name_the_variable_and_the_way_out(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ORCHESTRATOR_{name}", value)
    with pytest.raises(UsageError) as refused:
        read_settings()
    assert str(refused.value).startswith(f"ORCHESTRATOR_{name} is ") and told in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_all_mistakes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", "x")
    monkeypatch.setenv("ORCHESTRATOR_BASE_URL", "y")
    with pytest.raises(UsageError) as refused:
        read_settings()
    assert len(str(refused.value).splitlines()) == 2


def test_the_secret_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_SECRET_KEY", "k" * 40)
    assert "kkk" not in repr(read_settings())


def test_variables_that_nothing_reads() -> None:
    told = unknown_variables({"ORCHESTRATOR_DATABSE_URL": "x", "ORCHESTRATOR_BASE_URL": "y", "PATH": "z"})
    assert told == ["nothing reads ORCHESTRATOR_DATABSE_URL; did you mean ORCHESTRATOR_DATABASE_URL?"]


def test_passwords_are_taken_out() -> None:
    assert without_password("postgresql://u:p@db:5432/x") == "postgresql://u:***@db:5432/x"
    assert without_password("sqlite:///x.db") == "sqlite:///x.db"
    assert without_password("http://[") == "(an unreadable URL)"
    assert without_password("resend://:re_KEY") == "resend://***", "its @ is missing"
    assert without_password("postmark://TOKEN@") == "postmark://***@", "its : is missing"
    assert without_password("mailgun://:K@example.com") == "mailgun://:***@example.com"


def test_the_project_of_a_worker_is_a_setting_like_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_settings().project == Path(".")
    monkeypatch.setenv("ORCHESTRATOR_PROJECT", "/srv/harbour")
    assert read_settings().project == Path("/srv/harbour")
    assert unknown_variables({"ORCHESTRATOR_PROJECT": "x"}) == []
    assert "did you mean ORCHESTRATOR_PROJECT?" in unknown_variables({"ORCHESTRATOR_PROJCT": "x"})[0]


def test_secrets_of_chats_and_callbacks_are_never_shown() -> None:
    url = "ses://KEY:SECRET@eu-west-1?hook=abc&from=a@example.com null:?rate=5/s"
    assert without_password(url) == "ses://KEY:***@eu-west-1?hook=***&from=a@example.com null:?rate=5/s"
    settings = read_settings(alert_chat="slack:https://hooks.example.com/SECRET")
    assert "SECRET" not in repr(settings)


def test_test_mode_is_one_word() -> None:
    with pytest.raises(UsageError, match="TEST_MODE"):
        read_settings(test_mode="sedes")
    assert read_settings(seeds="a@example.com, +351912345678").seed_addresses == ("a@example.com", "+351912345678")
