"""The independent checker: what the client was told is in, against what the mail server took and the database says.

It knows nothing of the engine but the names of tables and the promises: nothing lost, nothing twice (but for counted
unknown outcomes), nothing early, nothing to anybody else, nothing sent that is not in the ledger, nothing after a
cancellation that came in time, and nothing promotional after an opt-out.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from tests.chaos.feeding import Cancellation
from tests.chaos.mailbox import Accepted
from tests.chaos.shop import KINDS, WAITS

ROUNDING = 0.001
"""Seconds by which an instant may differ after it was written as text and read again."""

Ask = Callable[[str], list[tuple[Any, ...]]]
"""What answers a query: SQL that SQLite and PostgreSQL both understand."""


class Promises(NamedTuple):
    """What is promised of one shop. `clocks`: seconds by which clocks of client and server may differ; `opted_out`:
    orders whose customer wants no offer any more; `binds_within`: seconds after which an opt-out holds for what was
    claimed before it; `poisoned`: customers about whom nothing can be decided."""

    waits: Mapping[str, int] = WAITS
    clocks: float = ROUNDING
    opted_out: Mapping[str, Cancellation] = MappingProxyType({})
    binds_within: float = 2.0
    poisoned: Collection[str] = frozenset()


UP_PROMISES = Promises()


@dataclass
class Verdict:
    """What was found. `faults`: broken promises, each a sentence."""

    orders: int = 0
    accepted: int = 0
    unknown: int = 0
    """Hand-overs whose outcome nobody knows: sent again (transactional, service) or left (promotional)."""
    twice: int = 0
    """Of those, messages that the server did take twice."""
    missing_unknown: int = 0
    """Of those, messages that never arrived."""
    cancelled: int = 0
    """Orders whose cancellation was confirmed before their care mail was due: they have to get none."""
    opted_out: int = 0
    """Orders whose customer's opt-out was confirmed before their offer was due."""
    late_unknown: int = 0
    """Of the hand-overs of unknown outcome, those that the server took after an opt-out that came meanwhile."""
    faults: list[str] = field(default_factory=list)


class Row(NamedTuple):
    """A ledger row, as far as it is checked. `doubts`: hand-overs whose outcome nobody knew."""

    id: str
    status: str
    doubts: int


Ledger = Mapping[tuple[str, str], Row]
"""By (kind of mail, order)."""


def check(
    database: Path,
    placed: Mapping[str, float],
    cancelled: Mapping[str, Cancellation],
    accepted: Iterable[Accepted],
) -> Verdict:
    """Compare the three books of `orchestrator up`. `placed`: order to the instant of its first sending."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as c:
        return compare(lambda sql: c.execute(sql).fetchall(), placed, cancelled, accepted, UP_PROMISES)


def compare(
    ask: Ask,
    placed: Mapping[str, float],
    cancelled: Mapping[str, Cancellation],
    accepted: Iterable[Accepted],
    promises: Promises,
) -> Verdict:
    """Compare the three books. `placed`: order to the instant of its first sending."""
    verdict = Verdict(orders=len(placed))
    taken: defaultdict[tuple[str, str], list[Accepted]] = defaultdict(list)
    for mail in accepted:
        kind, _, order = mail.subject.partition(" ")
        taken[kind, order].append(mail)
        verdict.accepted += 1
    ledger = _ledger(ask)
    left = {key for (key,) in ask("select key from enrollments where journey = 'care' and status = 'exited'")}
    _check_rows(ask, placed, verdict)
    for order, sent_at in placed.items():
        for kind in KINDS:
            mails, row = taken.pop((kind, order), []), ledger.get((kind, order))
            if kind == "care" and order in left:
                if mails:
                    verdict.faults.append(f"{order}: cancelled in time, and got a care mail")
            elif kind == "offer" and order in promises.opted_out:
                _check_opted_out(order, sent_at, mails, row, promises, verdict)
            else:
                _check_kind(order, kind, sent_at + promises.waits[kind], mails, row, verdict)
    verdict.faults += [
        f"{order}: {len(mails)} mails '{kind}' for an order that the client was never told is in"
        for (kind, order), mails in taken.items()
    ]
    _check_cancelled(placed, cancelled, left, promises, verdict)
    _check_parked(ask, promises, verdict)
    return verdict


def _check_parked(ask: Ask, promises: Promises, verdict: Verdict) -> None:
    """Those, and nobody else, about whom nothing can be decided stand aside with a reason."""
    parked: dict[str, str] = dict(ask("select external_id, parked_detail from customers where parked is not null"))
    verdict.faults += [f"{who} was parked: {parked[who]}" for who in sorted(parked.keys() - promises.poisoned)]
    verdict.faults += [f"{who} was never parked" for who in sorted(set(promises.poisoned) - parked.keys())]


def _check_opted_out(
    order: str, sent_at: float, mails: list[Accepted], row: Row | None, promises: Promises, verdict: Verdict
) -> None:
    """An offer may only have come before the opt-out bound, or its outcome is not known."""
    due_at, (_, confirmed_at) = sent_at + promises.waits["offer"], promises.opted_out[order]
    verdict.opted_out += confirmed_at < due_at
    if row is None or row.status not in ("sent", "unknown", "rejected"):
        if mails:
            verdict.faults.append(f"{order}: opted out, and got {len(mails)} offers that the ledger says were not sent")
        return
    if confirmed_at < due_at - promises.clocks:
        verdict.faults.append(f"{order}: opted out before its offer was due, which is '{row.status}'")
    _check_kind(order, "offer", due_at, mails, row, verdict)
    late = [mail for mail in mails if mail.at > confirmed_at + promises.binds_within]
    if late and row.doubts:
        verdict.late_unknown += 1
    elif late:
        after = late[0].at - confirmed_at
        verdict.faults.append(f"{order}: got an offer {after:.1f} s after its opt-out was confirmed")


def _check_cancelled(
    placed: Mapping[str, float],
    cancelled: Mapping[str, Cancellation],
    left: set[str],
    promises: Promises,
    verdict: Verdict,
) -> None:
    """Who cancelled in time has left; who did not has not. In between, where the first try was in time and the answer
    was not, either is right: nobody but the server knows when it came.

    Journey time is real time here, and no process is away for as long as `late_tolerance`: however late the engine
    is, it takes what came before the mail was due before it, and what came after it afterwards.
    """
    for order, (tried_at, confirmed_at) in cancelled.items():
        due_at = placed[order] + promises.waits["care"]
        if confirmed_at < due_at - promises.clocks:
            verdict.cancelled += 1
            if order not in left:
                verdict.faults.append(f"{order}: its cancellation was confirmed in time, and it did not leave")
        elif tried_at > due_at + promises.clocks and order in left:
            verdict.faults.append(f"{order}: left by a cancellation that came after the care mail was due")
    verdict.faults += [f"{order}: left, and nobody had cancelled" for order in sorted(left - cancelled.keys())]


def _ledger(ask: Ask) -> Ledger:
    doubts = Counter(
        place
        for place in ask("""select enrollment, step from transitions where type in ('retried', 'outcome')
            and data like '%unknown_outcome%'""")
    )
    rows = ask("""select m.journey, e.key, m.id, m.status, m.enrollment, m.step from messages m
        join enrollments e on e.shard = m.shard and e.customer = m.customer and e.id = m.enrollment""")
    return {
        (journey, key): Row(id, status, doubts[enrollment, step]) for journey, key, id, status, enrollment, step in rows
    }


def _check_rows(ask: Ask, placed: Mapping[str, float], verdict: Verdict) -> None:
    """Each event once in the past, each order once in each journey, each coupon once."""
    for table, columns in (("events", "customer, name, id"), ("enrollments", "customer, journey, key"),
                           ("messages", "customer, journey"), ("coupons", "offer, code")):  # fmt: skip
        doubled = ask(f"select {columns}, count(*) from {table} group by {columns} having count(*) > 1")
        verdict.faults += [f"{table}: {row} is there {row[-1]} times" for row in doubled]
    for journey in KINDS:
        known = {key for (key,) in ask(f"select key from enrollments where journey = '{journey}'")}
        verdict.faults += [f"{order}: never entered '{journey}'" for order in placed if order not in known]
    [(waiting,)] = ask("select count(*) from enrollments where status not in ('completed', 'exited')")
    if waiting:
        verdict.faults.append(f"{waiting} enrollments never came to an end")


def _check_kind(order: str, kind: str, due_at: float, mails: list[Accepted], row: Row | None, verdict: Verdict) -> None:
    if row is None:
        verdict.faults.append(f"{order}: the mail '{kind}' is not in the ledger")
        return
    verdict.unknown += bool(row.doubts)
    verdict.faults += [f"{order}: a mail '{kind}' that the ledger does not have" for m in mails if m.id != row.id]
    if any(mail.at < due_at - ROUNDING for mail in mails):
        verdict.faults.append(f"{order}: the mail '{kind}' came early")
    strangers = [mail.to for mail in mails if mail.to != f"{order}@example.com"]
    verdict.faults += [f"{order}: the mail '{kind}' went to {to}" for to in strangers]
    if row.status not in ("sent", "unknown"):
        verdict.faults.append(f"{order}: the mail '{kind}' ended as '{row.status}'")
    if len(mails) == 2 and row.doubts and KINDS[kind] != "promotional":
        verdict.twice += 1
    elif not mails and row.status == "unknown":
        verdict.missing_unknown += 1
    elif len(mails) != 1:
        verdict.faults.append(f"{order}: the mail '{kind}' came {len(mails)} times")
