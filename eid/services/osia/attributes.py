"""A person's record in OSIA's words: `biographicData` and `contactData`, flat and named in camel case.

What has two scripts has two members, the second with the ending Arabic: firstName, firstNameArabic.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from eid.enrolment.person import PersonRecord, decode_person, encode_person
from eid.errors import RecordError

ARABIC: Final = "Arabic"
TEXTS: Final = {
    "lastName": "family_name",
    "firstName": "given_names",
    "placeOfBirth": "place_of_birth",
    "fatherName": "father",
    "motherName": "mother",
}
VALUES: Final = {
    "dateOfBirth": "date_of_birth",
    "gender": "sex",
    "nationality": "nationality",
    "countryOfBirth": "country_of_birth",
    "uin": "personal_number",
}
CONTACTS: Final = {"phone1": "phone", "email": "email"}
ADDRESS: Final = ("address", "addressArabic", "addressCountry")
_MEMBERS: Final = frozenset(
    (*TEXTS, *(name + ARABIC for name in TEXTS), *VALUES, *CONTACTS, *ADDRESS, "civilStatusNumber", "specimen")
)
NAMES: Final = (*TEXTS, *(name + ARABIC for name in TEXTS), *VALUES)


def describe_person(record: PersonRecord) -> dict[str, Any]:
    """The biographic data of a record."""
    stated = encode_person(record)
    found: dict[str, Any] = {}
    for member, name in TEXTS.items():
        if name in stated:
            found[member], found[member + ARABIC] = stated[name]["latin"], stated[name]["arabic"]
    found |= {member: stated[name] for member, name in VALUES.items() if name in stated}
    if "address" in stated:
        lines = stated["address"]["lines"]
        values = (lines["latin"], lines["arabic"], stated["address"]["country"])
        found |= dict(zip(ADDRESS, values, strict=True))
    return found


def describe_contact(record: PersonRecord) -> dict[str, Any]:
    """The contact data of a record."""
    contact = encode_person(record).get("contact", {})
    return {member: contact[name] for member, name in CONTACTS.items() if name in contact}


def read_person(attributes: Mapping[str, Any]) -> PersonRecord:
    """A record out of biographic data.

    Raises:
        RecordError: a member is unknown, or not as the record wants it.
    """
    given = {name: value for name, value in attributes.items() if value is not None}
    if given.keys() - _MEMBERS:
        raise RecordError(f"biographicData has members other than {', '.join(sorted(_MEMBERS))}")
    stated: dict[str, Any] = {}
    for member, name in TEXTS.items():
        if member in given or member + ARABIC in given:
            stated[name] = {"latin": given.get(member), "arabic": given.get(member + ARABIC)}
    stated |= {name: given[member] for member, name in VALUES.items() if member in given}
    contact = {name: given[member] for member, name in CONTACTS.items() if member in given}
    if contact:
        stated["contact"] = contact
    if "address" in given or "addressArabic" in given:
        lines = {"latin": given.get("address"), "arabic": given.get("addressArabic")}
        stated["address"] = {"lines": lines, "country": given.get("addressCountry", given.get("nationality"))}
    if "civilStatusNumber" in given:
        stated["civil_status"] = {"number": given["civilStatusNumber"]}
    if "specimen" in given:
        stated["specimen"] = given["specimen"]
    return decode_person(stated)
