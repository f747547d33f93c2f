"""Exports of Klaviyo, Braze and Mailchimp as their documentation describes them: whoever unsubscribed there, bounced
or complained is never written to here, whatever other files say, in whatever order, wherever an import breaks off."""

from __future__ import annotations

import gzip
import io
import json
import os
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli import import_rows
from orchestrator.cli.import_vendors import Closing
from orchestrator.definitions import archives
from orchestrator.errors import UsageError
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.runtime.sweep import sweep_once
from orchestrator.runtime.turns import turn_once
from orchestrator.wiring.installation import installation
from tests.in_full import IN_FULL

KLAVIYO = (
    "Email,Klaviyo ID,First Name,Last Name,Phone Number,Country,Email Marketing Consent,"
    "Email Marketing Consent Timestamp,Email Suppressions,SMS Marketing Consent,External ID,Profile Created On,"
    "Favourite Colour,Points\n"
    "ana@example.com,01A,Ana,Silva,+351912345678,PT,SUBSCRIBED,2025-03-01 10:00:00,[],SUBSCRIBED,c-1,2024-01-01,red,7\n"
    "ben@example.com,01B,Ben,,,GB,UNSUBSCRIBED,2025-04-01 10:00:00,[],,c-2,2024-01-02,,\n"
    "eve@example.com,01E,Eve,,+351912345679,,SUBSCRIBED,2025-05-01 10:00:00,"
    "\"['HARD_BOUNCE']\",UNSUBSCRIBED,,2024-01-03,,\n"
    "kim@example.com,01K,Kim,,,,NEVER_SUBSCRIBED,,[],,,2024-01-04,,\n"
    "lee@example.com,01L,Lee,,,,SUBSCRIBED,2025-05-01 10:00:00,USER_SUPPRESSED,,,2024-01-04,,\n"
)
KLAVIYO_LIST = (
    "Email,First Name,Email Marketing Consent\nBen@Example.com,Ben,SUBSCRIBED\nzoe@example.com,Zoe,SUBSCRIBED\n"
)
KLAVIYO_SUPPRESSED = "Email,Suppression Reason\nzoe@example.com,SPAM_COMPLAINT\nnobody@example.com,UNSUBSCRIBE\n"
KLAVIYO_EVENTS = "Event Name,Timestamp,Email,Value\nPlaced Order,2025-06-01T10:00:00Z,ana@example.com,12.5\n"

BRAZE = [
    {"external_id": "b-1", "email": "ana@example.com", "first_name": "Ana", "email_subscribe": "opted_in",
     "email_opted_in_at": "2025-03-01T10:00:00.000Z", "country": "PT", "time_zone": "Europe/Lisbon",
     "custom_attributes": {"favouriteColour": "red", "points": 7}, "created_at": "2024-01-01T00:00:00.000Z",
     "custom_events": [{"name": "viewed room", "first": "2025-01-01T10:00:00.000Z", "last": "2025-02-01T10:00:00.000Z",
                        "count": 3}],
     "purchases": [{"name": "suite", "first": "2025-01-05T10:00:00.000Z", "last": "2025-01-05T10:00:00.000Z",
                    "count": 1}]},
    {"external_id": "b-2", "email": "ben@example.com", "email_subscribe": "unsubscribed",
     "email_unsubscribed_at": "2025-04-01T10:00:00.000Z"},
    {"external_id": "b-3", "email": "eve@example.com", "email_subscribe": "opted_in", "email_hard_bounced_at":
     "2025-05-01T10:00:00.000Z", "phone": "+351912345679",
     "subscription_groups": [{"id": "g", "name": "n", "channel": "sms", "status": "unsubscribed"}]},
    {"external_id": "b-4", "email": "kim@example.com", "email_subscribe": "subscribed"},
    {"external_id": "b-5", "email": "lee@example.com", "email_subscribe": "opted_in", "email_marked_spam_at":
     "2025-05-01T10:00:00.000Z"},
    {"external_id": "b-6", "email": "zoe@example.com", "email_subscribe": "opted_in",
     "email_unsubscribed_at": "2025-05-02T10:00:00.000Z"},
]  # fmt: skip
"""The last is opted in again after an unsubscription: the state decides."""

MAILCHIMP = {
    "subscribed_email_audience_export_1a2b.csv": (
        "Email Address,First Name,TAGS,MEMBER_RATING,OPTIN_TIME,OPTIN_IP,CONFIRM_TIME,CONFIRM_IP,LEID,EUID,POINTS\n"
        'ana@example.com,Ana,"""VIP"",""early bird""",4,2025-03-01 10:00:00,192.0.2.1,2025-03-01 10:05:00,,1,a,7\n'
        "ben@example.com,Ben,,2,2025-03-01 10:00:00,,2025-03-01 10:05:00,,2,b,\n"
    ),
    "unsubscribed_email_audience_export_1a2b.csv": (
        "Email Address,First Name,UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_REASON\n"
        "ben@example.com,Ben,2025-04-01 10:00:00,News,NORMAL: unsubscribed\n"
        "lee@example.com,Lee,2025-04-01 10:00:00,News,ABUSE: reported as spam\n"
    ),
    "cleaned_email_audience_export_1a2b.csv": (
        "Email Address,First Name,CLEAN_TIME,CLEAN_CAMPAIGN_TITLE\neve@example.com,Eve,2025-04-01 10:00:00,News\n"
    ),
    "nonsubscribed_email_audience_export_1a2b.csv": "Email Address,First Name\nkim@example.com,Kim\n",
}
JOURNEY = """
journey: to_everybody
topic: promotions
enter: {event: hello, reentry: always}
steps:
  - email: welcome
"""


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ORCHESTRATOR_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def deployed(cli: Any, project: Path) -> Path:
    (project / "journeys" / "to_everybody.yaml").write_text(JOURNEY.lstrip())
    schema = project / "journeys" / "schema.yaml"
    text = schema.read_text().replace("customer:\n", "customer:\n  points: {type: integer}\n", 1)
    schema.write_text(text.replace("events:\n", "events:\n  hello: {}\n", 1))
    done = cli("deploy", "--yes")
    assert done.code == 0, done.err
    return project


def written() -> set[str]:
    """To which addresses a promotional journey that everybody enters writes, on any channel."""
    with installation(Path(".")) as place:
        place.adopt()
        store, now = place.store, datetime.now(UTC)
        sweep_once(store, now)
        while turn_once(store, now).customers:
            pass
        page = store.export_page("customers", "", 1_000)
        everybody = [row["id"] for row in page.rows]
        ingest_once(store, [Incoming(id, "hello", {}) for id in everybody], now)
        found = set()
        for hours in range(0, 36, 6):  # quiet ones among them
            at = now + timedelta(hours=hours)
            while turn_once(store, at).customers:
                pass
            found |= {claimed.row.to for claimed in store.claim_messages(at, 1_000)}
    return {address.lower() for address in found}


def profile(id: str) -> Any:
    with installation(Path(".")) as place:
        return place.store.profiles_of([id])[id]


def klaviyo(folder: Path) -> list[str]:
    (folder / "all.csv").write_text(KLAVIYO)
    (folder / "newsletter.csv").write_text(KLAVIYO_LIST)
    (folder / "suppressed profiles.csv").write_text(KLAVIYO_SUPPRESSED)
    (folder / "placed_order.csv").write_text(KLAVIYO_EVENTS)
    return ["newsletter.csv", "all.csv", "placed_order.csv", "suppressed profiles.csv"]


def braze(folder: Path) -> list[str]:
    lines = [json.dumps(user) for user in BRAZE]
    with zipfile.ZipFile(folder / "export.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
        inner = io.BytesIO()
        with zipfile.ZipFile(inner, "w") as second:
            second.writestr("segment/2.json", "\n".join(lines[3:]))
        zipped.writestr("a/1.json", "\n".join(lines[:3]) + "\n")
        zipped.writestr("b/more.zip", inner.getvalue())
        zipped.writestr("readme.pdf", b"nothing")
    return ["export.zip"]


def mailchimp(folder: Path) -> list[str]:
    (folder / "audience").mkdir()
    for name, text in MAILCHIMP.items():
        (folder / "audience" / name).write_text(text)
    (folder / "audience" / "note.csv").write_text("")
    return ["audience"]


SYSTEMS = {
    "klaviyo": (klaviyo, {"ana@example.com"}, "c-1"),
    "braze": (braze, {"ana@example.com", "zoe@example.com"}, "b-1"),
    "mailchimp": (mailchimp, {"ana@example.com"}, "ana@example.com"),
}


@pytest.mark.parametrize("system", list(SYSTEMS))
def test_nobody_who_left_there_is_written_to(cli: Any, deployed: Path, system: str) -> None:
    make, expected, ana = SYSTEMS[system]
    files = make(deployed)
    dry = cli("import", system, *files, "--topic", "promotions", "--dry-run", "--json")
    assert dry.code == 0, dry.err
    with installation(Path(".")) as place:
        assert place.store.suppressions() == {} and not place.store.export_page("customers", "", 10).rows
    done = cli("import", system, *files, "--topic", "promotions", "--json")
    assert done.code == 0, done.err
    assert done.json["rejected"] == 0, done.err
    assert {key: done.json[key] for key in ("profiles", "events", "suppressions", "choices")} == {
        key: dry.json[key] for key in ("profiles", "events", "suppressions", "choices")
    }
    assert written() == expected
    known = profile(ana)
    assert (known.attributes["points"], known.attributes["first_name"]) == (7, "Ana")
    assert known.consents[("promotions", "email")] == "in"
    again = cli("import", system, *files, "--topic", "promotions", "--json")
    assert again.json["new_suppressions"] == again.json["profiles"] == 0 and again.json["skipped"] > 0


@pytest.mark.parametrize("system", list(SYSTEMS) if IN_FULL else ["klaviyo"])
@pytest.mark.parametrize("fails", [0, 1, 2, 3] if IN_FULL else [2])
def test_wherever_it_breaks_off_suppressions_stand_first(
    cli: Any, deployed: Path, system: str, fails: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Profiles are only there once every suppression of every file is."""
    make, expected, _ = SYSTEMS[system]
    files = list(reversed(make(deployed)))
    whole, count = import_rows.mark_done, [0]

    def breaks(store: Any, name: str, rows: int) -> None:
        if count[0] == fails:
            raise KeyboardInterrupt
        count[0] += 1
        whole(store, name, rows)

    monkeypatch.setattr(import_rows, "mark_done", breaks)
    assert cli("import", system, *files, "--topic", "promotions").code == 130
    assert written() <= expected
    monkeypatch.setattr(import_rows, "mark_done", whole)
    assert cli("import", system, *files, "--topic", "promotions").code == 0
    assert written() == expected


def test_what_a_row_says_beside_becomes_attributes_tags_and_a_past(cli: Any, deployed: Path) -> None:
    assert cli("import", "braze", *braze(deployed), "--topic", "promotions").code == 0
    written()
    known = profile("b-1")
    assert (known.timezone, known.country) == ("Europe/Lisbon", "PT")
    assert known.attributes["favourite_colour"] == "red"
    assert known.created_at == datetime(2024, 1, 1, tzinfo=UTC)
    with installation(Path(".")) as place:
        events = place.store.export_page("events", "", 100).rows
        past = sorted((row["event"], row["at"].date().isoformat()) for row in events if row["customer"] == "b-1")
    assert [row for row in past if row[0] != "hello"] == [
        ("purchased", "2025-01-05"), ("viewed_room", "2025-01-01"), ("viewed_room", "2025-02-01"),
    ]  # fmt: skip
    assert cli("import", "mailchimp", *mailchimp(deployed), "--topic", "promotions").code == 0
    written()
    assert profile("ana@example.com").tags == ("VIP", "early bird")
    with installation(Path(".")) as place:
        [choice] = [c for c in place.store.consent_log("ana@example.com") if c.channel == "email"][:1]
    assert choice.at == datetime(2025, 3, 1, 10, 5, tzinfo=UTC) or choice.at.date().isoformat() == "2025-03-01"
    assert choice.proof is not None and choice.proof["ip"] == "192.0.2.1"


def zipped(name: str, *entries: tuple[str, bytes]) -> str:
    with zipfile.ZipFile(name, "w", zipfile.ZIP_DEFLATED) as file:
        for inner, data in entries:
            file.writestr(inner, data)
    return name


@pytest.mark.parametrize(
    "inner", ["../../evil.csv", "/etc/evil.csv", "a/../../evil.csv", "C:\\evil.csv", "..\\evil.csv"]
)
def test_an_archive_that_names_places_outside_is_refused(cli: Any, deployed: Path, inner: str) -> None:
    done = cli(
        "import", "mailchimp", zipped("a.zip", (inner, b"Email Address\nana@example.com\n")), "--topic", "promotions"
    )
    assert done.code == 2 and "outside of itself" in done.err
    assert not list(deployed.parent.glob("evil.csv"))


def test_a_bomb_is_refused(cli: Any, deployed: Path) -> None:
    bomb = zipped("b.zip", ("subscribed.csv", b"\0" * (64 << 20)))
    done = cli("import", "mailchimp", bomb, "--topic", "promotions")
    assert done.code == 2 and "unpacks to more than" in done.err
    deep = b"Email\n"
    for _ in range(5):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as file:
            file.writestr("in.zip", deep)
        deep = out.getvalue()
    Path("deep.zip").write_bytes(deep)
    assert "archives in archives" in cli("import", "mailchimp", "deep.zip", "--topic", "promotions").err


REFUSED = [
    (["klaviyo", "nowhere.csv"], "there is no file"),
    (["klaviyo", "all.csv", "--topic", "promotion"], "did you mean promotions?"),
    (["klaviyo", "all.csv", "--trigger"], "leave --mapping"),
    (["customers", "all.csv", "--dry-run"], "exports of others"),
    (["klavyo", "all.csv"], "did you mean klaviyo?"),
    (["klaviyo", "empty"], "no table in there"),
]


def test_what_cannot_be_taken_is_said(cli: Any, deployed: Path) -> None:
    klaviyo(deployed)
    (deployed / "empty").mkdir()
    for words, said in REFUSED:
        more = [] if "--topic" in words or words[0] not in SYSTEMS else ["--topic", "promotions"]
        done = cli("import", *words, *more)
        assert done.code == 2 and said in done.err, (words, done.err)


def test_gzipped_files_are_read(cli: Any, deployed: Path) -> None:
    Path("all.csv.gz").write_bytes(gzip.compress(KLAVIYO.encode()))
    done = cli("import", "klaviyo", "all.csv.gz", "--topic", "promotions", "--json")
    assert done.json["profiles"] == 5 and Closing.__doc__


def test_nobody_is_taken_while_a_suppression_may_be_missing(cli: Any, deployed: Path) -> None:
    """A table that cannot be read stops the people of all others; a row with a bad id still closes its address."""
    files = klaviyo(deployed)
    Path("suppressed profiles.csv").write_bytes(KLAVIYO_SUPPRESSED.encode("utf-16"))
    Path("all.csv").write_text(KLAVIYO.replace(",c-2,", f",{'x' * 600},"))
    done = cli("import", "klaviyo", *files, "--topic", "promotions")
    assert done.code == 2 and "suppressed profiles.csv cannot be read" in done.err
    with installation(Path(".")) as place:
        assert not place.store.export_page("customers", "", 10).rows
        assert ("email", "ben@example.com") in place.store.suppressions()


def test_entries_that_share_their_bytes_are_measured_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "RATIO_FREE", 1 << 20)
    with zipfile.ZipFile(tmp_path / "shared.zip", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("subscribed.csv", os.urandom(1_000) * 100)
        file.filelist.extend(file.filelist * 400)
    with pytest.raises(UsageError, match="the whole unpacks to more than"):
        list(archives.tables_in([tmp_path / "shared.zip"], tmp_path))
