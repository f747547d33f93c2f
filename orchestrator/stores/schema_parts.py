"""What the tables are made of: their common metadata, the types of columns, and the kinds of tables."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table
from sqlalchemy.types import TypeEngine

METADATA: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

INSTANT: Final = BigInteger
ID: Final = BigInteger
"""Internal ids and sequences. On SQLite a BIGINT key is no alias of the row id; see `SERIAL`."""
SERIAL: Final = BigInteger().with_variant(Integer, "sqlite")
"""A key that the database counts up itself."""


def name(longest: int) -> TypeEngine[str]:
    """A short text that keys and orders compare: byte by byte, as SQLite and Python do, whatever the language of the
    PostgreSQL server, whose rules change with its operating system."""
    return String(longest).with_variant(String(longest, collation="C"), "postgresql")


ROOM: Final = {"fillfactor": 85}
"""PostgreSQL leaves room in each page for rows that change where they stand, without new entries in their indexes."""


def keyed(name: str, *columns: Column[Any] | Index, **options: Any) -> Table:
    """A table of narrow rows, which SQLite keeps in the order of their key, without row ids beside it."""
    return Table(name, METADATA, *columns, sqlite_with_rowid=False, **options)


def busy(name: str, *columns: Column[Any] | Index) -> Table:
    """A narrow table of few rows that change over and over: on PostgreSQL its pages keep room for their changes."""
    return Table(name, METADATA, *columns, sqlite_with_rowid=False, postgresql_with={"fillfactor": 50})


def wide(name: str, *columns: Column[Any] | Index, **options: Any) -> Table:
    """A table of wide rows: SQLite keeps them in the order in which they came, and their keys apart. Kept in the order
    of their keys, a handful of them would fill a page, and every new one would move the others."""
    return Table(name, METADATA, *columns, **options)


def needed(name: str, type_: Any, **options: Any) -> Column[Any]:
    """A column that every row fills."""
    return Column(name, type_, nullable=False, **options)


def shard() -> Column[Any]:
    return Column("shard", Integer, primary_key=True, autoincrement=False)


def customer() -> Column[Any]:
    return Column("customer", ID, primary_key=True, autoincrement=False)
