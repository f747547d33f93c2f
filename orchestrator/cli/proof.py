"""`orchestrator proof`: a month's contacts and their basis, and every rule that was broken."""

from __future__ import annotations

import argparse
import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.cli.arguments import one_of
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

DESCRIPTION = """Prove what a month's messages rest on: contacts by topic, channel, class and legal basis, what was not
sent and why, how fast opt-outs took effect, bounces and complaints. Quiet hours, caps, consent and the suppression list
are checked anew against every hand-over, by the rules that are live now. Exits with 1 where one was broken."""
EXAMPLES = """
orchestrator proof --month 2026-03
orchestrator proof --month 2026-03 --html proof-2026-03.html
orchestrator proof --month 2026-03 --html proof-2026-03.html --language zh
orchestrator proof --month 2026-03 --json
"""
_MONTH = re.compile(r"([1-9][0-9]{3})-(0[1-9]|1[0-2])", re.ASCII)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """--month, --html, --language."""
    parser.add_argument("--month", metavar="YYYY-MM", required=True, help="the month, in the project's zone")
    parser.add_argument("--html", metavar="FILE", type=Path, help="write a page to print and to file")
    parser.add_argument(
        "--language", metavar="L", type=one_of("en", "zh"), default="en", help="of the page: en (default) or zh"
    )


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Proves; 1 where something was broken."""
    from orchestrator.insights.proof_page import proof_page
    from orchestrator.insights.proof_text import proof_data, proof_text
    from orchestrator.runtime.proving import prove
    from orchestrator.wiring.installation import installation

    month_of(args.month)  # before anything is opened
    with installation(args.project, args.database, args.broker) as place:
        place.adopt()
        project = place.store.index.project
        proof = prove(place.store, *bounds(args.month, project.timezone))
    if args.html is not None:
        page = proof_page(proof, args.month, project.brand.get("name", ""), args.language)
        args.html.write_text(page, encoding="utf-8")
        terminal.note(f"wrote {args.html}")
    terminal.data(proof_data(proof))
    terminal.say(proof_text(proof, args.month))
    return 1 if proof.broken else 0


def month_of(text: str) -> tuple[int, int]:
    """Year and month. Raises UsageError."""
    found = _MONTH.fullmatch(text)
    if found is None:
        raise UsageError(f"--month is '{text}'; expected a year and a month, such as 2026-03", "bad_month")
    return int(found[1]), int(found[2])


def bounds(text: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first instant of a month in a zone, and the first after it."""
    from orchestrator.core.time.zones import to_utc

    year, month = month_of(text)
    following = (year + 1, 1) if month == 12 else (year, month + 1)
    if following[0] > 9999:
        raise UsageError(f"--month is '{text}', the last of the calendar; expected an earlier one", "bad_month")
    return to_utc(_wall(year, month), zone), to_utc(_wall(*following), zone)


def _wall(year: int, month: int) -> datetime:
    """The local time at which a month begins."""
    return datetime.fromisoformat(f"{year:04}-{month:02}-01T00:00:00")
