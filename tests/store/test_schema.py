from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import CheckConstraint, Column, Integer, Uuid, inspect, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.schema import CreateIndex, CreateTable

from eid.audit.chain import AuditEvent
from eid.errors import StoreError
from eid.store import triggers
from eid.store.all_tables import metadata
from eid.store.audit import append_event
from eid.store.database import in_transaction, open_database
from eid.store.schema_version import _config, check, needed_version, require_ready, upgrade

HANDBOOK = Path(__file__).parents[2] / "docs" / "deployment.md"
ROLES = ("owner", "app", "reader")


@pytest.fixture
def empty(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path}/empty.db")
    yield engine
    engine.dispose()


def test_empty_database_is_refused_then_upgraded(empty):
    assert check(empty).current is None
    with pytest.raises(StoreError, match="eid db init"):
        require_ready(empty)
    status = upgrade(empty)
    assert (status.current, status.is_ready) == (needed_version(), True)
    require_ready(empty)
    assert upgrade(empty) == status  # again: harmless


def test_the_needed_version_is_that_of_the_newest_migration(engine):
    with engine.connect() as connection:
        assert needed_version() == ScriptDirectory.from_config(_config(connection)).get_current_head()
        assert check(engine).current == MigrationContext.configure(connection).get_current_revision()


def test_migrations_and_tables_agree(engine):
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        inspector = inspect(connection)
        for table in metadata.tables.values():
            migrated = inspector.get_check_constraints(table.name)
            checks = [item for item in table.constraints if isinstance(item, CheckConstraint)]
            assert {item["sqltext"] for item in migrated} == {str(item.sqltext) for item in checks}
            assert all(item["name"] == f"ck_{table.name}_{item['sqltext'].split()[0]}" for item in migrated)


@pytest.mark.parametrize("version", ["0000", "9999"])
def test_other_versions_are_refused(engine, version):
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
    with pytest.raises(StoreError, match=f"is at version {version}"):
        require_ready(engine)
    with pytest.raises(StoreError, match="newer"):
        upgrade(engine)


def test_missing_trigger_is_refused_and_made_again(engine):
    with engine.begin() as connection:
        connection.execute(text("DROP TRIGGER personalization_step_no_delete"))
    with pytest.raises(StoreError, match="personalization_step_no_delete"):
        require_ready(engine)
    upgrade(engine)
    require_ready(engine)


def test_table_that_alembic_rebuilds_loses_its_triggers_and_the_upgrade_makes_them_again(engine):
    with engine.begin() as connection:
        operations = Operations(MigrationContext.configure(connection))
        with operations.batch_alter_table("personalization_step", recreate="always") as batch:
            batch.add_column(Column("extra", Integer()))
    lost = {name for name in triggers.trigger_names("sqlite") if name.startswith("personalization_step_")}
    assert set(check(engine).missing_triggers) == lost
    upgrade(engine)
    assert check(engine).is_ready


def test_failed_upgrade_leaves_the_database_as_it_was(empty, monkeypatch):
    def fail(connection):
        connection.execute(text("SELECT nothing FROM nowhere"))

    monkeypatch.setattr("eid.store.schema_version.install_triggers", fail)
    with pytest.raises(StoreError, match="could not be upgraded"):
        upgrade(empty)
    assert check(empty).current is None
    with empty.connect() as connection:
        assert inspect(connection).get_table_names() == []


def test_damaged_database(tmp_path):
    (tmp_path / "bad.db").write_bytes(b"not a database at all" * 100)
    engine = open_database(f"sqlite:///{tmp_path}/bad.db")
    with pytest.raises(StoreError, match="cannot be read"):
        check(engine)
    engine.dispose()


def test_definitions_compile_for_postgresql():
    dialect = postgresql.dialect()
    for table in metadata.sorted_tables:
        statement = str(CreateTable(table).compile(dialect=dialect))
        assert "TIMESTAMP WITH TIME ZONE" in statement or table.name not in ("personalization_job", "trust_crl")
        assert "UUID" in statement or not any(isinstance(column.type, Uuid) for column in table.columns)
        for index in table.indexes:
            CreateIndex(index).compile(dialect=dialect)


def test_migrations_and_tables_agree_on_postgresql(postgres):
    """A real server runs all migrations from nothing, and again."""
    engine = open_database(postgres.create_database())
    for _ in range(2):
        assert upgrade(engine).is_ready
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []
        inspector = inspect(connection)
        for table in metadata.tables.values():
            named = {item["name"] for item in inspector.get_check_constraints(table.name)}
            assert named == {item.name for item in table.constraints if isinstance(item, CheckConstraint)}
    engine.dispose()


def test_trigger_script_for_postgresql():
    script = triggers.statements("postgresql")
    assert script[0].startswith("CREATE OR REPLACE FUNCTION eid_append_only()")
    assert [part for part in script if part.startswith("CREATE TRIGGER")] == [
        f"CREATE TRIGGER {table}_no_{name} BEFORE {name.upper()} ON {table}"
        f" FOR EACH {each} EXECUTE FUNCTION eid_append_only()"
        for table in ("personalization_step", "audit_row", "tree_head")
        for name, each in (("update", "ROW"), ("delete", "ROW"), ("truncate", "STATEMENT"))
    ]


def test_the_roles_of_the_handbook(postgres):
    """Who serves requests cannot rewrite the audit log, with or without its triggers; who audits reads it all."""
    make, revoke = re.findall(r"```sql\n(.*?)```", HANDBOOK.read_text("utf-8"), re.DOTALL)
    url = postgres.create_database()
    chief = open_database(url)
    _execute(chief, make)
    owner, service, reader = (open_database(make_url(url).set(username=f"eid_{name}")) for name in ROLES)
    assert upgrade(owner).is_ready
    _execute(owner, revoke)
    event = AuditEvent(datetime(2026, 11, 22, tzinfo=UTC), "system:test", "application.submit", "application:1", {})
    in_transaction(service, lambda connection: append_event(connection, 7, event))
    for statement in (
        "UPDATE audit_row SET actor = 'x'",
        "DELETE FROM audit_row",
        "TRUNCATE audit_row",
        "ALTER TABLE audit_row DISABLE TRIGGER ALL",
        "DROP TRIGGER audit_row_no_update ON audit_row",
    ):
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"):
            _execute(service, statement)
    for table in ("audit_row", "tree_head", "audit_chain", "application"):
        with reader.connect() as connection:
            connection.execute(text(f"SELECT count(*) FROM {table}"))
    with pytest.raises(ProgrammingError, match="permission denied"):
        _execute(reader, "INSERT INTO audit_chain (bucket, size, hash) VALUES (1, 0, '')")
    with owner.begin() as connection:  # a trigger that fires on replicas alone is none
        connection.execute(text("ALTER TABLE audit_row ENABLE REPLICA TRIGGER audit_row_no_update"))
        assert triggers.missing_triggers(connection) == ("audit_row_no_update",)
    for engine in (chief, owner, service, reader):
        engine.dispose()


def _execute(engine, script):
    with engine.begin() as connection:
        connection.exec_driver_sql(script)


def test_every_constraint_has_a_name_within_the_limit_of_postgresql():
    for table in metadata.tables.values():
        for item in (*table.constraints, *table.indexes):
            assert item.name is not None
            assert len(str(item.name)) <= 63
