"""Delivery status notifications (RFC 3464): what a mail server reports of each recipient, in fields."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from orchestrator.channels.bounces.reading import Mail, address_in, blocks_of

TYPES: Final = ("message/delivery-status", "message/global-delivery-status")
MOST_RECIPIENTS: Final = 50
VAGUE: Final = (".0.0", ".1.0")
"""How codes end that say only that something is wrong, or something with an address (RFC 3463): what another server
said in its own words tells more."""

_status = re.compile(r"(?<![\d.])([245])\.(\d{1,3})\.(\d{1,3})(?![\d.])")
_code = re.compile(r"(?<!\d)([45]\d\d)(?=[ \-])")
_xtext = re.compile(r"\+([0-9A-F]{2})")
_final = re.compile(r"(?im)^final-recipient[ \t]*:")
_gap = re.compile(r"\n[ \t]*\r?\n")
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


def envelope_ids_of(mail: Mail) -> Sequence[str]:
    """What the sender called the message when it was handed over (the ENVID of RFC 3461), decoded."""
    found = (blocks_of(part.text[:4_000])[:1] for part in mail.parts if part.type in TYPES)
    ids = (fields.get("original-envelope-id", "") for blocks in found for fields in blocks)
    return [_xtext.sub(lambda match: chr(int(match[1], 16)), id.strip()) for id in ids if id][:5]


def status_in(text: str) -> str | None:
    """The enhanced status code that stands in a text: that of a failure rather than one that says nothing."""
    codes = [".".join(match) for match in _status.findall(text[:4_000])]
    telling = [code for code in codes if not code.endswith(VAGUE) and code[0] != "2"]
    return telling[0] if telling else codes[0] if codes else None


def code_in(text: str) -> str | None:
    """The reply code of SMTP (4xx, 5xx) that stands in a text."""
    match = _code.search(text[:4_000])
    return match[1] if match else None


def _each_recipient(text: str) -> Sequence[str]:
    """The text, cut where a recipient begins without an empty line before it, as AOL wrote it: where a group of fields
    names a second one."""
    cuts = [0]
    for before, match in pairwise(_final.finditer(text)):
        if not _gap.search(text, before.end(), match.start()):
            cuts.append(match.start())
    return [text[begin:end] for begin, end in pairwise([*cuts, len(text)])]


def _recipients(text: str) -> list[Recipient]:
    found = []
    for fields in (fields for block in _each_recipient(text) for fields in blocks_of(block)):
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
    if own is None or (said is not None and own.endswith(VAGUE) and not said.endswith(".0.0")):
        return said or own
    return own
