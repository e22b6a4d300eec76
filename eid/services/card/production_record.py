"""What goes on a card: the register's record of the person, what was captured, the numbers and days of the order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar

from eid.enrolment.capture import CaptureRecord, ItemFormat
from eid.enrolment.person import PersonRecord, TwoScripts
from eid.enrolment.rules import EnrolmentRules
from eid.errors import RecordError
from eid.identity import BilingualText, Detail, EmergencyContact, Fingerprint, IdentityRecord, PartnerMention
from eid.services.application.enrolment import CARD_PORTRAIT, CARD_SIGNATURE
from eid.store.production_orders import ProductionOrder

T = TypeVar("T")


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
        RecordError: something that the country requires is missing, or breaks a limit of the format; the text names the
            field.
    """
    script, contact = rules.record.own_script, person.contact
    for name in rules.record.required:
        _required(getattr(person, name), name)
    return IdentityRecord(
        specimen=person.specimen,
        family_name=_required(_bilingual(person, "family_name", script), "family_name"),
        given_names=_bilingual(person, "given_names", script),
        date_of_birth=_required(person.date_of_birth, "date_of_birth"),
        place_of_birth=_bilingual(person, "place_of_birth", script),
        sex=_required(person.sex, "sex"),
        nationality=_required(person.nationality, "nationality"),
        personal_number=_required(person.personal_number, "personal_number"),
        address=None if person.address is None else person.address.lines.bilingual(script),
        father=_bilingual(person, "father", script),
        mother=_bilingual(person, "mother", script),
        civil_status_number=None if person.civil_status is None else person.civil_status.number,
        telephone=None if contact is None or "phone-on-chip" not in contact.consents else contact.phone,
        email=None if contact is None or "email-on-chip" not in contact.consents else contact.email,
        details=tuple(_details(person, rules)),
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


def _bilingual(person: PersonRecord, name: str, script: str) -> BilingualText | None:
    stated: TwoScripts | None = getattr(person, name)
    return None if stated is None else stated.bilingual(script)


def _details(person: PersonRecord, rules: EnrolmentRules) -> Iterator[Detail]:
    """The country's own values that go to the card's maker, in the order of the rules."""
    for item in rules.record.detail:
        if not item.on_card:
            continue
        if item.code in person.own:
            yield Detail(item.code, person.own[item.code])
        elif item.required:
            raise RecordError(f"details.{item.code} is missing")


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
    return tuple(Fingerprint(name, images[name]) for name in wanted[: rules.capture.fingers_on_card])


def _emergency(person: PersonRecord) -> tuple[EmergencyContact, ...]:
    """Whom to tell in an emergency, where the holder wants that on the chip."""
    contact = person.contact
    if contact is None or "emergency-on-chip" not in contact.consents:
        return ()
    return tuple(EmergencyContact(item.name, item.phone, item.address) for item in contact.emergency)
