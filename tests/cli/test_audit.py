"""`orchestrator audit`: every operating command leaves a row with who did it, and the log tells when it was touched."""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.commands import COMMANDS

READING = {
    "init", "lint", "test", "simulate", "why", "preview", "graph", "schema", "serve", "worker", "beat", "diff",
    "events", "proof", "audit", "doctor", "demo", "channels", "consume", "segments", "mcp", "groups",
}  # fmt: skip
"""Commands that change nothing in an installation but what customers and providers send to it."""
ELSEWHERE = {"up", "approve", "canary", "messages", "rights", "webhooks"}
"""Their rows are looked at beside their own tests (test_up, test_deploy_safety, test_canary, test_messages,
test_rights, test_webhooks)."""


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ORCHESTRATOR_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def deployed(cli: Any, project: Path) -> Path:
    with (project / "journeys" / "offers.yaml").open("a", encoding="utf-8") as file:
        file.write("public:\n  discount: {percent: 10}\n  codes: {public: SUMMER}\n  limits: {total: 5}\n")
    (project / "people.csv").write_text("id,email\nana,ana@example.com\nbob,bob@example.com\n", encoding="utf-8")
    assert cli("db", "upgrade").code == 0
    assert cli("deploy", "--yes").code == 0
    return project


OPERATIONS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("pause", ("pause", "welcome")),
    ("resume", ("resume", "welcome")),
    ("stop", ("stop", "welcome", "--yes")),
    ("kill", ("kill", "--channel", "sms")),
    ("lift", ("lift", "--channel", "sms")),
    ("import customers", ("import", "customers", "people.csv")),
    ("suppress", ("suppressions", "add", "b@example.com")),
    ("unsuppress", ("suppressions", "remove", "b@example.com", "--yes")),
    ("suppressions export", ("suppressions", "export", "list.csv")),
    ("key made", ("keys", "add", "till", "--scope", "coupons:write")),
    ("export customers", ("export", "customers", "-o", "out.csv")),
    ("coupon redeem", ("offers", "redeem", "SUMMER", "--order", "4711", "--total", "99.90", "--currency", "EUR")),
    ("coupon rollback", ("offers", "rollback", "SUMMER", "--order", "4711")),
    ("profiles clean", ("profiles", "clean", "--apply")),
    ("customer merge", ("customer", "merge", "bob", "ana", "--yes")),
    ("customer unmerge", ("customer", "unmerge", "bob")),
    ("customer export", ("customer", "export", "ana")),
    ("customer erase", ("customer", "erase", "ana", "--yes")),
)


def rows(cli: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cli("audit", "list", "--limit", "500", "--json").json["rows"]
    return found


def test_every_operating_command_leaves_a_row(cli: Any, deployed: Path) -> None:
    assert [row["action"] for row in rows(cli)] == ["db upgrade", "deploy"]
    for count, (action, words) in enumerate(OPERATIONS, 3):
        done = cli(*words)
        assert done.code == 0, (words, done.err)
        told = rows(cli)
        assert len(told) == count and told[-1]["action"] == action and told[-1]["actor"], (words, told[-1])
    assert cli("audit", "verify", "--json").json["ok"] is True


def test_every_command_is_looked_at() -> None:
    asked = {words[0] for _, words in OPERATIONS}
    assert set(COMMANDS) - asked - READING - ELSEWHERE == {"deploy", "db"}, "does it leave a row? say so above"


def test_a_touched_log_is_found_out(cli: Any, deployed: Path) -> None:
    for channel in ("sms", "push", "email"):
        cli("kill", "--channel", channel)
    whole = cli("audit", "verify", "--json").json
    assert whole["ok"] and whole["rows"] == 5 and len(whole["head"]) == 64
    with sqlite3.connect(".orchestrator/orchestrator.db") as c:
        for sql in ("DELETE FROM audit", "UPDATE audit SET actor = 'nobody'", "UPDATE audit SET detail = 'x'"):
            with pytest.raises(sqlite3.IntegrityError, match="only ever added to"):
                c.execute(sql)
        c.execute("DROP TRIGGER audit_unchanged")
        c.execute("DROP TRIGGER audit_undeleted")
        c.execute("UPDATE audit SET detail = 'channel push' WHERE id = 3")
    c.close()
    found = cli("audit", "verify", "--json")
    assert found.code == 1 and found.json["fault"]["id"] == 3 and "words" in found.json["fault"]["why"]
    assert "row 3 of the audit log does not fit" in cli("doctor").out
    with sqlite3.connect(".orchestrator/orchestrator.db") as c:
        c.execute("UPDATE audit SET detail = 'channel sms' WHERE id = 3")
        c.execute("DELETE FROM audit WHERE id = 5")
    c.close()
    assert cli("audit", "verify").code == 0, "a missing end shows only beside a head that was noted"
    assert cli("audit", "verify", "--head", whole["head"]).code == 1
    with sqlite3.connect(".orchestrator/orchestrator.db") as c:
        c.execute("DELETE FROM audit WHERE id = 3")
    c.close()
    found = cli("audit", "verify")
    assert found.code == 1 and "row 4" in found.out and "taken out" in found.out


def test_the_log_as_a_file(cli: Any, deployed: Path) -> None:
    assert cli("audit", "export", "audit.jsonl").code == 0
    told = [json.loads(line) for line in Path("audit.jsonl").read_text().splitlines()]
    assert [row["action"] for row in told] == ["db upgrade", "deploy"] and told[1]["previous"] == told[0]["hash"]
    assert cli("audit", "export").out.splitlines()[0].startswith('{"id": 1')
    assert cli("audit", "verify", "x").code == 2 and cli("audit", "list", "--limit", "0").code == 2


# --- offers, by hand --------------------------------------------------------------------------------------------------


def test_a_code_at_a_desk(cli: Any, deployed: Path) -> None:
    assert "public" in cli("offers", "list").out
    done = cli("offers", "redeem", "summer", "--order", "1", "--total", "99.90", "--currency", "EUR", "--json")
    assert done.json["saved"] == 9.99 and done.json["to_pay"] == 89.91
    found = cli("offers", "find", "SUMMER", "--json").json
    assert [order["order"] for order in found["orders"]] == ["1"]
    assert cli("offers", "show", "public", "--json").json["saved"] == {"EUR": 9.99}
    refused = cli("offers", "redeem", "NOTHING", "--order", "2")
    assert refused.code == 1 and "there is no such code [not_found]" in refused.out
    assert cli("offers", "codes", "public", "--json").json["codes"] == []
    for words in (("redeem", "SUMMER"), ("show", "publik"), ("list", "x"), ("find",)):
        assert cli("offers", *words).code == 2
    assert cli("offers", "redeem", "SUMMER", "--order", "3", "--total", "NaN").code == 2
    assert "did you mean public?" in cli("offers", "show", "publik").err
