"""What operators do beside a running installation: deploy, import, look, pause, kill, migrate."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.runtime.sweep import sweep_once
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.erasure_certificates import digest_of
from orchestrator.wiring.installation import installation

NOW = datetime.now(UTC)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ORCHESTRATOR_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def deployed(cli: Any, project: Path) -> Path:
    assert cli("deploy", "--yes").code == 0
    return project


def turns() -> None:
    """What an engine would decide now."""
    with installation(Path(".")) as place:
        place.adopt()
        sweep_once(place.store, place.journey_now())
        while turn_once(place.store, place.journey_now()).customers:
            pass


def rows(sql: str) -> list[Any]:
    with sqlite3.connect(".orchestrator/orchestrator.db") as connection:
        found = connection.execute(sql).fetchall()
    connection.close()
    return found


# --- db, deploy ------------------------------------------------------------------------------------------------------


def test_a_database_is_made_and_checked(cli: Any, project: Path) -> None:
    assert cli("db", "check").code == 1
    assert "ran" in cli("db", "upgrade").out
    done = cli("db", "check", "--json")
    assert done.code == 0 and done.json == {"database": ".orchestrator/orchestrator.db", "exists": True, "pending": []}
    assert "up to date" in cli("db", "upgrade").out
    assert (project / ".orchestrator" / ".gitignore").read_text() == "*\n"
    assert "did you mean upgrade?" in cli("db", "upgarde").err


def test_a_deploy_shows_what_changes_and_a_dry_run_changes_nothing(cli: Any, project: Path) -> None:
    dry = cli("deploy", "--dry-run")
    assert dry.code == 0 and "+ new" in dry.out and not (project / ".orchestrator").exists()
    refused = cli("deploy")
    assert refused.code == 2 and "--yes" in refused.err
    assert cli("deploy", "--yes").code == 0
    again = cli("deploy", "--json")
    assert again.code == 0 and again.json["changed"] is False and not again.json["deployed"]
    (project / "journeys" / "welcome.yaml").unlink()
    (project / "journeys" / "tests" / "welcome.yaml").unlink()
    removed = cli("deploy", "--dry-run", "--json")
    assert [(c["journey"], c["what"]) for c in removed.json["journeys"]] == [("welcome", "removed")]
    assert [row[0] for row in rows("SELECT action FROM audit")] == ["deploy"]


def test_tests_and_texts_for_people_are_no_news(cli: Any, deployed: Path) -> None:
    (deployed / "journeys" / "tests" / "welcome.yaml").unlink()
    (deployed / "journeys" / "README.md").write_text("hello")
    assert "nothing differs" in cli("deploy", "--dry-run").out


def test_a_project_with_errors_is_not_deployed(cli: Any, project: Path) -> None:
    (project / "journeys" / "broken.yaml").write_text("journey: broken\n")
    done = cli("deploy", "--yes")
    assert done.code == 1 and "journeys/broken.yaml" in done.err and not (project / ".orchestrator").exists()


@pytest.mark.parametrize(
    "words", [["customer", "show", "ana"], ["why", "ana"], ["pause", "welcome"], ["import", "customers", "c.csv"]]
)
def test_without_a_database_it_is_told_what_makes_one(words: list[str], cli: Any, project: Path) -> None:
    Path("c.csv").write_text("id\nana\n")
    done = cli(*words)
    assert done.code == 2 and "no database" in done.err and not (project / ".orchestrator").exists()


# --- import ----------------------------------------------------------------------------------------------------------


CUSTOMERS = """id,email,first_name,tags,consents.promotions.email,timezone
ana,ana@example.com,Ana,"vip,early",in,Europe/Lisbon
ben,ben@example.com,Ben,,out,
,nobody@example.com,,,,
cy,cy@example.com,Cy,,perhaps,
"""


def test_customers_of_a_table(cli: Any, deployed: Path) -> None:
    Path("c.csv").write_text(CUSTOMERS)
    done = cli("import", "customers", "c.csv", "--json")
    assert done.code == 0, done.err
    assert done.json | {"rejects": 0} == {
        "kind": "customers",
        "rows": 4,
        "skipped": 0,
        "taken": 2,
        "duplicates": 0,
        "created": 2,
        "rejected": 2,
        "warnings": 0,
        "rejects": 0,
    }
    rejects = [json.loads(line) for line in Path("c.csv.rejects.jsonl").read_text().splitlines()]
    assert [(reject["row"], reject["values"]["email"]) for reject in rejects] == [
        (3, "nobody@example.com"),
        (4, "cy@example.com"),
    ]
    assert "in or out" in rejects[1]["reason"]
    turns()
    shown = cli("customer", "show", "ana", "--json").json
    assert shown["email"] == "ana@example.com" and shown["tags"] == ["vip", "early"]
    assert shown["attributes"]["first_name"] == "Ana" and shown["consents"] == {"promotions": {"email": "in"}}
    assert shown["enrollments"] == [], "an import enters nobody"
    told = cli("customer", "show", "ben")
    assert told.code == 0 and "promotions: email out" in told.out


def test_an_import_is_done_once_and_goes_on_where_it_was(cli: Any, deployed: Path) -> None:
    Path("c.jsonl").write_text("".join(f'{{"id": "u{n}"}}\n' for n in range(2_500)))
    assert cli("import", "customers", "c.jsonl", "--json").json["created"] == 2_500
    again = cli("import", "customers", "c.jsonl", "--json")
    assert again.json["taken"] == 0 and again.json["skipped"] == 2_500 and "imported before" in again.err
    rows("UPDATE marks SET at = 1000 WHERE name LIKE 'import:%'")  # as if it had been killed after the first batch
    resumed = cli("import", "customers", "c.jsonl", "--json")
    assert resumed.json["taken"] == 1_500 and resumed.json["created"] == 0


def test_an_opt_out_outlasts_what_a_table_claims(cli: Any, deployed: Path) -> None:
    Path("c.csv").write_text(CUSTOMERS)
    cli("import", "customers", "c.csv")
    turns()
    Path("late.csv").write_text("id,consents.promotions.email,consents.promotions.sms\nben,in,in\n")
    assert cli("import", "customers", "late.csv").code == 0
    turns()
    assert cli("customer", "show", "ben", "--json").json["consents"] == {"promotions": {"email": "out", "sms": "in"}}


def orders(count: int) -> str:
    begin = NOW - timedelta(days=30)
    lines = [f"{(begin + timedelta(hours=n)).isoformat()},u{n % 5},order_placed,{n}" for n in range(count)]
    return "at,customer,event,total\n" + "\n".join(lines) + "\n"


def test_past_events_join_the_history_and_enter_nobody(cli: Any, deployed: Path) -> None:
    Path("orders.csv").write_text(orders(20))
    done = cli("import", "events", "orders.csv", "--json")
    assert done.code == 0 and done.json["taken"] == 20 and done.json["created"] == 5
    turns()
    assert rows("SELECT count(*) FROM events") == [(20,)]
    assert rows("SELECT count(*) FROM enrollments") == [(0,)]
    assert [row[0] for row in rows("SELECT action FROM audit ORDER BY id")] == ["deploy", "import events"]


def test_with_trigger_journeys_hear_of_it_after_a_yes(cli: Any, deployed: Path) -> None:
    Path("e.csv").write_text(f"at,customer,event\n{NOW.isoformat()},ana,signed_up\n{NOW.isoformat()},ben,signed_up\n")
    refused = cli("import", "events", "e.csv", "--trigger")
    assert refused.code == 2 and "2 events" in refused.err and "--yes" in refused.err
    done = cli("import", "events", "e.csv", "--trigger", "--yes", "--json")
    assert done.code == 0 and done.json["taken"] == 2
    turns()
    assert rows("SELECT count(*) FROM enrollments WHERE journey = 'welcome'") == [(2,)]


def test_a_mapping_makes_customers_too(cli: Any, deployed: Path) -> None:
    Path("c.csv").write_text("number,mail\n1,a@example.com\n")
    Path("m.yaml").write_text("customer: \"'H' ~ row.number\"\nprofile: {email: row.mail}\n")
    assert cli("import", "customers", "c.csv", "--mapping", "m.yaml").code == 0
    turns()
    assert cli("customer", "show", "H1", "--json").json["email"] == "a@example.com"
    events = cli("import", "events", "c.csv", "--mapping", "m.yaml")
    assert events.code == 1 and "`events` is empty" in events.err


def test_values_that_cannot_be_used_are_kept_and_warned_of(cli: Any, deployed: Path) -> None:
    Path("c.csv").write_text(
        "id,email,phone,timezone,tier\nana,ana at home,12,Lisbon,golden\nben,b@example.com,,,gold\n"
    )
    done = cli("import", "customers", "c.csv")
    assert done.code == 0 and "2 customers imported" in done.out
    assert "4 values can be kept but not used as given:" in done.err
    assert "row 1: `email`: 'ana at home' is no e-mail address" in done.err
    assert "row 1: `timezone`: 'Lisbon' is no IANA time zone" in done.err
    assert "row 1: `tier`: 'golden' is none of basic, gold (schema.yaml); did you mean gold?" in done.err
    turns()
    shown = cli("customer", "show", "ana")
    assert "unusable   email: 'ana at home' is no e-mail address" in shown.out
    assert cli("customer", "show", "ana", "--json").json["unusable"].keys() == {"email", "phone", "timezone"}
    assert "1 of the 2 customers looked at" in cli("doctor").out


def test_only_the_first_warnings_are_listed(cli: Any, deployed: Path) -> None:
    Path("c.csv").write_text("id,email\n" + "".join(f"u{n},nowhere\n" for n in range(30)) + ",x\n")
    done = cli("import", "customers", "c.csv")
    assert done.err.count("is no e-mail address") == 20 and "  and 10 more" in done.err
    assert "1 row could not be used; it is in c.csv.rejects.jsonl:" in done.err


CONSENTS = """customer,topic,channel,state,at
ana,promotions,email,in,2026-03-02T10:00:00Z
ana,promotions,email,out,2026-03-01T10:00:00Z
ben,promotions,sms,in,
cy,promotion,sms,in,
cy,promotions,sms,perhaps,
cy,promotions,sms,in,2999-01-01
dora,promotions,email,out,
"""


def test_consents_of_a_table(cli: Any, deployed: Path) -> None:
    Path("known.csv").write_text("id,email,consents.promotions.email\nana,ana@example.com,\nben,,out\n")
    assert cli("import", "customers", "known.csv").code == 0
    turns()
    rows("INSERT INTO suppressions VALUES ('email', 'ana@example.com', 'bounced', 0)")
    Path("c.csv").write_text(CONSENTS)
    done = cli("import", "consents", "c.csv", "--json")
    assert (done.code, done.json["taken"], done.json["duplicates"], done.json["rejected"]) == (0, 3, 1, 3)
    assert "did you mean promotions?" in done.err and "`at` lies in the future" in done.err
    turns()
    ana = cli("customer", "show", "ana", "--json").json
    assert ana["consents"] == {"promotions": {"email": "in"}}, "the later choice counts, wherever it stands"
    assert ana["suppressed"] == {"email": ["bounced"]}, "no table lifts a suppression"
    assert cli("customer", "show", "ben", "--json").json["consents"] == {"promotions": {"email": "out", "sms": "in"}}
    assert cli("customer", "show", "dora", "--json").json["consents"] == {"promotions": {"email": "out"}}
    assert rows("SELECT count(*) FROM enrollments") == [(0,)]
    again = cli("import", "consents", "c.csv", "--json")
    assert again.json["taken"] == 0 and again.json["skipped"] == 7


def test_no_table_resurrects_an_opt_out(cli: Any, deployed: Path) -> None:
    Path("known.csv").write_text("id,consents.promotions.email\nben,out\ncleo,out\n")
    assert cli("import", "customers", "known.csv").code == 0
    turns()
    Path("c.csv").write_text(
        "customer,topic,channel,state,at,source,proof\n"
        "ben,promotions,email,in,2020-01-01T00:00:00Z,form,\n"
        f'cleo,promotions,email,in,{datetime.now(UTC).isoformat()},form,"{{""ip"": ""203.0.113.7""}}"\n'
    )
    done = cli("import", "consents", "c.csv", "--json")
    assert (done.code, done.json["taken"], done.json["rejected"]) == (0, 1, 1)
    assert "'ben' opted out of promotions by email on" in done.err
    assert "'ben' opted out" in Path("c.csv.rejects.jsonl").read_text()
    turns()
    assert cli("customer", "show", "ben", "--json").json["consents"] == {"promotions": {"email": "out"}}
    assert cli("customer", "show", "cleo", "--json").json["consents"] == {"promotions": {"email": "in"}}
    log = rows("SELECT state, source, refused FROM consent_log WHERE refused IS NOT NULL")
    assert log == [("in", "form", "opted_out")]


def test_codes_of_a_table(cli: Any, deployed: Path) -> None:
    offers = Path("journeys/offers.yaml")
    offers.write_text(offers.read_text() + "pool: {title: P, discount: {percent: 5}, codes: {import: true}}\n")
    assert cli("deploy", "--yes").code == 0
    Path("c.csv").write_text("offer,code\npool,A1\npool,A1\npool,B2\npol,C3\nwelcome10,D4\npool,\n")
    done = cli("import", "codes", "c.csv", "--json")
    assert (done.code, done.json["taken"], done.json["duplicates"], done.json["rejected"]) == (0, 2, 1, 3)
    assert "did you mean pool?" in done.err and "are generated" in done.err
    assert rows("SELECT offer, code FROM codes ORDER BY code") == [("pool", "A1"), ("pool", "B2")]
    Path("more.csv").write_text("offer,code\npool,B2\npool,E5\n")
    assert cli("import", "codes", "more.csv").out.startswith("1 code imported\n1 row had a code")


def test_options_that_mean_nothing_for_a_table(cli: Any, deployed: Path) -> None:
    Path("c.csv").write_text("offer,code\n")
    Path("m.yaml").write_text("customer: row.id\n")
    assert "customer, topic, channel" in cli("import", "consents", "c.csv", "--mapping", "m.yaml").err
    assert cli("import", "codes", "c.csv", "--trigger").code == 2
    assert "did you mean codes?" in cli("import", "code", "c.csv").err


# --- switches --------------------------------------------------------------------------------------------------------


def test_switches_are_thrown_and_written_down(cli: Any, deployed: Path) -> None:
    def switches() -> Any:
        with installation(Path(".")) as place:
            return place.store.switches()

    assert cli("pause", "welcome").code == 0 and switches().paused == {"welcome"}
    assert cli("resume", "welcome").code == 0 and switches().paused == frozenset()
    assert cli("stop", "welcome").code == 2, "nobody can be asked here"
    assert cli("stop", "welcome", "--yes").code == 0 and switches().stopped == {"welcome"}
    assert cli("kill", "--channel", "sms").code == 0 and switches().killed_channels == {"sms"}
    assert cli("lift", "--channel", "sms").code == 0 and switches().killed_channels == frozenset()
    assert cli("kill", "--all").code == 0 and switches().killed_all
    assert cli("lift", "--all").code == 0 and not switches().killed_all
    done = [row[0] for row in rows("SELECT action FROM audit ORDER BY id")]
    assert done == ["deploy", "pause", "resume", "stop", "kill", "lift", "kill", "lift"]
    assert "did you mean welcome?" in cli("pause", "welcom").err
    assert "did you mean sms?" in cli("kill", "--channel", "smss").err
    assert cli("kill").code == 2


# --- looking ---------------------------------------------------------------------------------------------------------


def test_the_story_of_a_customer_out_of_the_database(cli: Any, deployed: Path) -> None:
    Path("e.csv").write_text(f"at,customer,event\n{NOW.isoformat()},ana,signed_up\n")
    cli("import", "events", "e.csv", "--trigger", "--yes")
    turns()
    story = cli("why", "ana")
    assert (
        story.code == 0
        and story.out.startswith("ana, in the local time of Europe/Lisbon (the project's")
        and "welcome" in story.out
    )
    assert cli("why", "ana", "--json").json["journeys"][0]["journey"] == "welcome"
    assert cli("why", "nobody").code == 2
    assert cli("customer", "show", "nobody").code == 2


def test_an_export_holds_all_that_is_stored(cli: Any, waking: Path, deployed: Path) -> None:
    Path("c.csv").write_text(
        "id,email,first_name,consents.promotions.email\nana,ana@example.com,Ana,in\nben,ben@example.com,Ben,in\n"
    )
    cli("import", "customers", "c.csv")
    Path("e.csv").write_text(f"at,customer,event\n{NOW.isoformat()},ana,signed_up\n{NOW.isoformat()},ben,signed_up\n")
    cli("import", "events", "e.csv", "--trigger", "--yes")
    turns()
    done = cli("customer", "export", "ana")
    found = done.json
    assert done.code == 0 and found["customer"] == "ana"
    assert found["profile"]["attributes"] == {"first_name": "Ana"} and found["profile"]["email"] == "ana@example.com"
    assert [event["name"] for event in found["events"]] == ["signed_up"] and found["events"][0]["at"].endswith("Z")
    assert found["journal"][0]["type"] == "entered" and found["messages"][0]["template"] == "welcome"
    assert {"enrollments", "outbox"} <= found.keys() and "ben" not in done.out
    assert rows("SELECT detail FROM audit WHERE action = 'customer export'") == [("ana",)]
    assert cli("customer", "export", "nobody").code == 2


def test_an_erased_customer_leaves_a_certificate_and_no_trace(cli: Any, waking: Path, deployed: Path) -> None:
    Path("c.csv").write_text("id,email,first_name,consents.promotions.email\nana,ana@example.com,Ana,in\nben,,Ben,in\n")
    cli("import", "customers", "c.csv")
    Path("e.csv").write_text(f"at,customer,event\n{NOW.isoformat()},ana,signed_up\n")
    cli("import", "events", "e.csv", "--trigger", "--yes")
    turns()
    asked = cli("customer", "erase", "ana")
    assert asked.code == 2 and "say --yes" in asked.err and cli("customer", "show", "ana").code == 0
    done = cli("customer", "erase", "ana", "--yes", "--certificate", "proof.json")
    assert done.code == 0
    certificate = json.loads(Path("proof.json").read_text())
    assert certificate["tables"]["customers"] == {"deleted": 1} and certificate["digest"] == digest_of(certificate)
    assert cli("customer", "show", "ana").code == 2 and cli("customer", "show", "ben").code == 0
    audit = rows("SELECT detail FROM audit WHERE action = 'customer erase'")
    assert json.loads(audit[0][0])["digest"] == certificate["digest"]
    with sqlite3.connect(".orchestrator/orchestrator.db") as connection:
        everything = "\n".join(connection.iterdump())
    assert "ana@example.com" not in everything and "'ana'" not in everything
    assert cli("customer", "show", "ben", "--yes").code == 2


def test_a_customer_is_shown_in_the_zone_in_force(cli: Any, deployed: Path) -> None:
    Path("c.csv").write_text("id,country,phone\nli,CN,\nrui,,+351912345678\n")
    cli("import", "customers", "c.csv")
    turns()
    li, rui = (cli("customer", "show", name).out for name in ("li", "rui"))
    assert li.startswith("li, in the local time of Asia/Shanghai (the time zone of the customer's country)\n")
    assert rui.startswith("rui, in the local time of Europe/Lisbon (the project's time zone, as the phone number's")


def test_the_doctor_finds_what_is_wrong_and_says_what_to_do(
    cli: Any, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = cli("doctor", "--json")
    assert fresh.code == 0 and fresh.json["ok"]
    assert cli("deploy", "--yes").code == 0
    monkeypatch.setenv("ORCHESTRATOR_SMPT_URL", "smtp://mail.example.com")
    key = Path(".orchestrator/orchestrator.db.secret")
    key.write_text("x" * 64)
    key.chmod(0o644)
    rows("UPDATE meta SET value = value")
    (project / "journeys" / "broken.yaml").write_text("journey: broken\n")
    sick = cli("doctor", "--json")
    assert sick.code == 1
    found = {(finding["name"], finding["state"]): finding for finding in sick.json["findings"]}
    assert "did you mean ORCHESTRATOR_SMTP_URL?" in found["settings", "note"]["message"]
    assert "journeys/broken.yaml" in found["project", "wrong"]["message"]
    assert found["secret", "wrong"]["hint"].startswith("chmod 600")
    assert found["engine", "note"]["message"] == "no engine runs on it"
    assert cli("doctor").out.count("wrong") >= 2


def test_the_doctor_tells_of_a_bad_setting_first(cli: Any, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_SMTP_URL", "mail.example.com")
    done = cli("doctor")
    assert done.code == 1 and "ORCHESTRATOR_SMTP_URL is 'mail.example.com'" in done.out


def test_the_doctor_names_each_provider_and_the_mailbox(cli: Any, project: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("ORCHESTRATOR_SMTP_URL", "smtp://mail.example.com postmark://:TOKEN@")
    monkeypatch.setenv("ORCHESTRATOR_WHATSAPP_URL", "whatsapp://:TOKEN@123")
    alone = cli("doctor").out
    for told in ("email leaves by smtp://mail", "email leaves, too, by postmark://:***@", "whatsapp leaves by what"):
        assert told in alone
    assert "no mailbox of bounces is read" in alone and "TOKEN" not in alone
    monkeypatch.setenv("ORCHESTRATOR_BOUNCE_URL", "maildir:bounces")
    assert "bounces are read from maildir:bounces" in cli("doctor").out


def test_simulations_in_a_file_print_the_same_lines(cli: Any, project: Path) -> None:
    memory = cli("simulate", "--scenario", "scenarios/first.yaml", "--json")
    assert (
        cli("simulate", "--scenario", "scenarios/first.yaml", "--json", "--store", "sqlite:///s.db").out == memory.out
    )
    Path("e.csv").write_text(orders(40))
    table = cli("simulate", "--events", "e.csv", "--json")
    assert table.out
    assert cli("simulate", "--events", "e.csv", "--json", "--store", "e.db").out == table.out


def test_help_of_every_command(cli: Callable[..., Any], project: Path) -> None:
    for name in ("up", "deploy", "import", "customer", "db", "doctor", "pause", "resume", "stop", "kill", "lift"):
        done = cli(name, "--help")
        assert done.code == 0 and "examples:" in done.out and f"orchestrator {name}" in done.out


def test_a_database_that_somebody_holds_is_no_bug(cli: Any, deployed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestrator.stores.sqlite import database

    monkeypatch.setattr(database, "BUSY_FOR", 0.1)
    holder = sqlite3.connect(".orchestrator/orchestrator.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    done = cli("pause", "welcome")
    holder.close()
    assert done.code == 2 and "run the command again" in done.err
