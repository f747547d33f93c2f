"""The tables of every database, in SQLAlchemy's words: what the first migration makes, and what queries name.

Instants are whole microseconds since 1970-01-01 UTC (BIGINT), because both databases compare and index them fastest and
lose nothing. Values that only the engine reads are JSON text as orchestrator.core.state writes it.

Keys of hot tables lead with (shard, customer): what one turn touches lies side by side, and the database can be split
by shard later. `customer` is the internal id, never the brand's own; see orchestrator.stores.shards. Tables that carry
a promise of uniqueness (seen, messages, enrollments, coupons) are never divided by time.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Sequence,
    String,
    Table,
    Text,
    and_,
    text,
)
from sqlalchemy.types import TypeEngine

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_INSTANT: Final = BigInteger
_ID: Final = BigInteger
"""Internal ids and sequences. On SQLite a BIGINT key is no alias of the row id; see `_SERIAL`."""
_SERIAL: Final = BigInteger().with_variant(Integer, "sqlite")
"""A key that the database counts up itself."""


def _name(longest: int) -> TypeEngine[str]:
    """A short text that keys and orders compare: byte by byte, as SQLite and Python do, whatever the language of the
    PostgreSQL server, whose rules change with its operating system."""
    return String(longest).with_variant(String(longest, collation="C"), "postgresql")


_ROOM: Final = {"fillfactor": 85}
"""PostgreSQL leaves room in each page for rows that change where they stand, without new entries in their indexes."""


def _keyed(name: str, *columns: Column[Any] | Index, **options: Any) -> Table:
    """A table of narrow rows, which SQLite keeps in the order of their key, without row ids beside it."""
    return Table(name, METADATA, *columns, sqlite_with_rowid=False, **options)


def _busy(name: str, *columns: Column[Any] | Index) -> Table:
    """A narrow table of few rows that change over and over: on PostgreSQL its pages keep room for their changes."""
    return Table(name, METADATA, *columns, sqlite_with_rowid=False, postgresql_with={"fillfactor": 50})


def _wide(name: str, *columns: Column[Any] | Index, **options: Any) -> Table:
    """A table of wide rows: SQLite keeps them in the order in which they came, and their keys apart. Kept in the order
    of their keys, a handful of them would fill a page, and every new one would move the others."""
    return Table(name, METADATA, *columns, **options)


def _needed(name: str, type_: Any, **options: Any) -> Column[Any]:
    """A column that every row fills."""
    return Column(name, type_, nullable=False, **options)


def _shard() -> Column[Any]:
    return Column("shard", Integer, primary_key=True, autoincrement=False)


def _customer() -> Column[Any]:
    return Column("customer", _ID, primary_key=True, autoincrement=False)


# --- the installation -------------------------------------------------------------------------------------------------

META = _keyed(
    "meta",
    Column("name", _name(200), primary_key=True),
    _needed("value", Text),
)
"""One value a name: the salt, the live deployment, switches, the clock."""

DEPLOYMENTS = Table(
    "deployments",
    METADATA,
    Column("id", _SERIAL, primary_key=True),
    _needed("digest", _name(64), unique=True),
    _needed("deployed_at", _INSTANT),
    _needed("files", LargeBinary),
)
"""Files of deployed projects, compressed. `digest`: of all files."""

VERSIONS = _keyed(
    "versions",
    Column("journey", _name(200), primary_key=True),
    Column("version", _name(64), primary_key=True),
    _needed("deployment", _ID),
    _needed("first_at", _INSTANT),
)
"""Which deployment holds the source of a version of a journey."""

SHARDS_TABLE = _keyed(
    "shards",
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("next_due_at", _INSTANT),
    Column("turned_at", _INSTANT),
    postgresql_with={"fillfactor": 10},
)
"""Claims of turns by shard (PostgreSQL). Only the holder of a row's lock writes it."""

DUE = _keyed(
    "due",
    _shard(),
    _customer(),
    _needed("at", _INSTANT),
    Index("ix_due_shard", "shard", "at"),
)
"""When a customer must be looked at again (PostgreSQL; SQLite keeps it with the customer). A table of its own, because
every change of an indexed column of a wide row writes an entry in each of its indexes there."""

TURN_ORDINALS = Sequence("turn_ordinals", metadata=METADATA)
CUSTOMER_IDS = Sequence("customer_ids", metadata=METADATA)
"""Numbers that PostgreSQL counts without a row that everybody would have to lock; SQLite has them in `meta`."""

ATTEMPTS = Table(
    "attempts",
    METADATA,
    Column("id", _SERIAL, primary_key=True),
    _needed("begun_at", _INSTANT),
    _needed("customers", Text),
    _needed("tries", Integer, default=1),
)
"""Turns that were begun and are not over: written before the claim, so that what kills the process is found."""

AUDIT = Table(
    "audit",
    METADATA,
    Column("id", _SERIAL, primary_key=True),
    _needed("at", _INSTANT),
    _needed("actor", Text),
    _needed("action", Text),
    _needed("detail", Text),
)
"""What operators did. `at` is real time."""

MARKS = _keyed(
    "marks",
    Column("name", _name(400), primary_key=True),
    _needed("at", _INSTANT),
)
"""Named instants: how far schedules were fanned out."""

TALLIES = _keyed(
    "tallies",
    Column("name", _name(400), primary_key=True),
    _needed("count", BigInteger),
    _needed("amount", Float, default=0.0),
)
"""Named counters: entries of a day, messages of a journey, codes and money of an offer, turns of a queue."""

COUNTS = _busy(
    "counts",
    Column("name", _name(400), primary_key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    _needed("count", BigInteger),
)
"""Counters that many processes change at once, each in a slot of its own (PostgreSQL): their sums are the figures."""

QUOTAS = _busy(
    "quotas",
    Column("name", _name(400), primary_key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    _needed("remaining", Float),
    _needed("used", Float),
    _needed("bound", Float),
)
"""What is left of a limit that all customers share, spread over slots (PostgreSQL): a turn locks what it may need.
`bound`: the whole limit that the slots were laid out for. Of serial numbers, `used` is the next one and `bound` the end
of the slot's block."""

RATES = _busy(
    "rates",
    Column("name", _name(200), primary_key=True),
    _needed("tokens", Float),
    _needed("filled_at", _INSTANT),
)
"""The bucket of tokens of each channel that has a rate. `filled_at`, as everything about channels, is real time."""

CIRCUITS = _busy(
    "circuits",
    Column("name", _name(200), primary_key=True),
    _needed("failures", Integer),
    _needed("rest_for", BigInteger),
    Column("probe_at", _INSTANT),
    Column("prober", _name(64)),
    Column("reason", Text),
)
"""The circuit of each channel that was ever out of order. `rest_for`: microseconds until the next probe; `probe_at`:
when that may go (none: the circuit is closed); `prober`: whose answer is awaited."""

# --- customers --------------------------------------------------------------------------------------------------------

CUSTOMERS = _keyed(
    "customers",
    _shard(),
    Column("id", _ID, primary_key=True, autoincrement=False),
    _needed("external_id", _name(512)),
    _needed("created_at", _INSTANT),
    _needed("known_from", _INSTANT),
    _needed("zone", _name(64)),
    _needed("state", Text),
    Column("next_due_at", _INSTANT),
    Column("parked", _name(40)),
    Column("parked_detail", Text),
    Column("parked_at", _INSTANT),
    Index("ix_customers_external_id", "external_id", unique=True),
    postgresql_with=_ROOM,
)
"""One row for each customer. `state`: the record without consents. `zone`: the one in force, for fan-outs."""
Index(
    "ix_customers_due",
    CUSTOMERS.c.next_due_at,
    CUSTOMERS.c.external_id,
    sqlite_where=CUSTOMERS.c.next_due_at.is_not(None),
    postgresql_where=CUSTOMERS.c.next_due_at.is_not(None),
)
Index("ix_customers_zone", CUSTOMERS.c.zone, CUSTOMERS.c.external_id).ddl_if(dialect="sqlite")
Index("ix_customers_zone_shard", CUSTOMERS.c.zone, CUSTOMERS.c.shard, CUSTOMERS.c.id).ddl_if(dialect="postgresql")
"""A fan-out finds those of a zone by one of them: on SQLite in the order of their ids, on PostgreSQL shard by shard."""
Index(
    "ix_customers_parked",
    CUSTOMERS.c.parked_at,
    sqlite_where=CUSTOMERS.c.parked.is_not(None),
    postgresql_where=CUSTOMERS.c.parked.is_not(None),
)

IDENTIFIERS = _keyed(
    "identifiers",
    Column("kind", _name(40), primary_key=True),
    Column("value", _name(512), primary_key=True),
    _needed("shard", Integer),
    _needed("customer", _ID),
)
"""Whom an identifier means. Kind `external` is the brand's own id; `to_sms` and its like: an address, and whom the
last message was about that was handed over to it."""

FORWARDING = _keyed(
    "forwarding",
    Column("from_customer", _ID, primary_key=True, autoincrement=False),
    _needed("into_shard", Integer),
    _needed("into_customer", _ID),
    _needed("merged_at", _INSTANT),
)
"""Where a merged customer's rows went."""

CONSENTS = _keyed(
    "consents",
    _shard(),
    _customer(),
    _needed("state", Text),
)
"""One row for each customer who chose anything: [[topic, channel, state], ...], with an instant behind the state where
one belongs to it (see orchestrator.core.customer). Its lock orders opt-out and claim."""

CONSENT_LOG = _wide(
    "consent_log",
    _shard(),
    _customer(),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _needed("at", _INSTANT),
    _needed("noted_at", _INSTANT),
    _needed("topic", _name(200)),
    _needed("channel", _name(20)),
    _needed("state", _name(12)),
    _needed("source", _name(20)),
    Column("wording", Text),
    Column("proof", Text),
    Column("expires_at", _INSTANT),
    Column("refused", _name(40)),
)
"""The consent ledger: every choice, with what was shown and what proves it (JSON); kept for good. `rights` is another
thing: it is exported, holds only what closes, and is forgotten when no backup is as old any more.
`at`: when it was chosen; `noted_at`: when it was taken; `refused`: why it changed nothing."""

ERASURES = _keyed(
    "erasures",
    Column("hash", _name(64), primary_key=True),
    _needed("at", _INSTANT),
    _needed("erased_at", _INSTANT),
    _needed("shard", Integer),
    _needed("customer", _ID),
    _needed("swept", Integer, default=0),
    _needed("digest", _name(64)),
    Index("ix_erasures_unswept", "at", sqlite_where=text("swept = 0"), postgresql_where=text("swept = 0")),
)
"""Whom nobody may bring back for a while, by the hash of the id. `at` is journey time, from which that counts;
`erased_at` is real time; `swept`: what arrived while it happened was looked for, too; `digest`: the certificate's."""

SUPPRESSIONS = _keyed(
    "suppressions",
    Column("channel", _name(20), primary_key=True),
    Column("address", _name(512), primary_key=True),
    Column("cause", _name(20), primary_key=True),
    _needed("at", _INSTANT),
)
"""Addresses that nothing may be written to, by cause."""

RIGHTS = Table(
    "rights",
    METADATA,
    Column("id", _SERIAL, primary_key=True),
    _needed("at", _INSTANT),
    _needed("kind", _name(20)),
    Column("shard", Integer),
    Column("customer", _ID),
    Column("external_id", _name(512)),
    Column("topic", _name(200)),
    Column("channel", _name(20)),
    Column("address", _name(512)),
    Column("cause", _name(20)),
)
"""What people asked not to have any more, in the order in which it came: exported continuously, so that whoever goes
back to a backup can do it again. `kind`: opted_out, opted_in (of what was opted out), suppressed, erased (then
`external_id` is the hash of who it was). `at`: the database's own clock when the row was written."""
Index("ix_rights_at", RIGHTS.c.at)

# --- what arrives -----------------------------------------------------------------------------------------------------

INBOX = Table(
    "inbox",
    METADATA,
    Column("seq", _SERIAL, primary_key=True),
    _needed("shard", Integer),
    _needed("customer", _ID),
    _needed("external_id", _name(512)),
    _needed("received_at", _INSTANT),
    _needed("parked", Integer, default=0),
    _needed("body", Text),
)
"""What waits for a turn: a turn deletes exactly the rows that it read. `parked`: its customer's turn is not taken.
`external_id` repeats the customer's, because a turn takes those who wait longest, in the order of these ids."""
Index("ix_inbox_customer", INBOX.c.shard, INBOX.c.customer)
Index(
    "ix_inbox_waiting",
    INBOX.c.received_at,
    INBOX.c.external_id,
    INBOX.c.shard,
    INBOX.c.customer,
    sqlite_where=INBOX.c.parked == 0,
).ddl_if(dialect="sqlite")
Index("ix_inbox_shard", INBOX.c.shard, INBOX.c.received_at, postgresql_where=INBOX.c.parked == 0).ddl_if(
    dialect="postgresql"
)
"""Each database finds whose turn it is by one of them: SQLite among all customers, PostgreSQL by shard."""

SEEN = _keyed(
    "seen",
    Column("message_id", _name(512), primary_key=True),
    _needed("received_at", _INSTANT),
    _needed("content", BigInteger),
)
"""Ids of events that were taken, with the hash of their content."""
Index("ix_seen_received_at", SEEN.c.received_at)

EVENTS = _wide(
    "events",
    _shard(),
    _customer(),
    Column("name", _name(512), primary_key=True),
    Column("at", _INSTANT, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    _needed("id", _name(512)),
    _needed("properties", Text),
)
"""The past of customers, which conditions count. `seq` orders those of one instant as they joined it."""

REFUSED = Table(
    "refused",
    METADATA,
    Column("id", _SERIAL, primary_key=True),
    _needed("at", _INSTANT),
    _needed("source", Text),
    _needed("reason", Text),
    _needed("content", Text),
)
"""What came and could not be taken."""

FANOUT = Table(
    "fanout",
    METADATA,
    Column("id", _SERIAL, primary_key=True),
    _needed("name", _name(600), unique=True),
    _needed("at", _INSTANT),
    _needed("body", Text),
    Column("zone", _name(64)),
    Column("segment", _name(200)),
    Column("cursor", _name(512)),
    _needed("reached", BigInteger, default=0),
    _needed("done", Integer, default=0),
)
"""Something for many inboxes: an occurrence of a schedule, a deploy. `cursor`: the last customer (by the brand's id)
whose inbox has it. `name` makes it happen once."""
Index("ix_fanout_pending", FANOUT.c.at, sqlite_where=FANOUT.c.done == 0, postgresql_where=FANOUT.c.done == 0)

FANOUT_SHARDS = _keyed(
    "fanout_shards",
    Column("fanout", _ID, primary_key=True, autoincrement=False),
    Column("shard", Integer, primary_key=True, autoincrement=False),
    _needed("cursor", _ID),
)
"""Shards that a fan-out has not told to the end (PostgreSQL). `cursor`: the last internal id that has it."""

# --- journeys ---------------------------------------------------------------------------------------------------------

ENROLLMENTS = _wide(
    "enrollments",
    _shard(),
    _customer(),
    Column("id", _name(64), primary_key=True),
    _needed("journey", _name(200)),
    _needed("version", _name(64)),
    _needed("key", Text),
    _needed("status", _name(12)),
    Column("reason", Text),
    _needed("ended_by_rule", Integer, default=0),
    Column("step", _name(200)),
    _needed("entered_at", _INSTANT),
    Column("ended_at", _INSTANT),
    Column("due_at", _INSTANT),
    _needed("live", Integer),
    _needed("seq", BigInteger),
    _needed("state", Text),
    postgresql_with=_ROOM,
)
"""Passages through journeys. `live`: a turn may still have to look at it (it runs, is parked, or its goal is open);
`seq` orders a customer's by their entries."""
Index(
    "ix_enrollments_live",
    ENROLLMENTS.c.journey,
    ENROLLMENTS.c.version,
    ENROLLMENTS.c.status,
    sqlite_where=ENROLLMENTS.c.live == 1,
    postgresql_where=ENROLLMENTS.c.live == 1,
)

ENTRIES = _keyed(
    "entries",
    _shard(),
    _customer(),
    Column("journey", _name(200), primary_key=True),
    Column("key", _name(512), primary_key=True),
    _needed("state", Text),
)
"""What is remembered of the entries with one key of one journey, for `reentry` and `entered`."""

TRANSITIONS = _wide(
    "transitions",
    _shard(),
    _customer(),
    Column("at", _INSTANT, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    _needed("type", _name(20)),
    Column("journey", _name(200)),
    Column("version", _name(64)),
    Column("key", Text),
    Column("step", _name(200)),
    Column("enrollment", _name(64)),
    _needed("data", Text),
    Column("details", Text),
)
"""The journal, in the order of (at, seq, n): `n` counts the lines that share a place (the end of a message, and the
coupon that it gives back). `data`: what is printed; `details`: the values that the decision was taken on, where there
are any."""

# --- what leaves ------------------------------------------------------------------------------------------------------

MESSAGES = _wide(
    "messages",
    _shard(),
    _customer(),
    Column("id", _name(200), primary_key=True),
    _needed("journey", _name(200)),
    _needed("enrollment", _name(64)),
    _needed("step", _name(200)),
    _needed("channel", _name(20)),
    _needed("topic", _name(200)),
    _needed("class", _name(20), key="klass"),
    _needed("template", _name(400)),
    _needed("address", _name(512)),
    _needed("at", _INSTANT),
    _needed("seq", BigInteger),
    _needed("status", _name(12)),
    Column("opened_at", _INSTANT),
    Column("clicked_at", _INSTANT),
    _needed("row", Text),
)
"""The ledger: one row for each message, for good. `seq` orders a customer's by their decisions; `row`: the whole record
with its frozen values."""
Index("ix_messages_id", MESSAGES.c.id, unique=True)
Index("ix_messages_at", MESSAGES.c.at)

OUTBOX = Table(
    "outbox",
    METADATA,
    Column("seq", _SERIAL, primary_key=True),
    _needed("id", _name(200)),
    _needed("shard", Integer),
    _needed("customer", _ID),
    _needed("journey", _name(200)),
    _needed("channel", _name(20)),
    _needed("class", _name(20), key="klass"),
    _needed("throttled", Integer, default=0),
    _needed("at", _INSTANT),
    _needed("available_at", _INSTANT),
    _needed("retry_at", _INSTANT, default=0),
    _needed("frozen", Integer, default=0),
    _needed("told", Integer, default=0),
    _needed("fence", Integer, default=0),
    Column("lease_until", _INSTANT),
    _needed("begun", Integer, default=0),
    _needed("uncertain", Integer, default=0),
    Column("first_tried_at", _INSTANT),
    postgresql_with={"fillfactor": 50},
)
"""Messages on their way: a row is here from the decision until it is settled, so that the queue stays small while the
ledger grows. `available_at` is journey time, `retry_at` and `lease_until` are real time.

`throttled`: 1 it waits for the room of its journey, 2 an operator cancelled it and it waits for nothing. `frozen`: 1
its journey is paused, 2 its provider refused it until `retry_at`. `told`: 1 people know that it waits for room, 2 they
will be told. `uncertain`: a hand-over was begun and not settled.

That ids are unique is the ledger's promise. A row is found by its customer, because customers of one turn are
neighbours and their ids are not: an index of ids would write a page of its own for every message that leaves."""
Index("ix_outbox_customer", OUTBOX.c.shard, OUTBOX.c.customer)
Index("ix_outbox_ready", OUTBOX.c.klass, OUTBOX.c.throttled, OUTBOX.c.frozen, OUTBOX.c.available_at, OUTBOX.c.seq)
Index("ix_outbox_retry", OUTBOX.c.retry_at, sqlite_where=OUTBOX.c.frozen == 2, postgresql_where=OUTBOX.c.frozen == 2)
_QUEUED: Final = and_(OUTBOX.c.throttled == 1, OUTBOX.c.frozen == 0)
Index(
    "ix_outbox_throttled",
    OUTBOX.c.journey,
    OUTBOX.c.at,
    OUTBOX.c.available_at,
    sqlite_where=_QUEUED,
    postgresql_where=_QUEUED,
)
Index(
    "ix_outbox_told",
    OUTBOX.c.told,
    OUTBOX.c.journey,
    OUTBOX.c.available_at,
    sqlite_where=_QUEUED,
    postgresql_where=_QUEUED,
)

_IN_FLIGHT: Final = and_(OUTBOX.c.throttled == 1, OUTBOX.c.lease_until.is_not(None))
Index(
    "ix_outbox_leased",
    OUTBOX.c.journey,
    OUTBOX.c.lease_until,
    sqlite_where=_IN_FLIGHT,
).ddl_if(dialect="sqlite")
"""PostgreSQL has the table `in_flight` instead: there, an update that touches no index costs a third."""

IN_FLIGHT = _keyed(
    "in_flight",
    Column("seq", _ID, primary_key=True, autoincrement=False),
    _needed("journey", _name(200)),
    _needed("lease_until", _INSTANT),
    Index("ix_in_flight_journey", "journey", "lease_until"),
)
"""Messages of throttled journeys that are claimed (PostgreSQL): they take room, too."""

DEAD_LETTERS = Table(
    "dead_letters",
    METADATA,
    Column("seq", _SERIAL, primary_key=True),
    _needed("id", _name(200), unique=True),
    _needed("shard", Integer),
    _needed("customer", _ID),
    _needed("status", _name(12)),
    _needed("at", _INSTANT),
    _needed("fence", Integer),
    _needed("reason", Text),
)
"""Messages that came to a bad end (refused for good, or nobody knows), to be inspected and sent again. `at`: journey
time; `fence`: that of their last claim, which another way through the queue goes on from."""

HANDED_OVER = Table(
    "handed_over",
    METADATA,
    Column("seq", _SERIAL, primary_key=True),
    _needed("journey", _name(200)),
    _needed("at", _INSTANT),
)
"""Hand-overs of throttled journeys, as far back as a throttle looks."""
Index("ix_handed_over_journey_at", HANDED_OVER.c.journey, HANDED_OVER.c.at)

REQUESTS = Table(
    "requests",
    METADATA,
    Column("seq", _SERIAL, primary_key=True),
    _needed("id", _name(200), unique=True),
    _needed("shard", Integer),
    _needed("customer", _ID),
    _needed("at", _INSTANT),
    _needed("fence", Integer, default=0),
    Column("lease_until", _INSTANT),
    _needed("row", Text),
)
"""Calls to make outside; settled ones are gone."""

REPLIES = _keyed(
    "replies",
    Column("url", Text, primary_key=True),
    _needed("status", Integer),
    _needed("body", Text),
    _needed("until_at", _INSTANT),
)
"""Fetched answers that may still be used."""
Index("ix_replies_until_at", REPLIES.c.until_at)

COUPONS = _keyed(
    "coupons",
    _shard(),
    _customer(),
    Column("id", _name(200), primary_key=True),
    _needed("offer", _name(200)),
    _needed("code", _name(200)),
    _needed("status", _name(12)),
    _needed("seq", BigInteger),
    _needed("row", Text),
)
"""Codes given to customers. `seq` orders a customer's as they were given."""
Index("ix_coupons_offer_code", COUPONS.c.offer, COUPONS.c.code, unique=True)
Index("ix_coupons_offer_status", COUPONS.c.offer, COUPONS.c.status)

CODES = Table(
    "codes",
    METADATA,
    Column("seq", _SERIAL, primary_key=True),
    _needed("offer", _name(200)),
    _needed("code", _name(200)),
    _needed("given", Integer, default=0),
)
"""Imported codes, given out in their order, each once for ever."""
Index("ix_codes_offer_code", CODES.c.offer, CODES.c.code, unique=True)
Index("ix_codes_free", CODES.c.offer, CODES.c.seq, sqlite_where=CODES.c.given == 0, postgresql_where=CODES.c.given == 0)

TASKS = _keyed(
    "tasks",
    _shard(),
    _customer(),
    Column("id", _name(200), primary_key=True),
    _needed("queue", _name(200)),
    Column("assignee", Text),
    _needed("opened_at", _INSTANT),
    Column("due_at", _INSTANT),
    Column("closed_at", _INSTANT),
    _needed("seq", BigInteger),
    _needed("row", Text),
)
"""Tasks for staff. The working set of a queue is found by its open ones; `seq` orders a customer's as they were
opened."""
Index(
    "ix_tasks_open",
    TASKS.c.queue,
    TASKS.c.assignee,
    sqlite_where=TASKS.c.closed_at.is_(None),
    postgresql_where=TASKS.c.closed_at.is_(None),
)
