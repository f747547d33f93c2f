"""`orchestrator proof` on an installation: a sound one, a doctored one, and what it refuses."""

from __future__ import annotations

import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.cli.proof import bounds
from orchestrator.core.time.zones import zone_or_none
from orchestrator.core.transition import Transition
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.protocol import Settlement, Store
from orchestrator.wiring.databases import database_at, open_database, upgrade_database
from tests.cli.conftest import RunCli
from tests.stores.driving import arrive, create, event
from tests.tasks.installation import deploy_from

NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
PROJECT = """\
brand: {name: Harbour, url: "https://example.com", address: "1 Harbour Road"}
timezone: Europe/Lisbon
topics: {promotions: {class: promotional}}
quiet_hours: {from: "21:00", to: "08:00"}
caps: [{max: 1, per: 1d, class: promotional}]
channels: {email: {from: "Harbour <hello@example.com>"}}
"""
JOURNEY = """\
journey: writes
topic: promotions
enter: {event: go, reentry: always}
steps: [email: hello]
"""


def send(store: Store, at: datetime) -> None:
    """One message is decided and handed over."""
    arrive(store, "u1", event(at=at, order=str(at)), at)
    while turn_once(store, at).customers:
        pass
    [claimed] = store.claim_messages(at, 10)
    row = claimed.row
    line = Transition(at, "u1", row.seq, "message", row.journey, row.version, row.key, row.step,
                      {"channel": "email", "topic": "promotions"}, row.enrollment_id)  # fmt: skip
    store.settle_messages([Settlement(row.id, "u1", "sent", [line], handed_over=True)], at)


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation that sent one message in March 2026."""
    monkeypatch.chdir(tmp_path)
    for name, text in {
        "journeys/project.yaml": PROJECT,
        "journeys/writes.yaml": JOURNEY,
        "journeys/schema.yaml": "events: {go: {order: {type: string}}}\n",
        "templates/email/hello.html": "---\nsubject: Hello\n---\n<p>Hello</p>\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    upgrade_database(database_at("books.db"))
    store = open_database(database_at("books.db"))
    deploy_from(tmp_path, store)
    create(store, "u1", at=datetime(2026, 3, 1, tzinfo=UTC), timezone="Europe/Lisbon")
    send(store, NOON)
    store.close()
    return tmp_path / "books.db"


def test_a_sound_month(books: Path, cli: RunCli) -> None:
    done = cli("proof", "--month", "2026-03", "--database", books)
    assert (done.code, "No violation was found." in done.out) == (0, True)
    data = cli("proof", "--month", "2026-03", "--json", "--database", books).json
    assert data["people"] == 1
    assert [(c["topic"], c["channel"], c["basis"], c["count"]) for c in data["contacts"]] == [
        ("promotions", "email", "opt_in", 1)
    ]
    assert cli("proof", "--month", "2026-04", "--json", "--database", books).json["contacts"] == []


@pytest.mark.parametrize(
    ("doctoring", "kinds"),
    [
        (("UPDATE transitions SET at = at + 12 * 3600 * 1000000 WHERE type = 'message'",), {"quiet_hours"}),
        (("UPDATE consent_log SET state = 'out'",), {"after_opt_out"}),
        (("INSERT INTO suppressions VALUES ('email', 'u1@example.com', 'complained', 0)",), {"suppressed"}),
        (("UPDATE consent_log SET state = 'pending'",), {"without_consent"}),
        (("UPDATE consent_log SET at = at + 20 * 86400 * 1000000, noted_at = noted_at + 20 * 86400 * 1000000",),
         {"without_consent"}),
        (("UPDATE consent_log SET at = at + 40 * 86400 * 1000000, noted_at = noted_at + 40 * 86400 * 1000000",),
         {"without_consent"}),  # the opt-in is next month's
        (("UPDATE consent_log SET expires_at = noted_at + 1",), {"without_consent"}),
        (("DELETE FROM consent_log", "DELETE FROM consents"), {"without_consent"}),
    ],
)  # fmt: skip
def test_each_way_to_doctor_the_books_is_found_out(
    books: Path, cli: RunCli, doctoring: tuple[str, ...], kinds: set[str]
) -> None:
    with sqlite3.connect(books) as c:
        for statement in doctoring:
            c.execute(statement)
    done = cli("proof", "--month", "2026-03", "--json", "--database", books)
    assert {kind for kind, number in json.loads(done.out)["violations"].items() if number} == kinds
    assert done.code == 1


def test_a_cap_that_was_not_kept_is_found_out(books: Path, cli: RunCli, tmp_path: Path) -> None:
    """The second message of a day, of books whose first is brought into its window."""
    store = open_database(database_at(str(books)))
    deploy_from(tmp_path, store)
    send(store, datetime(2026, 3, 12, 12, tzinfo=UTC))
    store.close()
    sound = cli("proof", "--month", "2026-03", "--json", "--database", books)
    assert json.loads(sound.out)["violations"]["caps"] == 0
    with sqlite3.connect(books) as c:
        c.execute("UPDATE messages SET at = (SELECT max(at) FROM messages) - 3600 * 1000000 WHERE rowid = 1")
    done = cli("proof", "--month", "2026-03", "--json", "--database", books)
    assert {kind for kind, number in json.loads(done.out)["violations"].items() if number} == {"caps"}


def test_what_is_left_out_of_a_pack_is_told(books: Path, cli: RunCli, tmp_path: Path) -> None:
    project = tmp_path / "journeys/project.yaml"
    kept = "compliance: {us: {leave_out: [texas, florida]}, eu: {codes: true}, ca: , cn: {unknown_country: none}}\n"
    project.write_text(PROJECT + kept, encoding="utf-8")
    store = open_database(database_at(str(books)))
    deploy_from(tmp_path, store)
    store.close()
    done = cli("proof", "--month", "2026-03", "--json", "--database", books, "--html", tmp_path / "p.html")
    data = json.loads(done.out)
    assert data["packs"] == ["us", "eu", "ca", "cn"]
    assert data["pack_changes"] == [
        {"pack": "us", "left_out": ["florida", "texas"], "codes": False, "unknown_country": None},
        {"pack": "eu", "left_out": [], "codes": True, "unknown_country": None},
        {"pack": "cn", "left_out": [], "codes": False, "unknown_country": "none"},
    ]
    page, shown = (
        (tmp_path / "p.html").read_text(encoding="utf-8"),
        cli("proof", "--month", "2026-03", "--database", books),
    )
    for words in ("us (without the rules florida, texas)", "codes of practice", "not kept where the country is not"):
        assert words in page
        assert words in shown.out


def test_doctored_books_are_found_out(books: Path, cli: RunCli) -> None:
    with sqlite3.connect(books) as c:
        c.execute("UPDATE transitions SET at = at + 12 * 3600 * 1000000 WHERE type = 'message'")
        c.execute("UPDATE consent_log SET state = 'out'")
        c.execute("INSERT INTO suppressions VALUES ('email', 'u1@example.com', 'complained', 0)")
    done = cli("proof", "--month", "2026-03", "--json", "--database", books, "--html", books.with_name("p.html"))
    assert done.code == 1
    assert {kind for kind, number in json.loads(done.out)["violations"].items() if number} == {
        "quiet_hours", "after_opt_out", "suppressed",
    }  # fmt: skip
    assert "3 violations were found." in books.with_name("p.html").read_text(encoding="utf-8")
    cli("proof", "--month", "2026-03", "--database", books, "--html", books.with_name("p.html"), "--language", "zh")
    assert "发现 3 项违规。" in books.with_name("p.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("month", ["2026-13", "2026", "March", "26-03", "9999-12", "0000-01", ""])
def test_months_that_are_none(books: Path, cli: RunCli, month: str) -> None:
    done = cli("proof", "--month", month, "--database", books)
    assert (done.code, "--month" in done.err) == (2, True)


def test_a_month_is_one_of_the_projects_zone() -> None:
    zone = zone_or_none("Asia/Shanghai")
    assert zone is not None
    assert bounds("2026-12", zone) == (
        datetime(2026, 11, 30, 16, tzinfo=UTC),
        datetime(2026, 12, 31, 16, tzinfo=UTC),
    )
