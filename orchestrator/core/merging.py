"""Two customers turn out to be one: what the merged one is. Pure; the stores move the rows.

The rules are the language reference's, section 9: the target keeps its attributes and has its gaps filled from the
source, out wins, the earliest assignment wins and holdout wins, of two enrollments with one journey and key the earlier
goes on, and nobody enters anything by a merge. What is counted by rows (caps, coupons, history) is united by moving
them.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from orchestrator.core.advance import shown_step
from orchestrator.core.consent import EXPIRED
from orchestrator.core.customer import NO_DATES, NO_DRAWS, RESERVED, Customer, Timer
from orchestrator.core.devices import ATTRIBUTE as DEVICES
from orchestrator.core.devices import DEVICE_TRAITS, MOST
from orchestrator.core.enrollment import Enrollment, EntryRecord
from orchestrator.core.identity import share
from orchestrator.core.inbox import Body, Identified
from orchestrator.core.inbox_feed import ATTRIBUTE as DISMISSED
from orchestrator.core.inbox_feed import DISMISS, MOST_DISMISSED
from orchestrator.core.ledger import Coupon, Message
from orchestrator.core.profile import ENDS
from orchestrator.core.program import Journey, Split
from orchestrator.core.transition import Transition
from orchestrator.core.view import CustomerView

MERGED: Final = "merged"
"""The reason of an enrollment that ended because its customer's other half was in the same journey before."""
SILENT: Final = Identified({}, silent=True)
"""What the merged customer's inbox gets: memberships, conditions and timers are computed anew, without a line."""
_RANK: Final = {"out": 3, "in": 2, "pending": 1, EXPIRED: 0}
"""Which of two choices holds: an opt-out always."""
_COMPUTED: Final = frozenset({"segment", "stages", "scores", "score", "date", "inactive", ENDS})
"""Kinds of timers that follow from the profile."""
_UNITED: Final = frozenset({*DEVICE_TRAITS, DISMISS, "consents"})
"""Traits that add to what is there, so that none of them is in the way of the other customer's."""


class Merged(NamedTuple):
    """What becomes of two customers. `enrollments`: those whose rows change, of which `ended` exit; `entries`: all
    records; `coupons`: codes that are taken back; `bodies`: what waited for the source, by its place in the inbox."""

    customer: Customer
    enrollments: Sequence[Enrollment]
    ended: Sequence[Enrollment]
    entries: Mapping[tuple[str, str], EntryRecord]
    coupons: Sequence[Coupon]
    bodies: Mapping[int, Body]
    transitions: Sequence[Transition]


def merge(
    source: CustomerView,
    target: CustomerView,
    versions: Mapping[tuple[str, str], Journey],
    salt: str,
    at: datetime,
    first_seq: int,
) -> Merged:
    """What the target is once the source is part of it. `first_seq`: the first place of its lines in the journal."""
    before, into = source.customer, target.customer
    keyed_by_customer = journeys_by_customer(versions.values())
    customer = merged_profile(before, into)
    customer.draws = _draws(source, target, versions, salt)
    entries = dict(target.entries)
    for (id, key), record in source.entries.items():
        entered = (id, into.id if key == before.id and id in keyed_by_customer else key)
        entries[entered] = merged_entry(entries.get(entered), record)
    moved = [_moved(e, before.id, into.id, keyed_by_customer) for e in source.enrollments]
    changed = {e.id: e for e in moved}
    ended: list[Enrollment] = []
    coupons: list[Coupon] = []
    lines: list[Transition] = []
    held = {coupon.id: coupon for coupon in (*source.coupons, *target.coupons)}
    for e in _superfluous(moved, target.enrollments):
        e = e if e.id in changed else e.copy()
        _end(e, at)
        changed[e.id] = e
        ended.append(e)
        record = entries.get((e.journey, e.key), EntryRecord())
        entries[e.journey, e.key] = record._replace(exited_at=at)
        journey = versions.get((e.journey, e.version))
        step = shown_step(journey, e.step) if journey is not None else e.step
        place = (e.journey, e.version, e.key, step)
        lines.append(Transition(at, into.id, first_seq + len(lines), "exited", *place, {"reason": MERGED}, e.id))
        for coupon_id in e.pending.values():
            coupon = held.get(coupon_id)
            if coupon is not None and coupon.status == "issued":
                coupons.append(coupon._replace(status="released", customer_id=into.id))
                data = {"offer": coupon.offer, "code": coupon.code}
                lines.append(Transition(at, into.id, first_seq + len(lines), "released", *place, data, e.id))
        e.pending = {}
    told = _names_told(item.body for item in target.inbox)
    bodies = {item.seq: filling_gaps(item.body, into, told) for item in source.inbox}
    return Merged(customer, list(changed.values()), ended, entries, coupons, bodies, lines)


# --- the profile ------------------------------------------------------------------------------------------------------


def merged_profile(source: Customer, target: Customer) -> Customer:
    """The profile with consents and timers; segments and what follows from time are computed by the next turn."""
    customer = target.copy()
    for name in RESERVED:
        if getattr(customer, name) is None:
            setattr(customer, name, getattr(source, name))
    for name, value in source.attributes.items():
        if customer.attributes.get(name) is None and value is not None:
            customer.attributes[name] = value
    for name, most in ((DEVICES, MOST), (DISMISSED, MOST_DISMISSED)):
        united = _united(source.attributes.get(name), target.attributes.get(name))
        if united is not None:
            customer.attributes[name] = united[-most:]
    customer.tags = tuple(dict.fromkeys((*target.tags, *source.tags)))
    customer.stage = target.stage if target.stage is not None else source.stage
    customer.created_at = min(source.created_at, target.created_at)
    customer.segments = target.segments | source.segments
    customer.consents, customer.consent_dates = merged_consents(source, target)
    timers = {**source.timers, **target.timers}
    customer.timers = {place: timer for place, timer in timers.items() if place[0] not in _COMPUTED}
    customer.timers.update({place: timer for place, timer in target.timers.items() if place[0] in _COMPUTED - {ENDS}})
    for (topic, channel), date in customer.consent_dates.items():
        if customer.consents[topic, channel] == "in":
            customer.timers[ENDS, f"{topic}.{channel}"] = Timer(date)
    return customer


def _united(older: Any, newer: Any) -> list[Any] | None:
    """Two lists as one, the newer's entries last; None where one of them is no list."""
    if not isinstance(older, (list, tuple)) or not isinstance(newer, (list, tuple)):
        return None
    return [*(one for one in older if one not in newer), *newer]


def merged_consents(
    source: Customer, target: Customer
) -> tuple[dict[tuple[str, str], str], Mapping[tuple[str, str], datetime]]:
    """Choices with their instants: out wins, then in. Of two opt-outs the later instant holds, so that nothing said in
    between opens it; of two consents the one that holds longer."""
    consents: dict[tuple[str, str], str] = {}
    dates: dict[tuple[str, str], datetime] = {}
    for place in dict.fromkeys((*target.consents, *source.consents)):
        held = [(c.consents[place], c.consent_dates.get(place)) for c in (source, target) if place in c.consents]
        state = max((state for state, _ in held), key=lambda state: _RANK.get(state, 0))
        instants = [date for said, date in held if said == state]
        consents[place] = state
        known = [date for date in instants if date is not None]
        endless = state == "in" and len(known) < len(instants)
        if known and not endless:
            dates[place] = max(known)
    return consents, dates or NO_DATES


# --- journeys ---------------------------------------------------------------------------------------------------------


def journeys_by_customer(versions: Iterable[Journey]) -> frozenset[str]:
    """The journeys of which some trigger's key is the customer: a source's key there is the target's from now on."""
    return frozenset(
        journey.id
        for journey in versions
        if any(trigger.key is None or trigger.key.needs.customer for trigger in journey.triggers)
    )


def merged_entry(one: EntryRecord | None, other: EntryRecord) -> EntryRecord:
    """What is remembered of the entries of both."""
    if one is None:
        return other
    return EntryRecord(
        tuple(sorted((*one.entered_at, *other.entered_at))),
        max(filter(None, (one.exited_at, other.exited_at)), default=None),
        max(filter(None, (one.messaged_at, other.messaged_at)), default=None),
    )


def _moved(e: Enrollment, before: str, into: str, keyed_by_customer: Container[str]) -> Enrollment:
    """A source's enrollment as the target's. `entry.key` stays what it was."""
    e = e.copy()
    e.customer_id = into
    if e.key == before and e.journey in keyed_by_customer:
        e.key = into
    return e


def _superfluous(moved: Sequence[Enrollment], own: Sequence[Enrollment]) -> list[Enrollment]:
    """Those that run beside an earlier one of the other customer, with the same journey and key."""
    sides: dict[tuple[str, str], tuple[list[Enrollment], list[Enrollment]]] = {}
    for number, enrollments in enumerate((own, moved)):
        for e in enrollments:
            if not e.ended:
                sides.setdefault((e.journey, e.key), ([], []))[number].append(e)
    found: list[Enrollment] = []
    for one, other in sides.values():
        if one and other:
            found += other if _begun(one) <= _begun(other) else one
    return sorted(found, key=lambda e: (e.journey, e.key, e.entered_at, e.id))


def _begun(enrollments: Sequence[Enrollment]) -> tuple[datetime, str]:
    return min((e.entered_at, e.id) for e in enrollments)


def _end(e: Enrollment, at: datetime) -> None:
    e.status = "exited"
    e.reason = MERGED
    e.ended_at = at
    e.ended_by_rule = True
    e.standing = None
    e.due_at = e.look_at = e.until_at = None


# --- draws ------------------------------------------------------------------------------------------------------------


def _draws(
    source: CustomerView, target: CustomerView, versions: Mapping[tuple[str, str], Journey], salt: str
) -> Mapping[str, str]:
    """Under which id each split and each control group is drawn from now on: of a split under that of who came first to
    a journey that has it; of a control group, of those who entered, under that which is held out first."""
    halves = (source, target)
    first = [_first_entries(half.entries) for half in halves]
    mine, other = source.customer, target.customer
    draws = {**mine.draws, **other.draws}
    draws = {what: id for what, id in draws.items() if what in other.draws}
    journeys = {journey for entered in first for journey in entered}
    for name, holders in _splits(versions.values(), journeys).items():
        begun = [min((at for j, at in entered.items() if j in holders), default=None) for entered in first]
        if begun[0] is not None and (begun[1] is None or begun[0] < begun[1]):
            draws[f"split:{name}"] = mine.drawn_as(f"split:{name}")
    for journey in journeys:
        what = f"holdout:{journey}"
        ids = [half.customer.drawn_as(what) for half, entered in zip(halves, first, strict=True) if journey in entered]
        draws[what] = min(ids, key=lambda id: (share(salt, "holdout", journey, id), id))
    if journeys:
        ids = [half.customer.drawn_as("holdout") for half, entered in zip(halves, first, strict=True) if entered]
        draws["holdout"] = min(ids, key=lambda id: (share(salt, "global_holdout", id), id))
    return {what: id for what, id in sorted(draws.items()) if id != other.id} or NO_DRAWS


def _first_entries(entries: Mapping[tuple[str, str], EntryRecord]) -> dict[str, datetime]:
    """When each journey was entered first."""
    found: dict[str, datetime] = {}
    for (journey, _), record in entries.items():
        for at in record.entered_at[:1]:
            found[journey] = min(at, found.get(journey, at))
    return found


def _splits(versions: Iterable[Journey], entered: Container[str]) -> dict[str, set[str]]:
    """The journeys that hold each split, as far as somebody entered one of them."""
    found: dict[str, set[str]] = {}
    for journey in versions:
        if journey.id in entered:
            for step in journey.steps:
                if isinstance(step, Split):
                    found.setdefault(step.name, set()).add(journey.id)
    return found


# --- what waits -------------------------------------------------------------------------------------------------------


def _names_told(bodies: Iterable[Body]) -> frozenset[str]:
    """The traits that the target will have when its inbox is taken."""
    found = [body.traits for body in bodies if isinstance(body, Identified)]
    return frozenset(name for traits in found for name, value in traits.items() if value is not None)


def filling_gaps(body: Body, target: Customer, told: Container[str]) -> Body:
    """What waited for the source, as the target takes it: traits that came before the merge fill gaps only."""
    if not isinstance(body, Identified):
        return body
    kept = {
        name: value
        for name, value in body.traits.items()
        if name in _UNITED or not (name in told or _has(target, name))
    }
    return body if len(kept) == len(body.traits) else Identified(kept, body.silent)


def _has(customer: Customer, name: str) -> bool:
    if name in RESERVED or name == "stage":
        return getattr(customer, name) is not None
    if name == "tags":
        return bool(customer.tags)
    return name == "created_at" or customer.attributes.get(name) is not None


# --- rows that name their customer ------------------------------------------------------------------------------------


def remerged(row: Message, before: str, into: str, keyed_by_customer: Container[str]) -> Message:
    """A source's row of the ledger as the target's."""
    key = into if row.key == before and row.journey in keyed_by_customer else row.key
    return row._replace(customer_id=into, key=key)
