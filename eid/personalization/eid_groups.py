"""The eID application's data groups from an approved record (TR-03110-4 2.2.3)."""

from __future__ import annotations

from eid.errors import RecordError
from eid.identity import IdentityRecord
from eid.imaging import ImageFormat, inspect_image
from eid.lds import eid_application as groups
from eid.lds.eid_application import EidValue, encode_eid_group
from eid.lds.eid_values import FreetextPlace, Text
from eid.profile.schema import EidApplication

_SEXES = {"M": "M", "F": "F", "X": " "}
JPEG_2000 = (ImageFormat.JPEG2000, ImageFormat.JPEG2000_CODESTREAM)


def build_eid_groups(record: IdentityRecord, stated: EidApplication) -> dict[int, bytes]:
    """The data groups that the profile names, encoded, by number and in ascending order.

    What a record does not know (a nom de plume, an academic title, a birth name, permits) or its holder does not want
    there (telephone, electronic mail) is there and empty, so that a terminal that may write it finds its place.

    Raises:
        RecordError: the record holds nothing for a data group that cannot be empty, or a value that its type lacks.
    """
    values = _values(record, stated)
    encoded = {}
    for number in sorted(stated.numbers):
        value = values.get(number)
        if value is None:
            raise RecordError(f"an identity record holds nothing for DG{number} of the eID application")
        try:
            encoded[number] = encode_eid_group(number, value)
        except ValueError as fault:
            raise RecordError(f"DG{number} of the eID application: {fault}") from fault
    return encoded


def _values(record: IdentityRecord, stated: EidApplication) -> dict[int, EidValue | None]:
    born_at, lives_at, given = record.place_of_birth, record.address, record.given_names
    return {
        groups.DOCUMENT_TYPE: "ID",
        groups.ISSUING_ENTITY: record.issuing_state,
        groups.DATE_OF_EXPIRY: record.expires_on,
        groups.GIVEN_NAMES: "" if given is None else given.latin,
        groups.FAMILY_NAMES: record.family_name.latin,
        groups.NOM_DE_PLUME: "",
        groups.ACADEMIC_TITLE: "",
        groups.DATE_OF_BIRTH: record.date_of_birth,
        groups.PLACE_OF_BIRTH: None if born_at is None else FreetextPlace(born_at.latin),
        groups.NATIONALITY: record.nationality,
        groups.SEX: _SEXES[record.sex],
        groups.OPTIONAL_DATA: (),
        groups.BIRTH_NAME: "",
        groups.WRITTEN_SIGNATURE: _signature(record),
        groups.DATE_OF_ISSUANCE: record.issued_on,
        groups.PLACE_OF_RESIDENCE: (None if lives_at is None else (FreetextPlace(lives_at.latin.replace("\n", ", ")),)),
        groups.MUNICIPALITY_ID: stated.municipality_id,
        groups.RESIDENCE_PERMIT_1: Text(""),
        groups.RESIDENCE_PERMIT_2: Text(""),
        groups.PHONE_NUMBER: record.telephone or "",
        groups.EMAIL_ADDRESS: record.email or "",
    }


def _signature(record: IdentityRecord) -> bytes | None:
    """JPEG 2000, which alone the type allows (TR-03110-4 2.2.3.1)."""
    image = record.signature_image
    return image if image is not None and inspect_image(image).format in JPEG_2000 else None
