"""`orchestrator suppressions`: what people see of the list, put on it, take off it, and bring along."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestrator.cli.import_suppressions import Suppressions, inert
from orchestrator.core.addresses import stored_address
from orchestrator.core.suppression import hashed_entry
from orchestrator.wiring.databases import database_at, open_database, upgrade_database
from tests.cli.conftest import Run, RunCli
from tests.stores.driving import START
from tests.tasks.installation import deploy_from, write_project

Call = RunCli


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cli: RunCli) -> Call:
    """`suppressions` on an installation of its own, whose list holds a hashed entry."""
    monkeypatch.chdir(tmp_path)
    write_project(tmp_path)
    upgrade_database(database_at("s.db"))
    store = open_database(database_at("s.db"))
    deploy_from(tmp_path, store)
    store.suppress([(*hashed_entry(store.salt, "email", "erased@example.com"), "suppressed")], START)
    store.close()

    def run(*words: str | Path) -> Run:
        return cli("suppressions", *words, "--database", "s.db")

    return run


def causes(call: Call) -> dict[str, str]:
    return {e["address"]: e["cause"] for e in call("list", "--limit", "500", "--json").json["entries"]}


def test_an_address_is_added_once_whatever_its_spelling_and_removed(call: Call) -> None:
    assert call("add", "ANA+shop@Exämple.com", "--cause", "opted_out").code == 0
    again = call("add", "ana@xn--exmple-cua.com", "--cause", "opted_out", "--json").json
    assert again == {"channel": "email", "address": "ana@xn--exmple-cua.com", "cause": "opted_out", "known": True}
    assert call("add", "+351 912 345 678").code == 0
    listed = call("list")
    assert "opted_out" in listed.out and "+351912345678" in listed.out and "(hashed)" in listed.out
    assert call("remove", "ana@exämple.com").code == 2, "nobody to ask"
    assert call("remove", "ana@exämple.com", "--yes", "--json").json["removed"] == ["opted_out"]
    assert call("remove", "ana@exämple.com", "--json").json["removed"] == []
    assert call("list", "--channel", "email", "--cause", "opted_out").out.strip() == "nothing is suppressed"


def test_apart_an_entry_is_about_its_own_plus_address(call: Call, tmp_path: Path) -> None:
    call("add", "old@example.com", "--cause", "bounced")
    project = tmp_path / "journeys" / "project.yaml"
    project.write_text(project.read_text().replace("{email: {", "{email: {plus_addresses: apart, "))
    store = open_database(database_at("s.db"))
    deploy_from(tmp_path, store)
    store.close()
    added = call("add", "Ana+Shop@example.com", "--cause", "bounced", "--json").json
    assert added == {"channel": "email", "address": "ana+shop@example.com", "cause": "bounced", "known": False}
    assert call("add", "ana+shop@example.com", "--cause", "bounced", "--json").json["known"]
    assert not call("add", "ana@example.com", "--cause", "bounced", "--json").json["known"]
    assert call("list", "--cause", "bounced", "--json").json["counts"] == [
        {"channel": "email", "cause": "bounced", "count": 3}
    ]
    (tmp_path / "more.csv").write_text("email,cause\nana+shop@example.com,bounced\nana+news@example.com,bounced\n")
    assert call("import", "more.csv").code == 0
    assert call("remove", "ana@example.com", "--yes", "--json").json["removed"] == ["bounced"]
    assert call("remove", "ana@example.com", "--yes", "--json").json["removed"] == []
    for tag in ("shop", "news"):
        assert call("remove", f"ana+{tag}@example.com", "--yes", "--json").json["removed"] == ["bounced"]
    # What was put there before is about the whole mailbox.
    assert call("remove", "old+shop@example.com", "--yes", "--json").json["removed"] == ["bounced"]
    assert causes(call).keys() == {hashed_entry(store.salt, "email", "erased@example.com")[1]}


def test_whoever_was_erased_can_come_back_of_their_own_will(call: Call) -> None:
    assert call("remove", "Erased@example.com", "--yes", "--json").json["removed"] == ["suppressed"]
    assert causes(call) == {}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["add"], "takes an ADDRESS"),
        (["import"], "takes a FILE"),
        (["add", "nonsense"], "no address on email"),
        (["add", "ana@example.com", "--channel", "sms"], "no address on sms"),
        (["list", "what"], "no other words"),
        (["list", "--limit", "0"], "from 1"),
        (["import", "missing.csv"], "there is no file"),
        (["lst"], "list"),
        (["add", "ana@example.com", "--cause", "bounce"], "bounced"),
    ],
)
def test_what_cannot_be_done(call: Call, words: list[str], told: str) -> None:
    run = call(*words)
    assert run.code == 2
    assert told in run.err


EXPORTS = {
    "sendgrid bounces": (
        ["status,reason,email,created", "5.1.1,550 5.1.1 no such user,ana@example.com,1700000000"],
        {"ana@example.com": "bounced"},
    ),
    "sendgrid spam reports": (
        ["email,ip,created,type", "ana@example.com,192.0.2.1,1700000000,spam report"],
        {"ana@example.com": "complained"},
    ),
    "mailchimp cleaned": (
        ["Email Address,First Name,CLEAN_TIME,CLEAN_CAMPAIGN_TITLE", "Ana@Example.com,Ana,2026-01-01 10:00:00,News"],
        {"ana@example.com": "bounced"},
    ),
    "mailchimp unsubscribed": (
        [
            "Email Address,UNSUB_TIME,UNSUB_REASON",
            "ana@example.com,2026-01-01,Normal",
            "ben@example.com,2026-01-01,ABUSE",
        ],
        {"ana@example.com": "opted_out", "ben@example.com": "complained"},
    ),
    "klaviyo": (
        [
            "Email,Phone Number,Suppression Reason",
            "ana@example.com,,HARD_BOUNCE",
            "ben@example.com,+351912345678,UNSUBSCRIBE",
            "eve@example.com,,USER_SUPPRESSED",
        ],
        {
            "ana@example.com": "bounced",
            "ben@example.com": "opted_out",
            "+351912345678": "opted_out",
            "eve@example.com": "opted_out",
        },
    ),
    "braze": (
        [
            "user_id,email,email_hard_bounced_at,email_unsubscribed_at,email_marked_spam_at",
            "1,ana@example.com,2026-01-01,,",
            "2,ben@example.com,,2026-01-01,",
            "3,eve@example.com,,2026-01-01,2026-01-02",
        ],
        {"ana@example.com": "bounced", "ben@example.com": "opted_out", "eve@example.com": "complained"},
    ),
    "a plain list": (["email", "ana@example.com"], {"ana@example.com": "suppressed"}),
}


@pytest.mark.parametrize("name", list(EXPORTS))
def test_exports_of_others_are_read_as_they_are(call: Call, tmp_path: Path, name: str) -> None:
    lines, expected = EXPORTS[name]
    (tmp_path / "theirs.csv").write_text("\n".join(lines) + "\n")
    assert call("import", "theirs.csv").code == 0
    found = causes(call)
    assert {address: cause for address, cause in found.items() if len(address) < 64} == expected


def test_rows_that_cannot_be_used_are_kept_and_the_others_taken(call: Call, cli: RunCli, tmp_path: Path) -> None:
    (tmp_path / "mixed.csv").write_text("email,reason\nana@example.com,bounce\nnonsense,bounce\n,bounce\n")
    run = cli("import", "suppressions", "mixed.csv", "--database", "s.db", "--json")
    assert (run.json["taken"], run.json["rejected"]) == (1, 2)
    assert "no address on email" in (tmp_path / "mixed.csv.rejects.jsonl").read_text()
    refused = cli("import", "suppressions", "mixed.csv", "--trigger", "--database", "s.db")
    assert refused.code == 2 and "means nothing for suppressions" in refused.err


def test_what_is_exported_can_be_imported_elsewhere(call: Call, cli: RunCli, tmp_path: Path) -> None:
    call("add", "ana@example.com", "--cause", "complained")
    call("add", "+351912345678")
    assert call("export", "list.csv").code == 0
    assert call("export").out == (tmp_path / "list.csv").read_text()
    rows = list(csv.DictReader((tmp_path / "list.csv").read_text().splitlines()))
    assert [row["channel"] for row in rows] == ["#email", "email", "sms"]
    before = causes(call)
    for address in ("ana@example.com", "+351912345678", "erased@example.com"):
        call("remove", address, "--yes")
    assert causes(call) == {}
    assert call("import", "list.csv").code == 0
    assert causes(call) == before


def _like(pattern: str, *channels: str) -> st.SearchStrategy[tuple[str, str]]:
    return st.tuples(st.sampled_from(channels), st.from_regex(pattern, fullmatch=True))


@given(
    _like(r"['=+@-]{0,3}[a-z0-9'=+_-]{1,12}@[a-z]{1,8}\.com", "email")
    | _like(r"\+3519[0-9]{8}", "sms", "whatsapp")
    | _like(r"[@_.-]{0,2}[A-Za-z0-9_.@-]{1,20}", "wechat")
)
def test_what_is_exported_is_imported_as_it_was_and_computes_nothing(entry: tuple[str, str]) -> None:
    channel, text = entry
    address = stored_address(channel, text, None)
    assume(address is not None)
    assert address is not None
    written = inert(channel, address.normal)
    assert written[0] not in "=@-" and (written[0] != "+" or channel != "email")
    row = {"channel": channel, "address": written, "cause": "complained"}
    assert Suppressions(False, "").made_of(row) == [(channel, address.normal, "complained", "complained")]
