"""`orchestrator suppressions`: whom nothing may be written to, and why."""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from orchestrator.cli.arguments import one_of
from orchestrator.cli.confirming import confirmed
from orchestrator.cli.deploying import actor
from orchestrator.cli.import_suppressions import CAUSES, CHANNELS, inert
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.terminal import Terminal
from orchestrator.core.plus_addresses import unmarked
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.core.addresses import Address
    from orchestrator.stores.protocol import Store, Suppressed
    from orchestrator.wiring.installation import Installation

DESCRIPTION = """The suppression list: addresses that nothing may be written to, whoever has them. Causes: `bounced`
(there is no such mailbox), `suppressed` and `stopped` (STOP was answered) end every message; `complained` and
`opted_out` all but transactional ones. Hard bounces, complaints and STOP put addresses here by themselves. Spellings
of one mailbox share an entry: case, look-alike letters, international domains, and what stands behind a plus (unless
the project says `plus_addresses: apart`: then a cause such as `bounced+5be0f1a2` is about one of its addresses).
Entries of people who were erased are hashed: they work, and name nobody. `import` reads the exports of Klaviyo, Braze,
Mailchimp and SendGrid as they are, and never lifts anything."""
EXAMPLES = """
orchestrator suppressions list --cause complained
orchestrator suppressions add ana@example.com --cause opted_out
orchestrator suppressions add +351912345678 --channel sms
orchestrator suppressions remove ana@example.com
orchestrator suppressions import sendgrid-bounces.csv
orchestrator suppressions export suppressions.csv
"""
ACTIONS = ("list", "add", "remove", "import", "export")
MOST = 50
PAGE = 5_000
COLUMNS = ("channel", "address", "cause", "at")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """list, add ADDRESS, remove ADDRESS, import FILE, export [FILE]."""
    parser.add_argument("action", metavar="|".join(ACTIONS), type=one_of(*ACTIONS), help="what to do")
    parser.add_argument("what", metavar="ADDRESS|FILE", nargs="?", help="an address, or a table")
    parser.add_argument("--channel", metavar="C", type=one_of(*CHANNELS), help="default: email, or sms for a number")
    parser.add_argument("--cause", metavar="WHY", type=one_of(*CAUSES), help="default of `add`: suppressed")
    parser.add_argument("--limit", metavar="N", type=int, default=MOST, help=f"how many to list (default: {MOST})")
    parser.add_argument("--yes", action="store_true", help="remove without asking")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Does it."""
    from orchestrator.wiring.installation import installation

    if args.action in ("add", "remove", "import") and not args.what:
        raise UsageError(
            f"`suppressions {args.action}` takes {'a FILE' if args.action == 'import' else 'an ADDRESS'}", "no_address"
        )
    if args.action == "list" and (args.what or args.limit < 1):
        raise UsageError(
            "`suppressions list` takes --channel, --cause and --limit from 1, and no other words", "no_ids"
        )
    if args.action == "import":
        return _import(args, terminal)
    with installation(args.project, args.database, args.broker) as place:
        return {"list": _list, "add": _add, "remove": _remove, "export": _export}[args.action](place, args, terminal)


def _import(args: argparse.Namespace, terminal: Terminal) -> int:
    from orchestrator.cli import importing

    args.kind, args.file, args.mapping, args.trigger = "suppressions", Path(args.what), None, False
    return importing.import_table(args, terminal)


def _list(place: Installation, args: argparse.Namespace, terminal: Terminal) -> int:
    shown: list[Suppressed] = []
    counts: Counter[tuple[str, str]] = Counter()
    for entry in _entries(place.store, args):
        counts[entry.channel, unmarked(entry.cause)] += 1
        if len(shown) < args.limit:
            shown.append(entry)
    terminal.data(
        {
            "entries": [{**entry._asdict(), "at": entry.at.isoformat()} for entry in shown],
            "counts": [{"channel": c, "cause": cause, "count": n} for (c, cause), n in sorted(counts.items())],
        }
    )
    for entry in shown:
        address = entry.address if not entry.channel.startswith("#") else f"{entry.address[:12]}… (hashed)"
        terminal.say(f"{entry.channel.lstrip('#'):<9} {address:<40} {entry.cause:<19} {entry.at:%Y-%m-%d}")
    total = counts.total()
    if total > len(shown):
        terminal.say(f"and {number_of(total - len(shown), 'entry', 'entries')} more; --limit shows more of them")
    for (channel, cause), count in sorted(counts.items()):
        terminal.detail(f"{channel} {cause}: {count:,}")
    if not total:
        terminal.say("nothing is suppressed")
    return 0


def _add(place: Installation, args: argparse.Namespace, terminal: Terminal) -> int:
    from orchestrator.core.plus_addresses import put_as, told_of
    from orchestrator.runtime.plus_addresses import kept_apart
    from orchestrator.wiring.installation import real_now

    channel, address = _place(args)
    cause, apart = args.cause or "suppressed", kept_apart(place.store)
    normal = told_of(channel, address, apart)
    put = put_as(cause, channel, address.text, apart, place.store.salt)
    known = put in place.store.suppressions().get((channel, address.normal), frozenset())
    if not known:
        place.store.suppress([(channel, address.normal, put)], place.journey_now())
        place.store.audit(real_now(), actor(), "suppress", f"{channel} {normal}: {cause}")
    terminal.data({"channel": channel, "address": normal, "cause": cause, "known": known})
    terminal.say(f"{normal} {'was' if known else 'is'} suppressed on {channel}{' already' if known else ''} ({cause})")
    return 0


def _remove(place: Installation, args: argparse.Namespace, terminal: Terminal) -> int:
    from orchestrator.core.plus_addresses import is_of_all, reasons, told_of
    from orchestrator.runtime.bounces import lift_suppressions
    from orchestrator.runtime.plus_addresses import kept_apart
    from orchestrator.wiring.installation import real_now

    channel, address = _place(args)
    apart = kept_apart(place.store)
    normal = told_of(channel, address, apart)
    known = place.store.suppressions().get((channel, address.normal), frozenset())
    causes = sorted(reasons(known, channel, address.text, apart, place.store.salt))
    others = " The other addresses of its mailbox are opened, too." if apart and is_of_all(known, channel) else ""
    question = f"Write to {normal} on {channel} again? It is suppressed as {', '.join(causes)}.{others}"
    if causes and not confirmed(question, args.yes, terminal):
        terminal.note("nothing was removed")
        return 0
    if causes:
        lift_suppressions(place.store, channel, address.text)
        place.store.audit(real_now(), actor(), "unsuppress", f"{channel} {normal}: {', '.join(causes)}")
    terminal.data({"channel": channel, "address": normal, "removed": causes})
    terminal.say(f"{normal} is not suppressed on {channel}{' any more' if causes else ''}")
    return 0


def _export(place: Installation, args: argparse.Namespace, terminal: Terminal) -> int:
    from orchestrator.wiring.installation import real_now

    if args.what is None:
        count = _write(place.store, args, terminal.out)
        place.store.audit(real_now(), actor(), "suppressions export", f"{count} entries to stdout")
        return 0
    path = Path(args.what)
    with path.open("w", encoding="utf-8", newline="") as file:
        count = _write(place.store, args, file)
    place.store.audit(real_now(), actor(), "suppressions export", f"{count} entries to {path}")
    terminal.data({"file": str(path), "entries": count})
    terminal.say(f"{number_of(count, 'entry', 'entries')} in {path}")
    return 0


def _write(store: Store, args: argparse.Namespace, file: IO[str]) -> int:
    writer, count = csv.writer(file, lineterminator="\n"), 0
    writer.writerow(COLUMNS)
    for entry in _entries(store, args):
        writer.writerow([entry.channel, inert(entry.channel, entry.address), entry.cause, entry.at.isoformat()])
        count += 1
    return count


def _entries(store: Store, args: argparse.Namespace) -> Iterator[Suppressed]:
    after = ("", "", "")
    while page := store.suppressed(after, PAGE):
        for entry in page:
            if args.channel in (None, entry.channel.lstrip("#")) and args.cause in (None, unmarked(entry.cause)):
                yield entry
        after = (page[-1].channel, page[-1].address, page[-1].cause)


def _place(args: argparse.Namespace) -> tuple[str, Address]:
    """The channel, and the address. Raises UsageError."""
    from orchestrator.core.addresses import stored_address

    text = str(args.what).strip()
    channel = args.channel or ("sms" if text.startswith("+") else "email")
    found = stored_address(channel, text, None)
    if found is None:
        example = "ana@example.com" if channel == "email" else "+351912345678"
        raise UsageError(f"'{text[:80]}' is no address on {channel}; expected one such as {example}", "bad_address")
    return channel, found
