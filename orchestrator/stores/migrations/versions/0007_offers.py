"""Tables of offers at the till: codes that are locked; the audit log becomes a chain that is only added to."""

from __future__ import annotations

import json
from hashlib import blake2b, sha256

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None
phase = "before"

_KEPT = "the audit log is only ever added to"
_ON_SQLITE = (
    (
        "CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit WHEN NOT (old.id = new.id AND old.at = new.at "
        "AND old.actor = new.actor AND old.action = new.action AND old.digest = new.digest "
        "AND old.previous = new.previous AND old.hash = new.hash AND substr(new.detail, 1, 7) = 'erased:') "
        f"BEGIN SELECT RAISE(ABORT, '{_KEPT}'); END"
    ),
    f"CREATE TRIGGER audit_undeleted BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, '{_KEPT}'); END",
)
_ON_POSTGRESQL = (
    (
        "CREATE FUNCTION audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF TG_OP = 'UPDATE' THEN "
        "IF (old.id, old.at, old.actor, old.action, old.digest, old.previous, old.hash) "
        "= (new.id, new.at, new.actor, new.action, new.digest, new.previous, new.hash) "
        "AND substr(new.detail, 1, 7) = 'erased:' THEN RETURN new; END IF; END IF; "
        f"RAISE EXCEPTION '{_KEPT}'; END $$"
    ),
    "CREATE TRIGGER audit_kept BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_kept()",
    "CREATE TRIGGER audit_whole BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_kept()",
)


def upgrade() -> None:
    """Make the tables, and chain what the log holds already."""
    _tables()
    connection = op.get_bind()
    sqlite = connection.dialect.name == "sqlite"
    if sqlite:
        _anew()
    else:
        for column in _chained():
            op.add_column("audit", column)
    _chain(connection)
    for text in _ON_SQLITE if sqlite else _ON_POSTGRESQL:
        connection.exec_driver_sql(text)


def downgrade() -> None:
    """Drop them."""
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("DROP TRIGGER audit_unchanged")
        connection.exec_driver_sql("DROP TRIGGER audit_undeleted")
    else:
        connection.exec_driver_sql("DROP TRIGGER audit_kept ON audit")
        connection.exec_driver_sql("DROP TRIGGER audit_whole ON audit")
        connection.exec_driver_sql("DROP FUNCTION audit_kept")
    for column in ("digest", "previous", "hash"):
        op.drop_column("audit", column)
    op.drop_table("till_offers")
    op.drop_index("ix_redemptions_customer", "redemptions")
    op.drop_index("ix_redemptions_offer_code", "redemptions")
    op.drop_table("redemptions")
    op.drop_table("till_codes")


def _name(longest: int) -> sa.types.TypeEngine[str]:
    return sa.String(longest).with_variant(sa.String(longest, collation="C"), "postgresql")


def _tables() -> None:
    op.create_table(
        "till_codes",
        sa.Column("offer", _name(200), nullable=False),
        sa.Column("code", _name(200), nullable=False),
        sa.Column("status", _name(12), nullable=False),
        sa.Column("holder", sa.Text(), nullable=True),
        sa.Column("locked_at", sa.BigInteger(), nullable=True),
        sa.Column("until_at", sa.BigInteger(), nullable=True),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("offer", "code", name=op.f("pk_till_codes")),
        sqlite_with_rowid=False,
        postgresql_with={"fillfactor": 50},
    )
    op.create_table(
        "redemptions",
        sa.Column("offer", _name(200), nullable=False),
        sa.Column("order_id", _name(200), nullable=False),
        sa.Column("code", _name(200), nullable=False),
        sa.Column("status", _name(12), nullable=False),
        sa.Column("shard", sa.Integer(), nullable=True),
        sa.Column("customer", sa.BigInteger(), nullable=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("discount", sa.BigInteger(), nullable=False),
        sa.Column("till", sa.Text(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("offer", "order_id", name=op.f("pk_redemptions")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_redemptions_offer_code", "redemptions", ["offer", "code"])
    op.create_index("ix_redemptions_customer", "redemptions", ["shard", "customer"])
    op.create_table(
        "till_offers",
        sa.Column("offer", _name(200), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("offer", name=op.f("pk_till_offers")),
        sqlite_with_rowid=False,
        postgresql_with={"fillfactor": 50},
    )


def _chained() -> list[sa.Column[str]]:
    return [
        sa.Column(name, sa.Text(), server_default=sa.text("''"), nullable=False)
        for name in ("digest", "previous", "hash")
    ]


def _anew() -> None:
    """SQLite would put new columns behind the key, where no table that is made at once has them."""
    op.rename_table("audit", "audit_before")
    op.create_table(
        "audit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        *_chained(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.execute(
        "INSERT INTO audit (id, at, actor, action, detail) SELECT id, at, actor, action, detail FROM audit_before"
    )
    op.drop_table("audit_before")


def _chain(connection: sa.Connection) -> None:
    """The rows of before, chained as orchestrator.stores.audit_chain does it from now on."""
    found = connection.exec_driver_sql("SELECT value FROM meta WHERE name = 'salt'").fetchone()
    key, previous = (str(found[0]) if found is not None else "").encode()[:64], ""
    rows = connection.exec_driver_sql("SELECT id, at, actor, action, detail FROM audit ORDER BY id").fetchall()
    write = sa.text("UPDATE audit SET digest = :digest, previous = :previous, hash = :hash WHERE id = :id")
    for id, at, actor, action, detail in rows:
        digest = blake2b(detail.encode("utf-8", "surrogatepass"), key=key, digest_size=16).hexdigest()
        content = {"action": action, "actor": actor, "at": at, "detail": digest, "previous": previous}
        text = json.dumps(content, sort_keys=True, separators=(",", ":"))
        hash = sha256(text.encode()).hexdigest()
        connection.execute(write, {"digest": digest, "previous": previous, "hash": hash, "id": id})
        previous = hash
