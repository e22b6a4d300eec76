"""What a chip says of its holder, in words for people. Shown, not judged: whether it is true is the report's matter."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from eid.errors import DecodeError
from eid.evidence import Evidence
from eid.imaging import decode_image
from eid.lds.dg1 import decode_dg1
from eid.lds.dg2 import decode_dg2
from eid.lds.dg11 import decode_dg11
from eid.lds.dg12 import decode_dg12
from eid.lds.dg13 import PersonName, decode_dg13
from eid.locale import clean_text
from eid.mrz import Mrz, resolve_date_of_birth, resolve_date_of_expiry

T = TypeVar("T")
Field = tuple[str, str]


def describe_holder(evidence: Evidence) -> tuple[Field, ...]:
    """Label and value of what DG1, DG11, DG12 and DG13 say; what is absent or malformed is left out.

    Control characters, among them those that turn a terminal's or a page's direction, are replaced.
    """
    fields = (*_of_dg1(evidence), *_of_dg11(evidence), *_of_dg12(evidence), *_of_dg13(evidence))
    return tuple((label, clean_text(value)) for label, value in fields if value)


def decode_portrait(evidence: Evidence) -> bytes | None:
    """The first portrait of DG2 as a PNG of ours; None where there is none that can be decoded."""
    dg2 = _decode(evidence, "DG2", decode_dg2)
    if dg2 is None or not dg2.images:
        return None
    try:
        return decode_image(dg2.images[0].image)
    except DecodeError:
        return None


def _decode(evidence: Evidence, name: str, decode: Callable[[bytes], T]) -> T | None:
    raw = evidence.content(name)
    if raw is None:
        return None
    try:
        return decode(raw)
    except DecodeError:
        return None


def _of_dg1(evidence: Evidence) -> Iterator[Field]:
    mrz = _decode(evidence, "DG1", lambda raw: decode_dg1(raw).mrz())
    if mrz is None:
        return
    yield "Family name", mrz.primary_identifier
    yield "Given names", mrz.secondary_identifier
    yield "Document", f"{mrz.document_code} {mrz.issuing_state} {mrz.document_number}"
    yield "Nationality", mrz.nationality
    yield from _dates(mrz, evidence)
    yield "Sex", mrz.sex
    yield "Optional data", " ".join(filter(None, (mrz.optional_data_1, mrz.optional_data_2)))


def _dates(mrz: Mrz, evidence: Evidence) -> Iterator[Field]:
    """Dates with their century, which the MRZ leaves out, as of the day of reading."""
    today = evidence.gathered_at.date()
    try:
        birth = resolve_date_of_birth(mrz.date_of_birth, today)
        expiry = resolve_date_of_expiry(mrz.date_of_expiry, today).isoformat()
    except ValueError:  # a clock that stands at the edge of the calendar
        birth, expiry = None, mrz.date_of_expiry
    yield "Date of birth", mrz.date_of_birth if birth is None else birth.isoformat()
    yield "Date of expiry", expiry


def _of_dg11(evidence: Evidence) -> Iterator[Field]:
    dg11 = _decode(evidence, "DG11", decode_dg11)
    if dg11 is None:
        return
    yield "Full name", _spaced(dg11.full_name)
    for name in dg11.other_names:
        yield "Other name", _spaced(name)
    yield "Personal number", dg11.personal_number or ""
    yield "Full date of birth", _hyphenated(dg11.full_date_of_birth)
    # One field for each part: Arabic and Latin on one line would be set in an order that nobody wrote.
    for part in dg11.place_of_birth or ():
        yield "Place of birth", part
    for part in dg11.permanent_address or ():
        yield "Address", part
    yield "Telephone", dg11.telephone or ""
    yield "Profession", dg11.profession or ""
    yield "Title", dg11.title or ""
    yield "Personal summary", dg11.personal_summary or ""
    for number in dg11.other_document_numbers or ():
        yield "Other document", number
    yield "Custody", dg11.custody_information or ""


def _hyphenated(date: str | None) -> str:
    """YYYYMMDD as other dates are shown; parts that are not known, 0 there, are left out."""
    if not date:
        return ""
    return "-".join(part for part in (date[:4], date[4:6], date[6:]) if part.strip("0"))


def _of_dg12(evidence: Evidence) -> Iterator[Field]:
    dg12 = _decode(evidence, "DG12", decode_dg12)
    if dg12 is None:
        return
    yield "Issuing authority", dg12.issuing_authority or ""
    yield "Date of issue", _hyphenated(dg12.date_of_issue)
    yield "Endorsements", dg12.endorsements or ""


def _of_dg13(evidence: Evidence) -> Iterator[Field]:
    dg13 = _decode(evidence, "DG13", decode_dg13)
    if dg13 is None:
        return
    for label, person in (("Father", dg13.father), ("Mother", dg13.mother), ("Partner", dg13.partner)):
        for name in _scripts(person):
            yield label, name
    yield "Civil status number", dg13.civil_status_number or ""
    for code, text in dg13.details:
        yield code.replace("_", " ").capitalize(), text
    if dg13.status_list is not None:
        yield "Status list", f"{dg13.status_list.uri}#{dg13.status_list.index}"


def _spaced(name: str | None) -> str:
    """A name of DG11 with blanks for its fillers (Doc 9303-10 4.7.11)."""
    return " ".join(part for part in (name or "").split("<") if part)


def _scripts(name: PersonName | None) -> tuple[str, ...]:
    return () if name is None else tuple(part for part in (name.native, name.latin) if part)
