"""A workshop on any database, with keys or without, and a worker that never was."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Engine, text

from eid.audit.tree_head import ALGORITHM
from eid.enrolment.rules import load_rules
from eid.gateways.messages import SpooledMessages
from eid.keystore.service_keys import ServiceKeys
from eid.keystore.software import SoftwareSigner
from eid.services.audit.log import RECORD, Sealer
from eid.services.card.status_lists import PublicationTerms, StatusPublisher, StatusSigner
from eid.services.durable.work import Workshop
from eid.services.durable.worker import locate_work_database
from eid.services.settings import Settings
from eid.store.database import in_transaction, open_database
from eid.store.signature_record import SignatureRecord
from eid.store.work_records import Lease, hold_lease
from tests.builders import issuer
from tests.builders.status import key_signer, status_publisher


def build_workshop(engine: Engine, home: Path) -> Workshop:
    spool = SpooledMessages(home / "messages")
    settings = Settings(home=home, database=engine.url.render_as_string(hide_password=False))
    clock = lambda: datetime.now(UTC)  # noqa: E731
    return Workshop(engine, settings, load_rules("morocco").rules, ServiceKeys(bytes(32)), clock, spool, spool)


def give_keys(workshop: Workshop, terms: PublicationTerms | None = None) -> Workshop:
    """The same workshop with a key for heads of the audit log and one for status lists."""
    engine, home, owner = workshop.engine, workshop.settings.home, status_publisher(not_after=issuer.EVER).publisher
    key = SoftwareSigner("audit", ec.generate_private_key(ec.SECP256R1()), ALGORITHM)
    sealer = Sealer(engine, key, "audit.example/log", SignatureRecord(home / RECORD))
    (home / "www").mkdir()
    signer = StatusSigner(key_signer(owner.key), owner.certificate)
    publisher = StatusPublisher(engine, lambda _: signer, terms or PublicationTerms(), home / "www")
    return replace(workshop, sealer=sealer, publisher=publisher)


def pretend_dead(workshop: Workshop, job: str) -> None:
    """Let the engine hold that a worker named dead has begun a job, and the lease of that worker have run out."""
    past = datetime(2026, 1, 1, tzinfo=UTC)
    gone = Lease("worker:dead", "elsewhere 1 x work", past)
    in_transaction(workshop.engine, lambda connection: hold_lease(connection, gone, past))
    engine = open_database(locate_work_database(workshop.settings))
    schema = "" if engine.dialect.name == "sqlite" else "eid_work."
    statement = (
        f"UPDATE {schema}workflow_status SET status = 'PENDING', executor_id = 'dead' WHERE workflow_uuid = '{job}'"
    )
    in_transaction(engine, lambda connection: connection.execute(text(statement)))
    engine.dispose()
