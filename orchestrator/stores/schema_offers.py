"""Tables of offers at the till: codes that are locked, redeemed and rolled back; and what keeps the audit log as it was
written."""

from __future__ import annotations

from typing import Final

from sqlalchemy import DDL, BigInteger, Column, Index, Integer, Table, Text, event

from orchestrator.stores.schema_parts import ID, INSTANT, busy, keyed, name, needed

TILL_CODES = busy(
    "till_codes",
    Column("offer", name(200), primary_key=True),
    Column("code", name(200), primary_key=True),
    needed("status", name(12)),
    Column("holder", Text),
    Column("locked_at", INSTANT),
    Column("until_at", INSTANT),
    needed("looks", Integer, default=0),
)
"""What tills did with a code: locked (by `holder`, until `until_at`, in real time), redeemed, void, or free again. Who
decides about a code holds its row; `looks` only changes so that it does."""

REDEMPTIONS = keyed(
    "redemptions",
    Column("offer", name(200), primary_key=True),
    Column("order_id", name(200), primary_key=True),
    needed("code", name(200)),
    needed("status", name(12)),
    Column("shard", Integer),
    Column("customer", ID),
    needed("at", INSTANT),
    needed("changed_at", INSTANT),
    Column("total", Text),
    Column("currency", Text),
    needed("discount", BigInteger),
    Column("till", Text),
    needed("answer", Text),
)
"""One order's redemption of a code of an offer; `answer` is what the till was told, and is told again. `discount` is in
ten-thousandths of the currency. `customer` None: nobody knows whose it was, or the person was erased."""
Index("ix_redemptions_offer_code", REDEMPTIONS.c.offer, REDEMPTIONS.c.code)
Index("ix_redemptions_customer", REDEMPTIONS.c.shard, REDEMPTIONS.c.customer)

TILL_OFFERS = busy(
    "till_offers",
    Column("offer", name(200), primary_key=True),
    needed("count", BigInteger),
    needed("spent", BigInteger),
)
"""Redemptions that stand, and what they cost (in ten-thousandths), of offers whose limits are counted at the till:
those of public codes, and of budgets of which nothing is set aside when a code is given."""

KEPT: Final = "the audit log is only ever added to"
"""What a database says to whoever would change or delete a row."""
ON_SQLITE: Final = (
    (
        "CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit WHEN NOT (old.id = new.id AND old.at = new.at "
        "AND old.actor = new.actor AND old.action = new.action AND old.digest = new.digest "
        "AND old.previous = new.previous AND old.hash = new.hash AND substr(new.detail, 1, 7) = 'erased:') "
        f"BEGIN SELECT RAISE(ABORT, '{KEPT}'); END"
    ),
    f"CREATE TRIGGER audit_undeleted BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, '{KEPT}'); END",
)
"""An erasure may put a hash in the place of a detail that names a person; the chain is of digests, and holds."""
ON_POSTGRESQL: Final = (
    (
        "CREATE FUNCTION audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF TG_OP = 'UPDATE' THEN "
        "IF (old.id, old.at, old.actor, old.action, old.digest, old.previous, old.hash) "
        "= (new.id, new.at, new.actor, new.action, new.digest, new.previous, new.hash) "
        "AND substr(new.detail, 1, 7) = 'erased:' THEN RETURN new; END IF; END IF; "
        f"RAISE EXCEPTION '{KEPT}'; END $$"
    ),
    "CREATE TRIGGER audit_kept BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_kept()",
    "CREATE TRIGGER audit_whole BEFORE TRUNCATE ON audit FOR EACH STATEMENT EXECUTE FUNCTION audit_kept()",
)


def only_added_to(audit: Table) -> Table:
    """The table with its triggers, wherever it is made."""
    for dialect, texts in (("sqlite", ON_SQLITE), ("postgresql", ON_POSTGRESQL)):
        for text in texts:
            event.listen(audit, "after_create", DDL(text).execute_if(dialect=dialect))  # type: ignore[no-untyped-call]
    return audit
