"""The identity record: what an authority has approved to be put on a card, and its JSON form.

Latin spellings are copied from the civil status, never computed. Texts are kept as approved, in Unicode normalization
form C. What a document of any state must say (Doc 9303-3, -10) is required here; what more a country or a card product
wants of a record, their rules and profiles say. The written form is `docs/formats/identity-record.md` with a JSON
Schema beside it.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Literal, cast

from eid.errors import RecordError
from eid.locale.scripts import UNICODE_SCRIPTS
from eid.mrz import PartialDate

FORMAT: Final = "eid-identity-record"
VERSION: Final = 1
RECORD_LIMIT: Final = 512 * 1024  # octets of a written record
PORTRAIT_LIMIT: Final = 128 * 1024  # octets of an image
TEXT_LIMIT: Final = 120  # characters of one text in one script
LINES_LIMIT: Final = 3  # lines of an address

Sex = Literal["M", "F", "X"]
PARTNER_RELATION: Final = r"[a-z]{1,16}"  # of which a layout has the words
FINGERS: Final = (
    "right-thumb", "right-index", "right-middle", "right-ring", "right-little",
    "left-thumb", "left-index", "left-middle", "left-ring", "left-little",
)  # fmt: skip
"""Names of the fingers, in the order of ISO/IEC 19794-4 table 5, which counts them from 1."""
EYES: Final = ("right", "left")
"""Names of the eyes, in the order of ISO/IEC 19794-6, which counts them from 1."""
NOTIFY_LIMIT: Final = 15  # persons, Doc 9303-10 4.7.16
DETAILS_LIMIT: Final = 32
DETAIL_CODE: Final = r"^[a-z][a-z0-9_]{0,31}$"
TELEPHONE_PATTERN: Final = r"^\+?[0-9 ]{3,20}$"

CODE_PATTERNS: Final = {
    "nationality": r"^[A-Z]{1,3}$",
    "issuing_state": r"^[A-Z]{1,3}$",
    "document_number": r"^[A-Z0-9]{1,22}$",
    "personal_number": r"^[A-Z0-9]{1,20}$",
    "civil_status_number": r"^[A-Z0-9/ .-]{1,32}$",
    "telephone": TELEPHONE_PATTERN,
    "email": r"^[!-?A-~]{1,64}@[!-?A-~]{1,189}$",
}
IMAGE_SIGNATURES: Final = (b"\xff\xd8\xff", b"\x00\x00\x00\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51")
WSQ_SIGNATURE: Final = b"\xff\xa0"  # fingers alone
# Characters that reorder or hide text, or cannot be printed.
_FORBIDDEN_CATEGORIES: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))


@dataclass(frozen=True, slots=True)
class BilingualText:
    """One text in a country's own script and in Latin, each as approved.

    Args:
        native: "" where the country has the Latin one alone. script: that of `native`, of `eid.locale.scripts`, or "".
    """

    native: str = field(repr=False)
    latin: str = field(repr=False)
    script: str = field(default="arabic", repr=False)

    def __post_init__(self) -> None:
        if not self.native and self.script:
            object.__setattr__(self, "script", "")

    @property
    def parts(self) -> tuple[str, ...]:
        """The text in its own script, if there is one, and in Latin."""
        return (self.native, self.latin) if self.native else (self.latin,)


@dataclass(frozen=True, slots=True)
class PartnerMention:
    """The optional mention "wife of", "widow of", "widower of", and that person's name."""

    relation: str = field(repr=False)
    name: BilingualText = field(repr=False)


@dataclass(frozen=True, slots=True)
class Detail:
    """A value that this country's records have beside those of all countries; code: the name that its rules give it."""

    code: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One finger, by its name in `FINGERS`, and its image, JPEG or JPEG 2000 of 500 pixels per inch."""

    finger: str = field(repr=False)
    image: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Iris:
    """One eye, by its name in `EYES`, and its image, JPEG or JPEG 2000."""

    eye: str = field(repr=False)
    image: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class EmergencyContact:
    """A person to notify; Latin letters. An address holds up to three lines, parted by line feeds."""

    name: str = field(repr=False)
    telephone: str = field(repr=False)
    address: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class IdentityRecord:
    """One approved record; the representation shows only whether it is a specimen.

    An address holds up to three lines, parted by line feeds. `portrait` and `signature_image` are JPEG or JPEG 2000.
    Of `fingerprints` each finger stands once, of `irises` each eye; a person without any has none. What is None, the
    country's records leave out. `details` are its own values, each code once.

    Raises:
        RecordError: a value breaks a limit of the format; the text names the field.
    """

    specimen: bool
    family_name: BilingualText = field(repr=False)
    date_of_birth: PartialDate = field(repr=False)
    sex: Sex = field(repr=False)
    nationality: str = field(repr=False)
    personal_number: str = field(repr=False)
    document_number: str = field(repr=False)
    issued_on: date = field(repr=False)
    expires_on: date = field(repr=False)
    issuing_state: str = field(repr=False)
    issuing_authority: BilingualText = field(repr=False)
    portrait: bytes = field(repr=False)
    given_names: BilingualText | None = field(default=None, repr=False)
    place_of_birth: BilingualText | None = field(default=None, repr=False)
    address: BilingualText | None = field(default=None, repr=False)
    father: BilingualText | None = field(default=None, repr=False)
    mother: BilingualText | None = field(default=None, repr=False)
    civil_status_number: str | None = field(default=None, repr=False)
    telephone: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    details: tuple[Detail, ...] = field(default=(), repr=False)
    signature_image: bytes | None = field(default=None, repr=False)
    partner: PartnerMention | None = field(default=None, repr=False)
    fingerprints: tuple[Fingerprint, ...] = field(default=(), repr=False)
    irises: tuple[Iris, ...] = field(default=(), repr=False)
    persons_to_notify: tuple[EmergencyContact, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        for name, text in _texts(self):
            _verify_text(name, text, LINES_LIMIT if "address" in name.split(".") else 1)
        for name, pattern in CODE_PATTERNS.items():
            value = getattr(self, name)
            if not (value is None and name in _OPTIONAL) and not re.fullmatch(pattern, value, re.ASCII):
                raise RecordError(f"{name} does not match {pattern}")
        if self.sex not in ("M", "F", "X"):
            raise RecordError("sex is not M, F or X")
        if self.partner is not None and not re.fullmatch(PARTNER_RELATION, self.partner.relation):
            raise RecordError(f"partner.relation does not match {PARTNER_RELATION}")
        _verify_codes([item.code for item in self.details])
        _verify_image("portrait", self.portrait)
        if self.signature_image is not None:
            _verify_image("signature_image", self.signature_image)
        for finger in self.fingerprints:
            _verify_image("fingerprints.image", finger.image, (*IMAGE_SIGNATURES, WSQ_SIGNATURE))
        for iris in self.irises:
            _verify_image("irises.image", iris.image)
        _verify_each_once("fingerprints.finger", [item.finger for item in self.fingerprints], FINGERS)
        _verify_each_once("irises.eye", [item.eye for item in self.irises], EYES)
        if len(self.persons_to_notify) > NOTIFY_LIMIT:
            raise RecordError(f"persons_to_notify are over {NOTIFY_LIMIT}")
        if not all(re.fullmatch(TELEPHONE_PATTERN, item.telephone, re.ASCII) for item in self.persons_to_notify):
            raise RecordError(f"persons_to_notify.telephone does not match {TELEPHONE_PATTERN}")
        self._verify_dates()

    def detail(self, code: str) -> str | None:
        """The country's own value of this code, None where there is none."""
        return next((item.text for item in self.details if item.code == code), None)

    def _verify_dates(self) -> None:
        if self.date_of_birth.earliest > self.issued_on:
            raise RecordError("date_of_birth lies after issued_on")
        if self.expires_on <= self.issued_on:
            raise RecordError("expires_on does not lie after issued_on")


BILINGUAL_FIELDS: Final = (
    "family_name",
    "given_names",
    "place_of_birth",
    "address",
    "father",
    "mother",
    "issuing_authority",
)


def _texts(record: IdentityRecord) -> Iterator[tuple[str, str]]:
    """Every text of a record with its path, e.g. `family_name.arabic`."""
    yield from _spelt(record)
    for item in record.details:
        yield f"details.{item.code}", item.text


def _spelt(record: IdentityRecord) -> Iterator[tuple[str, str]]:
    """The texts whose script is known, with their paths."""
    stated = ((name, cast("BilingualText | None", getattr(record, name))) for name in BILINGUAL_FIELDS)
    texts = [(name, text) for name, text in stated if text is not None]
    if record.partner is not None:
        texts.append(("partner.name", record.partner.name))
    for name, text in texts:
        if text.native:
            yield f"{name}.{text.script}", text.native
        yield f"{name}.latin", text.latin
    for person in record.persons_to_notify:
        yield "persons_to_notify.name.latin", person.name
        yield "persons_to_notify.address.latin", person.address


def _verify_text(name: str, text: str, lines: int) -> None:
    if not 1 <= len(text) <= TEXT_LIMIT:
        raise RecordError(f"{name} has not 1 to {TEXT_LIMIT} characters")
    if not unicodedata.is_normalized("NFC", text):
        raise RecordError(f"{name} is not in Unicode normalization form C")
    parts = text.split("\n")
    if len(parts) > lines:
        raise RecordError(f"{name} has over {lines} lines")
    for part in parts:
        if not part or part != part.strip():
            raise RecordError(f"{name} is empty, or has spaces at an end")
        if any(unicodedata.category(character) in _FORBIDDEN_CATEGORIES for character in part):
            raise RecordError(f"{name} has a control, formatting or unassigned character")


def _verify_codes(codes: list[str]) -> None:
    if len(codes) > DETAILS_LIMIT or len(set(codes)) != len(codes):
        raise RecordError(f"details are over {DETAILS_LIMIT}, or a code stands twice")
    if not all(re.fullmatch(DETAIL_CODE, code, re.ASCII) for code in codes):
        raise RecordError(f"a code of details does not match {DETAIL_CODE}")


def _verify_each_once(field_name: str, names: list[str], known: tuple[str, ...]) -> None:
    if len(set(names)) != len(names) or not set(names) <= set(known):
        raise RecordError(f"{field_name} is not each time another one of {', '.join(known)}")


def _verify_image(name: str, image: bytes, signatures: tuple[bytes, ...] = IMAGE_SIGNATURES) -> None:
    if len(image) > PORTRAIT_LIMIT:
        raise RecordError(f"{name} has over {PORTRAIT_LIMIT} octets")
    if not image.startswith(signatures):
        raise RecordError(f"{name} is neither JPEG nor JPEG 2000")


def find_script_warnings(record: IdentityRecord) -> tuple[str, ...]:
    """Texts that hold letters of another script than their field's, one sentence each, without the text."""
    warnings = []
    for name, text in _spelt(record):
        script = name.rpartition(".")[2]
        letters = [character for character in text if unicodedata.category(character).startswith("L")]
        if not letters:
            warnings.append(f"{name} has no letters")
        elif not all(unicodedata.name(letter, "").startswith(UNICODE_SCRIPTS[script]) for letter in letters):
            warnings.append(f"{name} has letters that are not {script.title()}")
    return tuple(warnings)


# Reading

_Decoder = Callable[[str, object], Any]


def decode_identity_record(raw: bytes) -> IdentityRecord:
    """Read a record from its JSON form; strict: no unknown, repeated or missing key.

    Raises:
        RecordError: the document is malformed; the text names the field, never its content.
    """
    if len(raw) > RECORD_LIMIT:
        raise RecordError(f"an identity record has at most {RECORD_LIMIT} octets")
    document = _parse(raw)
    if document.pop("format", None) != FORMAT:
        raise RecordError(f"format is not {FORMAT}")
    version = document.pop("version", None)
    if type(version) is not int or version != VERSION:
        raise RecordError(f"version is not {VERSION}")
    return IdentityRecord(**_decode_object("", document, _FIELDS, _OPTIONAL))


def _parse(raw: bytes) -> dict[str, object]:
    try:
        document = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique_keys, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise RecordError("an identity record is UTF-8 text") from None
    except (ValueError, RecursionError):
        raise RecordError("an identity record is one JSON object without repeated keys") from None
    if not isinstance(document, dict):
        raise RecordError("an identity record is one JSON object")
    return document


def _unique_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        raise ValueError("repeated key")
    return dict(pairs)


def _no_constant(name: str) -> object:
    raise ValueError("NaN and Infinity are not JSON")


def _decode_object(
    path: str, document: object, fields: Mapping[str, _Decoder], optional: frozenset[str] = frozenset()
) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise RecordError(f"{path} is not an object")
    at = f" in {path}" if path else ""
    if not document.keys() <= fields.keys():
        raise RecordError(f"there is an unknown key{at}")
    missing = sorted(fields.keys() - optional - document.keys())
    if missing:
        raise RecordError(f"{missing[0]} is missing{at}")
    prefix = f"{path}." if path else ""
    return {name: fields[name](prefix + name, value) for name, value in document.items()}


def _decode_text(path: str, value: object) -> str:
    if not isinstance(value, str):
        raise RecordError(f"{path} is not a text")
    return value


def _decode_flag(path: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise RecordError(f"{path} is not true or false")
    return value


def _decode_bilingual(path: str, value: object) -> BilingualText:
    stated = value if isinstance(value, dict) else {}
    script = next((name for name in stated if name != "latin" and name in UNICODE_SCRIPTS), "")
    fields = {name: _decode_text for name in (script, "latin") if name}
    found = _decode_object(path, value, fields)
    return BilingualText(found.get(script, ""), found["latin"], script)


def _decode_partial_date(path: str, value: object) -> PartialDate:
    try:
        return PartialDate.fromisoformat(_decode_text(path, value))
    except ValueError:
        raise RecordError(f"{path} is not a date YYYY-MM-DD, YYYY-MM or YYYY") from None


def _decode_date(path: str, value: object) -> date:
    partial = _decode_partial_date(path, value)
    if partial.precision != "day":
        raise RecordError(f"{path} is not a whole date YYYY-MM-DD")
    return partial.earliest


def _decode_image(path: str, value: object) -> bytes:
    try:
        return base64.b64decode(_decode_text(path, value).encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        raise RecordError(f"{path} is not base64") from None


def _decode_partner(path: str, value: object) -> PartnerMention:
    return PartnerMention(**_decode_object(path, value, {"relation": _decode_text, "name": _decode_bilingual}))


def _decode_list(decode: _Decoder) -> _Decoder:
    def decode_items(path: str, value: object) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise RecordError(f"{path} is not a list")
        return tuple(decode(path, item) for item in value)

    return decode_items


def _decode_fingerprint(path: str, value: object) -> Fingerprint:
    return Fingerprint(**_decode_object(path, value, {"finger": _decode_text, "image": _decode_image}))


def _decode_iris(path: str, value: object) -> Iris:
    return Iris(**_decode_object(path, value, {"eye": _decode_text, "image": _decode_image}))


def _decode_details(path: str, value: object) -> tuple[Detail, ...]:
    if not isinstance(value, dict):
        raise RecordError(f"{path} is not an object")
    _verify_codes(list(value))
    return tuple(Detail(code, _decode_text(f"{path}.{code}", text)) for code, text in value.items())


def _decode_contact(path: str, value: object) -> EmergencyContact:
    fields = dict.fromkeys(("name", "telephone", "address"), _decode_text)
    return EmergencyContact(**_decode_object(path, value, fields))


_FIELDS: Final[Mapping[str, _Decoder]] = {
    "specimen": _decode_flag,
    "family_name": _decode_bilingual,
    "given_names": _decode_bilingual,
    "date_of_birth": _decode_partial_date,
    "place_of_birth": _decode_bilingual,
    "sex": _decode_text,
    "nationality": _decode_text,
    "personal_number": _decode_text,
    "address": _decode_bilingual,
    "father": _decode_bilingual,
    "mother": _decode_bilingual,
    "civil_status_number": _decode_text,
    "telephone": _decode_text,
    "email": _decode_text,
    "details": _decode_details,
    "document_number": _decode_text,
    "issued_on": _decode_date,
    "expires_on": _decode_date,
    "issuing_state": _decode_text,
    "issuing_authority": _decode_bilingual,
    "portrait": _decode_image,
    "signature_image": _decode_image,
    "partner": _decode_partner,
    "fingerprints": _decode_list(_decode_fingerprint),
    "irises": _decode_list(_decode_iris),
    "persons_to_notify": _decode_list(_decode_contact),
}
OF_THE_COUNTRY: Final = ("given_names", "place_of_birth", "address", "father", "mother", "civil_status_number")
"""Fields that a document need not have: a country's rules and the card profile say whether they are wanted."""
_OPTIONAL: Final = frozenset(
    (
        *OF_THE_COUNTRY,
        "telephone",
        "email",
        "details",
        "signature_image",
        "partner",
        "fingerprints",
        "irises",
        "persons_to_notify",
    )
)


# Writing


def encode_identity_record(record: IdentityRecord) -> bytes:
    """The JSON form of a record: UTF-8, indented, keys in the order of the format; absent options are left out."""
    values = {name: getattr(record, name) for name in _FIELDS}
    document = {"format": FORMAT, "version": VERSION} | {
        name: _encode_value(value) for name, value in values.items() if value not in (None, ())
    }
    return json.dumps(document, ensure_ascii=False, indent=2).encode("utf-8") + b"\n"


def _encode_value(value: object) -> object:
    match value:
        case BilingualText():
            return ({value.script: value.native} if value.script else {}) | {"latin": value.latin}
        case PartnerMention():
            return {"relation": value.relation, "name": _encode_value(value.name)}
        case Fingerprint():
            return {"finger": value.finger, "image": _encode_value(value.image)}
        case Iris():
            return {"eye": value.eye, "image": _encode_value(value.image)}
        case EmergencyContact():
            return {"name": value.name, "telephone": value.telephone, "address": value.address}
        case (Detail(), *_):
            return {item.code: item.text for item in value if isinstance(item, Detail)}
        case tuple():
            return [_encode_value(item) for item in value]
        case PartialDate() | date():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode("ascii")
        case _:
            return value


def specimen_record(now: date, portrait: bytes) -> IdentityRecord:
    """The record of an invented person, marked SPECIMEN, issued on `now` for ten years.

    `portrait` is a JPEG or JPEG 2000 image of nobody, e.g. of `eid.imaging.draw_specimen_portrait`.
    """
    return IdentityRecord(
        specimen=True,
        family_name=BilingualText("عينة", "SPECIMEN"),
        given_names=BilingualText("فاطمة الزهراء", "FATIMA ZAHRA"),
        date_of_birth=PartialDate(1985, 2, 14),
        place_of_birth=BilingualText("الرباط", "RABAT"),
        sex="F",
        nationality="MAR",
        personal_number="ZZ123456",
        address=BilingualText("12 زنقة النموذج، حي المثال\nالرباط", "12 RUE DU MODELE, HAY EL MITHAL\nRABAT"),
        father=BilingualText("محمد عينة", "MOHAMMED SPECIMEN"),
        mother=BilingualText("خديجة النموذج", "KHADIJA ENNAMOUDAJ"),
        civil_status_number="123/1985",
        document_number="SPM00001",
        issued_on=now,
        expires_on=_add_years(now, 10),
        issuing_state="MAR",
        issuing_authority=BilingualText("سلطة الإصدار التجريبية", "DEMONSTRATION ISSUING AUTHORITY"),
        portrait=portrait,
    )


def _add_years(day: date, years: int) -> date:
    """The same calendar day some years later; 28 February for 29 February where that year has none."""
    try:
        return day.replace(year=day.year + years)
    except ValueError:
        return day.replace(year=day.year + years, day=28)
