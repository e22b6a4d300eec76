"""Departures from the specifications that can be tolerated: refused unless the caller brings a list to record them in.

A strict decoder is called without a list and raises at the first departure. The import of trust material, or a policy
that names a leniency, brings a list and judges afterwards what was found in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum, unique
from typing import TypeAlias

from eid.errors import DecodeError


@unique
class DefectCode(StrEnum):
    """Stable names of the departures."""

    SERIAL_NOT_POSITIVE = "SERIAL_NOT_POSITIVE"
    SERIAL_TOO_LONG = "SERIAL_TOO_LONG"
    SERIAL_NOT_MINIMAL = "SERIAL_NOT_MINIMAL"
    CERTIFICATE_VERSION = "CERTIFICATE_VERSION"
    UNIQUE_IDENTIFIER = "UNIQUE_IDENTIFIER"
    ALGORITHM_PARAMETERS = "ALGORITHM_PARAMETERS"
    SIGNATURE_ALGORITHM_MISMATCH = "SIGNATURE_ALGORITHM_MISMATCH"
    ENCODED_DEFAULT = "ENCODED_DEFAULT"
    MALFORMED_EXTENSION = "MALFORMED_EXTENSION"
    DUPLICATE_EXTENSION = "DUPLICATE_EXTENSION"
    MALFORMED_NAME = "MALFORMED_NAME"
    TIME_FORM = "TIME_FORM"
    EMPTY_LIST = "EMPTY_LIST"
    NAMED_BITS = "NAMED_BITS"
    CMS_VERSION = "CMS_VERSION"
    DIGEST_ALGORITHMS = "DIGEST_ALGORITHMS"
    SET_ORDER = "SET_ORDER"
    CRLS_PRESENT = "CRLS_PRESENT"
    UNSIGNED_ATTRIBUTES = "UNSIGNED_ATTRIBUTES"
    CONTENT_TYPE = "CONTENT_TYPE"
    CERTIFICATE_COUNT = "CERTIFICATE_COUNT"
    DATA_GROUP_COUNT = "DATA_GROUP_COUNT"
    LDS_VERSION = "LDS_VERSION"
    NOT_DER = "NOT_DER"
    SIGNER_IDENTIFIER = "SIGNER_IDENTIFIER"
    SIGNER_OUTSIDE = "SIGNER_OUTSIDE"
    SIGNED_AS_STORED = "SIGNED_AS_STORED"
    DIGEST_INFO_PARAMETERS = "DIGEST_INFO_PARAMETERS"
    USAGE_PERIOD = "USAGE_PERIOD"
    DOCUMENT_TYPE = "DOCUMENT_TYPE"
    BASIC_CONSTRAINTS = "BASIC_CONSTRAINTS"
    KEY_USAGE = "KEY_USAGE"


@dataclass(frozen=True, slots=True)
class Defect:
    """One departure: what, where in the input (octets), and the clause it breaks."""

    code: DefectCode
    what: str
    offset: int
    clause: str


Defects: TypeAlias = list[Defect] | None


def tolerate(defects: Defects, code: DefectCode, what: str, offset: int, clause: str) -> None:
    """Record a departure, or refuse the input where nobody asked for tolerance.

    Raises:
        DecodeError: `defects` is None.
    """
    if defects is None:
        raise DecodeError(what, offset=offset, clause=clause)
    defects.append(Defect(code, what, offset, clause))
