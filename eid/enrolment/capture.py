"""The capture record: what an officer took of a person at a counter, in a form that he signs.

It holds digests, not the things themselves: portrait, fingers and signature are kept elsewhere and may be erased, and
the record still proves what was taken, by whom, where and when (docs/formats/capture-record.md). It is deterministic
CBOR in a COSE_Sign1 of the officer's key.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum, unique
from typing import Final, TypeVar

from eid.codec.cbor import CborKey, CborValue, decode_cbor, encode_cbor
from eid.errors import DecodeError
from eid.evidence.cose import CoseSign1, decode_signed, sign_cose
from eid.identity import FINGERS

FORMAT: Final = "eid-capture-record"
VERSION: Final = 1
CONTENT_TYPE: Final = "application/eid-capture-record+cbor"
CLAUSE: Final = "docs/formats/capture-record.md"
MAX_RECORD: Final = 8 << 10  # octets
MAX_TEXT: Final = 64  # characters
MAX_QUALITY: Final = 255
MAX_ATTEMPTS: Final = 20
DIGEST_LENGTH: Final = 32
PORTRAIT: Final = "portrait"
SIGNATURE: Final = "signature"
NAMES: Final = (PORTRAIT, SIGNATURE, *FINGERS)
TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"

E = TypeVar("E", bound=StrEnum)
Map = dict[CborKey, CborValue]


@unique
class ItemFormat(StrEnum):
    """What an item is: an image, or the minutiae of a finger (names of OSIA's TemplateFormat)."""

    JPEG = "JPEG"
    JPEG2000 = "JPEG2000"
    PNG = "PNG"
    ISO_19794_2 = "ISO_19794_2"
    ISO_19794_2_2011 = "ISO_19794_2_2011"
    ANSI_378_2009 = "ANSI_378_2009"

    @property
    def is_image(self) -> bool:
        """Whether it can be looked at."""
        return self in (ItemFormat.JPEG, ItemFormat.JPEG2000, ItemFormat.PNG)


@unique
class QualityFormat(StrEnum):
    """The scale of a finger's quality: NFIQ 2 goes from 0 to 100, best; NFIQ from 5 to 1, best."""

    NONE = "NONE"
    NFIQ = "NFIQ"
    NFIQ2 = "NFIQ2"


@unique
class Presence(StrEnum):
    """Why a finger could not be taken (OSIA's MissingType)."""

    BANDAGED = "BANDAGED"
    AMPUTATED = "AMPUTATED"
    DAMAGED = "DAMAGED"


@dataclass(frozen=True, slots=True)
class CapturedItem:
    """One thing that was taken.

    Args:
        name: one of `NAMES`. digest: SHA-256 of its octets. quality: as the device says, on the scale of its format.
        attempts: how often it was taken until this one was kept.
    """

    name: str
    format: ItemFormat
    digest: bytes
    quality: int = 0
    quality_format: QualityFormat = QualityFormat.NONE
    attempts: int = 1


@dataclass(frozen=True, slots=True)
class CaptureRecord:
    """What was taken of the person of an application.

    Args:
        officer, site: identifiers, as in his token. device: the station's name. captured_at: UTC, to the second.
        missing: fingers that could not be taken, and why.
    """

    application: uuid.UUID
    officer: str
    site: str
    device: str
    captured_at: datetime
    items: tuple[CapturedItem, ...]
    missing: tuple[tuple[str, Presence], ...] = ()

    def find(self, name: str) -> CapturedItem | None:
        """The item of that name."""
        return next((item for item in self.items if item.name == name), None)

    @property
    def fingers(self) -> tuple[CapturedItem, ...]:
        """The fingers that were taken."""
        return tuple(item for item in self.items if item.name in FINGERS)


@dataclass(frozen=True, slots=True)
class SignedCapture:
    """A record with the officer's signature, not verified. key_id: SHA-256 of his key's SubjectPublicKeyInfo."""

    record: CaptureRecord
    envelope: CoseSign1

    @property
    def key_id(self) -> bytes:
        """The key that it claims to be signed with."""
        return self.envelope.key_id


def digest_item(octets: bytes) -> bytes:
    """SHA-256, by which a record knows an item."""
    return hashlib.sha256(octets).digest()


def encode_capture(record: CaptureRecord) -> bytes:
    """Encode a record as deterministic CBOR.

    Raises:
        ValueError: it breaks the format's limits; the caller's mistake.
    """
    if record.captured_at.tzinfo is None:
        raise ValueError("captured_at: a time without its zone")
    raw = encode_cbor(
        {
            "format": FORMAT,
            "version": VERSION,
            "application": str(record.application),
            "officer": record.officer,
            "site": record.site,
            "device": record.device,
            "captured_at": record.captured_at.astimezone(UTC).strftime(TIME_FORMAT),
            "items": [_encode_item(item) for item in record.items],
            "missing": [{"finger": finger, "presence": presence.value} for finger, presence in record.missing],
        }
    )
    try:
        decode_capture(raw)
    except DecodeError as error:
        raise ValueError(str(error)) from None
    return raw


def _encode_item(item: CapturedItem) -> Map:
    return {
        "name": item.name,
        "format": item.format.value,
        "digest": item.digest,
        "quality": item.quality,
        "quality_format": item.quality_format.value,
        "attempts": item.attempts,
    }


def decode_capture(raw: bytes) -> CaptureRecord:
    """Decode a record.

    Raises:
        DecodeError: not deterministic CBOR, not this format, over its limits, or a name twice.
    """
    names = ("format", "version", "application", "officer", "site", "device", "captured_at", "items", "missing")
    fields = _fields(decode_cbor(raw, max_octets=MAX_RECORD), names, "capture record")
    if fields["format"] != FORMAT or fields["version"] != VERSION or fields["version"] is True:
        raise DecodeError("a capture record of an unknown format or version", clause=CLAUSE)
    items = tuple(_decode_item(item) for item in _list(fields["items"], "items"))
    missing = tuple(_decode_missing(item) for item in _list(fields["missing"], "missing"))
    told = [item.name for item in items] + [finger for finger, _ in missing]
    if len(set(told)) != len(told):
        raise DecodeError("a capture record names something twice", clause=CLAUSE)
    return CaptureRecord(
        _uuid(fields["application"]),
        _text(fields["officer"], "officer"),
        _text(fields["site"], "site"),
        _text(fields["device"], "device"),
        _time(fields["captured_at"]),
        items,
        missing,
    )


def sign_capture(record: CaptureRecord, signer: Callable[[bytes], bytes], key_id: bytes) -> bytes:
    """A record with the officer's signature (COSE_Sign1, ES256).

    Args:
        signer: signs a message with a P-256 key and SHA-256, returns ECDSA-Sig-Value in DER, as `Signer.sign` does.
        key_id: SHA-256 of the key's SubjectPublicKeyInfo, 32 octets.
    """
    return sign_cose(encode_capture(record), CONTENT_TYPE, signer, key_id)


def decode_signed_capture(raw: bytes) -> SignedCapture:
    """Decode a signed record; its signature is verified by `eid.services.application.enrolment`.

    Raises:
        DecodeError: not a COSE_Sign1 with exactly our headers, or a malformed record inside.
    """
    envelope = decode_signed(raw, CONTENT_TYPE, max_octets=MAX_RECORD + 512, clause=CLAUSE)
    return SignedCapture(decode_capture(envelope.payload), envelope)


def find_differences(record: CaptureRecord, items: Mapping[str, bytes]) -> tuple[str, ...]:
    """Names of things that were sent otherwise than the officer signed them, or not at all, or unsigned."""
    signed = {item.name: item.digest for item in record.items}
    given = {name: digest_item(octets) for name, octets in items.items()}
    return tuple(sorted(name for name in signed.keys() | given.keys() if signed.get(name) != given.get(name)))


def _decode_item(value: CborValue) -> CapturedItem:
    fields = _fields(value, ("name", "format", "digest", "quality", "quality_format", "attempts"), "item")
    name, form = _one_of(fields["name"], NAMES, "name"), _enum(ItemFormat, fields["format"], "format")
    digest = fields["digest"]
    if not isinstance(digest, bytes) or len(digest) != DIGEST_LENGTH:
        raise DecodeError("digest: not a SHA-256", clause=CLAUSE)
    if name not in FINGERS and not form.is_image:
        raise DecodeError("only fingers are taken as minutiae", clause=CLAUSE)
    return CapturedItem(
        name,
        form,
        digest,
        _number(fields["quality"], 0, MAX_QUALITY, "quality"),
        _enum(QualityFormat, fields["quality_format"], "quality_format"),
        _number(fields["attempts"], 1, MAX_ATTEMPTS, "attempts"),
    )


def _decode_missing(value: CborValue) -> tuple[str, Presence]:
    fields = _fields(value, ("finger", "presence"), "missing finger")
    return _one_of(fields["finger"], FINGERS, "finger"), _enum(Presence, fields["presence"], "presence")


def _fields(value: CborValue, names: tuple[str, ...], what: str) -> Map:
    if not isinstance(value, dict) or value.keys() != set(names):
        raise DecodeError(f"{what}: not a map of the fields {', '.join(names)}", clause=CLAUSE)
    return value


def _list(value: CborValue, what: str) -> list[CborValue]:
    if not isinstance(value, list) or len(value) > len(NAMES):
        raise DecodeError(f"{what}: not an array of at most {len(NAMES)}", clause=CLAUSE)
    return value


def _text(value: CborValue, what: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_TEXT or not value.isprintable():
        raise DecodeError(f"{what}: not a text of 1 to {MAX_TEXT} characters", clause=CLAUSE)
    return value


def _one_of(value: CborValue, allowed: tuple[str, ...], what: str) -> str:
    if value not in allowed:
        raise DecodeError(f"{what}: unknown value", clause=CLAUSE)
    return str(value)


def _number(value: CborValue, low: int, high: int, what: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise DecodeError(f"{what}: not a number from {low} to {high}", clause=CLAUSE)
    return value


def _enum(kind: type[E], value: CborValue, what: str) -> E:
    try:
        return kind(_text(value, what))
    except ValueError:
        raise DecodeError(f"{what}: unknown value", clause=CLAUSE) from None


def _uuid(value: CborValue) -> uuid.UUID:
    text = _text(value, "application")
    try:
        found = uuid.UUID(text)
    except ValueError:
        found = None
    if found is None or str(found) != text:
        raise DecodeError("application: not a UUID", clause=CLAUSE)
    return found


def _time(value: CborValue) -> datetime:
    text = _text(value, "captured_at")
    try:
        time = datetime.strptime(text, TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        time = None
    if time is None or time.strftime(TIME_FORMAT) != text or not text.isascii():
        raise DecodeError("captured_at: not a UTC time to the second", clause=CLAUSE)
    return time
