"""Certificates as states have published them: read however they are written, every departure recorded."""

from __future__ import annotations

from eid.codec.ber import convert_ber
from eid.codec.defect import Defect, DefectCode
from eid.codec.x509 import MAX_CERTIFICATE, Certificate, decode_certificate
from eid.errors import DecodeError


def read_certificate(raw: bytes, defects: list[Defect]) -> Certificate:
    """Read a certificate in DER with tolerable departures, else in BER made into DER (NOT_DER).

    The signature of one in BER is over octets that nobody can know; it is tried over the DER.

    Args:
        raw: at most 65,536 octets. defects: where the departures are recorded.

    Raises:
        DecodeError: it cannot be read either way; what is said is the objection to the DER.
    """
    found: list[Defect] = []
    try:
        certificate = decode_certificate(raw, found)
    except DecodeError as refusal:
        converted = _convert(raw)
        if converted is None:
            raise
        found = [Defect(DefectCode.NOT_DER, refusal.what, refusal.offset or 0, "Doc 9303-12 7")]
        try:
            certificate = decode_certificate(converted, found)
        except DecodeError:
            raise refusal from None
    defects.extend(found)
    return certificate


def _convert(raw: bytes) -> bytes | None:
    """DER of a certificate in BER; None where it is neither, or was DER already."""
    try:
        converted = convert_ber(raw, MAX_CERTIFICATE)
    except DecodeError:
        return None
    return None if converted == raw else converted
