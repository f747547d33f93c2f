"""Calendar files as RFC 5545 wants them, and what goes with a message."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.templating.assets import asset_of
from orchestrator.templating.attaching import About, attached, with_inline_pictures
from orchestrator.templating.calendar import ics_of, read_event
from orchestrator.templating.failure import ValueRefused

LISBON = ZoneInfo("Europe/Lisbon")
AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
ABOUT = About("e1.welcome@example.com", 7, "Europe/Lisbon", "Harbour <hello@example.com>", "ana@example.com", AT)


def ics(**given_: str) -> str:
    event = read_event({"title": "Stay", **given_}, LISBON, "u1", 3, "Harbour <hello@example.com>", "ana@example.com")
    return ics_of(event, AT).decode()


def lines(text: str) -> dict[str, str]:
    unfolded = text.replace("\r\n ", "")
    return dict(line.split(":", 1) for line in unfolded.split("\r\n") if line)


def test_an_appointment_is_written_in_utc() -> None:
    found = lines(ics(start="2026-07-01T15:00", end="2026-07-03T12:00:00+02:00", location="1 Harbour Road, Lisbon"))
    assert (found["DTSTART"], found["DTEND"]) == ("20260701T140000Z", "20260703T100000Z")  # summer time in Lisbon
    assert found["LOCATION"] == "1 Harbour Road\\, Lisbon"
    assert (found["UID"], found["SEQUENCE"], found["METHOD"]) == ("u1", "3", "PUBLISH")
    assert found["DTSTAMP"] == "20260302T100000Z" and "ATTENDEE" not in str(found)


def test_dates_are_whole_days_to_the_last() -> None:
    found = lines(ics(start="2026-12-31", end="2027-01-01"))
    assert (found["DTSTART;VALUE=DATE"], found["DTEND;VALUE=DATE"]) == ("20261231", "20270102")
    alone = lines(ics(start="2026-12-31"))
    assert alone["DTEND;VALUE=DATE"] == "20270101"


def test_an_invitation_and_its_end() -> None:
    asked = ics(start="2026-07-01T15:00", method="request").replace("\r\n ", "")
    assert "METHOD:REQUEST\r\n" in asked and "\r\nORGANIZER:mailto:hello@example.com\r\n" in asked
    assert "RSVP=TRUE:mailto:ana@example.com\r\n" in asked
    assert "STATUS:CANCELLED" in ics(start="2026-07-01T15:00", method="cancel")


@pytest.mark.parametrize(
    "given_",
    [{"start": ""}, {"start": "tomorrow"}, {"start": "2026-02-30"}, {"start": "2026-07-01", "end": "2026-06-30"},
     {"start": "2026-07-01", "end": "2026-07-02T10:00"}, {"start": "2026-07-01", "title": " "},
     {"start": "2026-07-01", "method": "refresh"}, {"start": "2026-07-01", "url": "javascript:alert(1)"},
     {"start": "9999-12-31T23:59:59-12:00"}, {"start": "9999-12-31"}, {"start": "2026-07-01", "end": "9999-12-31"},
     {"start": "9999-12-31T23:30"}, {"start": "0001-01-01"}, {"start": "1899-12-31T23:00"}],
)  # fmt: skip
def test_what_is_no_appointment_stops_the_message(given_: dict[str, str]) -> None:
    with pytest.raises(ValueRefused, match="calendar"):
        ics(**given_)


@settings(max_examples=150, deadline=None)
@given(
    start=st.datetimes().map(str) | st.dates().map(str) | st.text(max_size=12),
    end=st.just("") | st.datetimes().map(str) | st.dates().map(str),
)
def test_any_instants_make_a_file_with_whole_dates_or_are_refused(start: str, end: str) -> None:
    try:
        found = lines(ics(start=start, end=end))
    except ValueRefused:
        return
    for name in ("DTSTART", "DTEND", "DTSTART;VALUE=DATE", "DTEND;VALUE=DATE"):
        assert re.fullmatch(r"(?:19|[2-9]\d)\d\d\d{4}(?:T\d{6}Z)?", found.get(name, "20260101")), found


@settings(max_examples=150, deadline=None)
@given(title=st.text(min_size=1, max_size=200).filter(str.strip), description=st.text(max_size=400))
def test_no_text_adds_a_line_and_lines_are_short(title: str, description: str) -> None:
    texts = {"start": "2026-07-01", "title": title, "description": description}
    made = ics_of(read_event(texts, LISBON, "u", 0, "", ""), AT)
    for line in made.split(b"\r\n"):
        assert len(line) <= 75
        line.decode()  # never cut inside a character
    unfolded = made.decode().replace("\r\n ", "")
    names = [re.split("[:;]", line)[0] for line in unfolded.split("\r\n") if line]
    assert names.count("SUMMARY") == names.count("BEGIN") - 1 == 1
    assert set(names) <= {"BEGIN", "VERSION", "PRODID", "CALSCALE", "METHOD", "UID", "SEQUENCE", "DTSTAMP", "DTSTART",
                          "DTEND", "SUMMARY", "STATUS", "TRANSP", "DESCRIPTION", "END"}  # fmt: skip


# --- what goes with a message ----------------------------------------------------------------------------------------

PDF = asset_of("docs/terms.pdf", b"%PDF-1.7")
PNG = asset_of("logo.png", b"\x89PNG")
FILES = {asset.name: asset for asset in (PDF, PNG)}


def test_the_templates_files_come_first_and_then_the_steps() -> None:
    fields = [("images", "inline"), ("attachments.0.file", "templates/assets/docs/terms.pdf"),
              ("attachments.1.calendar.start", "2026-07-01"), ("attachments.1.calendar.title", "Stay")]  # fmt: skip
    frozen = ["logo.png", {"start": "2026-07-05T10:00", "title": "Spa"}]
    files = attached(fields, frozen, FILES.get, ABOUT)
    assert [file.name for file in files] == ["terms.pdf", "invite.ics", "logo.png", "invite-2.ics"]
    assert files[1].media_type == "text/calendar; charset=utf-8; method=PUBLISH"
    uids = [lines(file.data.decode())["UID"] for file in files if file.name.endswith(".ics")]
    assert uids == ["e1.welcome@example.com", "e1.welcome@example.com.1"]
    assert attached(fields, frozen, FILES.get, ABOUT) == files
    assert attached([], None, FILES.get, ABOUT) == []


def test_a_file_that_is_gone_stops_the_message() -> None:
    with pytest.raises(ValueRefused, match="not there any more"):
        attached([], ["gone.pdf"], FILES.get, ABOUT)
    with pytest.raises(ValueRefused, match="10,000,000"):
        attached([], ["big.pdf"] * 2, lambda name: asset_of("big.pdf", b"0" * 6_000_000), ABOUT)


def test_pictures_travel_in_the_message_and_documents_do_not() -> None:
    html = '<img src="https://m/assets/logo.png"><a href="https://m/assets/docs/terms.pdf">x</a>'
    made, pictures = with_inline_pictures(html, [PDF, PNG], lambda asset: f"https://m/assets/{asset.name}")
    [picture] = pictures
    assert made == html.replace("https://m/assets/logo.png", f"cid:{picture.content_id}")
    assert (picture.name, picture.data) == ("logo.png", b"\x89PNG")
