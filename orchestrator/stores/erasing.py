"""Erasing a person from a database: every row of theirs goes, or loses what it says of them, in one transaction.

What is kept says nothing of anybody: that a message of a journey went at an instant, that a code was given, that a line
was written in the journal, what was chosen and by which text. The wording of a proof is kept as a hash. The id comes
back as a hash, too, so that it is not taken again for a while, and a backup that is restored can be told to forget
again. Suppressed addresses stay suppressed.

One text of SQL for both databases; `Run` puts in what differs.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b, sha256
from typing import Any, Final, NamedTuple

from orchestrator.core.addresses import address_of
from orchestrator.core.customer import Customer
from orchestrator.core.ledger import Coupon, Message, Task
from orchestrator.core.state import dumps, from_json, loads, to_json
from orchestrator.core.suppression import HASHED as HASHED_CHANNEL
from orchestrator.core.suppression import hashed_entry
from orchestrator.core.time.iso import format_instant
from orchestrator.core.transition import Transition
from orchestrator.stores.instants import micros
from orchestrator.stores.naming import Named, mentions, names
from orchestrator.stores.records import MESSAGE, NO_STATE, customer_of, message_of, message_row
from orchestrator.stores.sealed_rows import CONTENT, PROOF, TASK, TOLD
from orchestrator.stores.sealing import HASHED, Sealer, shown

ERASED: Final = "erased:"
"""Before the hash of an id, wherever one stands in place of the id."""
SOFT: Final = "soft:"
"""Before the names, in `tallies`, of addresses that bounce softly."""
GONE: Final = "suppressed"
"""The cause by which an erased person's addresses stay suppressed: nothing may be sent there, whatever its class."""
ADDRESSES: Final = ("email", "sms", "whatsapp")
"""Channels by whose addresses a person is known elsewhere, too."""
_DELETED: Final = ("events", "inbox", "entries", "requests", "identifiers", "consents", "dead_letters")
"""Tables all of whose rows of the customer go."""
_MINE: Final = "WHERE shard = ? AND customer = ?"

SWEPT_AFTER: Final = timedelta(minutes=1)
"""By then whatever was arriving while somebody was erased has arrived."""
NOBODY: Final = (-1, -1)
"""The place of somebody who is not there to be erased."""
Run = Callable[..., Any]
"""Executes a statement whose values stand as `?`; returns the driver's cursor."""
Key = tuple[int, int]


class Certificate(NamedTuple):
    """What was erased where. `customer`: the hash of the id; `tables`: rows by table, as `deleted` or `anonymised`;
    `previous`: the digest of the certificate before this one, so that none can be taken out unseen."""

    customer: str
    erased_at: datetime
    erased_by: str
    tables: Mapping[str, Mapping[str, int]]
    suppressed: tuple[str, ...]
    previous: str | None
    digest: str

    def as_dict(self) -> dict[str, Any]:
        """For a file: what `digest` is made of, and the digest."""
        return {**_content(self), "digest": self.digest}


def hash_of(salt: str, customer: str) -> str:
    """What stands for an erased id: nobody without the installation's salt can tell whose it is."""
    return blake2b(customer.encode("utf-8", "surrogatepass"), key=salt.encode()[:64], digest_size=16).hexdigest()


def certified(
    customer: str,
    erased_at: datetime,
    erased_by: str,
    tables: Mapping[str, Mapping[str, int]],
    suppressed: Iterable[str],
    previous: str | None,
) -> Certificate:
    """The certificate with its digest: SHA-256 over all else as JSON with sorted keys."""
    told = {name: dict(counts) for name, counts in sorted(tables.items()) if any(counts.values())}
    made = Certificate(customer, erased_at, erased_by, told, tuple(suppressed), previous, "")
    return made._replace(digest=digest_of(_content(made)))


def digest_of(certificate: Mapping[str, Any]) -> str:
    """The digest that a certificate must have; `digest` itself is left out."""
    content = {name: value for name, value in certificate.items() if name != "digest"}
    return sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _content(certificate: Certificate) -> dict[str, Any]:
    return {
        "certificate": "erasure",
        "customer": certificate.customer,
        "erased_at": format_instant(certificate.erased_at),
        "erased_by": certificate.erased_by,
        "tables": {name: dict(counts) for name, counts in certificate.tables.items()},
        "suppressed": list(certificate.suppressed),
        "previous": certificate.previous,
    }


# --- what records become ----------------------------------------------------------------------------------------------


def addresses_of(customer: Customer) -> list[tuple[str, str]]:
    """(channel, normal form) of the addresses that stay suppressed."""
    found = [(channel, address_of(customer, channel)[0]) for channel in ADDRESSES]
    return [(channel, address.normal) for channel, address in found if address is not None]


def said_no_more(data: Mapping[str, Any]) -> dict[str, Any]:
    """What a line of the journal goes on saying."""
    return {name: value for name, value in data.items() if name in TOLD}


def nobodys_lines(lines: Iterable[Transition], customer: str, hash: str) -> list[Transition]:
    """Lines of the journal, of which those of the customer say of nobody what happened."""
    return [
        line._replace(customer=ERASED + hash, key=None, data=said_no_more(line.data), values={})
        if line.customer == customer
        else line
        for line in lines
    ]


def nobodys_message(row: Message) -> Message:
    """A ledger row without its person: that something went, not to whom, nor what it said."""
    return row._replace(
        customer_id="", key="", to="", values={}, locale=None, subject=None, reply_to=None, zone="UTC", fixed_zone=None
    )


def nobodys_coupon(coupon: Coupon) -> Coupon:
    """A code that was given to somebody."""
    return coupon._replace(customer_id="", key=None, order_id=None)


def nobodys_task(task: Task, at: datetime) -> Task:
    """A task about nobody, which is closed."""
    closed_at, outcome = (task.closed_at, task.outcome) if task.closed_at is not None else (at, "erased")
    return task._replace(customer_id="", title="", body=None, closed_at=closed_at, outcome=outcome)


def proof_hashed(proof: Mapping[str, Any]) -> dict[str, str]:
    """What stays of a proof: whoever has it can show that it is the one."""
    return {"sha256": sha256(json.dumps(proof, sort_keys=True, default=str).encode()).hexdigest()}


# --- rows ---------------------------------------------------------------------------------------------------------


class Erased(NamedTuple):
    """What `erase_rows` did, for the database's own part of it."""

    certificate: Certificate
    recounted: Mapping[tuple[str, str], int]
    """Messages that left or came to (channel, status)."""


def erase_rows(
    run: Run,
    sealer: Sealer,
    salt: str,
    customer: str,
    now: datetime,
    real_at: datetime,
    actor: str,
    extra: Sequence[str] = (),
) -> Erased | None:
    """Erase a customer, in a transaction that holds everybody else off its rows; None: there is no such customer.

    `extra`: tables that only this database has, with rows of the customer that go.
    """
    found = run(
        "SELECT c.shard, c.id, c.created_at, c.state FROM customers AS c WHERE c.external_id = ?", customer
    ).fetchone()
    if found is None:
        return None
    key: Key = (found[0], found[1])
    profile = customer_of(sealer, customer, found[2], found[3], None)
    hash = hash_of(salt, customer)
    tables: dict[str, Counter[str]] = {}

    def count(table: str, what: str, rows: int) -> None:
        tables.setdefault(table, Counter())[what] += max(rows, 0)

    recounted = _messages(run, sealer, key, count)
    _stories(run, key, now, count)
    _effects(run, sealer, key, now, count)
    count("consent_log", "anonymised", _proofs(run, sealer, key))
    for table in (*_DELETED, *extra):
        count(table, "deleted", run(f"DELETE FROM {table} {_MINE}", *key).rowcount)
    named = names([customer], profile.email, profile.phone, profile.country)
    _elsewhere(run, sealer, customer, hash, named, count)
    _beside(run, customer, count)
    run("DELETE FROM forwarding WHERE into_shard = ? AND into_customer = ?", *key)
    count("rights", "anonymised", run(f"UPDATE rights SET external_id = ? {_MINE}", ERASED + hash, *key).rowcount)
    count("customers", "deleted", run("DELETE FROM customers WHERE shard = ? AND id = ?", *key).rowcount)
    addresses = addresses_of(profile)
    for channel, normal in addresses:
        count(
            "suppressions",
            "anonymised",
            _keep_suppressed(run, sealer, salt, channel, normal, micros(now), micros(real_at)),
        )
        for mark in sealer.marks("".join(hashed_entry(salt, channel, normal)).removeprefix(HASHED_CHANNEL)):
            count("tallies", "deleted", run("DELETE FROM tallies WHERE name = ?", SOFT + mark).rowcount)
    last = run("SELECT value FROM meta WHERE name = 'erased'").fetchone()
    certificate = certified(
        hash, real_at, actor, tables, [channel for channel, _ in addresses], last[0] if last is not None else None
    )
    _seal(run, key, certificate, now)
    return Erased(certificate, recounted)


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


def _keep_suppressed(run: Run, sealer: Sealer, salt: str, channel: str, normal: str, at: int, real: int) -> int:
    """Nothing may ever be sent to an address again, and nobody can read in the list which one it was."""
    hashed_as = hashed_entry(salt, channel, normal)
    entry = (hashed_as[0], sealer.mark(hashed_as[1]))
    known = []
    for mark in sealer.marks(normal):
        place = (channel, mark)
        known += run("SELECT cause, at FROM suppressions WHERE channel = ? AND address = ?", *place).fetchall()
        run("DELETE FROM suppressions WHERE channel = ? AND address = ?", *place)
        run("UPDATE rights SET channel = ?, address = ? WHERE channel = ? AND address = ?", *entry, *place)
    for cause, since in dict([(GONE, at), *known]).items():
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
    for id, said in run("SELECT id, content FROM refused").fetchall():
        if named(shown(sealer, CONTENT, said)):
            count("refused", "deleted", run("DELETE FROM refused WHERE id = ?", id).rowcount)
    mentioned = mentions(customer, named)
    for (url,) in run("SELECT url FROM replies").fetchall():
        if url.startswith(HASHED) or mentioned(sealer.unmark(url)):  # a hash may be anybody's, and this is only a cache
            count("replies", "deleted", run("DELETE FROM replies WHERE url = ?", url).rowcount)
    for id, said in run("SELECT id, detail FROM audit WHERE detail <> ''").fetchall():
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


def _seal(run: Run, key: Key, certificate: Certificate, now: datetime) -> None:
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
    run(
        "INSERT INTO audit (at, actor, action, detail) VALUES (?, ?, 'customer erase', ?)",
        real, certificate.erased_by, told,
    )  # fmt: skip


def bury(run: Run, hashes: Mapping[str, Key], at: int, real: int, digest: str = "") -> None:
    """Take nothing of these ids (by their hashes) from now on, and tell it to the export of rights."""
    for hash, (shard, id) in hashes.items():
        run(
            "INSERT INTO erasures (hash, at, erased_at, shard, customer, swept, digest) VALUES (?, ?, ?, ?, ?, 0, ?) "
            "ON CONFLICT (hash) DO UPDATE SET at = excluded.at, erased_at = excluded.erased_at, "
            "shard = excluded.shard, customer = excluded.customer, swept = 0, digest = excluded.digest",
            hash, at, real, shard, id, digest,
        )  # fmt: skip
        run("INSERT INTO rights (at, kind, external_id) VALUES (?, 'erased', ?)", real, ERASED + hash)


def buried(run: Run, salt: str, customers: Collection[tuple[str, int]], keep: int) -> set[str]:
    """Those of these customers (id, arrival in microseconds) whom an erasure keeps out for `keep` microseconds."""
    if run("SELECT EXISTS (SELECT 1 FROM erasures)").fetchone()[0] in (0, False):
        return set()
    kept_out = set()
    for customer, at in customers:
        found = run("SELECT at FROM erasures WHERE hash = ?", hash_of(salt, customer)).fetchone()
        if found is not None and at - found[0] <= keep:
            kept_out.add(customer)
    return kept_out


def erased_elsewhere(run: Run, salt: str, hashes: Mapping[str, datetime], ahead: timedelta) -> dict[str, str]:
    """See Store.erased: every id is looked at. `ahead`: of journey time, before real time."""
    wanted: dict[str, datetime] = {}
    for hash, at in hashes.items():
        known = run("SELECT erased_at FROM erasures WHERE hash = ?", hash).fetchone()
        if known is None or known[0] < micros(at):
            wanted[hash] = at
    found = {}
    if wanted:
        for customer, known_from in run("SELECT external_id, known_from FROM customers"):
            hash = hash_of(salt, customer)
            if hash in wanted and known_from <= micros(wanted[hash] + ahead):
                found[hash] = customer
    for hash in sorted(wanted.keys() - found.keys()):
        bury(run, {hash: NOBODY}, micros(wanted[hash] + ahead), micros(wanted[hash]))
    return found


def sweep(run: Run, before: int) -> int:
    """Delete what arrived for erased customers while they were being erased. Returns how many items went."""
    gone = 0
    for hash, shard, id in run(
        "SELECT hash, shard, customer FROM erasures WHERE swept = 0 AND at < ?", before
    ).fetchall():
        gone += max(0, run(f"DELETE FROM inbox {_MINE}", shard, id).rowcount)
        run("UPDATE erasures SET swept = 1 WHERE hash = ?", hash)
    return gone
