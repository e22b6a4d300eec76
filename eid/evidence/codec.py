"""Evidence as bytes: deterministic CBOR inside a COSE_Sign1 of the station that gathered it (docs/formats/evidence.md).

The decoder takes the exact form and nothing else: unknown or missing fields, duplicate names and anything over the
limits are refused. Nothing is verified here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final, TypeVar

from eid.codec import der
from eid.codec.cbor import CborKey, CborValue, decode_cbor, encode_cbor
from eid.errors import DecodeError
from eid.evidence import (
    FORMAT_VERSION,
    Evidence,
    Origin,
    ProtocolName,
    ProtocolOutcome,
    ProtocolTranscript,
    ReadFile,
)
from eid.evidence.cose import SIGNATURE_LENGTH, decode_signed, sign_cose

FORMAT: Final = "eid-evidence"
CONTENT_TYPE: Final = "application/eid-evidence+cbor"
CLAUSE: Final = "docs/formats/evidence.md"
MAX_EVIDENCE: Final = 4 << 20  # octets
MAX_FILE: Final = 1 << 20
MAX_FILES: Final = 40
MAX_TRANSCRIPTS: Final = 16
MAX_ENTRIES: Final = 16  # of a transcript's parameters, and of its messages
MAX_MESSAGE: Final = 64 << 10
MAX_TEXT: Final = 256  # characters
MAX_CHALLENGE: Final = 64
TIME_FORMAT: Final = "%Y-%m-%dT%H:%M:%SZ"

_COORDINATE: Final = SIGNATURE_LENGTH // 2

E = TypeVar("E", bound=StrEnum)
Map = dict[CborKey, CborValue]


@dataclass(frozen=True, slots=True)
class SignedEvidence:
    """Evidence with the station's signature, not verified.

    Args:
        payload: the evidence's bytes as signed. key_id: SHA-256 of the station's SubjectPublicKeyInfo, as it claims.
        to_be_signed: the octets that the signature covers. signature: r || s, 64 octets.
    """

    evidence: Evidence
    payload: bytes = field(repr=False)
    key_id: bytes
    to_be_signed: bytes = field(repr=False)
    signature: bytes = field(repr=False)

    @property
    def signature_der(self) -> bytes:
        """The signature as ECDSA-Sig-Value (RFC 3279 2.2.3)."""
        r, s = self.signature[:_COORDINATE], self.signature[_COORDINATE:]
        return der.encode_sequence(*(der.encode_integer(int.from_bytes(part, "big")) for part in (r, s)))


def encode_evidence(evidence: Evidence) -> bytes:
    """Encode evidence as deterministic CBOR.

    Raises:
        ValueError: it breaks the format's limits; the caller's mistake.
    """
    if evidence.gathered_at.tzinfo is None:
        raise ValueError("gathered_at: a time without its zone")
    raw = encode_cbor(
        {
            "format": FORMAT,
            "version": evidence.version,
            "origin": evidence.origin.value,
            "gathered_at": evidence.gathered_at.astimezone(UTC).strftime(TIME_FORMAT),
            "challenge": evidence.challenge,
            "reader": evidence.reader,
            "policy": evidence.policy,
            "files": [{"name": item.name, "content": item.content, "sw": item.sw} for item in evidence.files],
            "transcripts": [_encode_transcript(item) for item in evidence.transcripts],
        }
    )
    try:
        decode_evidence(raw)
    except DecodeError as error:
        raise ValueError(str(error)) from None
    return raw


def _encode_transcript(transcript: ProtocolTranscript) -> CborValue:
    parameters: Map = {name: value for name, value in transcript.parameters.items()}  # noqa: C416 another key type
    messages: Map = {name: value for name, value in transcript.messages.items()}  # noqa: C416 likewise
    return {
        "protocol": transcript.protocol.value,
        "outcome": transcript.outcome.value,
        "parameters": parameters,
        "messages": messages,
    }


def decode_evidence(raw: bytes) -> Evidence:
    """Decode evidence.

    Raises:
        DecodeError: not deterministic CBOR, not this format, or over its limits.
    """
    fields = _fields(
        decode_cbor(raw, max_octets=MAX_EVIDENCE),
        ("format", "version", "origin", "gathered_at", "challenge", "reader", "policy", "files", "transcripts"),
        "evidence",
    )
    if fields["format"] != FORMAT or fields["version"] != FORMAT_VERSION or fields["version"] is True:
        raise DecodeError("evidence of an unknown format or version", clause=CLAUSE)
    files = tuple(_decode_file(item) for item in _list(fields["files"], MAX_FILES, "files"))
    if len({item.name for item in files}) != len(files):
        raise DecodeError("evidence holds a file twice", clause=CLAUSE)
    return Evidence(
        origin=_enum(Origin, fields["origin"], "origin"),
        gathered_at=_time(fields["gathered_at"]),
        challenge=_optional_octets(fields["challenge"], MAX_CHALLENGE, "challenge"),
        reader=_text(fields["reader"], "reader"),
        policy=_text(fields["policy"], "policy"),
        files=files,
        transcripts=tuple(
            _decode_transcript(item) for item in _list(fields["transcripts"], MAX_TRANSCRIPTS, "transcripts")
        ),
    )


def sign_evidence(evidence: Evidence, signer: Callable[[bytes], bytes], key_id: bytes) -> bytes:
    """Encode evidence and have the station sign it (COSE_Sign1, ES256).

    Args:
        signer: signs a message with a P-256 key and SHA-256, returns ECDSA-Sig-Value in DER, as `Signer.sign` does.
        key_id: SHA-256 of the key's SubjectPublicKeyInfo, 32 octets.

    Raises:
        ValueError: a malformed key identifier, or limits of the format are broken; the caller's mistake.
        DecodeError: the signer returned something else than a P-256 signature.
    """
    return sign_cose(encode_evidence(evidence), CONTENT_TYPE, signer, key_id)


def decode_signed_evidence(raw: bytes) -> SignedEvidence:
    """Decode signed evidence; its signature is verified by `eid.verification`.

    Raises:
        DecodeError: not a COSE_Sign1 with exactly our headers, or malformed evidence inside.
    """
    envelope = decode_signed(raw, CONTENT_TYPE, max_octets=MAX_EVIDENCE, clause=CLAUSE)
    return SignedEvidence(
        decode_evidence(envelope.payload),
        envelope.payload,
        envelope.key_id,
        envelope.to_be_signed,
        envelope.signature,
    )


def _decode_file(value: CborValue) -> ReadFile:
    fields = _fields(value, ("name", "content", "sw"), "file")
    sw = fields["sw"]
    if not isinstance(sw, int) or isinstance(sw, bool) or not 0 <= sw <= 0xFFFF:
        raise DecodeError("status word of a file is malformed", clause=CLAUSE)
    return ReadFile(_text(fields["name"], "name"), _optional_octets(fields["content"], MAX_FILE, "content"), sw)


def _decode_transcript(value: CborValue) -> ProtocolTranscript:
    fields = _fields(value, ("protocol", "outcome", "parameters", "messages"), "transcript")
    return ProtocolTranscript(
        protocol=_enum(ProtocolName, fields["protocol"], "protocol"),
        outcome=_enum(ProtocolOutcome, fields["outcome"], "outcome"),
        parameters={name: _text(item, name) for name, item in _entries(fields["parameters"], "parameters")},
        messages={name: _octets(item, MAX_MESSAGE, name) for name, item in _entries(fields["messages"], "messages")},
    )


def _fields(value: CborValue, names: tuple[str, ...], what: str) -> Map:
    """A map with exactly these fields."""
    if not isinstance(value, dict) or value.keys() != set(names):
        raise DecodeError(f"{what}: not a map of the fields {', '.join(names)}", clause=CLAUSE)
    return value


def _list(value: CborValue, limit: int, what: str) -> list[CborValue]:
    if not isinstance(value, list) or len(value) > limit:
        raise DecodeError(f"{what}: not an array of at most {limit}", clause=CLAUSE)
    return value


def _entries(value: CborValue, what: str) -> list[tuple[str, CborValue]]:
    if not isinstance(value, dict) or len(value) > MAX_ENTRIES:
        raise DecodeError(f"{what}: not a map of at most {MAX_ENTRIES} entries", clause=CLAUSE)
    return [(_text(name, what), item) for name, item in value.items()]


def _text(value: CborValue, what: str) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT or not value.isprintable():
        raise DecodeError(f"{what[:40]}: not a text of at most {MAX_TEXT} characters", clause=CLAUSE)
    return value


def _octets(value: CborValue, limit: int, what: str) -> bytes:
    if not isinstance(value, bytes) or len(value) > limit:
        raise DecodeError(f"{what[:40]}: not a string of at most {limit} octets", clause=CLAUSE)
    return value


def _optional_octets(value: CborValue, limit: int, what: str) -> bytes | None:
    return None if value is None else _octets(value, limit, what)


def _enum(kind: type[E], value: CborValue, what: str) -> E:
    try:
        return kind(_text(value, what))
    except ValueError:
        raise DecodeError(f"{what}: unknown value", clause=CLAUSE) from None


def _time(value: CborValue) -> datetime:
    text = _text(value, "gathered_at")
    try:
        time = datetime.strptime(text, TIME_FORMAT).replace(tzinfo=UTC)
    except ValueError:
        time = None
    if time is None or time.strftime(TIME_FORMAT) != text or not text.isascii():
        raise DecodeError("gathered_at: not a UTC time to the second", clause=CLAUSE)
    return time
