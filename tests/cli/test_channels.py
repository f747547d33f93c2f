"""`orchestrator channels`: findings in words and as JSON, tests to seeds only, bounces by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.channels import dns_records
from orchestrator.wiring import channel_checks
from orchestrator.wiring.databases import database_at, open_database, upgrade_database
from tests.channels.bounces.mails import dsn
from tests.channels.mail_server import HOST, mail_server
from tests.cli.conftest import RunCli
from tests.tasks.installation import deploy_from, write_project


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """No DNS and no visits: names are not there, and pages answer."""
    monkeypatch.setattr(dns_records.SystemResolver, "_ask", lambda self, name, kind: [])
    monkeypatch.setattr(channel_checks, "visit", lambda url: 404)


def test_findings_with_what_to_do(project: Path, cli: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_SMTP_URL", f"smtp://{HOST}:1?connect_timeout=1&from=shop@brand.example")
    run = cli("channels", "check", "email")
    assert run.code == 1
    assert "bad  email provider: no connection" in run.out
    assert "there is no SPF record" in run.out and "v=spf1" in run.out
    printed = cli("channels", "check", "--json")
    assert printed.code == 1
    assert not printed.json["ok"]
    assert {"about", "what", "state", "words", "todo"} == set(printed.json["findings"][0])


def test_nothing_is_wrong_where_nothing_leaves(project: Path, cli: RunCli) -> None:
    run = cli("channels", "check", "sms", "--json")
    assert run.code == 0
    assert run.json["ok"] and run.json["sent"] is None


def test_a_test_goes_to_seeds_only(project: Path, cli: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    with mail_server() as server:
        monkeypatch.setenv("ORCHESTRATOR_SMTP_URL", f"smtp://{HOST}:{server.port}?from=shop@brand.example")
        refused = cli("channels", "check", "email", "--send-to", "ana@example.com")
        assert refused.code == 2 and "is no seed address" in refused.err
        assert not server.accepted
        monkeypatch.setenv("ORCHESTRATOR_SEEDS", "seed@example.com")
        assert cli("channels", "check", "email", "--send-to", "ana@example.com").code == 2
        run = cli("channels", "check", "email", "--send-to", "Seed@example.com")
        assert "sent to" in run.out
        assert [to for to, _ in server.accepted] == ["Seed@example.com"]


def test_bounces_are_read_by_hand(tmp_path: Path, cli: RunCli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path)
    upgrade_database(database_at("b.db"))
    store = open_database(database_at("b.db"))
    deploy_from(tmp_path, store)
    store.close()
    assert cli("channels", "bounces", "--database", "b.db").code == 2
    for name in ("new", "cur"):
        (tmp_path / "mails" / name).mkdir(parents=True)
    (tmp_path / "mails" / "new" / "1").write_bytes(dsn())
    monkeypatch.setenv("ORCHESTRATOR_BOUNCE_URL", "maildir:mails")
    run = cli("channels", "bounces", "--database", "b.db", "--json")
    assert run.code == 0
    assert (run.json["mails"], run.json["unclear"]) == (1, 1)
    assert cli("channels", "bounces", "--database", "b.db", "--json").json["mails"] == 0
    assert cli("channels", "bounces", "email", "--database", "b.db").code == 2
    monkeypatch.setenv("ORCHESTRATOR_BOUNCE_URL", "maildir:elsewhere")
    assert "no Maildir" in cli("channels", "bounces", "--database", "b.db").err
