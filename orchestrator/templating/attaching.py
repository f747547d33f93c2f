"""The files that go with a message: those of its template and step, calendar files, and pictures shown inside it.

What a template's front matter says travels among its rendered fields, as `attachments.0.file` or
`attachments.1.calendar.start`; what a step says is frozen in the row (core.ledger.ATTACHMENTS) in the same words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from orchestrator.core.time.zones import zone_or_none
from orchestrator.templating.assets import FOLDER, Asset
from orchestrator.templating.calendar import ics_of, read_event
from orchestrator.templating.failure import ValueRefused

KEY: Final = "attachments"
IMAGES: Final = "images"
INLINE: Final = "inline"
PICTURES: Final = (INLINE, "linked")
MOST_BYTES: Final = 10_000_000
"""Of all files of a message."""
MOST_FILES: Final = 10
_place = re.compile(r"attachments\.(\d+)\.(file|calendar)(?:\.([a-z_]+))?").fullmatch


class File(NamedTuple):
    """A file as it is attached. `content_id`: a picture that the HTML shows."""

    name: str
    media_type: str
    data: bytes
    content_id: str | None = None


class About(NamedTuple):
    """What calendar files know of their message. `uid` names the enrollment and step, `sequence` grows."""

    uid: str
    sequence: int
    zone: str
    sender: str
    to: str
    at: datetime


def is_attaching(key: str) -> bool:
    """Whether a rendered field is ours and not the provider's."""
    return key == IMAGES or key.startswith(f"{KEY}.")


def attached(
    fields: Iterable[tuple[str, str]], frozen: object, find: Callable[[str], Asset | None], about: About
) -> list[File]:
    """The files of a message, the template's first. Raises ValueRefused."""
    files: list[File] = []
    for entry in (*_entries(fields), *_frozen(frozen)):
        if isinstance(entry, str):
            files.append(_file(entry, find))
        else:
            files.append(_calendar(entry, about, sum(file.media_type.startswith("text/calendar") for file in files)))
    if len(files) > MOST_FILES or sum(len(file.data) for file in files) > MOST_BYTES:
        raise ValueRefused(f"a message carries at most {MOST_FILES} files of {MOST_BYTES:,} bytes together")
    return files


def _entries(fields: Iterable[tuple[str, str]]) -> list[str | dict[str, str]]:
    found: dict[int, str | dict[str, str]] = {}
    for key, text in fields:
        place = _place(key)
        if place is None:
            continue
        number = int(place[1])
        if place[2] == "file":
            found[number] = text.strip()
        else:
            inside = found.setdefault(number, {})
            if isinstance(inside, dict) and place[3]:
                inside[place[3]] = text
    return [found[number] for number in sorted(found)]


def _frozen(frozen: object) -> Sequence[str | dict[str, str]]:
    if not isinstance(frozen, (list, tuple)):
        return ()
    return [
        {str(key): str(value) for key, value in entry.items()} if isinstance(entry, Mapping) else str(entry)
        for entry in frozen
    ]


def _file(name: str, find: Callable[[str], Asset | None]) -> File:
    name = name.removeprefix(f"{FOLDER}/").removeprefix("assets/")
    asset = find(name)
    if asset is None:
        raise ValueRefused(f"the attachment {FOLDER}/{name} is not there any more")
    return File(asset.name.rpartition("/")[2], asset.media_type, asset.data)


def _calendar(given: dict[str, str], about: About, before: int) -> File:
    zone = zone_or_none(about.zone) or ZoneInfo("UTC")
    own = given.get("uid", "").strip()
    uid = own or (f"{about.uid}.{before}" if before else about.uid)
    event = read_event(given, zone, uid, about.sequence, about.sender, about.to)
    name = "invite.ics" if not before else f"invite-{before + 1}.ics"
    return File(name, f"text/calendar; charset=utf-8; method={event.method.upper()}", ics_of(event, about.at))


def with_inline_pictures(html: str, assets: Iterable[Asset], url: Callable[[Asset], str]) -> tuple[str, list[File]]:
    """The HTML with the pictures it shows as `cid:`, and these pictures. Documents stay links."""
    pictures: list[File] = []
    for asset in assets:
        address = url(asset)
        if asset.media_type.startswith("image/") and address in html:
            content_id = f"{asset.content_hash[:16]}@assets"
            html = html.replace(address, f"cid:{content_id}")
            pictures.append(File(asset.name.rpartition("/")[2], asset.media_type, asset.data, content_id))
    return html, pictures
