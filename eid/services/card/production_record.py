"""What goes on a card: the register's record of the person, what was captured, the numbers and days of the order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

from eid.enrolment.capture import CaptureRecord, ItemFormat
from eid.enrolment.person import PersonRecord
from eid.enrolment.rules import EnrolmentRules
from eid.errors import RecordError
from eid.identity import BilingualText, EmergencyContact, Fingerprint, IdentityRecord, PartnerMention
from eid.services.application.enrolment import CARD_PORTRAIT, CARD_SIGNATURE
from eid.store.production_orders import ProductionOrder

T = TypeVar("T")
MAX_FINGERS: Final = 2  # on the chip


def build_identity_record(
    person: PersonRecord,
    order: ProductionOrder,
    capture: CaptureRecord,
    images: Mapping[str, bytes],
    rules: EnrolmentRules,
) -> IdentityRecord:
    """The approved record of one card.

    Args:
        order: with its document number and days. images: what was captured, by name, with the card's portrait.

    Raises:
        RecordError: something is missing, or breaks a limit of the format; the text names the field.
    """
    script = rules.record.own_script
    return IdentityRecord(
        specimen=person.specimen,
        family_name=_bilingual(person, "family_name", script),
        given_names=_bilingual(person, "given_names", script),
        date_of_birth=_required(person.date_of_birth, "date_of_birth"),
        place_of_birth=_bilingual(person, "place_of_birth", script),
        sex=_required(person.sex, "sex"),
        nationality=_required(person.nationality, "nationality"),
        personal_number=_required(person.personal_number, "personal_number"),
        address=_required(person.address, "address").lines.bilingual(script),
        father=_bilingual(person, "father", script),
        mother=_bilingual(person, "mother", script),
        civil_status_number=_required(person.civil_status, "civil_status").number,
        document_number=_required(order.document_number, "document_number"),
        issued_on=_required(order.issued_on, "issued_on"),
        expires_on=_required(order.expires_on, "expires_on"),
        issuing_state=rules.country,
        issuing_authority=BilingualText(rules.issuer.name.get(script, ""), rules.issuer.name["latin"], script),
        portrait=_required(images.get(CARD_PORTRAIT), "portrait"),
        signature_image=images.get(CARD_SIGNATURE),
        partner=_partner(person, script),
        fingerprints=_fingerprints(capture, images, rules),
        persons_to_notify=_emergency(person),
    )


def _required(value: T | None, name: str) -> T:
    if value is None:
        raise RecordError(f"{name} is missing")
    return value


def _bilingual(person: PersonRecord, name: str, script: str) -> BilingualText:
    found: BilingualText = _required(getattr(person, name), name).bilingual(script)
    return found


def _partner(person: PersonRecord, script: str) -> PartnerMention | None:
    if person.partner is None:
        return None
    return PartnerMention(person.partner.relation, person.partner.name.bilingual(script))


def _fingerprints(
    capture: CaptureRecord, images: Mapping[str, bytes], rules: EnrolmentRules
) -> tuple[Fingerprint, ...]:
    """Those that were taken as images, in the order of the rules."""
    taken = {item.name for item in capture.fingers if item.format in (ItemFormat.JPEG, ItemFormat.JPEG2000)}
    wanted = [name for name in rules.capture.fingers if name in taken and name in images]
    return tuple(Fingerprint(name, images[name]) for name in wanted[:MAX_FINGERS])


def _emergency(person: PersonRecord) -> tuple[EmergencyContact, ...]:
    """Whom to tell in an emergency, where the holder wants that on the chip."""
    contact = person.contact
    if contact is None or "emergency-on-chip" not in contact.consents:
        return ()
    return tuple(EmergencyContact(item.name, item.phone, item.address) for item in contact.emergency)
