"""Delivery status notifications (RFC 3464): what a mail server reports of each recipient, in fields."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from orchestrator.channels.bounces.reading import Mail, address_in, blocks_of

TYPES: Final = ("message/delivery-status", "message/global-delivery-status")
MOST_RECIPIENTS: Final = 50

_status = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_code = re.compile(r"(?<!\d)([45]\d\d)(?=[ \-])")
_looks_so = re.compile(r"(?im)^(?:final|original)-recipient[ \t]*:")


class Recipient(NamedTuple):
    """What a report says of one recipient. `action`: failed, delayed, delivered, relayed, expanded, or empty; `status`:
    an enhanced code, or None; `words`: the diagnostic text."""

    address: str | None
    original: str | None
    action: str
    status: str | None
    words: str


def recipients_of(mail: Mail) -> Sequence[Recipient]:
    """Every recipient that the mail reports of in fields; empty: it has no report."""
    found: list[Recipient] = []
    for part in mail.parts:
        if part.type in TYPES or (part.type.startswith("text/") and _looks_so.search(part.text)):
            found += _recipients(part.text)
        if len(found) >= MOST_RECIPIENTS:
            break
    return tuple(dict.fromkeys(found[:MOST_RECIPIENTS]))


def status_in(text: str) -> str | None:
    """The enhanced status code that stands in a text: that of a failure rather than one that says nothing."""
    codes = [".".join(match) for match in _status.findall(text[:4_000])]
    telling = [code for code in codes if not code.endswith(".0.0") and code[0] != "2"]
    return telling[0] if telling else codes[0] if codes else None


def code_in(text: str) -> str | None:
    """The reply code of SMTP (4xx, 5xx) that stands in a text."""
    match = _code.search(text[:4_000])
    return match[1] if match else None


def _recipients(text: str) -> list[Recipient]:
    found = []
    for fields in blocks_of(text):
        final, original = fields.get("final-recipient"), fields.get("original-recipient")
        if final is None and original is None and "action" not in fields:
            continue
        diagnostic = " ".join(
            fields.get(name, "") for name in ("diagnostic-code", "x-supplementary-info", "x-smtp-reply-text")
        ).strip()
        action = re.split(r"[^a-z]", fields.get("action", "").strip().lower(), maxsplit=1)[0]
        found.append(
            Recipient(
                address_in(final or original or ""),
                address_in(original) if original else None,
                action,
                _best_status(fields.get("status", ""), diagnostic),
                diagnostic,
            )
        )
    return found


def _best_status(field: str, diagnostic: str) -> str | None:
    """The field's code, unless the other server's own words hold one that says more."""
    own, said = status_in(field), status_in(diagnostic)
    if own is None or (said is not None and (own.endswith(".0.0") or own in ("5.0.0", "4.0.0"))):
        return said or own
    return own
