"""Signed heads over the audit log, and every way of tampering with it straight in the database."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Connection, Engine, delete, func, insert, select, text, update

from eid.audit.chain import AuditEvent, genesis, hash_row
from eid.audit.tree_head import ALGORITHM, Checkpoint, Frontier, Seal, decode_entries, hash_entries, sign_checkpoint
from eid.enrolment.roles import Actor, Role
from eid.errors import KeyStoreError, StoreError
from eid.keystore.software import SoftwareSigner
from eid.services.audit.log import Sealer, export_heads, note_reading
from eid.services.audit.verification import AuditReport, verify_audit_log
from eid.services.reading.station_key import encode_pem
from eid.store.audit import append_event, read_chain
from eid.store.database import in_transaction
from eid.store.head_files import last_size, load_seals, store_seal
from eid.store.schema_version import upgrade
from eid.store.tables import audit_chain, audit_row
from eid.store.tree_head_tables import sealed_chain, tree_head
from eid.store.triggers import APPEND_ONLY_TABLES, install_triggers, trigger_names
from eid.store.types import new_id
from reader_tools.main import run

NOW = datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)
ORIGIN = "audit.example/log"
KEY = SoftwareSigner("audit", ec.generate_private_key(ec.SECP256R1()), ALGORITHM)
OTHER_KEY = SoftwareSigner("audit", ec.generate_private_key(ec.SECP256R1()), ALGORITHM)
BUCKETS = (3, 7, 255)


def event(bucket: int, number: int) -> AuditEvent:
    return AuditEvent(
        NOW + timedelta(seconds=number),
        "validating-officer:17",
        "application.validate",
        f"application:{bucket}-{number}",
        {"from": "UNDER_REVIEW", "n": number, "late": None},
    )


def append(engine: Engine, first: int, last: int) -> None:
    def work(connection: Connection) -> None:
        for bucket in BUCKETS:
            for number in range(first, last):
                append_event(connection, bucket, event(bucket, number))

    in_transaction(engine, work)


@pytest.fixture
def heads(tmp_path: Path) -> Path:
    return tmp_path / "heads"


@pytest.fixture
def log(any_database: Engine, heads: Path) -> Engine:
    """Three chains of six rows under two heads that were exported, and two rows each that stand under none."""
    sealer = Sealer(any_database, KEY, ORIGIN)
    for step in (0, 1):
        append(any_database, 3 * step + 1, 3 * step + 4)
        assert sealer.seal(NOW + timedelta(minutes=step)) == 9
    assert export_heads(any_database, heads) == 2
    append(any_database, 7, 9)
    return any_database


def verify(engine: Engine, heads: Path | None, key: SoftwareSigner = KEY, origin: str = ORIGIN) -> AuditReport:
    return verify_audit_log(engine, origin, key.public_key_info, heads)


def meddle(engine: Engine, act: Callable[[Connection], None]) -> None:
    """Do something in the database with every right: the triggers go, and come back, as if nothing had been."""
    with engine.begin() as connection:
        for table in APPEND_ONLY_TABLES:
            for operation in ("update", "delete"):
                suffix = "" if engine.dialect.name == "sqlite" else f" ON {table}"
                connection.execute(text(f"DROP TRIGGER {table}_no_{operation}{suffix}"))
        act(connection)
        install_triggers(connection)


def at(bucket: int, seq: int) -> tuple[object, ...]:
    return (audit_row.c.bucket == bucket, audit_row.c.seq == seq)


def rewrite(connection: Connection, bucket: int, change: Callable[[list[AuditEvent]], list[AuditEvent]]) -> None:
    """Write a whole chain anew with right hashes and a right head: nothing in the chain itself shows it."""
    events = change([row.event for row in read_chain(connection, bucket)])
    connection.execute(delete(audit_row).where(audit_row.c.bucket == bucket))
    connection.execute(delete(audit_chain).where(audit_chain.c.bucket == bucket))
    for item in events:
        append_event(connection, bucket, item)


def forged(number: int) -> AuditEvent:
    return AuditEvent(NOW, "validating-officer:99", "application.validate", f"application:forged-{number}", {})


def replace_at(place: int) -> Callable[[list[AuditEvent]], list[AuditEvent]]:
    return lambda events: [*events[: place - 1], forged(place), *events[place:]]


def alter_a_detail(connection: Connection) -> None:
    connection.execute(update(audit_row).where(*at(7, 2)).values(detail={"from": "DRAFT"}))


def alter_who(connection: Connection) -> None:
    connection.execute(update(audit_row).where(*at(7, 4)).values(actor="validating-officer:18"))


def alter_when(connection: Connection) -> None:
    connection.execute(update(audit_row).where(*at(255, 1)).values(at=NOW - timedelta(days=1)))


def drop_one(connection: Connection) -> None:
    connection.execute(delete(audit_row).where(*at(3, 5)))


def drop_and_close_the_gap(connection: Connection) -> None:
    connection.execute(delete(audit_row).where(*at(3, 5)))
    for seq in (6, 7, 8):
        connection.execute(update(audit_row).where(*at(3, seq)).values(seq=seq - 1))
    connection.execute(update(audit_chain).where(audit_chain.c.bucket == 3).values(size=7))


def swap_two(connection: Connection) -> None:
    for old, new in ((2, 1000), (3, 2), (1000, 3)):
        connection.execute(update(audit_row).where(*at(7, old)).values(seq=new))


def insert_one(connection: Connection) -> None:
    previous = connection.execute(select(audit_row.c.hash).where(*at(255, 8))).scalar_one()
    item = forged(9)
    values = {"actor": item.actor, "action": item.action, "subject": item.subject, "detail": {}, "at": item.at}
    own = hash_row(255, 9, previous, item)
    connection.execute(insert(audit_row).values(bucket=255, seq=9, previous=previous, hash=own, **values))


def move_to_another_chain(connection: Connection) -> None:
    connection.execute(update(audit_row).where(*at(3, 8)).values(bucket=7, seq=9))
    connection.execute(update(audit_chain).where(audit_chain.c.bucket == 7).values(size=9))


def drop_a_chain(connection: Connection) -> None:
    for table in (audit_row, audit_chain, sealed_chain):
        connection.execute(delete(table).where(table.c.bucket == 255))


def cut_off_the_end(connection: Connection) -> None:
    """Rows under a head go, and the chain's own head is made to fit."""
    connection.execute(delete(audit_row).where(audit_row.c.bucket == 7, audit_row.c.seq > 4))
    last = connection.execute(select(audit_row.c.hash).where(*at(7, 4))).scalar_one()
    connection.execute(update(audit_chain).where(audit_chain.c.bucket == 7).values(size=4, hash=last))


def rewrite_a_chain(connection: Connection) -> None:
    rewrite(connection, 3, replace_at(2))


def reorder_and_rewrite(connection: Connection) -> None:
    rewrite(connection, 7, lambda events: [*events[:3], events[4], events[3], *events[5:]])


def write_nonsense(connection: Connection) -> None:
    connection.execute(text("UPDATE audit_row SET detail = '[1, 2]' WHERE bucket = 255 AND seq = 3"))


def forge_a_head(connection: Connection) -> None:
    """A row is rewritten, and the last head is over the new rows, signed by a key of the forger's own."""
    rewrite(connection, 3, replace_at(5))
    first, last = connection.execute(select(tree_head).order_by(tree_head.c.size)).all()
    row_hash = connection.execute(select(audit_row.c.hash).where(*at(3, 5))).scalar_one()
    entries = bytearray(last.entries)
    entries[1 * 41 + 9 : 2 * 41] = row_hash
    tree = Frontier(first.size, tuple(first.frontier[n : n + 32] for n in range(0, len(first.frontier), 32)))
    tree = tree.extend(hash_entries(decode_entries(bytes(entries))))
    note = sign_checkpoint(Checkpoint(ORIGIN, tree.size, tree.root(), NOW), OTHER_KEY)
    changed = {"entries": bytes(entries), "frontier": tree.encode(), "checkpoint": note}
    connection.execute(update(tree_head).where(tree_head.c.size == last.size).values(**changed))


def go_back_in_time(connection: Connection) -> None:
    """The database is as it was at the first head: an old backup, played in."""
    connection.execute(delete(audit_row).where(audit_row.c.seq > 3))
    connection.execute(delete(tree_head).where(tree_head.c.size > 9))
    connection.execute(update(sealed_chain).values(size=3))
    for bucket in BUCKETS:
        last = connection.execute(select(audit_row.c.hash).where(*at(bucket, 3))).scalar_one()
        connection.execute(update(audit_chain).where(audit_chain.c.bucket == bucket).values(size=3, hash=last))


TAMPERING = {
    alter_a_detail: (7, 2, "was altered"),
    alter_who: (7, 4, "was altered"),
    alter_when: (255, 1, "was altered"),
    drop_one: (3, 5, "is missing: row 6 stands in its place"),
    drop_and_close_the_gap: (3, 5, "does not follow"),
    swap_two: (7, 2, "does not follow"),
    insert_one: (255, 9, "stands behind the chain's head"),
    move_to_another_chain: (3, 8, "is missing, or the chain's head was altered"),
    drop_a_chain: (255, 1, "is missing: a signed head has it"),
    cut_off_the_end: (7, 5, "is missing: a signed head has it"),
    rewrite_a_chain: (3, 2, "is another one than the signed head has"),
    reorder_and_rewrite: (7, 4, "is another one than the signed head has"),
    write_nonsense: (255, 3, "was altered"),
    forge_a_head: (3, 5, "is another one than the signed head has"),
    go_back_in_time: (3, 4, "is missing: a signed head has it"),
}


def test_a_log_that_nobody_touched(log: Engine, heads: Path) -> None:
    report = verify(log, heads)
    assert (report.rows, report.sealed, report.heads, report.exported) == (24, 18, 2, 2)
    assert report.findings == ()
    assert report.first_row is None
    assert verify(log, None).findings == ()
    assert Sealer(log, KEY, ORIGIN).seal(NOW) == 6
    assert Sealer(log, KEY, ORIGIN).seal(NOW) == 0
    assert verify(log, heads).heads == 3  # one of them stands in the database alone
    assert export_heads(log, heads) == 1
    assert export_heads(log, heads) == 0


@pytest.mark.both_databases
def test_tampering_is_found_and_the_first_bad_row_is_named(
    log: Engine,
    heads: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """On the embedded database by `eid audit verify`, too."""
    by_command = log.dialect.name == "sqlite"
    (tmp_path / "audit.pem").write_text(encode_pem(KEY.public_key_info))
    told = {"HOME": str(tmp_path), "DATABASE": log.url.render_as_string(hide_password=False), "AUDIT_ORIGIN": ORIGIN}
    for name, value in told.items():
        monkeypatch.setenv(f"EID_{name}", value)
    command = ["audit", "verify", "--heads", str(heads)]
    tables = (audit_row, audit_chain, sealed_chain, tree_head)
    with log.connect() as connection:
        kept = {table: [dict(row) for row in connection.execute(select(table)).mappings()] for table in tables}

    def restore(connection: Connection) -> None:
        for table, rows in kept.items():
            connection.execute(delete(table))
            connection.execute(insert(table), rows)

    for act, (bucket, seq, what) in TAMPERING.items():
        meddle(log, act)
        report = verify(log, heads)
        found = report.first_row
        assert found is not None, act.__name__
        assert (found.bucket, found.seq) == (bucket, seq), act.__name__
        if by_command:
            capsys.readouterr()
            assert run(command) == 1, act.__name__
            assert f"FIRST BAD ROW: row {seq} of chain {bucket}\n" in capsys.readouterr().out, act.__name__
        assert what in found.what, act.__name__
        others = {item.bucket for item in report.findings if item.bucket is not None} - {bucket}
        assert (others != set()) == (act in (go_back_in_time, move_to_another_chain)), act.__name__
        meddle(log, restore)
        assert verify(log, heads).findings == (), act.__name__
    assert run(command) == 0
    assert "nothing is wrong" in capsys.readouterr().out


def test_what_heads_in_the_database_show_without_those_kept_elsewhere(log: Engine) -> None:
    """A forger who has no key cannot make a head; one who drops heads, too, is seen with the files alone."""
    meddle(log, forge_a_head)
    assert [item.what for item in verify(log, None).findings] == [
        "a head is not right: tree head 18 does not carry the signature of this log"
    ]
    meddle(log, go_back_in_time)
    assert verify(log, None).findings == ()


def test_heads_of_the_database_are_held_against_the_files(log: Engine, heads: Path) -> None:
    meddle(log, go_back_in_time)
    assert verify(log, heads).findings[0].what == "tree head 18 is gone from the database"
    meddle(log, lambda c: c.execute(update(tree_head).values(checkpoint="nonsense")))
    found = [item.what for item in verify(log, heads).findings]
    assert "tree head 9 is another one in the database" in found


def test_heads_that_are_not_right(log: Engine) -> None:
    with log.connect() as connection:
        kept = dict(connection.execute(select(tree_head).where(tree_head.c.size == 9)).mappings().one())
    for values, what in (
        ({"checkpoint": "nonsense"}, "tree head 9 is malformed"),
        ({"entries": b"\0" * 40}, "tree head 9 is malformed"),
        ({"entries": b"\0" * 41}, "tree head 9 does not follow the one before it"),
        ({"entries": b"\0" * 41 * 9}, "tree head 9 is over other entries"),
    ):
        changed = update(tree_head).where(tree_head.c.size == 9).values(**{**kept, **values})
        meddle(log, lambda c, of=changed: c.execute(of))
        (finding,) = verify(log, None).findings
        assert what in finding.what
        assert finding.seq is None


def test_another_key_or_name(log: Engine, heads: Path) -> None:
    for report in (verify(log, heads, OTHER_KEY), verify(log, heads, origin="other.example/log")):
        assert "does not carry the signature of this log" in report.findings[0].what
        assert report.heads == 0


@pytest.mark.both_databases
def test_missing_triggers_are_told(log: Engine) -> None:
    suffix = "" if log.dialect.name == "sqlite" else " ON audit_row"
    with log.begin() as connection:
        connection.execute(text(f"DROP TRIGGER audit_row_no_update{suffix}"))
    assert [item.what for item in verify(log, None).findings] == ["triggers are missing: audit_row_no_update"]


@pytest.mark.both_databases
def test_triggers_are_there_after_every_migration(log: Engine) -> None:
    query = {
        "sqlite": "SELECT count(*) FROM sqlite_master WHERE type = 'trigger'",
        "postgresql": "SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal",
    }[log.dialect.name]
    for _ in range(2):
        with log.connect() as connection:
            assert connection.execute(text(query)).scalar_one() == len(trigger_names(log.dialect.name))
        upgrade(log)
    for table in (audit_row, tree_head):
        for statement in (delete(table), update(table).values(at=NOW)):
            with pytest.raises(StoreError):
                in_transaction(log, lambda connection, of=statement: connection.execute(of))


@pytest.mark.both_databases
def test_a_log_is_not_emptied_or_written_over(log: Engine) -> None:
    """By what fires no trigger for a row: TRUNCATE; on SQLite, the row that REPLACE takes away first."""
    statement = {
        "sqlite": "INSERT OR REPLACE INTO audit_row"
        " SELECT bucket, seq, previous, hash, at, 'system:x', action, subject, detail FROM audit_row",
        "postgresql": "TRUNCATE audit_row",
    }[log.dialect.name]
    with pytest.raises(StoreError):
        in_transaction(log, lambda connection: connection.execute(text(statement)))
    assert verify(log, None).findings == ()


@pytest.mark.both_databases
def test_chains_that_there_cannot_be(log: Engine) -> None:
    meddle(log, lambda c: c.execute(insert(audit_chain).values(bucket=300, size=1, hash=b"\0" * 32)))
    assert [(item.bucket, item.what) for item in verify(log, None).findings] == [(300, "there is no chain 300")]


def test_rows_without_a_head(log: Engine) -> None:
    meddle(log, lambda c: c.execute(delete(audit_chain).where(audit_chain.c.bucket == 7)))
    assert [item.what for item in verify(log, None).findings] == ["chain 7 has rows and no head"]


def test_an_altered_head_of_a_chain(log: Engine) -> None:
    meddle(log, lambda c: c.execute(update(audit_chain).where(audit_chain.c.bucket == 7).values(hash=genesis(7))))
    (finding,) = verify(log, None).findings
    assert "the chain's head was altered" in finding.what


def test_rows_that_sqlite_cannot_even_read(log: Engine) -> None:
    if log.dialect.name != "sqlite":
        return  # its types forbid it
    for column, nonsense in (("at", "yesterday"), ("detail", "{"), ("previous", "text"), ("actor", b"\xff")):
        kept = text(f"UPDATE audit_row SET {column} = :value WHERE bucket = 3 AND seq = 2")
        meddle(log, lambda c, of=kept, value=nonsense: c.execute(of, {"value": value}))
        found = verify(log, None).first_row
        assert found is not None
        assert (found.bucket, found.seq) == (3, 2), column


def test_a_log_of_many_pages(any_database: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eid.services.audit.verification.PAGE", 4)
    monkeypatch.setattr("eid.services.audit.verification.HEADS", 1)
    monkeypatch.setattr("eid.services.audit.log.AT_ONCE", 5)
    append(any_database, 1, 12)
    assert Sealer(any_database, KEY, ORIGIN).seal(NOW) == 33
    report = verify(any_database, None)
    assert (report.rows, report.sealed, report.heads, report.findings) == (33, 33, 7, ())


@pytest.mark.both_databases
def test_two_sealers_make_one_head(log: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one reads before the other has written is refused by the database, whole; it finds nothing left to do."""
    sealer = Sealer(log, KEY, ORIGIN)
    from eid.services.audit import log as audit

    def seal_between(checkpoint: Checkpoint, signer: SoftwareSigner) -> str:
        monkeypatch.undo()
        append(log, 9, 10)  # so that the other one's head is of another size
        Sealer(log, KEY, ORIGIN).seal(NOW)
        return sign_checkpoint(checkpoint, signer)

    monkeypatch.setattr(audit, "sign_checkpoint", seal_between)
    assert sealer.seal(NOW) == 0
    assert verify(log, None).findings == ()
    with log.connect() as connection:
        assert connection.execute(select(func.max(tree_head.c.size))).scalar_one() == 27


def test_files_are_never_rewritten(log: Engine, heads: Path) -> None:
    seals = list(load_seals(heads))
    assert [seal.size for seal in seals] == [9, 18]
    assert last_size(heads) == 18
    store_seal(heads, seals[0], NOW)
    with pytest.raises(StoreError, match="says something else"):
        store_seal(heads, Seal(9, seals[0].entries, seals[1].checkpoint), NOW)
    (rows,) = heads.glob("*/*18.rows")
    rows.unlink()
    with pytest.raises(StoreError, match="No such file"):
        verify(log, heads)
    shutil.rmtree(heads)
    assert last_size(heads) == 0
    heads.write_text("a file")
    with pytest.raises(StoreError):
        last_size(heads)
    with pytest.raises(StoreError, match="cannot be written"):
        store_seal(heads, seals[0], NOW)


def test_a_database_that_is_older_than_its_heads_says_so(log: Engine, heads: Path) -> None:
    """A backup was restored: the log would fork without a word until it is as long as it was."""
    newest = last_size(heads)
    meddle(log, lambda c: c.execute(delete(tree_head).where(tree_head.c.size == newest)))
    with pytest.raises(StoreError, match="that the database has not"):
        export_heads(log, heads)


def test_reading_personal_data_is_an_event_without_any(any_database: Engine) -> None:
    subject = new_id(NOW)
    actor = Actor("officer-17", frozenset((Role.VALIDATING_OFFICER,)))
    in_transaction(
        any_database,
        lambda c: note_reading(c, subject, "person", actor, Role.VALIDATING_OFFICER, NOW, part="names"),
    )
    with any_database.connect() as connection:
        (row,) = read_chain(connection, subject.bytes[15])
    assert row.event.actor == "validating-officer:officer-17"
    assert (row.event.action, row.event.subject) == ("person.read", f"person:{subject}")
    assert json.dumps(dict(row.event.detail)) == '{"part": "names"}'


def test_a_key_that_does_not_sign(log: Engine) -> None:
    class Broken(SoftwareSigner):
        def sign(self, message: bytes) -> bytes:
            raise KeyStoreError("the token was pulled out")

    with pytest.raises(KeyStoreError):
        Sealer(log, Broken("audit", ec.generate_private_key(ec.SECP256R1()), ALGORITHM), ORIGIN).seal(NOW)
    assert verify(log, None).findings == ()
