"""Erasing a person from a database: every row of theirs goes, or loses what it says of them, in one transaction.

What is kept says nothing of anybody: that a message of a journey went at an instant, that a code was given, that a line
was written in the journal, what was chosen and by which text. The wording of a proof is kept as a hash. The id comes
back as a hash, too, so that it is not taken again for a while, and a backup that is restored can be told to forget
again (orchestrator.stores.erasures). Suppressed addresses stay suppressed.

One text of SQL for both databases; `Run` puts in what differs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from orchestrator.core.ledger import Coupon, Task
from orchestrator.core.state import dumps, from_json, loads, to_json
from orchestrator.core.suppression import HASHED as HASHED_CHANNEL
from orchestrator.core.suppression import hashed_entry
from orchestrator.stores import api_rows, audit_chain, offer_rows, violation_rows
from orchestrator.stores.erased_records import (
    Kept,
    addresses_of,
    nobodys_coupon,
    nobodys_message,
    nobodys_task,
    proof_hashed,
    said_no_more,
)
from orchestrator.stores.erasure_certificates import ERASED, Certificate, certified, hash_of
from orchestrator.stores.erasures import Key, Run, bury, rows_by_id
from orchestrator.stores.identity_rows import find, identifiers_of
from orchestrator.stores.instants import micros
from orchestrator.stores.naming import Named, mentions, names
from orchestrator.stores.protocol_identity import OF_PEOPLE
from orchestrator.stores.records import MESSAGE, NO_STATE, customer_of, message_of, message_row
from orchestrator.stores.sealed_rows import CONTENT, PROOF, TASK
from orchestrator.stores.sealing import HASHED, Sealer, shown

SOFT: Final = "soft:"
"""Before the names, in `tallies`, of addresses that bounce softly."""
_DELETED: Final = (
    "events", "inbox", "entries", "requests", "identifiers", "merges", "consents", "dead_letters", "segment_members",
    "catalog_interests", "rfm_classes", "group_members", "feed_letters",
)  # fmt: skip
"""Tables all of whose rows of the customer go."""
_MINE: Final = "WHERE shard = ? AND customer = ?"


class Erased(NamedTuple):
    """What `erase_rows` did, for the database's own part of it."""

    certificate: Certificate
    recounted: Mapping[tuple[str, str], int]
    """Messages that left or came to (channel, status)."""
    ids: tuple[str, ...] = ()
    """By which the person was known."""


def erase_rows(
    run: Run,
    sealer: Sealer,
    salt: str,
    customer: str,
    now: datetime,
    real_at: datetime,
    actor: str,
    apart: bool = False,
    extra: Sequence[str] = (),
    shared: bool = False,
) -> Erased | None:
    """Erase a customer, in a transaction that holds everybody else off its rows; None: there is no such customer.

    `apart`: other plus-addresses of the mailbox stay open. `extra`: tables that only this database has, with rows of
    the customer that go. `shared`: other processes write it at the same time.
    """
    person = find(run, customer)
    if person is None:
        return None
    customer = person.id
    found = run(
        "SELECT c.shard, c.id, c.created_at, c.state FROM customers AS c WHERE c.shard = ? AND c.id = ?", *person.key
    ).fetchone()
    key: Key = (found[0], found[1])
    profile = customer_of(sealer, customer, found[2], found[3], None)
    known = identifiers_of(run, sealer, key)
    aliases = [value for kind, value in known if kind in OF_PEOPLE and value != customer]
    more = [(kind, value) for kind, value in known if kind not in OF_PEOPLE]
    hash = hash_of(salt, customer)
    tables: dict[str, Counter[str]] = {}

    def count(table: str, what: str, rows: int) -> None:
        tables.setdefault(table, Counter())[what] += max(rows, 0)

    recounted = _messages(run, sealer, key, count)
    _stories(run, key, now, count)
    _effects(run, sealer, key, now, count)
    count("consent_log", "anonymised", _proofs(run, sealer, key))
    count("redemptions", "anonymised", offer_rows.nobodys_redemptions(run, salt, key))
    for table in (*_DELETED, *extra):
        count(table, "deleted", run(f"DELETE FROM {table} {_MINE}", *key).rowcount)
    named = names([customer, *aliases, *(value for _, value in more)], profile.email, profile.phone, profile.country)
    _elsewhere(run, sealer, customer, hash, named, count)
    for id in (customer, *aliases):
        _beside(run, id, count)
        run("DELETE FROM links WHERE value = ? OR external_id = ?", id, id)
    run("DELETE FROM forwarding WHERE into_shard = ? AND into_customer = ?", *key)
    count("rights", "anonymised", run(f"UPDATE rights SET external_id = ? {_MINE}", ERASED + hash, *key).rowcount)
    count("customers", "deleted", run("DELETE FROM customers WHERE shard = ? AND id = ?", *key).rowcount)
    addresses = addresses_of(profile, apart, salt, more)
    for address in addresses:
        count("suppressions", "anonymised", _keep_suppressed(run, sealer, salt, address, micros(now), micros(real_at)))
        for name in address.soft:
            for mark in sealer.marks("".join(hashed_entry(salt, address.channel, name)).removeprefix(HASHED_CHANNEL)):
                count("tallies", "deleted", run("DELETE FROM tallies WHERE name = ?", SOFT + mark).rowcount)
    last = run("SELECT value FROM meta WHERE name = 'erased'").fetchone()
    certificate = certified(
        hash, real_at, actor, tables, [address.channel for address in addresses], last[0] if last is not None else None
    )
    bury(run, {hash_of(salt, alias): key for alias in aliases}, micros(now), micros(real_at))
    _seal(run, salt, key, certificate, now, shared)
    return Erased(certificate, recounted, (customer, *aliases))


def _messages(run: Run, sealer: Sealer, key: Key, count: Callable[[str, str, int], None]) -> Counter[tuple[str, str]]:
    recounted: Counter[tuple[str, str]] = Counter()
    count("outbox", "deleted", run(f"DELETE FROM outbox {_MINE}", *key).rowcount)
    rows = run(f"SELECT m.status, {MESSAGE} FROM messages AS m WHERE m.shard = ? AND m.customer = ?", *key).fetchall()
    for status, *columns in rows:
        row = message_of(sealer, *columns)
        text = message_row(nobodys_message(row))
        after = "suppressed" if status == "queued" else status
        if after != status:
            recounted[row.channel, status] -= 1
            recounted[row.channel, after] += 1
        run(f"UPDATE messages SET address = '', status = ?, row = ? {_MINE} AND id = ?", after, text, *key, row.id)
    count("messages", "anonymised", len(rows))
    return recounted


def _stories(run: Run, key: Key, now: datetime, count: Callable[[str, str, int], None]) -> None:
    """The journal, and enrollments: those that run end here."""
    at = micros(now)
    lines = run(f"SELECT at, seq, n, data FROM transitions {_MINE}", *key).fetchall()
    for place in lines:
        data = dumps(said_no_more(loads(place[3])))
        set_ = f"UPDATE transitions SET key = NULL, data = ?, details = NULL {_MINE} AND at = ? AND seq = ? AND n = ?"
        run(set_, data, *key, *place[:3])
    count("transitions", "anonymised", len(lines))
    seq = max((line[1] for line in lines), default=0)
    passages = run(f"SELECT id, journey, version, step, status FROM enrollments {_MINE} ORDER BY seq", *key).fetchall()
    for id, journey, version, step, status in passages:
        if status in ("running", "parked"):
            seq += 1
            run(
                "INSERT INTO transitions (shard, customer, at, seq, n, type, journey, version, step, enrollment, data) "
                "VALUES (?, ?, ?, ?, 0, 'exited', ?, ?, ?, ?, ?)",
                *key, at, seq, journey, version, step, id, '{"reason":"erased"}',
            )  # fmt: skip
            run(
                "UPDATE enrollments SET status = 'exited', reason = 'erased', ended_by_rule = 1, ended_at = ? "
                f"{_MINE} AND id = ?",
                at, *key, id,
            )  # fmt: skip
    blank = f"UPDATE enrollments SET key = '', due_at = NULL, live = 0, state = ? {_MINE}"
    count("enrollments", "anonymised", run(blank, NO_STATE, *key).rowcount)


def _effects(run: Run, sealer: Sealer, key: Key, now: datetime, count: Callable[[str, str, int], None]) -> None:
    """Coupons and tasks: that they were given stays, to whom goes."""
    coupons = run(f"SELECT id, row FROM coupons {_MINE}", *key).fetchall()
    for id, text in coupons:
        row = to_json(nobodys_coupon(from_json(Coupon, text)))
        run(f"UPDATE coupons SET row = ? {_MINE} AND id = ?", row, *key, id)
    count("coupons", "anonymised", len(coupons))
    tasks = run(f"SELECT id, row FROM tasks {_MINE}", *key).fetchall()
    for id, text in tasks:
        task = nobodys_task(from_json(Task, sealer.open(f"{TASK}:{key[1]}", text)), now)
        closed_at = micros(task.closed_at) if task.closed_at is not None else None
        run(f"UPDATE tasks SET row = ?, closed_at = ? {_MINE} AND id = ?", to_json(task), closed_at, *key, id)
    count("tasks", "anonymised", len(tasks))


def _proofs(run: Run, sealer: Sealer, key: Key) -> int:
    rows = run(f"SELECT seq, proof FROM consent_log {_MINE}", *key).fetchall()
    for seq, proof in rows:
        if proof is not None:
            text = dumps(proof_hashed(loads(sealer.open(f"{PROOF}:{key[1]}", proof))))
            run(f"UPDATE consent_log SET proof = ? {_MINE} AND seq = ?", text, *key, seq)
    return len(rows)


def _keep_suppressed(run: Run, sealer: Sealer, salt: str, address: Kept, at: int, real: int) -> int:
    """Nothing may ever be sent to an address again, and nobody can read in the list which one it was."""
    channel, normal = address.channel, address.normal
    hashed_as = hashed_entry(salt, channel, normal)
    entry = (hashed_as[0], sealer.mark(hashed_as[1]))
    known = []
    for mark in sealer.marks(normal):
        place = (channel, mark)
        known += run("SELECT cause, at FROM suppressions WHERE channel = ? AND address = ?", *place).fetchall()
        run("DELETE FROM suppressions WHERE channel = ? AND address = ?", *place)
        run("UPDATE rights SET channel = ?, address = ? WHERE channel = ? AND address = ?", *entry, *place)
    for cause, since in dict([(address.cause, at), *known]).items():
        new = run(
            "INSERT INTO suppressions (channel, address, cause, at) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (channel, address, cause) DO NOTHING",
            *entry, cause, since,
        )  # fmt: skip
        if new.rowcount > 0:
            run(
                "INSERT INTO rights (at, kind, channel, address, cause) VALUES (?, 'suppressed', ?, ?, ?)",
                real, *entry, cause,
            )  # fmt: skip
    return len(known)


def _elsewhere(
    run: Run,
    sealer: Sealer,
    customer: str,
    hash: str,
    named: Named,
    count: Callable[[str, str, int], None],
) -> None:
    """Rows that belong to nobody and name the person: what was refused, answers to calls, what operators did."""
    for id, said in rows_by_id(run, "refused", "content"):
        if named(shown(sealer, CONTENT, said)):
            count("refused", "deleted", run("DELETE FROM refused WHERE id = ?", id).rowcount)
    count("violations", "anonymised", violation_rows.forget(run, sealer, named))
    count("answers", "anonymised", api_rows.forget(run, sealer, named))
    mentioned = mentions(customer, named)
    for (url,) in run("SELECT url FROM replies").fetchall():
        if url.startswith(HASHED) or mentioned(sealer.unmark(url)):  # a hash may be anybody's, and this is only a cache
            count("replies", "deleted", run("DELETE FROM replies WHERE url = ?", url).rowcount)
    for id, said in rows_by_id(run, "audit", "detail"):
        if said == customer or named(said):
            count("audit", "anonymised", run("UPDATE audit SET detail = ? WHERE id = ?", ERASED + hash, id).rowcount)


def _beside(run: Run, customer: str, count: Callable[[str, str, int], None]) -> None:
    """Where the id stands as the engine's own place in something: in the turns of suspects, and in a fan-out, which
    goes on behind whoever comes before it."""
    for id, text in run("SELECT id, customers FROM attempts").fetchall():
        said = json.loads(text)
        lists = [said, *said] if isinstance(said, list) else []
        among = [one for one in lists if isinstance(one, list) and customer in one]
        for one in among:
            one[:] = [other for other in one if other != customer]
        if all(among):  # somebody is left in each, or it names nobody
            done = run("UPDATE attempts SET customers = ? WHERE id = ?", json.dumps(said), id) if among else None
        else:
            done = run("DELETE FROM attempts WHERE id = ?", id)
        count("attempts", "anonymised", done.rowcount if done is not None else 0)
    before = "(SELECT max(c.external_id) FROM customers AS c WHERE c.external_id < ?)"
    changed = run(f"UPDATE fanout SET cursor = {before} WHERE cursor = ?", customer, customer).rowcount
    count("fanout", "anonymised", changed)


def _seal(run: Run, salt: str, key: Key, certificate: Certificate, now: datetime, shared: bool) -> None:
    """Write down that it happened: for whoever comes with that id, for the export of rights, for the audit."""
    at, real = micros(now), micros(certificate.erased_at)
    bury(run, {certificate.customer: key}, at, real, certificate.digest)
    run(
        "INSERT INTO meta (name, value) VALUES ('erased', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        certificate.digest,
    )
    told = json.dumps(
        {"customer": certificate.customer, "digest": certificate.digest, "previous": certificate.previous}
    )
    audit_chain.add(run, salt, certificate.erased_at, certificate.erased_by, "customer erase", told, shared)
