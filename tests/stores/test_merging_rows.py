"""No table is forgotten when a customer becomes part of another."""

from __future__ import annotations

from sqlalchemy import Table

from orchestrator.stores.merging_rows import NOT_THEIRS, SPECIAL, plain_tables
from orchestrator.stores.schema import METADATA


def test_every_table_with_an_owner_has_a_rule() -> None:
    owned = {t.name for t in METADATA.sorted_tables if {"shard", "customer"} <= set(t.columns.keys())}
    by_rule = {table.name for table in plain_tables()}
    assert by_rule == owned - SPECIAL - NOT_THEIRS
    assert SPECIAL - {"customers"} <= owned and owned >= NOT_THEIRS, "no rule for a table that is not there"


def test_rows_of_a_customer_are_found_by_a_key() -> None:
    """A merge at every sign-in must not look through a whole table; nor is what has no such key anybody's."""
    queues = {"requests"}  # rows that are there for a moment
    for table in (t for t in METADATA.sorted_tables if t.name not in NOT_THEIRS | queues):
        if {"shard", "customer"} <= set(table.columns.keys()):
            assert ["shard", "customer"] in _leads(table), f"{table.name}: give it a key, or name it in NOT_THEIRS"


def _leads(table: Table) -> list[list[str]]:
    keys = [list(table.primary_key.columns), *(list(index.columns) for index in table.indexes)]
    return [[column.name for column in key[:2]] for key in keys]
