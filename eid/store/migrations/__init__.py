"""Alembic's folder: `env.py` and one file per version. Run through `eid.store.schema_version`."""
