"""`orchestrator groups`: companies, accounts, households, and who is in them."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from orchestrator.cli.arguments import one_of
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.stores.protocol_groups import Group
    from orchestrator.wiring.installation import Installation

DESCRIPTION = """Groups that customers belong to: companies, accounts, households, as calls of `group` and the API
tell of them. `list` all (those behind --after, whose ids begin with --prefix), `show` one with its traits and its size,
its `members`."""
EXAMPLES = """
orchestrator groups list --prefix acme
orchestrator groups show acme
orchestrator groups members acme --limit 1000
"""
ACTIONS = ("list", "show", "members")
MOST = 50


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """list, show GROUP, members GROUP."""
    parser.add_argument("action", metavar="|".join(ACTIONS), type=one_of(*ACTIONS), help="what to do")
    parser.add_argument("what", metavar="GROUP", nargs="?", help="a group's id")
    parser.add_argument("--prefix", metavar="P", default="", help="list: ids that begin so")
    parser.add_argument("--limit", metavar="N", type=int, default=MOST, help=f"so many (default: {MOST})")
    parser.add_argument("--after", metavar="PLACE", default="", help="those behind this one")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Does it."""
    from orchestrator.wiring.installation import installation

    if (args.action == "list") != (args.what is None):
        raise UsageError(f"`groups {args.action}` takes {'no id' if args.what else 'the id of a GROUP'}", "no_name")
    if args.limit < 1:
        raise UsageError("--limit takes a number from 1", "bad_limit")
    with installation(args.project, args.database, args.broker) as place:
        place.adopt()
        does = {"list": _list, "show": _show, "members": _members}
        return does[args.action](place, args, terminal)


def _told(group: Group) -> dict[str, Any]:
    from orchestrator.core.time.iso import format_instant
    from orchestrator.core.transition import jsonable

    return {"group": group.id, "traits": jsonable(dict(group.traits)), "changed_at": format_instant(group.changed_at)}


def _named(place: Installation, id: str) -> Group:
    found = place.store.group(id)
    if found is None:
        raise UsageError(f"nobody told of a group '{id}'; `orchestrator groups list` shows all", "unknown_group")
    return found


def _list(place: Installation, args: argparse.Namespace, terminal: Terminal) -> int:
    found = place.store.groups(args.prefix, args.after, args.limit + 1)
    rows = [_told(group) for group in found[: args.limit]]
    following = rows[-1]["group"] if len(found) > args.limit else None
    terminal.data({"groups": rows, "after": following})
    for row in rows:
        traits = ", ".join(f"{name}: {value}" for name, value in row["traits"].items())
        terminal.say(f"{row['group']:<28} {traits}")
    if not rows:
        terminal.say("there are no groups")
    if following is not None:
        terminal.say(f"and more: --after {following}")
    return 0


def _show(place: Installation, args: argparse.Namespace, terminal: Terminal) -> int:
    group = _named(place, args.what)
    count = place.store.group_size(group.id)
    told = {**_told(group), "members": count}
    terminal.data(told)
    terminal.say(f"{group.id}: {number_of(count, 'member')}, last changed {told['changed_at']}")
    for name, value in told["traits"].items():
        terminal.say(f"  {name:<24} {value}")
    if group.telling:
        terminal.say("some members have yet to hear of the last change")
    return 0


def _members(place: Installation, args: argparse.Namespace, terminal: Terminal) -> int:
    from orchestrator.core.time.iso import format_instant

    group = _named(place, args.what)
    found = place.store.group_members(group.id, _place(args.after), args.limit + 1)
    rows = [{"customer": m.customer, "joined_at": format_instant(m.joined_at)} for m in found[: args.limit]]
    last = found[args.limit - 1].place if len(found) > args.limit else None
    following = ":".join(map(str, last)) if isinstance(last, tuple) else last
    terminal.data({"group": group.id, "members": rows, "after": following})
    for row in rows:
        terminal.say(f"{row['customer']:<40} {row['joined_at']}")
    if not rows:
        terminal.say("nobody is in it")
    if following is not None:
        terminal.say(f"and more: --after {following}")
    return 0


def _place(text: str) -> tuple[int, int] | None:
    """The place that a listing named as its end."""
    if not text:
        return None
    shard, _, customer = text.partition(":")
    if not (shard.isdecimal() and customer.isdecimal() and len(text) < 30):
        raise UsageError("--after takes what the page before ended with", "bad_place")
    return int(shard), int(customer)
