"""A counter where invented people are captured, and the officers and operators who bring a file to a card.

counter = build_counter(engine, tmp_path)
application = counter.present()                 # checked in, with a stamp reserved for it
application = counter.approve(counter.clear(counter.capture(application)))
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from eid.enrolment.capture import (
    CapturedItem,
    CaptureRecord,
    ItemFormat,
    Presence,
    QualityFormat,
    digest_item,
    sign_capture,
)
from eid.enrolment.roles import Actor, Role
from eid.gateways.abis import Abis
from eid.gateways.abis.sandbox import SandboxAbis
from eid.gateways.blobs import BlobStore
from eid.identity import FINGERS
from eid.imaging.encode import encode_portrait
from eid.imaging.header import ImageFormat
from eid.imaging.portrait import draw_specimen_portrait
from eid.imaging.signature import draw_specimen_signature
from eid.keystore.software import SoftwareSigner
from eid.services.application import acts, adjudication, approval, documents, enrolment, review, views
from eid.services.application.enrolment import KeptCapture
from eid.services.application.steps import step
from eid.services.stamp.spending import enter_stamp
from eid.services.stamp.stamps import StampOrder
from eid.store.applications import StoredApplication, load_application
from eid.store.database import in_transaction
from eid.store.production_orders import ProductionOrder
from tests.builders.applicants import ADMINISTRATOR, APPLICANT, CLERK, NOW, VALIDATOR, begin_application, paper
from tests.builders.issuance import signer
from tests.builders.stamps import PHONE, Till, build_till

SITE = "rabat-1"
OFFICER = Actor("officer-1", frozenset((Role.ENROLMENT_OFFICER,)), SITE)
ADJUDICATOR = Actor("adjudicator-1", frozenset((Role.ADJUDICATOR,)))
APPROVER = Actor("approver-1", frozenset((Role.APPROVER,)))
MAKER = Actor("press-1", frozenset((Role.PRODUCTION_OPERATOR,)))
COURIER = Actor("courier-1", frozenset((Role.DELIVERY_OPERATOR,)), SITE)
CLOCK = NOW + timedelta(hours=1)


@cache
def portrait(width: int = 300, height: int = 386) -> bytes:
    return encode_portrait(draw_specimen_portrait(width=width, height=height), ImageFormat.JPEG, 20_000)


@cache
def signature() -> bytes:
    return draw_specimen_signature()


def minutiae(seed: str) -> bytes:
    """In place of a template: octets that are nobody's."""
    return b"FMR\x00 20\x00" + hashlib.sha256(seed.encode()).digest()


def take(
    seed: str = "", *, fingers: bool = True, names: Iterable[str] = ("right-index", "left-index")
) -> dict[str, bytes]:
    """What a station takes of the person called so. names: of the fingers."""
    items = {"portrait": portrait()}
    if fingers:
        items |= {name: minutiae(seed + name) for name in names}
    return items


def describe(name: str, octets: bytes, **changes: Any) -> CapturedItem:
    if name in FINGERS:
        item = CapturedItem(name, ItemFormat.ISO_19794_2, digest_item(octets), 70, QualityFormat.NFIQ2)
    else:
        item = CapturedItem(name, ItemFormat.JPEG, digest_item(octets))
    return replace(item, **changes)


@dataclass
class Counter:
    """A site, its officer's key, the till where stamps are bought, and a biometric system."""

    engine: Engine
    blobs: BlobStore
    till: Till
    key: SoftwareSigner
    abis: Abis = field(default_factory=SandboxAbis)

    @property
    def key_id(self) -> bytes:
        return hashlib.sha256(self.key.public_key_info).digest()

    def present(self, *, reason: str = "first", **given: Any) -> StoredApplication:
        """An application whose person has come to the counter."""
        application = begin_application(self.engine, NOW, reason=reason, **given)
        needs = views.requirements(self.engine, application.id, APPLICANT, NOW)
        for code in needs.papers:
            sent = paper(code, issued_on=NOW.date())
            documents.attach(self.engine, self.blobs, application.id, sent, APPLICANT, NOW)
        if needs.fee != 0:
            self.pay(application)
        acts.submit(self.engine, application.id, APPLICANT, NOW)
        acts.take_up(self.engine, application.id, VALIDATOR, NOW)
        review.validate(self.engine, application.id, VALIDATOR, NOW)
        validated = self.reload(application)
        return in_transaction(self.engine, lambda connection: self._admit(connection, validated))

    def pay(self, application: StoredApplication) -> None:
        born = self.born(application)
        stamp = self.till.buy(StampOrder("card", born, PHONE, "fr"))
        enter_stamp(self.till.office, application.id, self.till.digits(stamp), APPLICANT, NOW)

    def born(self, application: StoredApplication) -> Any:
        view = views.view_application(self.engine, application.id, APPLICANT, NOW)
        return view.record.born

    def _admit(self, connection: Any, application: StoredApplication) -> StoredApplication:
        return step(connection, application, "admit", CLERK, NOW, values={"appointment_site": SITE})

    def reload(self, application: StoredApplication) -> StoredApplication:
        with self.engine.connect() as connection:
            found = load_application(connection, application.id)
        assert found is not None
        return found

    def record(self, application: StoredApplication, items: Mapping[str, bytes], **changes: Any) -> CaptureRecord:
        missing: tuple[tuple[str, Presence], ...] = changes.pop("missing", ())
        described = tuple(describe(name, octets) for name, octets in items.items())
        made = CaptureRecord(application.id, OFFICER.id, SITE, "station-1", CLOCK, described, missing)
        return replace(made, **changes)

    def sign(self, record: CaptureRecord) -> bytes:
        return sign_capture(record, self.key.sign, self.key_id)

    def take_in(self, record: CaptureRecord, items: Mapping[str, bytes], actor: Actor = OFFICER) -> KeptCapture:
        return enrolment.record_capture(self.engine, self.blobs, self.sign(record), items, actor, CLOCK)

    def capture(
        self, application: StoredApplication, items: Mapping[str, bytes] | None = None, **changes: Any
    ) -> StoredApplication:
        taken = take(str(application.person_id)) if items is None else items
        return self.take_in(self.record(application, taken, **changes), taken).application

    def search(self, application: StoredApplication) -> StoredApplication:
        adjudication.begin_search(self.engine, self.abis, self.blobs, application.id, CLOCK)
        return self.reload(application)

    def approve(self, application: StoredApplication, **given: Any) -> ProductionOrder:
        return approval.approve(self.till.office, application.id, APPROVER, CLOCK, **given)

    def approved(self, **given: Any) -> ProductionOrder:
        """The production order of somebody who went the whole way to approval."""
        return self.approve(self.search(self.capture(self.present(**given))))


def build_counter(engine: Engine, directory: Path) -> Counter:
    till = build_till(engine)
    key = signer("officer", "P-256", "sha256")
    counter = Counter(engine, BlobStore(str(directory / "documents"), till.office.keys), till, key)
    enrolment.register_officer_key(engine, OFFICER.id, key.public_key_info, ADMINISTRATOR, NOW)
    return counter
