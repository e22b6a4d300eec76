"""The identity record of the service: who somebody is, as he states it and as the civil status has it.

A draft may leave anything out; what stands in it obeys its limits. `find_missing` says what an application still needs,
`find_faults` what the rules of the country or the day refuse. Faults are codes at places (JSON pointers); their
sentences stand in `eid.locale`, and no text of the record is ever part of one.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    WithJsonSchema,
    create_model,
)
from pydantic_core import PydanticCustomError

from eid.enrolment.faults import fault_of
from eid.enrolment.rules import EnrolmentRules
from eid.errors import RecordError
from eid.identity import DETAIL_CODE, DETAILS_LIMIT, LINES_LIMIT, NOTIFY_LIMIT, TEXT_LIMIT, BilingualText
from eid.locale.scripts import UNICODE_SCRIPTS
from eid.mrz import PartialDate

OLDEST: Final = 130  # years
_FORBIDDEN: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
_INTERNATIONAL_PHONE: Final = r"\+[1-9][0-9]{6,14}"  # ITU-T E.164
_EMAIL: Final = r"[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,24}"


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong in a record: JSON pointer and code, never the text itself."""

    pointer: str
    code: str


class FaultyRecordError(RecordError):
    """A record breaks limits or rules.

    Args:
        faults: all of them, each at its place.
    """

    def __init__(self, faults: tuple[Fault, ...]) -> None:
        self.faults = faults
        super().__init__("; ".join(f"{fault.pointer}: {fault.code}" for fault in faults))


def _refuse(code: str) -> PydanticCustomError:
    return PydanticCustomError(code, "refused")  # the sentence is the locale's


def _text(lines: int, limit: int, script: tuple[str, ...]) -> Callable[[str], str]:
    def check(value: str) -> str:
        text = unicodedata.normalize("NFC", value)
        parts = text.split("\n")
        if not text or any(not part or part != part.strip() for part in parts):
            raise _refuse("blank")
        if len(text) > limit or len(parts) > lines:
            raise _refuse("too_long")
        if any(unicodedata.category(letter) in _FORBIDDEN for part in parts for letter in part):
            raise _refuse("hidden-character")
        if not _has_letters_of(text, script):
            raise _refuse("other-script")
        return text

    return check


def _has_letters_of(text: str, prefixes: tuple[str, ...]) -> bool:
    """Whether a text has a letter whose Unicode name begins so, or no letter at all."""
    letters = [unicodedata.name(letter, "") for letter in text if unicodedata.category(letter)[0] == "L"]
    return not letters or any(name.startswith(prefixes) for name in letters)


def is_written_in(text: str, script: str) -> bool:
    """Whether a text has a letter of the script, or no letter at all."""
    return _has_letters_of(text, UNICODE_SCRIPTS[script])


def _matching(pattern: str, code: str) -> Callable[[str], str]:
    compiled = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise _refuse(code)
        return value

    return check


def _partial_date(value: object) -> PartialDate:
    if isinstance(value, PartialDate):
        return value
    try:
        return PartialDate.fromisoformat(str(value)[:32])
    except ValueError:
        raise _refuse("partial-date") from None


Latin = Annotated[str, AfterValidator(_text(1, TEXT_LIMIT, UNICODE_SCRIPTS["latin"]))]
LatinLines = Annotated[str, AfterValidator(_text(LINES_LIMIT, TEXT_LIMIT, UNICODE_SCRIPTS["latin"]))]
CountryCode = Annotated[str, AfterValidator(_matching(r"[A-Z]{1,3}", "country-form"))]
Phone = Annotated[str, AfterValidator(_matching(_INTERNATIONAL_PHONE, "phone-form"))]
Email = Annotated[str, AfterValidator(_matching(_EMAIL, "email-form")), Field(max_length=254)]
NumberText = Annotated[str, AfterValidator(_matching(r"[A-Z0-9]{1,20}", "personal-number-form"))]
StatusNumber = Annotated[str, AfterValidator(_matching(r"[A-Z0-9/ .-]{1,32}", "civil-status-form"))]
AreaCode = Annotated[str, AfterValidator(_matching(r"[A-Z0-9][A-Z0-9.-]{0,11}", "area-form"))]
PostalCode = Annotated[str, AfterValidator(_matching(r"[A-Z0-9][A-Z0-9 -]{1,11}", "postal-code-form"))]
DetailCode = Annotated[str, AfterValidator(_matching(DETAIL_CODE, "extra_forbidden"))]
DetailText = Annotated[str, AfterValidator(_text(1, TEXT_LIMIT, ("",)))]  # in any script; the rules say which
BirthDate = Annotated[
    PartialDate,
    PlainValidator(_partial_date),
    PlainSerializer(lambda value: value.isoformat(), return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?$"}),
]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, strict=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"

    __str__ = __repr__


class _Spellings(_Part):
    """One text by script. Which scripts a country wants, and which it takes, its rules say."""

    @property
    def by_script(self) -> dict[str, str]:
        """The spellings that there are, in the order of `UNICODE_SCRIPTS`."""
        return {script: text for script, text in vars(self).items() if text is not None}

    def bilingual(self, script: str) -> BilingualText:
        """As the approved record has it: in the country's own script, "" where it has but the Latin one, and in Latin.

        Raises:
            RecordError: one of them is missing.
        """
        found = self.by_script
        if "latin" not in found or (script and script not in found):
            raise RecordError("a text is not in every script that the country's cards have")
        return BilingualText(found.get(script, ""), found["latin"], script)


def _spellings(name: str, lines: int, sentence: str) -> type[_Spellings]:
    """A model with a field for each script, each held to letters of its own."""
    fields: dict[str, Any] = {
        script: (Annotated[str, AfterValidator(_text(lines, TEXT_LIMIT, letters))] | None, None)
        for script, letters in UNICODE_SCRIPTS.items()
    }
    return create_model(name, __base__=_Spellings, __module__=__name__, __doc__=sentence, **fields)


if TYPE_CHECKING:
    TwoScripts = _Spellings
    AddressLines = _Spellings
else:
    TwoScripts = _spellings("TwoScripts", 1, "One text as the civil-status record has it, by script.")
    AddressLines = _spellings("AddressLines", LINES_LIMIT, "Up to three lines by script, parted by line feeds.")


class Address(_Part):
    """Where somebody lives, at home (codes of the administrative division) or abroad."""

    lines: AddressLines
    country: CountryCode
    postal_code: PostalCode | None = None
    commune: AreaCode | None = None
    province: AreaCode | None = None
    region: AreaCode | None = None
    since: date | None = Field(default=None, strict=False)


class Partner(_Part):
    """The optional mention of a wife or husband; relation: one of the country's rules, such as widow."""

    relation: Annotated[str, Field(pattern=r"^[a-z]{1,16}$")]
    name: TwoScripts


class CivilStatus(_Part):
    """The civil-status record that names were copied from."""

    number: StatusNumber
    year: int | None = Field(default=None, ge=1800, le=2999)
    office: TwoScripts | None = None


class Guardian(_Part):
    """Who applies for a minor, and as what; capacity: one of the country's rules, such as mother."""

    capacity: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
    name: TwoScripts
    personal_number: NumberText
    valid_until: date | None = Field(default=None, strict=False)


class EmergencyPerson(_Part):
    """Somebody to tell in an emergency; Latin letters, as the chip has them."""

    name: Latin
    phone: Phone
    address: LatinLines


Consent = Literal["phone-on-chip", "email-on-chip", "emergency-on-chip"]


class Contact(_Part):
    """How somebody is reached, and what of it he wants on the chip."""

    phone: Phone | None = None
    email: Email | None = None
    emergency: tuple[EmergencyPerson, ...] = Field(default=(), max_length=NOTIFY_LIMIT, strict=False)
    consents: tuple[Consent, ...] = Field(default=(), max_length=3, strict=False)


class PersonRecord(_Part):
    """Who somebody is; of a draft anything may be missing."""

    family_name: TwoScripts | None = None
    given_names: TwoScripts | None = None
    partner: Partner | None = None
    date_of_birth: BirthDate | None = None
    place_of_birth: TwoScripts | None = None
    country_of_birth: CountryCode | None = None
    sex: Literal["M", "F", "X"] | None = None
    nationality: CountryCode | None = None
    personal_number: NumberText | None = None
    father: TwoScripts | None = None
    mother: TwoScripts | None = None
    civil_status: CivilStatus | None = None
    address: Address | None = None
    guardian: Guardian | None = None
    contact: Contact | None = None
    details: Annotated[dict[DetailCode, DetailText], Field(max_length=DETAILS_LIMIT)] | None = None
    specimen: bool = False

    @property
    def own(self) -> Mapping[str, str]:
        """The values of the country's own, by code."""
        return self.details or {}

    @property
    def born(self) -> date | None:
        """The day of birth that ages are reckoned from: the first that an incomplete date may mean."""
        return None if self.date_of_birth is None else self.date_of_birth.earliest


NAME_FIELDS: Final = ("family_name", "given_names", "partner")
FORMS: Final[Mapping[str, tuple[str, str]]] = {
    "civil_status": ("/civil_status/number", "civil-status-form"),
    "postal_code": ("/address/postal_code", "postal-code-form"),
    "commune": ("/address/commune", "area-form"),
    "province": ("/address/province", "area-form"),
    "region": ("/address/region", "area-form"),
}
"""Codes whose form a country may narrow: where they stand, and the fault."""
_ALWAYS_TAKEN: Final = frozenset(("guardian", "details", "specimen"))  # by rules of their own


def decode_person(document: object) -> PersonRecord:
    """A record out of parsed JSON; texts are brought into normalization form C.

    Raises:
        FaultyRecordError: with every fault at its place.
    """
    try:
        return PersonRecord.model_validate(document)
    except ValidationError as failure:
        errors = failure.errors(include_url=False, include_context=False, include_input=False)
        raise FaultyRecordError(tuple(_to_fault(error["loc"], error["type"]) for error in errors)) from None


def encode_person(record: PersonRecord) -> dict[str, Any]:
    """The record as JSON values; what is absent is left out."""
    return record.model_dump(mode="json", exclude_none=True)


def encode_name(record: PersonRecord) -> dict[str, Any]:
    """Only the names of a record."""
    return record.model_dump(mode="json", include=set(NAME_FIELDS), exclude_none=True)


def _to_fault(place: tuple[int | str, ...], code: str) -> Fault:
    """Names in a pointer are ours; a name of the sender's becomes "?"."""
    parts = [str(part) if part in _KNOWN or isinstance(part, int) else "?" for part in place]
    return Fault("".join(f"/{part}" for part in parts), fault_of(code))


_PARTS: Final[tuple[type[BaseModel], ...]] = tuple(_Part.__subclasses__())
_KNOWN: Final = frozenset(name for part in _PARTS for name in part.model_fields) | frozenset(UNICODE_SCRIPTS)


def find_missing(record: PersonRecord, rules: EnrolmentRules, day: date) -> frozenset[str]:
    """Pointers of what an application of that day needs and the record leaves out."""
    missing = {f"/{name}" for name in rules.record.required if getattr(record, name) is None}
    missing |= {
        f"/details/{item.code}" for item in rules.record.detail if item.required and item.code not in record.own
    }
    for pointer, spelt in _spelt(record):
        missing |= {f"{pointer}/{script}" for script in rules.record.scripts if script not in spelt.by_script}
    if record.contact is not None and record.contact.phone is None and record.contact.email is None:
        missing.add("/contact/phone")
    born = record.born
    if born is not None and record.guardian is None and rules.needs_guardian(born, day):
        missing.add("/guardian")
    guardian = record.guardian
    capacity = None if guardian is None else rules.minors.find_capacity(guardian.capacity)
    if guardian is not None and capacity is not None and capacity.has_end and guardian.valid_until is None:
        missing.add("/guardian/valid_until")
    return frozenset(missing)


def find_faults(record: PersonRecord, rules: EnrolmentRules, day: date, *, abroad: bool) -> tuple[Fault, ...]:
    """What the country's rules or the day refuse, though each value by itself is well formed."""
    taken = rules.record.all_scripts
    foreign = [
        Fault(f"{pointer}/{script}", "other-script")
        for pointer, spelt in _spelt(record)
        for script in spelt.by_script
        if script not in taken
    ]
    return (
        *foreign,
        *_faults_of_fields(record, rules),
        *_faults_of_details(record, rules),
        *_faults_of_dates(record, rules, day),
        *_faults_of_numbers(record, rules, abroad=abroad),
    )


def _faults_of_fields(record: PersonRecord, rules: EnrolmentRules) -> Iterator[Fault]:
    """Fields that the country does not take, choices that it does not know, texts that are longer than it has them."""
    taken = rules.record.known_fields | _ALWAYS_TAKEN
    for name in PersonRecord.model_fields:
        if name not in taken and getattr(record, name) is not None:
            yield Fault(f"/{name}", "not-taken")
    if record.partner is not None and record.partner.relation not in rules.record.partners:
        yield Fault("/partner/relation", "choice")
    if record.guardian is not None and rules.minors.find_capacity(record.guardian.capacity) is None:
        yield Fault("/guardian/capacity", "choice")
    if record.sex is not None and record.sex not in rules.record.sexes:
        yield Fault("/sex", "choice")
    for pointer, spelt in _spelt(record):
        limit = next((most for name, most in rules.record.limits.items() if pointer.split("/")[1] == name), TEXT_LIMIT)
        yield from (
            Fault(f"{pointer}/{script}", "too-long") for script, text in spelt.by_script.items() if len(text) > limit
        )


def _faults_of_details(record: PersonRecord, rules: EnrolmentRules) -> Iterator[Fault]:
    for code, text in record.own.items():
        stated = rules.record.find_detail(code)
        if stated is None:
            yield Fault("/details/?", "unknown-member")
        elif not is_written_in(text, stated.script):
            yield Fault(f"/details/{code}", "other-script")
        elif not re.fullmatch(stated.form, text, re.ASCII):
            yield Fault(f"/details/{code}", "form")


def _spelt(part: BaseModel, at: str = "") -> Iterator[tuple[str, TwoScripts]]:
    """Every text of a record that stands in scripts, with its pointer."""
    for name, value in vars(part).items():
        if isinstance(value, _Spellings):
            yield f"{at}/{name}", value
        elif isinstance(value, BaseModel):
            yield from _spelt(value, f"{at}/{name}")


def _faults_of_dates(record: PersonRecord, rules: EnrolmentRules, day: date) -> list[Fault]:
    found, born = [], record.born
    if born is not None and born > day:
        found.append(Fault("/date_of_birth", "in-the-future"))
    elif born is not None and day.year - born.year > OLDEST:
        found.append(Fault("/date_of_birth", "too-long-ago"))
    if record.address is not None and record.address.since is not None and record.address.since > day:
        found.append(Fault("/address/since", "in-the-future"))
    guardian = record.guardian
    if guardian is not None:
        if guardian.valid_until is not None and guardian.valid_until < day:
            found.append(Fault("/guardian/valid_until", "guardian-expired"))
        if born is not None and born <= day and not rules.needs_guardian(born, day):
            found.append(Fault("/guardian", "guardian-not-due"))
    return found


def _faults_of_numbers(record: PersonRecord, rules: EnrolmentRules, *, abroad: bool) -> list[Fault]:
    found = []
    numbers = {"/personal_number": record.personal_number}
    if record.guardian is not None:
        numbers["/guardian/personal_number"] = record.guardian.personal_number
        if record.guardian.personal_number == record.personal_number:
            found.append(Fault("/guardian/personal_number", "own-guardian"))
    for pointer, number in numbers.items():
        if number is not None and not re.fullmatch(rules.personal_number, number, re.ASCII):
            found.append(Fault(pointer, "personal-number-form"))
    for name, form in rules.record.forms.items():
        pointer, code = FORMS[name]
        text = _text_at(record, pointer)
        if text is not None and not re.fullmatch(form, text, re.ASCII):
            found.append(Fault(pointer, code))
    phone = None if record.contact is None else record.contact.phone
    if phone is not None and not abroad and not re.fullmatch(rules.phone, phone, re.ASCII):
        found.append(Fault("/contact/phone", "phone-form"))
    return found


def _text_at(record: PersonRecord, pointer: str) -> str | None:
    _, table, name = pointer.split("/")
    found: str | None = getattr(getattr(record, table), name, None)
    return found


def find_divergences(registered: PersonRecord, stated: PersonRecord, compared: Iterable[str]) -> frozenset[str]:
    """Those of the fields in which an application differs from the register; what it leaves out differs in nothing."""
    pairs = ((name, getattr(registered, name), getattr(stated, name)) for name in compared)
    return frozenset(name for name, old, new in pairs if old is not None and new is not None and old != new)
