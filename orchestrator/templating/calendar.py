"""An appointment as a calendar file (iCalendar, RFC 5545), so that a stay or a visit stands in the reader's calendar.

Instants are written in UTC, which means the same in every calendar and needs no table of zones; dates without a time
are whole days. The UID stays the same for the same enrollment and step, and SEQUENCE grows from message to message: a
later one takes the place of an earlier one.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from orchestrator.templating.failure import ValueRefused

FIELDS: Final = ("start", "end", "title", "location", "description", "url", "uid", "method")
METHODS: Final = ("publish", "request", "cancel")
"""publish: it can be added (default). request: an invitation that can be answered. cancel: it does not take place."""
DEFAULT_LENGTH: Final = timedelta(hours=1)
LONGEST_TEXT: Final = 4_000
FIRST_YEAR, LAST_YEAR = 1900, 9998
"""What calendars take: before it years lack a digit, behind it there is no next day to end with."""
_url = re.compile(r"https?://[!-~]{1,1000}").fullmatch
_control = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_address = re.compile(r"<([^<>\s]+)>\s*$")


class Event(NamedTuple):
    """What the file says. `start` and `end` are aware instants, or days, of which `end` is the last."""

    uid: str
    sequence: int
    start: datetime | date
    end: datetime | date
    title: str
    location: str = ""
    description: str = ""
    url: str = ""
    method: str = "publish"
    organizer: str = ""
    attendee: str = ""


def read_moment(text: str, zone: ZoneInfo, field: str) -> datetime | date:
    """An instant, or a day where there is no time of day. Without a zone of its own it is in `zone`. Raises
    ValueRefused."""
    text = text.strip()
    try:
        found: datetime | date = date.fromisoformat(text) if len(text) <= 10 else datetime.fromisoformat(text)
        if isinstance(found, datetime):
            found = (found if found.tzinfo is not None else found.replace(tzinfo=zone)).astimezone(UTC)
        if not FIRST_YEAR <= found.year <= LAST_YEAR:
            raise ValueError
        return found
    except (ValueError, OverflowError):
        raise ValueRefused(
            f"calendar: {field} is {text[:40]!r}; expected an instant such as 2026-03-01T15:00, or a date, "
            f"of the years from {FIRST_YEAR} to {LAST_YEAR}"
        ) from None


def read_event(given: dict[str, str], zone: ZoneInfo, uid: str, sequence: int, organizer: str, attendee: str) -> Event:
    """An event from rendered texts by the names of FIELDS. Raises ValueRefused."""
    start = read_moment(given.get("start", ""), zone, "start")
    if given.get("end", "").strip():
        end = read_moment(given["end"], zone, "end")
    else:
        end = start + DEFAULT_LENGTH if isinstance(start, datetime) else start
    if isinstance(start, datetime) != isinstance(end, datetime):
        raise ValueRefused("calendar: start and end are either both dates, or both have a time of day")
    if end < start:
        raise ValueRefused("calendar: end lies before start")
    method = given.get("method", "").strip().lower() or "publish"
    if method not in METHODS:
        raise ValueRefused(f"calendar: method is {method[:20]!r}; expected one of {', '.join(METHODS)}")
    title = given.get("title", "").strip()
    if not title:
        raise ValueRefused("calendar: it has no title")
    url = given.get("url", "").strip()
    if url and not _url(url):
        raise ValueRefused("calendar: url is no address such as https://example.com/booking")
    location, description = given.get("location", "").strip(), given.get("description", "").strip()
    return Event(
        uid, sequence, start, end, title, location, description, url, method, _bare(organizer), _bare(attendee)
    )


def _bare(line: str) -> str:
    found = _address.search(line)
    address = (found[1] if found else line).strip()
    return address if re.fullmatch(r"[!#-)+-9<=>@-~]+@[A-Za-z0-9.-]+", address) else ""


def ics_of(event: Event, made_at: datetime) -> bytes:
    """The file's bytes, the same for the same event and instant."""
    method = event.method.upper()
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Orchestrator//Orchestrator//EN",
        "CALSCALE:GREGORIAN",
        f"METHOD:{method}",
        "BEGIN:VEVENT",
        f"UID:{_text(event.uid)}",
        f"SEQUENCE:{event.sequence}",
        f"DTSTAMP:{_utc(made_at)}",
        *_span(event),
        f"SUMMARY:{_text(event.title)}",
        f"STATUS:{'CANCELLED' if method == 'CANCEL' else 'CONFIRMED'}",
        "TRANSP:OPAQUE" if isinstance(event.start, datetime) else "TRANSP:TRANSPARENT",
    ]
    if event.location:
        lines.append(f"LOCATION:{_text(event.location)}")
    if event.description:
        lines.append(f"DESCRIPTION:{_text(event.description)}")
    if event.url:
        lines.append(f"URL:{event.url}")
    if event.organizer and method != "PUBLISH":
        lines.append(f"ORGANIZER:mailto:{event.organizer}")
    if event.attendee and method != "PUBLISH":  # a file that is only published names no guests
        lines.append(f"ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:{event.attendee}")
    lines += ["END:VEVENT", "END:VCALENDAR"]
    return "".join(f"{_folded(line)}\r\n" for line in lines).encode()


def _span(event: Event) -> list[str]:
    if isinstance(event.start, datetime):
        assert isinstance(event.end, datetime)
        return [f"DTSTART:{_utc(event.start)}", f"DTEND:{_utc(event.end)}"]
    after = event.end + timedelta(days=1)  # DTEND is the first moment that does not belong to it
    return [f"DTSTART;VALUE=DATE:{event.start:%Y%m%d}", f"DTEND;VALUE=DATE:{after:%Y%m%d}"]


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def _text(value: str) -> str:
    """RFC 5545, section 3.3.11."""
    kept = _control.sub("", value.replace("\r\n", "\n").replace("\r", "\n"))[:LONGEST_TEXT]
    return kept.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def _folded(line: str) -> str:
    """Lines of at most 75 octets, cut between characters (section 3.1)."""
    if len(line.encode()) <= 75:
        return line
    parts, part, size = [], "", 0
    for character in line:
        width = len(character.encode())
        if size + width > 75:
            parts.append(part)
            part, size = "", 1  # the blank that begins each line but the first
        part += character
        size += width
    return "\r\n ".join([*parts, part])
