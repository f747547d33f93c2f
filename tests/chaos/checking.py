"""The independent checker: what the client was told is in, against what the mail server took and the database says.

It knows nothing of the engine but the names of tables and the promises: nothing lost, nothing twice (but for counted
unknown outcomes), nothing early, nothing sent that is not in the ledger.
"""

from __future__ import annotations

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from tests.chaos.mailbox import Accepted
from tests.chaos.shop import CARE_AFTER, KINDS, OFFER_AFTER

WAITS = {"receipt": 0, "care": CARE_AFTER, "offer": OFFER_AFTER}


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
    faults: list[str] = field(default_factory=list)


class Row(NamedTuple):
    """A ledger row, as far as it is checked. `doubts`: hand-overs whose outcome nobody knew."""

    id: str
    status: str
    doubts: int


Ledger = Mapping[tuple[str, str], Row]
"""By (kind of mail, order)."""


def check(
    database: Path, placed: Mapping[str, float], cancelled: Iterable[str], accepted: Iterable[Accepted]
) -> Verdict:
    """Compare the three books. `placed`: order to the instant of its first sending."""
    verdict = Verdict(orders=len(placed))
    taken: defaultdict[tuple[str, str], list[Accepted]] = defaultdict(list)
    for mail in accepted:
        kind, _, order = mail.subject.partition(" ")
        taken[kind, order].append(mail)
        verdict.accepted += 1
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as c:
        ledger = _ledger(c)
        left = {key for (key,) in c.execute("select key from enrollments where journey = 'care' and status = 'exited'")}
        _check_rows(c, placed, verdict)
    for order, sent_at in placed.items():
        for kind in KINDS:
            mails = taken.pop((kind, order), [])
            if kind == "care" and order in left:
                if mails:
                    verdict.faults.append(f"{order}: cancelled in time, and got a care mail")
            else:
                _check_kind(order, kind, sent_at, mails, ledger.get((kind, order)), verdict)
    verdict.faults += [
        f"{order}: {len(mails)} mails '{kind}' for an order that the client was never told is in"
        for (kind, order), mails in taken.items()
    ]
    verdict.faults += [f"{order}: left, and nobody had cancelled" for order in left - set(cancelled)]
    return verdict


def _ledger(c: sqlite3.Connection) -> Ledger:
    doubts = Counter(
        place
        for place in c.execute("""select enrollment, step from transitions where type in ('retried', 'outcome')
            and data like '%unknown_outcome%'""")
    )
    rows = c.execute("""select m.journey, e.key, m.id, m.status, m.enrollment, m.step from messages m
        join enrollments e on e.shard = m.shard and e.customer = m.customer and e.id = m.enrollment""")
    return {
        (journey, key): Row(id, status, doubts[enrollment, step]) for journey, key, id, status, enrollment, step in rows
    }


def _check_rows(c: sqlite3.Connection, placed: Mapping[str, float], verdict: Verdict) -> None:
    """Each event once in the past, each order once in each journey, each coupon once."""
    for table, columns in (("events", "customer, name, id"), ("enrollments", "customer, journey, key"),
                           ("messages", "customer, journey"), ("coupons", "offer, code")):  # fmt: skip
        doubled = c.execute(
            f"select {columns}, count(*) from {table} group by {columns} having count(*) > 1"
        ).fetchall()
        verdict.faults += [f"{table}: {row} is there {row[-1]} times" for row in doubled]
    for journey in KINDS:
        known = {key for (key,) in c.execute("select key from enrollments where journey = ?", (journey,))}
        verdict.faults += [f"{order}: never entered '{journey}'" for order in placed if order not in known]
    waiting = c.execute("select count(*) from enrollments where status not in ('completed', 'exited')").fetchone()[0]
    if waiting:
        verdict.faults.append(f"{waiting} enrollments never came to an end")


def _check_kind(
    order: str, kind: str, sent_at: float, mails: list[Accepted], row: Row | None, verdict: Verdict
) -> None:
    if row is None:
        verdict.faults.append(f"{order}: the mail '{kind}' is not in the ledger")
        return
    verdict.unknown += bool(row.doubts)
    verdict.faults += [f"{order}: a mail '{kind}' that the ledger does not have" for m in mails if m.id != row.id]
    if any(mail.at < sent_at + WAITS[kind] - 0.001 for mail in mails):
        verdict.faults.append(f"{order}: the mail '{kind}' came early")
    if row.status not in ("sent", "unknown"):
        verdict.faults.append(f"{order}: the mail '{kind}' ended as '{row.status}'")
    if len(mails) == 2 and row.doubts and KINDS[kind] != "promotional":
        verdict.twice += 1
    elif not mails and row.status == "unknown":
        verdict.missing_unknown += 1
    elif len(mails) != 1:
        verdict.faults.append(f"{order}: the mail '{kind}' came {len(mails)} times")
