"""What Alembic runs: the migrations, on the connection and in the transaction that `schema_version` has opened."""

from __future__ import annotations

from alembic import context

from eid.store.all_tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the caller's transaction holds all of it; Alembic is not to end it
    render_as_batch=True,
)
context.run_migrations()
