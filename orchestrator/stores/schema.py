"""The tables of every database, in SQLAlchemy's words: what the first migration makes, and what queries name.

Instants are whole microseconds since 1970-01-01 UTC (BIGINT), because both databases compare and index them fastest and
lose nothing. Values that only the engine reads are JSON text as orchestrator.core.state writes it.

Keys of hot tables lead with (shard, customer): what one turn touches lies side by side, and the database can be split
by shard later. `customer` is the internal id, never the brand's own; see orchestrator.stores.shards. Tables that carry
a promise of uniqueness (seen, messages, enrollments, coupons) are never divided by time.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    LargeBinary,
    Sequence,
    Table,
    Text,
    and_,
    text,
)

from orchestrator.stores import (
    schema_api,
    schema_catalogs,
    schema_exports,
    schema_identity,
    schema_offers,
    schema_profiles,
    schema_segments,
    schema_sources,
)
from orchestrator.stores.schema_exports import order_of_commits
from orchestrator.stores.schema_parts import (
    ID,
    INSTANT,
    ROOM,
    SERIAL,
    busy,
    customer,
    keyed,
    name,
    needed,
    shard,
    wide,
)
from orchestrator.stores.schema_parts import (
    METADATA as METADATA,
)

AREAS: Final = (
    schema_identity,
    schema_segments,
    schema_profiles,
    schema_catalogs,
    schema_api,
    schema_offers,
    schema_sources,
    schema_exports,
)
"""The modules that hold the tables of one area each. Those of the engine are below."""

# --- the installation -------------------------------------------------------------------------------------------------

META = keyed(
    "meta",
    Column("name", name(200), primary_key=True),
    needed("value", Text),
)
"""One value a name: the salt, the live deployment, switches, the clock."""

DEPLOYMENTS = Table(
    "deployments",
    METADATA,
    Column("id", SERIAL, primary_key=True),
    needed("digest", name(64), unique=True),
    needed("deployed_at", INSTANT),
    needed("files", LargeBinary),
)
"""Files of deployed projects, compressed. `digest`: of all files."""

VERSIONS = keyed(
    "versions",
    Column("journey", name(200), primary_key=True),
    Column("version", name(64), primary_key=True),
    needed("deployment", ID),
    needed("first_at", INSTANT),
)
"""Which deployment holds the source of a version of a journey."""

SHARDS_TABLE = keyed(
    "shards",
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("next_due_at", INSTANT),
    Column("turned_at", INSTANT),
    postgresql_with={"fillfactor": 10},
)
"""Claims of turns by shard (PostgreSQL). Only the holder of a row's lock writes it."""

DUE = keyed(
    "due",
    shard(),
    customer(),
    needed("at", INSTANT),
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
    Column("id", SERIAL, primary_key=True),
    needed("begun_at", INSTANT),
    needed("customers", Text),
    needed("tries", Integer, default=1),
)
"""Turns that were begun and are not over: written before the claim, so that what kills the process is found."""

AUDIT = schema_offers.only_added_to(
    Table(
        "audit",
        METADATA,
        Column("id", SERIAL, primary_key=True),
        needed("at", INSTANT),
        needed("actor", Text),
        needed("action", Text),
        needed("detail", Text),
        needed("digest", Text, server_default=text("''")),
        needed("previous", Text, server_default=text("''")),
        needed("hash", Text, server_default=text("''")),
    )
)
"""What operators did. `at` is real time; the rest is a chain (orchestrator.stores.audit_chain)."""

MARKS = keyed(
    "marks",
    Column("name", name(400), primary_key=True),
    needed("at", INSTANT),
)
"""Named instants: how far schedules were fanned out."""

TALLIES = keyed(
    "tallies",
    Column("name", name(400), primary_key=True),
    needed("count", BigInteger),
    needed("amount", Float, default=0.0),
)
"""Named counters: entries of a day, messages of a journey, codes and money of an offer, turns of a queue."""

COUNTS = busy(
    "counts",
    Column("name", name(400), primary_key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    needed("count", BigInteger),
)
"""Counters that many processes change at once, each in a slot of its own (PostgreSQL): their sums are the figures."""

QUOTAS = busy(
    "quotas",
    Column("name", name(400), primary_key=True),
    Column("slot", Integer, primary_key=True, autoincrement=False),
    needed("remaining", Float),
    needed("used", Float),
    needed("bound", Float),
)
"""What is left of a limit that all customers share, spread over slots (PostgreSQL): a turn locks what it may need.
`bound`: the whole limit that the slots were laid out for. Of serial numbers, `used` is the next one and `bound` the end
of the slot's block."""

RATES = busy(
    "rates",
    Column("name", name(200), primary_key=True),
    needed("tokens", Float),
    needed("filled_at", INSTANT),
)
"""The bucket of tokens of each channel that has a rate. `filled_at`, as everything about channels, is real time."""

CIRCUITS = busy(
    "circuits",
    Column("name", name(200), primary_key=True),
    needed("failures", Integer),
    needed("rest_for", BigInteger),
    Column("probe_at", INSTANT),
    Column("prober", name(64)),
    Column("reason", Text),
)
"""The circuit of each channel that was ever out of order. `rest_for`: microseconds until the next probe; `probe_at`:
when that may go (none: the circuit is closed); `prober`: whose answer is awaited."""

# --- customers --------------------------------------------------------------------------------------------------------

CUSTOMERS = keyed(
    "customers",
    shard(),
    Column("id", ID, primary_key=True, autoincrement=False),
    needed("external_id", name(512)),
    needed("created_at", INSTANT),
    needed("known_from", INSTANT),
    needed("zone", name(64)),
    needed("state", Text),
    Column("next_due_at", INSTANT),
    Column("parked", name(40)),
    Column("parked_detail", Text),
    Column("parked_at", INSTANT),
    Index("ix_customers_external_id", "external_id", unique=True),
    postgresql_with=ROOM,
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

IDENTIFIERS = keyed(
    "identifiers",
    Column("kind", name(40), primary_key=True),
    Column("value", name(512), primary_key=True),
    needed("shard", Integer),
    needed("customer", ID),
)
"""Whom an identifier means. Kind `external` is the brand's own id, `anonymous` a device's or a browser's; `email` and
`phone`: addresses that a customer has or had, beside the profile's; `to_sms` and its like: an address, and whom the
last message was about that was handed over to it."""
Index("ix_identifiers_customer", IDENTIFIERS.c.shard, IDENTIFIERS.c.customer)

FORWARDING = keyed(
    "forwarding",
    Column("from_customer", ID, primary_key=True, autoincrement=False),
    needed("into_shard", Integer),
    needed("into_customer", ID),
    needed("merged_at", INSTANT),
    Index("ix_forwarding_into", "into_shard", "into_customer"),
)
"""Where a merged customer's rows went."""

CONSENTS = keyed(
    "consents",
    shard(),
    customer(),
    needed("state", Text),
)
"""One row for each customer who chose anything: [[topic, channel, state], ...], with an instant behind the state where
one belongs to it (see orchestrator.core.customer). Its lock orders opt-out and claim."""

CONSENT_LOG = wide(
    "consent_log",
    shard(),
    customer(),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    needed("at", INSTANT),
    needed("noted_at", INSTANT),
    needed("topic", name(200)),
    needed("channel", name(20)),
    needed("state", name(12)),
    needed("source", name(20)),
    Column("wording", Text),
    Column("proof", Text),
    Column("expires_at", INSTANT),
    Column("refused", name(40)),
)
"""The consent ledger: every choice, with what was shown and what proves it (JSON); kept for good. `rights` is another
thing: it is exported, holds only what closes, and is forgotten when no backup is as old any more.
`at`: when it was chosen; `noted_at`: when it was taken; `refused`: why it changed nothing."""

ERASURES = keyed(
    "erasures",
    Column("hash", name(64), primary_key=True),
    needed("at", INSTANT),
    needed("erased_at", INSTANT),
    needed("shard", Integer),
    needed("customer", ID),
    needed("swept", Integer, default=0),
    needed("digest", name(64)),
    Index("ix_erasures_unswept", "at", sqlite_where=text("swept = 0"), postgresql_where=text("swept = 0")),
)
"""Whom nobody may bring back for a while, by the hash of the id. `at` is journey time, from which that counts;
`erased_at` is real time; `swept`: what arrived while it happened was looked for, too; `digest`: the certificate's."""

SUPPRESSIONS = keyed(
    "suppressions",
    Column("channel", name(20), primary_key=True),
    Column("address", name(512), primary_key=True),
    Column("cause", name(20), primary_key=True),
    needed("at", INSTANT),
)
"""Addresses that nothing may be written to, by cause."""

RIGHTS = Table(
    "rights",
    METADATA,
    Column("id", SERIAL, primary_key=True),
    needed("at", INSTANT),
    needed("kind", name(20)),
    Column("shard", Integer),
    Column("customer", ID),
    Column("external_id", name(512)),
    Column("topic", name(200)),
    Column("channel", name(20)),
    Column("address", name(512)),
    Column("cause", name(20)),
)
"""What people asked not to have any more, in the order in which it came: exported continuously, so that whoever goes
back to a backup can do it again. `kind`: opted_out, opted_in (of what was opted out), suppressed, erased (then
`external_id` is the hash of who it was). `at`: the database's own clock when the row was written."""
Index("ix_rights_at", RIGHTS.c.at)
Index("ix_rights_customer", RIGHTS.c.shard, RIGHTS.c.customer)

# --- what arrives -----------------------------------------------------------------------------------------------------

INBOX = Table(
    "inbox",
    METADATA,
    Column("seq", SERIAL, primary_key=True),
    needed("shard", Integer),
    needed("customer", ID),
    needed("external_id", name(512)),
    needed("received_at", INSTANT),
    needed("parked", Integer, default=0),
    needed("body", Text),
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

SEEN = keyed(
    "seen",
    Column("message_id", name(512), primary_key=True),
    needed("received_at", INSTANT),
    needed("content", BigInteger),
)
"""Ids of events that were taken, with the hash of their content."""
Index("ix_seen_received_at", SEEN.c.received_at)

EVENTS = wide(
    "events",
    shard(),
    customer(),
    Column("name", name(512), primary_key=True),
    Column("at", INSTANT, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    needed("id", name(512)),
    needed("properties", Text),
)
"""The past of customers, which conditions count. `seq` orders those of one instant as they joined it."""

REFUSED = Table(
    "refused",
    METADATA,
    Column("id", SERIAL, primary_key=True),
    needed("at", INSTANT),
    needed("source", Text),
    needed("reason", Text),
    needed("content", Text),
)
"""What came and could not be taken."""

FANOUT = Table(
    "fanout",
    METADATA,
    Column("id", SERIAL, primary_key=True),
    needed("name", name(600), unique=True),
    needed("at", INSTANT),
    needed("body", Text),
    Column("zone", name(64)),
    Column("segment", name(200)),
    Column("cursor", name(512)),
    needed("reached", BigInteger, default=0),
    needed("done", Integer, default=0),
)
"""Something for many inboxes: an occurrence of a schedule, a deploy. `cursor`: the last customer (by the brand's id)
whose inbox has it. `name` makes it happen once."""
Index("ix_fanout_pending", FANOUT.c.at, sqlite_where=FANOUT.c.done == 0, postgresql_where=FANOUT.c.done == 0)

FANOUT_SHARDS = keyed(
    "fanout_shards",
    Column("fanout", ID, primary_key=True, autoincrement=False),
    Column("shard", Integer, primary_key=True, autoincrement=False),
    needed("cursor", ID),
)
"""Shards that a fan-out has not told to the end (PostgreSQL). `cursor`: the last internal id that has it."""

# --- journeys ---------------------------------------------------------------------------------------------------------

ENROLLMENTS = wide(
    "enrollments",
    shard(),
    customer(),
    Column("id", name(64), primary_key=True),
    needed("journey", name(200)),
    needed("version", name(64)),
    needed("key", Text),
    needed("status", name(12)),
    Column("reason", Text),
    needed("ended_by_rule", Integer, default=0),
    Column("step", name(200)),
    needed("entered_at", INSTANT),
    Column("ended_at", INSTANT),
    Column("due_at", INSTANT),
    needed("live", Integer),
    needed("seq", BigInteger),
    needed("state", Text),
    postgresql_with=ROOM,
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

ENTRIES = keyed(
    "entries",
    shard(),
    customer(),
    Column("journey", name(200), primary_key=True),
    Column("key", name(512), primary_key=True),
    needed("state", Text),
)
"""What is remembered of the entries with one key of one journey, for `reentry` and `entered`."""

TRANSITIONS = wide(
    "transitions",
    shard(),
    customer(),
    Column("at", INSTANT, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("n", Integer, primary_key=True, autoincrement=False),
    needed("type", name(20)),
    Column("journey", name(200)),
    Column("version", name(64)),
    Column("key", Text),
    Column("step", name(200)),
    Column("enrollment", name(64)),
    needed("data", Text),
    Column("details", Text),
)
"""The journal, in the order of (at, seq, n): `n` counts the lines that share a place (the end of a message, and the
coupon that it gives back). `data`: what is printed; `details`: the values that the decision was taken on, where there
are any."""
order_of_commits(TRANSITIONS)

# --- what leaves ------------------------------------------------------------------------------------------------------

MESSAGES = wide(
    "messages",
    shard(),
    customer(),
    Column("id", name(200), primary_key=True),
    needed("journey", name(200)),
    needed("enrollment", name(64)),
    needed("step", name(200)),
    needed("channel", name(20)),
    needed("topic", name(200)),
    needed("class", name(20), key="klass"),
    needed("template", name(400)),
    needed("address", name(512)),
    needed("at", INSTANT),
    needed("seq", BigInteger),
    needed("status", name(12)),
    Column("opened_at", INSTANT),
    Column("clicked_at", INSTANT),
    needed("row", Text),
)
"""The ledger: one row for each message, for good. `seq` orders a customer's by their decisions; `row`: the whole record
with its frozen values."""
Index("ix_messages_id", MESSAGES.c.id, unique=True)
Index("ix_messages_at", MESSAGES.c.at)

OUTBOX = Table(
    "outbox",
    METADATA,
    Column("seq", SERIAL, primary_key=True),
    needed("id", name(200)),
    needed("shard", Integer),
    needed("customer", ID),
    needed("journey", name(200)),
    needed("channel", name(20)),
    needed("class", name(20), key="klass"),
    needed("throttled", Integer, default=0),
    needed("at", INSTANT),
    needed("available_at", INSTANT),
    needed("retry_at", INSTANT, default=0),
    needed("frozen", Integer, default=0),
    needed("told", Integer, default=0),
    needed("fence", Integer, default=0),
    Column("lease_until", INSTANT),
    needed("begun", Integer, default=0),
    needed("uncertain", Integer, default=0),
    Column("first_tried_at", INSTANT),
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

IN_FLIGHT = keyed(
    "in_flight",
    Column("seq", ID, primary_key=True, autoincrement=False),
    needed("journey", name(200)),
    needed("lease_until", INSTANT),
    Index("ix_in_flight_journey", "journey", "lease_until"),
)
"""Messages of throttled journeys that are claimed (PostgreSQL): they take room, too."""

DEAD_LETTERS = Table(
    "dead_letters",
    METADATA,
    Column("seq", SERIAL, primary_key=True),
    needed("id", name(200), unique=True),
    needed("shard", Integer),
    needed("customer", ID),
    needed("status", name(12)),
    needed("at", INSTANT),
    needed("fence", Integer),
    needed("reason", Text),
)
"""Messages that came to a bad end (refused for good, or nobody knows), to be inspected and sent again. `at`: journey
time; `fence`: that of their last claim, which another way through the queue goes on from."""
Index("ix_dead_letters_customer", DEAD_LETTERS.c.shard, DEAD_LETTERS.c.customer)

HANDED_OVER = Table(
    "handed_over",
    METADATA,
    Column("seq", SERIAL, primary_key=True),
    needed("journey", name(200)),
    needed("at", INSTANT),
)
"""Hand-overs of throttled journeys, as far back as a throttle looks."""
Index("ix_handed_over_journey_at", HANDED_OVER.c.journey, HANDED_OVER.c.at)

REQUESTS = Table(
    "requests",
    METADATA,
    Column("seq", SERIAL, primary_key=True),
    needed("id", name(200), unique=True),
    needed("shard", Integer),
    needed("customer", ID),
    needed("at", INSTANT),
    needed("fence", Integer, default=0),
    Column("lease_until", INSTANT),
    needed("row", Text),
)
"""Calls to make outside; settled ones are gone."""

REPLIES = keyed(
    "replies",
    Column("url", Text, primary_key=True),
    needed("status", Integer),
    needed("body", Text),
    needed("until_at", INSTANT),
)
"""Fetched answers that may still be used."""
Index("ix_replies_until_at", REPLIES.c.until_at)

COUPONS = keyed(
    "coupons",
    shard(),
    customer(),
    Column("id", name(200), primary_key=True),
    needed("offer", name(200)),
    needed("code", name(200)),
    needed("status", name(12)),
    needed("seq", BigInteger),
    needed("row", Text),
)
"""Codes given to customers. `seq` orders a customer's as they were given."""
Index("ix_coupons_offer_code", COUPONS.c.offer, COUPONS.c.code, unique=True)
Index("ix_coupons_offer_status", COUPONS.c.offer, COUPONS.c.status)

CODES = Table(
    "codes",
    METADATA,
    Column("seq", SERIAL, primary_key=True),
    needed("offer", name(200)),
    needed("code", name(200)),
    needed("given", Integer, default=0),
)
"""Imported codes, given out in their order, each once for ever."""
Index("ix_codes_offer_code", CODES.c.offer, CODES.c.code, unique=True)
Index("ix_codes_free", CODES.c.offer, CODES.c.seq, sqlite_where=CODES.c.given == 0, postgresql_where=CODES.c.given == 0)

TASKS = keyed(
    "tasks",
    shard(),
    customer(),
    Column("id", name(200), primary_key=True),
    needed("queue", name(200)),
    Column("assignee", Text),
    needed("opened_at", INSTANT),
    Column("due_at", INSTANT),
    Column("closed_at", INSTANT),
    needed("seq", BigInteger),
    needed("row", Text),
)
"""Tasks for staff. The working set of a queue is found by its open ones; `seq` orders a customer's as they were
opened."""
Index("ix_tasks_id", TASKS.c.id)
Index(
    "ix_tasks_closed",
    TASKS.c.closed_at,
    TASKS.c.id,
    sqlite_where=TASKS.c.closed_at.is_not(None),
    postgresql_where=TASKS.c.closed_at.is_not(None),
)
Index(
    "ix_tasks_open",
    TASKS.c.queue,
    TASKS.c.assignee,
    sqlite_where=TASKS.c.closed_at.is_(None),
    postgresql_where=TASKS.c.closed_at.is_(None),
)
