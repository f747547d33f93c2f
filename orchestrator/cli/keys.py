"""`orchestrator keys`: keys of the API and of ingest, made, listed, renewed and revoked."""

from __future__ import annotations

import argparse
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from orchestrator.cli.arguments import nearest_word, one_of
from orchestrator.cli.deploying import actor
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.runtime.keys import KeyWanted
    from orchestrator.stores.protocol_api import Key
    from orchestrator.wiring.installation import Installation

DESCRIPTION = """Make keys for `/api/v1` (secret, with scopes) and write keys for `/v1` (they may stand in pages), list
them, renew and revoke them. A key is shown once, when it is made: the database keeps its hash. A running server honours
what changes here within seconds. ORCHESTRATOR_API_KEYS and ORCHESTRATOR_WRITE_KEYS go on beside them: a key there has
every scope, and no limit."""
EXAMPLES = """
orchestrator keys add till --scope coupons:write
orchestrator keys add backend --scope customers:read --scope customers:write --scope events:write --rate 50
orchestrator keys add website --write --source website --rate 200
orchestrator keys list
orchestrator keys rotate k0123456789ab --overlap 7d
orchestrator keys revoke k0123456789ab
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """add NAME, list, revoke ID, rotate ID."""
    actions = one_of("add", "list", "revoke", "rotate")
    parser.add_argument("action", metavar="add|list|revoke|rotate", type=actions, help="what to do")
    parser.add_argument("what", metavar="NAME|ID", nargs="?", help="add: what it is for; else which one")
    parser.add_argument("--scope", metavar="S", action="append", default=[], help="add: what it may do; `all` for all")
    parser.add_argument("--write", action="store_true", help="add: a write key, which sends events and nothing else")
    parser.add_argument("--source", metavar="NAME", help="add: what its events are counted under")
    parser.add_argument("--rate", metavar="N", type=float, help="add: requests (events) a second that it may send")
    parser.add_argument("--expires", metavar="WHEN", help="add: an instant, or a time from now such as 90d")
    parser.add_argument("--overlap", metavar="TIME", default="0s", help="rotate: how long the old one is good for yet")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Does it."""
    from orchestrator.wiring.installation import installation

    if args.action == "list" and args.what is not None:
        raise UsageError("`keys list` takes no other words", "no_ids")
    if args.action != "list" and not args.what:
        raise UsageError(f"`keys {args.action}` takes {'a NAME' if args.action == 'add' else 'an ID'}", "no_key")
    if args.action != "add" and (args.scope or args.write or args.source or args.rate is not None or args.expires):
        raise UsageError("--scope, --write, --source, --rate and --expires belong to `keys add`", "not_for_add")
    with installation(args.project, args.database, args.broker) as place:
        return {"add": _add, "list": _list, "revoke": _revoke, "rotate": _rotate}[args.action](place, args, terminal)


def _wanted(args: argparse.Namespace, real_at: datetime) -> KeyWanted:
    from orchestrator.runtime.keys import KeyWanted
    from orchestrator.runtime.scopes import SCOPES

    if args.write == bool(args.scope):
        raise UsageError("say what it may do: --scope for each of its scopes, or --write", "no_scope")
    scopes = sorted(SCOPES) if args.scope == ["all"] else list(dict.fromkeys(args.scope))
    for scope in scopes:
        if scope not in SCOPES:
            near = nearest_word(scope, SCOPES)
            hint = f"did you mean {near}?" if near else f"there are {', '.join(SCOPES)}"
            raise UsageError(f"there is no scope '{scope}'; {hint}", "unknown_scope")
    if args.rate is not None and not 0 < args.rate <= 1_000_000:
        raise UsageError(f"--rate is {args.rate:g}; expected a number above 0, up to 1,000,000", "bad_rate")
    if not 0 < len(args.what) <= 200 or not args.what.isprintable():
        raise UsageError("a name has 1 to 200 characters", "bad_name")
    expires_at = _instant(args.expires, real_at) if args.expires else None
    return KeyWanted(args.what, "write" if args.write else "api", tuple(scopes), args.rate, args.source, expires_at)


def _instant(text: str, real_at: datetime) -> datetime:
    from orchestrator.core.time.durations import parse_fixed
    from orchestrator.core.time.iso import parse_instant

    try:
        at = parse_instant(text) if text[:4].isdigit() and "-" in text else real_at + parse_fixed(text)
    except (ValueError, OverflowError) as error:
        raise UsageError(f"--expires: {error}", "bad_instant") from None
    if at <= real_at:
        raise UsageError(f"--expires is {text}, which is over already", "bad_instant")
    return at


def _add(place: Installation, args: argparse.Namespace, terminal: Terminal) -> int:
    from orchestrator.runtime.keys import make_key
    from orchestrator.wiring.installation import real_now

    key, secret = make_key(place.store, _wanted(args, real_now()), real_now(), actor())
    _show_new(key, secret, terminal)
    return 0


def _show_new(key: Key, secret: str, terminal: Terminal) -> None:
    terminal.data(as_dict(key) | {"key": secret})
    terminal.say(secret)
    terminal.note(f"this is {key.id}, {key.name}; keep it now: nobody can read it again")


def _list(place: Installation, args: argparse.Namespace, terminal: Terminal) -> int:
    from orchestrator.wiring.installation import real_now

    keys = place.store.all_keys()
    terminal.data([as_dict(key) for key in keys])
    for key in keys:
        may = "write" if key.kind == "write" else " ".join(key.scopes)
        used = f"used {key.used_at:%Y-%m-%d}" if key.used_at is not None else "not used yet"
        state = "" if key.good(real_now()) else "  revoked" if key.revoked_at is not None else "  expired"
        terminal.say(f"{key.id}  {key.prefix}…  {key.name}  {used}{state}  {may}")
    if not keys:
        terminal.say("there are no keys in the database; `orchestrator keys add` makes one")
    return 0


def _revoke(place: Installation, args: argparse.Namespace, terminal: Terminal) -> int:
    from orchestrator.runtime.keys import revoke_key
    from orchestrator.wiring.installation import real_now

    key = revoke_key(place.store, args.what, real_now(), actor())
    if key is None:
        raise _unknown(args.what)
    terminal.data(as_dict(key))
    terminal.say(f"{key.id} ({key.name}) is revoked: it opens nothing any more within seconds")
    left = sum(other.kind == key.kind and other.good(real_now()) for other in place.store.all_keys())
    terminal.note(f"{number_of(left, 'other key')} of this kind {'is' if left == 1 else 'are'} good")
    return 0


def _rotate(place: Installation, args: argparse.Namespace, terminal: Terminal) -> int:
    from orchestrator.core.time.durations import parse_fixed
    from orchestrator.runtime.keys import rotate_key
    from orchestrator.wiring.installation import real_now

    try:
        overlap = parse_fixed(args.overlap)
    except ValueError as error:
        raise UsageError(f"--overlap: {error}", "bad_duration") from None
    if not timedelta(0) <= overlap <= timedelta(days=365):
        raise UsageError("--overlap lasts 365d at most", "bad_duration")
    done = rotate_key(place.store, args.what, real_now(), actor(), overlap)
    if done is None:
        raise _unknown(args.what, "that is good any more")
    old, new, secret = done
    _show_new(new, secret, terminal)
    until = f"until {old.expires_at:%Y-%m-%d %H:%M}Z" if old.revoked_at is None else "no more"
    terminal.note(f"{old.id} is good {until}")
    return 0


def _unknown(id: str, more: str = "") -> UsageError:
    said = f"there is no key '{id}' {more}".rstrip()
    return UsageError(f"{said}; `orchestrator keys list` shows them", "unknown_key")


def as_dict(key: Key) -> dict[str, object]:
    """A key for machines, without its hash."""
    shown: dict[str, object] = {}
    for name, value in key._asdict().items():
        if name != "hash":
            shown[name] = value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value
    return {**shown, "scopes": list(key.scopes)}
