"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None
phase = "before"


def upgrade() -> None:
    """Make every table."""
    _attempts()
    _audit()
    _codes()
    _consent_log()
    _consents()
    _circuits()
    _counts()
    _coupons()
    _customers()
    _dead_letters()
    _deployments()
    _due()
    _enrollments()
    _entries()
    _erasures()
    _events()
    _fanout()
    _fanout_shards()
    _forwarding()
    _handed_over()
    _identifiers()
    _in_flight()
    _inbox()
    _marks()
    _messages()
    _meta()
    _outbox()
    _quotas()
    _rates()
    _refused()
    _replies()
    _requests()
    _rights()
    _seen()
    _sequences()
    _shards()
    _suppressions()
    _tallies()
    _tasks()
    _transitions()
    _versions()


def downgrade() -> None:
    """Back to an empty database. Everything is lost."""
    for name in (
        "versions",
        "transitions",
        "tasks",
        "tallies",
        "suppressions",
        "shards",
        "seen",
        "rights",
        "requests",
        "replies",
        "refused",
        "rates",
        "quotas",
        "outbox",
        "meta",
        "messages",
        "marks",
        "inbox",
        "in_flight",
        "identifiers",
        "handed_over",
        "forwarding",
        "fanout_shards",
        "fanout",
        "events",
        "erasures",
        "entries",
        "enrollments",
        "due",
        "deployments",
        "dead_letters",
        "customers",
        "coupons",
        "counts",
        "circuits",
        "consents",
        "consent_log",
        "codes",
        "audit",
        "attempts",
    ):
        op.drop_table(name)
    if _on("postgresql"):
        op.execute("DROP SEQUENCE turn_ordinals")
        op.execute("DROP SEQUENCE customer_ids")


def _name(longest: int) -> sa.types.TypeEngine[str]:
    """A text that is compared byte by byte, as SQLite does, whatever the language of the PostgreSQL server."""
    return sa.String(longest).with_variant(sa.String(longest, collation="C"), "postgresql")


def _on(dialect: str) -> bool:
    """Whether the database is of this kind: some indexes suit only one of them."""
    return op.get_bind().dialect.name == dialect


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("customers", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attempts")),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )


def _codes() -> None:
    op.create_table(
        "codes",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("offer", _name(200), nullable=False),
        sa.Column("code", _name(200), nullable=False),
        sa.Column("given", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_codes")),
    )
    op.create_index(
        "ix_codes_free",
        "codes",
        ["offer", "seq"],
        unique=False,
        sqlite_where=sa.text("given = 0"),
        postgresql_where=sa.text("given = 0"),
    )
    op.create_index("ix_codes_offer_code", "codes", ["offer", "code"], unique=True)


def _consent_log() -> None:
    op.create_table(
        "consent_log",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("noted_at", sa.BigInteger(), nullable=False),
        sa.Column("topic", _name(200), nullable=False),
        sa.Column("channel", _name(20), nullable=False),
        sa.Column("state", _name(12), nullable=False),
        sa.Column("source", _name(20), nullable=False),
        sa.Column("wording", sa.Text(), nullable=True),
        sa.Column("proof", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.BigInteger(), nullable=True),
        sa.Column("refused", _name(40), nullable=True),
        sa.PrimaryKeyConstraint("shard", "customer", "seq", name=op.f("pk_consent_log")),
    )


def _erasures() -> None:
    op.create_table(
        "erasures",
        sa.Column("hash", _name(64), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("erased_at", sa.BigInteger(), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("customer", sa.BigInteger(), nullable=False),
        sa.Column("swept", sa.Integer(), nullable=False),
        sa.Column("digest", _name(64), nullable=False),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_erasures")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_erasures_unswept",
        "erasures",
        ["at"],
        unique=False,
        sqlite_where=sa.text("swept = 0"),
        postgresql_where=sa.text("swept = 0"),
    )


def _consents() -> None:
    op.create_table(
        "consents",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "customer", name=op.f("pk_consents")),
        sqlite_with_rowid=False,
    )


def _circuits() -> None:
    op.create_table(
        "circuits",
        sa.Column("name", _name(200), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("rest_for", sa.BigInteger(), nullable=False),
        sa.Column("probe_at", sa.BigInteger(), nullable=True),
        sa.Column("prober", _name(64), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_circuits")),
        sqlite_with_rowid=False,
        postgresql_with={"fillfactor": 50},
    )


def _counts() -> None:
    op.create_table(
        "counts",
        sa.Column("name", _name(400), nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "slot", name=op.f("pk_counts")),
        sqlite_with_rowid=False,
        postgresql_with={"fillfactor": 50},
    )


def _coupons() -> None:
    op.create_table(
        "coupons",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", _name(200), nullable=False),
        sa.Column("offer", _name(200), nullable=False),
        sa.Column("code", _name(200), nullable=False),
        sa.Column("status", _name(12), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("row", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "customer", "id", name=op.f("pk_coupons")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_coupons_offer_code", "coupons", ["offer", "code"], unique=True)
    op.create_index("ix_coupons_offer_status", "coupons", ["offer", "status"], unique=False)


def _customers() -> None:
    op.create_table(
        "customers",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("external_id", _name(512), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("known_from", sa.BigInteger(), nullable=False),
        sa.Column("zone", _name(64), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("next_due_at", sa.BigInteger(), nullable=True),
        sa.Column("parked", _name(40), nullable=True),
        sa.Column("parked_detail", sa.Text(), nullable=True),
        sa.Column("parked_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("shard", "id", name=op.f("pk_customers")),
        sqlite_with_rowid=False,
        postgresql_with={"fillfactor": 85},
    )
    op.create_index(
        "ix_customers_due",
        "customers",
        ["next_due_at", "external_id"],
        unique=False,
        sqlite_where=sa.text("next_due_at IS NOT NULL"),
        postgresql_where=sa.text("next_due_at IS NOT NULL"),
    )
    op.create_index("ix_customers_external_id", "customers", ["external_id"], unique=True)
    op.create_index(
        "ix_customers_parked",
        "customers",
        ["parked_at"],
        unique=False,
        sqlite_where=sa.text("parked IS NOT NULL"),
        postgresql_where=sa.text("parked IS NOT NULL"),
    )
    if _on("sqlite"):
        op.create_index("ix_customers_zone", "customers", ["zone", "external_id"], unique=False)
    else:
        op.create_index("ix_customers_zone_shard", "customers", ["zone", "shard", "id"], unique=False)


def _dead_letters() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", _name(200), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("customer", sa.BigInteger(), nullable=False),
        sa.Column("status", _name(12), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_dead_letters")),
        sa.UniqueConstraint("id", name=op.f("uq_dead_letters_id")),
    )


def _deployments() -> None:
    op.create_table(
        "deployments",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", _name(64), nullable=False),
        sa.Column("deployed_at", sa.BigInteger(), nullable=False),
        sa.Column("files", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployments")),
        sa.UniqueConstraint("digest", name=op.f("uq_deployments_digest")),
    )


def _due() -> None:
    op.create_table(
        "due",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "customer", name=op.f("pk_due")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_due_shard", "due", ["shard", "at"], unique=False)


def _sequences() -> None:
    if _on("postgresql"):
        op.execute("CREATE SEQUENCE turn_ordinals")
        op.execute("CREATE SEQUENCE customer_ids")


def _enrollments() -> None:
    op.create_table(
        "enrollments",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", _name(64), nullable=False),
        sa.Column("journey", _name(200), nullable=False),
        sa.Column("version", _name(64), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("status", _name(12), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("ended_by_rule", sa.Integer(), nullable=False),
        sa.Column("step", _name(200), nullable=True),
        sa.Column("entered_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger(), nullable=True),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("live", sa.Integer(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "customer", "id", name=op.f("pk_enrollments")),
        postgresql_with={"fillfactor": 85},
    )
    op.create_index(
        "ix_enrollments_live",
        "enrollments",
        ["journey", "version", "status"],
        unique=False,
        sqlite_where=sa.text("live = 1"),
        postgresql_where=sa.text("live = 1"),
    )


def _entries() -> None:
    op.create_table(
        "entries",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("journey", _name(200), nullable=False),
        sa.Column("key", _name(512), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "customer", "journey", "key", name=op.f("pk_entries")),
        sqlite_with_rowid=False,
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("name", _name(512), nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", _name(512), nullable=False),
        sa.Column("properties", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "customer", "name", "at", "seq", name=op.f("pk_events")),
    )


def _fanout() -> None:
    op.create_table(
        "fanout",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", _name(600), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("zone", _name(64), nullable=True),
        sa.Column("segment", _name(200), nullable=True),
        sa.Column("cursor", _name(512), nullable=True),
        sa.Column("reached", sa.BigInteger(), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_fanout")),
        sa.UniqueConstraint("name", name=op.f("uq_fanout_name")),
    )
    op.create_index(
        "ix_fanout_pending",
        "fanout",
        ["at"],
        unique=False,
        sqlite_where=sa.text("done = 0"),
        postgresql_where=sa.text("done = 0"),
    )


def _fanout_shards() -> None:
    op.create_table(
        "fanout_shards",
        sa.Column("fanout", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("fanout", "shard", name=op.f("pk_fanout_shards")),
        sqlite_with_rowid=False,
    )


def _forwarding() -> None:
    op.create_table(
        "forwarding",
        sa.Column("from_customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("into_shard", sa.Integer(), nullable=False),
        sa.Column("into_customer", sa.BigInteger(), nullable=False),
        sa.Column("merged_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("from_customer", name=op.f("pk_forwarding")),
        sqlite_with_rowid=False,
    )


def _handed_over() -> None:
    op.create_table(
        "handed_over",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("journey", _name(200), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_handed_over")),
    )
    op.create_index("ix_handed_over_journey_at", "handed_over", ["journey", "at"], unique=False)


def _identifiers() -> None:
    op.create_table(
        "identifiers",
        sa.Column("kind", _name(40), nullable=False),
        sa.Column("value", _name(512), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("customer", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", name=op.f("pk_identifiers")),
        sqlite_with_rowid=False,
    )


def _in_flight() -> None:
    op.create_table(
        "in_flight",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("journey", _name(200), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_in_flight")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_in_flight_journey", "in_flight", ["journey", "lease_until"], unique=False)


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("customer", sa.BigInteger(), nullable=False),
        sa.Column("external_id", _name(512), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("parked", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_inbox")),
    )
    op.create_index("ix_inbox_customer", "inbox", ["shard", "customer"], unique=False)
    if _on("postgresql"):
        op.create_index(
            "ix_inbox_shard", "inbox", ["shard", "received_at"], unique=False, postgresql_where=sa.text("parked = 0")
        )
    else:
        op.create_index(
            "ix_inbox_waiting",
            "inbox",
            ["received_at", "external_id", "shard", "customer"],
            unique=False,
            sqlite_where=sa.text("parked = 0"),
        )


def _marks() -> None:
    op.create_table(
        "marks",
        sa.Column("name", _name(400), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_marks")),
        sqlite_with_rowid=False,
    )


def _messages() -> None:
    op.create_table(
        "messages",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", _name(200), nullable=False),
        sa.Column("journey", _name(200), nullable=False),
        sa.Column("enrollment", _name(64), nullable=False),
        sa.Column("step", _name(200), nullable=False),
        sa.Column("channel", _name(20), nullable=False),
        sa.Column("topic", _name(200), nullable=False),
        sa.Column("class", _name(20), nullable=False),
        sa.Column("template", _name(400), nullable=False),
        sa.Column("address", _name(512), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("status", _name(12), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=True),
        sa.Column("clicked_at", sa.BigInteger(), nullable=True),
        sa.Column("row", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "customer", "id", name=op.f("pk_messages")),
    )
    op.create_index("ix_messages_at", "messages", ["at"], unique=False)
    op.create_index("ix_messages_id", "messages", ["id"], unique=True)


def _meta() -> None:
    op.create_table(
        "meta",
        sa.Column("name", _name(200), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_meta")),
        sqlite_with_rowid=False,
    )


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", _name(200), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("customer", sa.BigInteger(), nullable=False),
        sa.Column("journey", _name(200), nullable=False),
        sa.Column("channel", _name(20), nullable=False),
        sa.Column("class", _name(20), nullable=False),
        sa.Column("throttled", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("available_at", sa.BigInteger(), nullable=False),
        sa.Column("retry_at", sa.BigInteger(), nullable=False),
        sa.Column("frozen", sa.Integer(), nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("begun", sa.Integer(), nullable=False),
        sa.Column("uncertain", sa.Integer(), nullable=False),
        sa.Column("first_tried_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_outbox")),
        postgresql_with={"fillfactor": 50},
    )
    op.create_index("ix_outbox_customer", "outbox", ["shard", "customer"], unique=False)
    if _on("sqlite"):
        op.create_index(
            "ix_outbox_leased",
            "outbox",
            ["journey", "lease_until"],
            unique=False,
            sqlite_where=sa.text("throttled = 1 AND lease_until IS NOT NULL"),
        )
    op.create_index("ix_outbox_ready", "outbox", ["class", "throttled", "frozen", "available_at", "seq"], unique=False)
    op.create_index(
        "ix_outbox_retry",
        "outbox",
        ["retry_at"],
        unique=False,
        sqlite_where=sa.text("frozen = 2"),
        postgresql_where=sa.text("frozen = 2"),
    )
    op.create_index(
        "ix_outbox_throttled",
        "outbox",
        ["journey", "at", "available_at"],
        unique=False,
        sqlite_where=sa.text("throttled = 1 AND frozen = 0"),
        postgresql_where=sa.text("throttled = 1 AND frozen = 0"),
    )
    op.create_index(
        "ix_outbox_told",
        "outbox",
        ["told", "journey", "available_at"],
        unique=False,
        sqlite_where=sa.text("throttled = 1 AND frozen = 0"),
        postgresql_where=sa.text("throttled = 1 AND frozen = 0"),
    )


def _quotas() -> None:
    op.create_table(
        "quotas",
        sa.Column("name", _name(400), nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("remaining", sa.Float(), nullable=False),
        sa.Column("used", sa.Float(), nullable=False),
        sa.Column("bound", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", "slot", name=op.f("pk_quotas")),
        sqlite_with_rowid=False,
        postgresql_with={"fillfactor": 50},
    )


def _rates() -> None:
    op.create_table(
        "rates",
        sa.Column("name", _name(200), nullable=False),
        sa.Column("tokens", sa.Float(), nullable=False),
        sa.Column("filled_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_rates")),
        sqlite_with_rowid=False,
        postgresql_with={"fillfactor": 50},
    )


def _refused() -> None:
    op.create_table(
        "refused",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refused")),
    )


def _replies() -> None:
    op.create_table(
        "replies",
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("until_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("url", name=op.f("pk_replies")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_replies_until_at", "replies", ["until_at"], unique=False)


def _requests() -> None:
    op.create_table(
        "requests",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", _name(200), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=False),
        sa.Column("customer", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("fence", sa.Integer(), nullable=False),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.Column("row", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_requests")),
        sa.UniqueConstraint("id", name=op.f("uq_requests_id")),
    )


def _rights() -> None:
    op.create_table(
        "rights",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", _name(20), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=True),
        sa.Column("customer", sa.BigInteger(), nullable=True),
        sa.Column("external_id", _name(512), nullable=True),
        sa.Column("topic", _name(200), nullable=True),
        sa.Column("channel", _name(20), nullable=True),
        sa.Column("address", _name(512), nullable=True),
        sa.Column("cause", _name(20), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rights")),
    )
    op.create_index("ix_rights_at", "rights", ["at"], unique=False)


def _seen() -> None:
    op.create_table(
        "seen",
        sa.Column("message_id", _name(512), nullable=False),
        sa.Column("received_at", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("message_id", name=op.f("pk_seen")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_seen_received_at", "seen", ["received_at"], unique=False)


def _shards() -> None:
    op.create_table(
        "shards",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("next_due_at", sa.BigInteger(), nullable=True),
        sa.Column("turned_at", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shards")),
        sqlite_with_rowid=False,
        postgresql_with={"fillfactor": 10},
    )


def _suppressions() -> None:
    op.create_table(
        "suppressions",
        sa.Column("channel", _name(20), nullable=False),
        sa.Column("address", _name(512), nullable=False),
        sa.Column("cause", _name(20), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "address", "cause", name=op.f("pk_suppressions")),
        sqlite_with_rowid=False,
    )


def _tallies() -> None:
    op.create_table(
        "tallies",
        sa.Column("name", _name(400), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_tallies")),
        sqlite_with_rowid=False,
    )


def _tasks() -> None:
    op.create_table(
        "tasks",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", _name(200), nullable=False),
        sa.Column("queue", _name(200), nullable=False),
        sa.Column("assignee", sa.Text(), nullable=True),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("row", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("shard", "customer", "id", name=op.f("pk_tasks")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_tasks_open",
        "tasks",
        ["queue", "assignee"],
        unique=False,
        sqlite_where=sa.text("closed_at IS NULL"),
        postgresql_where=sa.text("closed_at IS NULL"),
    )


def _transitions() -> None:
    op.create_table(
        "transitions",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("customer", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("n", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("type", _name(20), nullable=False),
        sa.Column("journey", _name(200), nullable=True),
        sa.Column("version", _name(64), nullable=True),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("step", _name(200), nullable=True),
        sa.Column("enrollment", _name(64), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("shard", "customer", "at", "seq", "n", name=op.f("pk_transitions")),
    )


def _versions() -> None:
    op.create_table(
        "versions",
        sa.Column("journey", _name(200), nullable=False),
        sa.Column("version", _name(64), nullable=False),
        sa.Column("deployment", sa.BigInteger(), nullable=False),
        sa.Column("first_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("journey", "version", name=op.f("pk_versions")),
        sqlite_with_rowid=False,
    )
