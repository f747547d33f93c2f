"""Tables of the API: keys, and answers that are given again."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Float, Index, Integer, Text

from orchestrator.stores.schema_parts import INSTANT, keyed, name, needed

API_KEYS: Final = keyed(
    "api_keys",
    Column("id", name(40), primary_key=True),
    needed("hash", name(64)),
    needed("prefix", name(20)),
    needed("name", name(200)),
    needed("kind", name(10)),
    needed("scopes", Text),
    Column("rate", Float),
    Column("source", name(200)),
    needed("created_at", INSTANT),
    Column("used_at", INSTANT),
    Column("expires_at", INSTANT),
    Column("revoked_at", INSTANT),
    Index("ix_api_keys_hash", "hash", unique=True),
)
"""Keys of the API and of ingest: `hash` is their SHA-256; nobody can read the key itself. `scopes`: with blanks
between. All instants are real time."""

ANSWERS: Final = keyed(
    "answers",
    Column("caller", name(40), primary_key=True),
    Column("key", name(200), primary_key=True),
    needed("fingerprint", name(40)),
    needed("begun_at", INSTANT),
    Column("status", Integer),
    Column("body", Text),
    Index("ix_answers_begun_at", "begun_at"),
)
"""What was answered to writes with an Idempotency-Key, for a day of real time. `body`: headers and body, sealed;
`status` None: it is being done."""
