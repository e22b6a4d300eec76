"""A person's record in OSIA's words: `biographicData` and `contactData`, flat and named in camel case.

What stands in several scripts has a member for each: firstName in Latin letters, the others with the script's name
at the end, such as firstNameArabic. Before the name of a value of the country's own stands
"detail": detailBloodGroup.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from eid.enrolment.person import PersonRecord, decode_person, encode_person
from eid.errors import RecordError
from eid.locale.scripts import UNICODE_SCRIPTS

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
ADDRESS: Final = "address"
_OTHERS: Final = (*VALUES, *CONTACTS, "addressCountry", "civilStatusNumber", "specimen")


def spelt_as(member: str, scripts: Iterable[str] = tuple(UNICODE_SCRIPTS)) -> dict[str, str]:
    """The members in which a text stands, by script."""
    return {script: member if script == "latin" else member + script.title() for script in scripts}


NAMES: Final = tuple(name for member in ("lastName", "firstName") for name in spelt_as(member).values())


def describe_person(record: PersonRecord) -> dict[str, Any]:
    """The biographic data of a record."""
    stated = encode_person(record)
    found: dict[str, Any] = {}
    for member, name in TEXTS.items():
        if name in stated:
            found |= _tell(member, stated[name])
    found |= {member: stated[name] for member, name in VALUES.items() if name in stated}
    if "address" in stated:
        found |= _tell(ADDRESS, stated["address"]["lines"]) | {"addressCountry": stated["address"]["country"]}
    return found | {_detail_as(code): text for code, text in record.own.items()}


def _detail_as(code: str) -> str:
    """The member in which a value of the country's own stands."""
    return "detail" + "".join(word.capitalize() for word in code.split("_"))


def _tell(member: str, spelt: Mapping[str, str]) -> dict[str, str]:
    return {name: spelt[script] for script, name in spelt_as(member, spelt).items()}


def describe_contact(record: PersonRecord) -> dict[str, Any]:
    """The contact data of a record."""
    contact = encode_person(record).get("contact", {})
    return {member: contact[name] for member, name in CONTACTS.items() if name in contact}


def read_person(attributes: Mapping[str, Any], scripts: Collection[str], details: Collection[str] = ()) -> PersonRecord:
    """A record out of biographic data.

    Args:
        scripts: those that the country's names are written in. details: codes of its own values.

    Raises:
        RecordError: a member is unknown, or not as the record wants it.
    """
    given = {name: value for name, value in attributes.items() if value is not None}
    own = {_detail_as(code): code for code in details}
    members = {name for member in (*TEXTS, ADDRESS) for name in spelt_as(member, scripts).values()} | {*_OTHERS, *own}
    if given.keys() - members:
        raise RecordError(f"biographicData has members other than {', '.join(sorted(members))}")
    stated: dict[str, Any] = {}
    for member, name in TEXTS.items():
        spelt = _read(member, given, scripts)
        if spelt:
            stated[name] = spelt
    stated |= {name: given[member] for member, name in VALUES.items() if member in given}
    contact = {name: given[member] for member, name in CONTACTS.items() if member in given}
    if contact:
        stated["contact"] = contact
    lines = _read(ADDRESS, given, scripts)
    if lines:
        stated["address"] = {"lines": lines, "country": given.get("addressCountry", given.get("nationality"))}
    if "civilStatusNumber" in given:
        stated["civil_status"] = {"number": given["civilStatusNumber"]}
    if stated_details := {code: given[member] for member, code in own.items() if member in given}:
        stated["details"] = stated_details
    if "specimen" in given:
        stated["specimen"] = given["specimen"]
    return decode_person(stated)


def _read(member: str, given: Mapping[str, Any], scripts: Collection[str]) -> dict[str, Any]:
    return {script: given[name] for script, name in spelt_as(member, scripts).items() if name in given}
