"""`orchestrator messages`: list messages that came to a bad end, and send them again."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from orchestrator.cli.arguments import one_of
from orchestrator.cli.deploying import actor
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.stores.protocol import DeadLetter
    from orchestrator.wiring.installation import Installation

DESCRIPTION = """List the messages that came to a bad end: those that their provider refused for good (rejected), after
a day of tries where it said to come again, and those of which nobody knows whether they arrived (unknown). Or send some
of them again, once the cause is mended: each is checked as if it were new (consent, suppressions, validity) before it
goes. Who is sent an `unknown` one again may get it twice."""
EXAMPLES = """
orchestrator messages list
orchestrator messages list --status unknown --limit 500 --json
orchestrator messages retry 767fcc93cd7a2d7a.email_1.1
orchestrator messages retry --all --status rejected
"""
STATUSES = ("rejected", "unknown")
MOST = 50
MOST_AT_ONCE = 10_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """list, retry ID..."""
    parser.add_argument("action", metavar="list|retry", type=one_of("list", "retry"), help="what to do")
    parser.add_argument("ids", metavar="ID", nargs="*", help="messages to send again")
    parser.add_argument("--status", metavar="S", type=one_of(*STATUSES), help="only rejected or unknown ones")
    parser.add_argument("--limit", metavar="N", type=int, default=None, help=f"how many to list (default: {MOST})")
    parser.add_argument("--all", action="store_true", help="send all of them again (of a status)")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Lists or sends again."""
    from orchestrator.wiring.installation import installation

    if args.limit is not None and args.limit < 1:
        raise UsageError(f"--limit is {args.limit}; expected a number from 1", "bad_limit")
    with installation(args.project, args.database, args.broker) as place:
        return _list(place, args, terminal) if args.action == "list" else _retry(place, args, terminal)


def _list(place: Installation, args: argparse.Namespace, terminal: Terminal) -> int:
    if args.ids:
        raise UsageError("`messages list` takes no ids; `orchestrator customer show ID` lists a customer's", "no_ids")
    limit = args.limit or MOST
    letters = place.store.dead_letters(limit, args.status)
    terminal.data([_as_dict(letter) for letter in letters])
    for letter in letters:
        row = letter.message.row
        terminal.say(
            f"{letter.at:%Y-%m-%d %H:%M}Z  {letter.message.status:<8}  {row.channel:<8}  {row.customer_id}  {row.id}"
            f"  {letter.reason}"
        )
    if not letters:
        terminal.say("no message came to a bad end")
    elif len(letters) == limit:
        terminal.note(f"these are the latest {limit}; --limit shows more")
    return 0


def _retry(place: Installation, args: argparse.Namespace, terminal: Terminal) -> int:
    from orchestrator.runtime.dead_letters import send_again
    from orchestrator.wiring.installation import real_now

    if args.all == bool(args.ids):
        raise UsageError("say which: the messages' ids, or --all; `orchestrator messages list` shows them", "no_ids")
    ids = list(dict.fromkeys(args.ids))
    if args.all:
        ids = [d.message.row.id for d in place.store.dead_letters(args.limit or MOST_AT_ONCE, args.status)][::-1]
    now, sent, refused = place.journey_now(), [], {}
    for id in ids:
        try:
            if send_again(place.store, id, now):
                sent.append(id)
            else:
                refused[id] = "no message of this id came to a bad end; `orchestrator messages list` shows them"
        except UsageError as error:
            refused[id] = str(error)
    if sent:
        place.store.audit(real_now(), actor(), "messages retry", " ".join(sent)[:2_000])
    terminal.data({"queued": sent, "refused": refused})
    for id, why in refused.items():
        terminal.note(why if why.startswith(id) else f"{id}: {why}")
    terminal.say(f"{number_of(len(sent), 'message')} queued again")
    return 1 if refused else 0


def _as_dict(letter: DeadLetter) -> dict[str, Any]:
    row = letter.message.row
    return {
        "id": row.id,
        "at": letter.at.isoformat().replace("+00:00", "Z"),
        "status": letter.message.status,
        "reason": letter.reason,
        "customer": row.customer_id,
        "journey": row.journey,
        "step": row.step,
        "channel": row.channel,
        "to": row.to,
    }
