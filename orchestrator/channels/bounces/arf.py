"""Complaints as mailbox providers report them (RFC 5965, and RFC 6430, 6591 for their kinds)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from orchestrator.channels.bounces.reading import Mail, address_in, blocks_of, fields_of

TYPE: Final = "message/feedback-report"
_COMPLAINTS: Final = ("abuse", "fraud", "virus", "opt-out", "opt-out-list", "miscategorized", "other", "")
"""`not-spam` is none, and a failed authentication says nothing about a reader."""


_subject = re.compile(r"(?i)^(?:complaint about message from|e-?mail feedback report)").match
"""Outlook.com's Junk Mail Reporting Program sends the mail alone, under such a subject."""


class Complaint(NamedTuple):
    """What a feedback report says: its kind, whether a reader complained by it, and of whom it is, where it says so."""

    kind: str
    complains: bool
    address: str | None


def complaint_of(mail: Mail) -> Complaint | None:
    """The feedback report of a mail; None: it has none."""
    for part in mail.parts:
        if part.type == TYPE:
            fields = blocks_of(part.text)
            merged = {name: value for block in reversed(fields) for name, value in block.items()}
            kind = merged.get("feedback-type", "").strip().lower()
            removed = merged.get("removal-recipient") or merged.get("original-rcpt-to")
            return Complaint(kind, kind in _COMPLAINTS, address_in(removed or "") or _reader(mail))
    returned = any(part.type == "text/rfc822-headers" for part in mail.parts)
    if returned and _subject(mail.header("subject")):
        return Complaint("abuse", True, _reader(mail))
    return None


def _reader(mail: Mail) -> str | None:
    """To whom the mail went of which somebody complains."""
    for part in mail.parts:
        if part.type in ("text/rfc822-headers", "message/rfc822"):
            fields = fields_of(part.text)
            return address_in(fields.get("x-hmxmroriginalrecipient") or fields.get("to", ""))
    return None
