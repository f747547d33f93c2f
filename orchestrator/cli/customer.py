"""`orchestrator customer`: show what is known of one and what was sent, export all that is stored, erase it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from orchestrator.cli import customer_identity
from orchestrator.cli.arguments import one_of
from orchestrator.cli.deploying import actor
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.core.customer import Customer
    from orchestrator.core.enrollment import Enrollment
    from orchestrator.core.project import Project
    from orchestrator.insights.local_time import LocalTime
    from orchestrator.stores.protocol import CustomerCard, Store

DESCRIPTION = """Show what is known of a customer: profile, consents, the journeys that the customer is in, messages,
coupons and tasks; `orchestrator why` tells how it came to be. Or export, as one JSON object, every row that the
database holds about the person; or erase all of it, at once and for good: both for a request of the person's own. What
was erased where is told by a certificate, a file in the present folder; the addresses stay suppressed as hashes, and
the id is not taken again for as long as ids of events are remembered.

Two customers who are one person become one by `merge`, which `unmerge` takes back; `duplicates` lists, as CSV, those
who may be: with the same e-mail address or phone number, with addresses that look alike, or one name and birthday."""
EXAMPLES = """
orchestrator customer show u4711
orchestrator customer show u4711 --json
orchestrator customer export u4711 > u4711.json
orchestrator customer erase u4711
orchestrator customer erase u4711 --yes --certificate /mnt/requests/4711.json
orchestrator customer merge u815 u4711
orchestrator customer unmerge u815
orchestrator customer duplicates > duplicates.csv
"""
MOST_MESSAGES = 20
ACTIONS = ("show", "export", "erase", "merge", "unmerge", "duplicates")
_FIELDS = ("email", "phone", "timezone", "locale", "country", "currency", "stage")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """show ID, export ID, erase ID, merge FROM INTO, unmerge FROM, duplicates."""
    actions = one_of(*ACTIONS)
    parser.add_argument("action", metavar="|".join(ACTIONS), type=actions, help="what to do")
    parser.add_argument("customer", metavar="ID", nargs="?", help="the customer's id, or any other identifier of it")
    parser.add_argument("into", metavar="INTO", nargs="?", help="merge: the customer who it becomes a part of")
    parser.add_argument("--yes", action="store_true", help="erase, merge: do not ask")
    parser.add_argument("--certificate", metavar="FILE", type=Path, help="erase: where the certificate goes")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Shows the card."""
    from orchestrator.core.plus_addresses import keeps_apart
    from orchestrator.insights.local_time import LocalTime, local_time_of
    from orchestrator.wiring.installation import installation

    _check(args)
    if args.action in ("merge", "unmerge", "duplicates"):
        act = {"merge": customer_identity.merge, "unmerge": customer_identity.unmerge}
        return act.get(args.action, customer_identity.duplicates)(args, terminal)
    if args.action == "erase":
        return _erase(args, terminal)
    if args.action == "export":
        return _export(args, terminal)
    with installation(args.project, args.database, args.broker) as place:
        card = place.store.card(args.customer)
        if card is None:
            raise UsageError(f"there is no customer '{args.customer}' in {place.database}", "unknown_customer")
        live = place.live_project()
        apart = live is not None and keeps_apart(live.channels)
        suppressed = _suppressed(place.store, card, apart)
        known = list(customer_identity.identity_lines(place.store, card.id))
        identifiers = [list(identifier) for identifier in place.store.identifiers(card.id)]
        standing = standing_of(place.store, card, live, place.journey_now())
    local = LocalTime(ZoneInfo("UTC")) if live is None else local_time_of(card.customer, live.timezone)
    unusable = _unusable(card)
    told = card_as_dict(card, suppressed) | {"identifiers": identifiers} | standing
    terminal.data(told | ({"unusable": unusable} if unusable else {}))
    for line in card_lines(card, suppressed, local, unusable, [*standing_lines(standing), *known]):
        terminal.say(line)
    return 0


def _check(args: argparse.Namespace) -> None:
    """Raises UsageError for what does not belong to the action."""
    if args.certificate is not None and args.action != "erase":
        raise UsageError("--certificate belongs to `customer erase`", "nothing_to_erase")
    if args.yes and args.action not in ("erase", "merge"):
        raise UsageError("--yes belongs to `customer erase` and `customer merge`", "nothing_to_erase")
    if args.action == "duplicates":
        if args.customer is not None:
            raise UsageError("`customer duplicates` looks at all customers; it takes no id", "usage")
    elif args.customer is None:
        raise UsageError(f"say whom: `orchestrator customer {args.action} ID`", "nobody_named")
    elif args.into is not None and args.action != "merge":
        raise UsageError(f"`customer {args.action}` takes one id", "usage")


def _export(args: argparse.Namespace, terminal: Terminal) -> int:
    """One JSON object on stdout, with --json or without: it is for a file."""
    from orchestrator.wiring.installation import installation, real_now
    from orchestrator.wiring.person import write_everything

    with installation(args.project, args.database, args.broker) as place:
        if not write_everything(place.store, args.customer, terminal.out):
            raise UsageError(f"there is no customer '{args.customer}' in {place.database}", "unknown_customer")
        place.store.audit(real_now(), actor(), "customer export", args.customer)
    return 0


def _erase(args: argparse.Namespace, terminal: Terminal) -> int:
    """Erases, and writes the certificate. The database has its digest, so that a lost file is no lost proof."""
    from orchestrator.cli.confirming import confirmed
    from orchestrator.runtime.plus_addresses import kept_apart
    from orchestrator.wiring.installation import installation, real_now

    with installation(args.project, args.database, args.broker) as place:
        if place.store.card(args.customer) is None:
            raise UsageError(f"there is no customer '{args.customer}' in {place.database}", "unknown_customer")
        question = f"Erase everything that is stored about '{args.customer}'? Nobody can undo it."
        if not confirmed(question, args.yes, terminal):
            return 1
        apart = kept_apart(place.store)
        done = place.store.erase(args.customer, place.journey_now(), real_now(), actor(), apart)
    if done is None:
        raise UsageError(f"somebody else erased '{args.customer}' just now", "unknown_customer")
    path = args.certificate or Path(f"erasure-{done.digest[:12]}.json")
    told = done.as_dict()
    path.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    terminal.data(told | {"file": str(path)})
    for table, counts in told["tables"].items():
        terminal.say(f"  {table:<12} " + ", ".join(f"{count:,} {what}" for what, count in counts.items()))
    terminal.say(f"erased; the certificate is {path}")
    return 0


def _unusable(card: CustomerCard) -> dict[str, str]:
    """Fields of the profile that nothing can be done with, and why."""
    from orchestrator.insights.profile_faults import unusable_fields

    c = card.customer
    return {} if c is None else unusable_fields({name: getattr(c, name) for name in _FIELDS})


def _suppressed(store: Store, card: CustomerCard, apart: bool) -> dict[str, list[str]]:
    """Channels on which the customer's own address takes nothing, with the causes."""
    from orchestrator.core.addresses import address_of
    from orchestrator.core.plus_addresses import reasons

    if card.customer is None:
        return {}
    found, list_ = {}, store.suppressions()
    for channel in ("email", "sms"):
        address, _ = address_of(card.customer, channel)
        causes = list_.get((channel, address.normal)) if address is not None else None
        why = reasons(causes, channel, address.text, apart, store.salt) if address is not None and causes else None
        if why:
            found[channel] = sorted(why)
    return found


def card_as_dict(card: CustomerCard, suppressed: dict[str, list[str]]) -> dict[str, Any]:
    """The card for machines; instants are RFC 3339."""
    from orchestrator.core.transition import jsonable

    c = card.customer
    profile: dict[str, Any] = {}
    if c is not None:
        profile = {name: getattr(c, name) for name in _FIELDS if getattr(c, name) is not None}
        profile |= {"created_at": c.created_at, "attributes": dict(c.attributes), "tags": list(c.tags)}
        profile |= {"consents": consents_of(c), "segments": sorted(c.segments)}
    whole = {
        "id": card.id,
        "parked": card.parked,
        **profile,
        "suppressed": suppressed,
        "enrollments": [_enrollment(e) for e in card.enrollments],
        "messages": [
            {
                "id": m.row.id,
                "at": m.row.at,
                "channel": m.row.channel,
                "template": m.row.template,
                "topic": m.row.topic,
                "journey": m.row.journey,
                "step": m.row.step,
                "to": m.row.to,
                "status": m.status,
                "opened_at": m.opened_at,
                "clicked_at": m.clicked_at,
            }
            for m in card.messages
        ],
        "coupons": [
            {"offer": k.offer, "code": k.code, "status": k.status, "issued_at": k.issued_at, "expires_at": k.expires_at}
            for k in card.coupons
        ],
        "tasks": [
            {"queue": t.queue, "title": t.title, "due_at": t.due_at, "assignee": t.assignee, "closed_at": t.closed_at}
            for t in card.tasks
        ],
    }
    plain: dict[str, Any] = jsonable(whole)
    return plain


def standing_of(store: Store, card: CustomerCard, live: Project | None, now: datetime) -> dict[str, Any]:
    """What a customer's scores are at this instant, who looks after one, and the groups, the latest first."""
    from orchestrator.core.scores import Scores
    from orchestrator.core.steps.people import OWNER

    c = card.customer
    specs = live.scores if live is not None else {}
    return {
        "scores": Scores(specs, c.scores).totals(now) if c is not None else {},
        "owner": c.attributes.get(OWNER) if c is not None else None,
        "groups": [group.id for group in store.groups_of(card.id)],
    }


def standing_lines(standing: dict[str, Any]) -> list[str]:
    """The same for people; the owner stands among the attributes already."""
    lines = [f"  score      {name}: {value}" for name, value in standing["scores"].items()]
    return lines + ([f"  groups     {', '.join(standing['groups'])}"] if standing["groups"] else [])


def consents_of(c: Customer) -> dict[str, dict[str, str]]:
    """Consents as a scenario writes them."""
    found: dict[str, dict[str, str]] = {}
    for (topic, channel), state in sorted(c.consents.items()):
        found.setdefault(topic, {})[channel] = state
    return found


def _enrollment(e: Enrollment) -> dict[str, Any]:
    return {
        "journey": e.journey,
        "version": e.version,
        "key": e.key,
        "status": e.status,
        "reason": e.reason,
        "step": e.step,
        "entered_at": e.entered_at,
        "until": e.until_at,
        "held_out": e.held_out,
    }


def card_lines(
    card: CustomerCard,
    suppressed: dict[str, list[str]],
    local: LocalTime,
    unusable: dict[str, str],
    identity: Sequence[str] = (),
) -> list[str]:
    """The card for people; instants in the zone in force of the customer."""
    c, zone = card.customer, local.zone
    out = [f"{card.id}, in the local time of {zone.key}" + (f" ({local.whose})" if local.whose is not None else "")]
    if card.parked is not None:
        out.append(f"parked: {card.parked}; `orchestrator resume JOURNEY` tries again")
    if c is not None:
        known = {name: getattr(c, name) for name in _FIELDS}
        known |= {
            "since": _local(c.created_at, zone),
            "tags": ", ".join(c.tags),
            "segments": ", ".join(sorted(c.segments)),
        }
        out += [f"  {name:<10} {value}" for name, value in known.items() if value]
        out += [f"  {name:<10} {value}" for name, value in sorted(c.attributes.items())]
        out += [f"  unusable   {name}: {why}" for name, why in unusable.items()]
        for topic, channels in consents_of(c).items():
            out.append(f"  consent    {topic}: {', '.join(f'{name} {state}' for name, state in channels.items())}")
    out += identity
    for channel, causes in suppressed.items():
        out.append(f"  suppressed {channel}: {', '.join(causes)}")
    out += _section(
        "journeys",
        [
            f"{e.journey}, {e.status} at {e.step or 'its start'}"
            + (f" until {_local(e.until_at, zone)}" if e.until_at is not None and e.running else "")
            + (f" ({e.reason})" if e.reason else "")
            for e in card.enrollments
        ],
    )
    messages = sorted(card.messages, key=lambda m: m.row.at, reverse=True)
    shown = [
        f"{_local(m.row.at, zone)}  {m.row.channel} {m.row.template}, {m.status}{_seen(m)}"
        for m in messages[:MOST_MESSAGES]
    ]
    if len(messages) > MOST_MESSAGES:
        shown.append(f"and {len(messages) - MOST_MESSAGES:,} earlier ones")
    out += _section("messages", shown)
    out += _section("coupons", [f"{k.offer} {k.code}, {k.status}" for k in card.coupons])
    out += _section(
        "tasks",
        [
            f"{t.queue}: {t.title}, {'open' if t.closed_at is None else 'closed'} ({t.assignee or 'nobody'})"
            for t in card.tasks
        ],
    )
    return out


def _section(title: str, lines: list[str]) -> list[str]:
    return ["", title, *(f"  {line}" for line in lines)] if lines else []


def _seen(message: Any) -> str:
    return ", clicked" if message.clicked_at else ", opened" if message.opened_at else ""


def _local(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%Y-%m-%d %H:%M")
