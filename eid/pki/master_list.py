"""The content of a CSCA master list (Doc 9303-12 9.2): its certificates as they stand, none looked into.

One certificate that cannot be read must not hide the others, so that reading them is `eid.pki.examination`'s business.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from eid.codec import der
from eid.codec.ber import find_ber_end
from eid.codec.defect import DefectCode, Defects, tolerate
from eid.codec.x509 import MAX_CERTIFICATE
from eid.errors import DecodeError

MAX_LIST: Final = (1 << 24) - 1  # octets, the most that a DER reader of three length octets takes
MAX_CERTIFICATES: Final = 8192
_CLAUSE: Final = "Doc 9303-12 9.2"
_WHAT: Final = "CscaMasterList"


def decode_master_list(raw: bytes, defects: Defects = None) -> tuple[bytes, ...]:
    """The certificates of a CscaMasterList that fills the input, one DER element each.

    Args:
        raw: DER, at most 16 MiB, of at most 8,192 certificates of 64 KiB each.
        defects: where a set out of order (SET_ORDER) and a certificate in BER (NOT_DER) are recorded; without it both
            are refused.

    Raises:
        DecodeError: malformed, another version than v0, empty, or a departure that is not tolerated.
    """
    offset, stop = der.read_sequence(raw, _WHAT, MAX_LIST)
    version, offset = der.read_unsigned(raw, offset, stop, f"{_WHAT} version")
    if version:
        raise DecodeError(f"{_WHAT}: version is not v0", offset=offset, clause=_CLAUSE)
    start, offset = der.enter(raw, offset, stop, der.SET, "certList")
    der.check_end(offset, stop, _WHAT)
    certificates: list[bytes] = []
    is_ordered = True
    while start < offset:
        behind = _find_end(raw, start, offset, defects)
        if behind - start > MAX_CERTIFICATE or len(certificates) == MAX_CERTIFICATES:
            raise DecodeError("certList: a certificate too large, or too many", offset=start, clause=_CLAUSE)
        certificate = raw[start:behind]
        is_ordered = is_ordered and (not certificates or certificates[-1] < certificate)
        certificates.append(certificate)
        start = behind
    if not certificates:
        raise DecodeError("certList: empty", offset=offset, clause=_CLAUSE)
    if not is_ordered:
        tolerate(defects, DefectCode.SET_ORDER, "certList: SET OF out of order", 0, "X.690 11.6")
    return tuple(certificates)


def _find_end(raw: bytes, start: int, stop: int, defects: Defects) -> int:
    """The offset behind a certificate; one in BER may stand among those in DER (tolerable: NOT_DER)."""
    try:
        return der.enter(raw, start, stop, der.SEQUENCE, "certList certificate")[1]
    except DecodeError as refusal:
        if defects is None or raw[start] != der.SEQUENCE:
            raise
        behind = find_ber_end(raw, start, stop)
        tolerate(defects, DefectCode.NOT_DER, refusal.what, start, "Doc 9303-12 9")
        return behind


def encode_master_list(certificates: Iterable[bytes]) -> bytes:
    """CscaMasterList, the certificates in DER order, each once; what a master list signer signs.

    Args:
        certificates: DER.
    """
    return der.encode_sequence(der.encode_integer(0), der.encode_set_of(set(certificates)))
