"""Run by alembic for `orchestrator.stores.migrate`, which gives the connection: there is no alembic.ini."""

from __future__ import annotations

from alembic import context

from orchestrator.stores.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite alters a table by copying it
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
