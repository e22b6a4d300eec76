"""Object identifiers: the ones this system knows, as dotted strings, and their DER content octets (X.690 8.19)."""

from __future__ import annotations

from typing import Final

from eid.errors import DecodeError

CLAUSE: Final = "X.690 8.19"
MAX_CONTENT: Final = 128  # octets; no published identifier comes near it, and an arc's cost grows with its square

# Hash functions: RFC 8017 App. C, NIST CSOR
SHA1: Final = "1.3.14.3.2.26"
SHA224: Final = "2.16.840.1.101.3.4.2.4"
SHA256: Final = "2.16.840.1.101.3.4.2.1"
SHA384: Final = "2.16.840.1.101.3.4.2.2"
SHA512: Final = "2.16.840.1.101.3.4.2.3"

# Public keys: RFC 3279 2.3, RFC 5480 2.1
RSA_ENCRYPTION: Final = "1.2.840.113549.1.1.1"
RSASSA_PSS: Final = "1.2.840.113549.1.1.10"
MGF1: Final = "1.2.840.113549.1.1.8"
EC_PUBLIC_KEY: Final = "1.2.840.10045.2.1"
PRIME_FIELD: Final = "1.2.840.10045.1.1"
DH_PUBLIC_NUMBER: Final = "1.2.840.10046.2.1"
DH_KEY_AGREEMENT: Final = "1.2.840.113549.1.3.1"

# Signatures: RFC 8017 App. C, RFC 5758 3.2
SHA1_WITH_RSA: Final = "1.2.840.113549.1.1.5"
SHA224_WITH_RSA: Final = "1.2.840.113549.1.1.14"
SHA256_WITH_RSA: Final = "1.2.840.113549.1.1.11"
SHA384_WITH_RSA: Final = "1.2.840.113549.1.1.12"
SHA512_WITH_RSA: Final = "1.2.840.113549.1.1.13"
ECDSA_WITH_SHA1: Final = "1.2.840.10045.4.1"
ECDSA_WITH_SHA224: Final = "1.2.840.10045.4.3.1"
ECDSA_WITH_SHA256: Final = "1.2.840.10045.4.3.2"
ECDSA_WITH_SHA384: Final = "1.2.840.10045.4.3.3"
ECDSA_WITH_SHA512: Final = "1.2.840.10045.4.3.4"

# Plain ECDSA signatures: TR-03111 5.2.1.1
ECDSA_PLAIN_SHA1: Final = "0.4.0.127.0.7.1.1.4.1.1"
ECDSA_PLAIN_SHA224: Final = "0.4.0.127.0.7.1.1.4.1.2"
ECDSA_PLAIN_SHA256: Final = "0.4.0.127.0.7.1.1.4.1.3"
ECDSA_PLAIN_SHA384: Final = "0.4.0.127.0.7.1.1.4.1.4"
ECDSA_PLAIN_SHA512: Final = "0.4.0.127.0.7.1.1.4.1.5"

# CMS: RFC 5652
DATA: Final = "1.2.840.113549.1.7.1"
SIGNED_DATA: Final = "1.2.840.113549.1.7.2"
CONTENT_TYPE: Final = "1.2.840.113549.1.9.3"
MESSAGE_DIGEST: Final = "1.2.840.113549.1.9.4"
SIGNING_TIME: Final = "1.2.840.113549.1.9.5"

# Doc 9303-10 4.6.2, Doc 9303-12
LDS_SECURITY_OBJECT: Final = "2.23.136.1.1.1"
CSCA_MASTER_LIST: Final = "2.23.136.1.1.2"
CSCA_MASTER_LIST_SIGNING_KEY: Final = "2.23.136.1.1.3"
ACTIVE_AUTHENTICATION: Final = "2.23.136.1.1.5"
NAME_CHANGE: Final = "2.23.136.1.1.6.1"
DOCUMENT_TYPE_LIST: Final = "2.23.136.1.1.6.2"
DEVIATION_LIST: Final = "2.23.136.1.1.7"
DEVIATION_LIST_SIGNING_KEY: Final = "2.23.136.1.1.8"
# Older object identifiers of the same LDSSecurityObject, met on documents of some states
LEGACY_LDS_SECURITY_OBJECTS: Final = ("1.3.27.1.1.1", "1.2.528.1.1006.1.20.1")

# X.520 attribute types, RFC 5280 App. A, RFC 4519
COMMON_NAME: Final = "2.5.4.3"
SURNAME: Final = "2.5.4.4"
SERIAL_NUMBER: Final = "2.5.4.5"
COUNTRY_NAME: Final = "2.5.4.6"
LOCALITY_NAME: Final = "2.5.4.7"
STATE_OR_PROVINCE_NAME: Final = "2.5.4.8"
ORGANIZATION_NAME: Final = "2.5.4.10"
ORGANIZATIONAL_UNIT_NAME: Final = "2.5.4.11"
EMAIL_ADDRESS: Final = "1.2.840.113549.1.9.1"
DOMAIN_COMPONENT: Final = "0.9.2342.19200300.100.1.25"

# Certificate and CRL extensions: RFC 5280 4.2.1, 5.2, 5.3
SUBJECT_KEY_IDENTIFIER: Final = "2.5.29.14"
KEY_USAGE: Final = "2.5.29.15"
PRIVATE_KEY_USAGE_PERIOD: Final = "2.5.29.16"
SUBJECT_ALTERNATIVE_NAME: Final = "2.5.29.17"
ISSUER_ALTERNATIVE_NAME: Final = "2.5.29.18"
BASIC_CONSTRAINTS: Final = "2.5.29.19"
CRL_NUMBER: Final = "2.5.29.20"
REASON_CODE: Final = "2.5.29.21"
INVALIDITY_DATE: Final = "2.5.29.24"
DELTA_CRL_INDICATOR: Final = "2.5.29.27"
ISSUING_DISTRIBUTION_POINT: Final = "2.5.29.28"
CERTIFICATE_ISSUER: Final = "2.5.29.29"
CRL_DISTRIBUTION_POINTS: Final = "2.5.29.31"
CERTIFICATE_POLICIES: Final = "2.5.29.32"
AUTHORITY_KEY_IDENTIFIER: Final = "2.5.29.35"
EXTENDED_KEY_USAGE: Final = "2.5.29.37"
ANY_EXTENDED_KEY_USAGE: Final = "2.5.29.37.0"
# Purpose of the signers of status lists. id-kp-oauthStatusSigning (Token Status List, 10) has no number yet, so this is
# one of our own (a UUID, ITU-T X.667), to be replaced when the number is assigned.
STATUS_LIST_SIGNING_KEY: Final = "2.25.228218433172031625300315239300555131947"
AUTHORITY_INFORMATION_ACCESS: Final = "1.3.6.1.5.5.7.1.1"

# TR-03110-3 App. A.1
BSI_DE: Final = "0.4.0.127.0.7"
ID_PK: Final = "0.4.0.127.0.7.2.2.1"
ID_TA: Final = "0.4.0.127.0.7.2.2.2"
ID_CA: Final = "0.4.0.127.0.7.2.2.3"
ID_PACE: Final = "0.4.0.127.0.7.2.2.4"
SECURITY_OBJECT: Final = "0.4.0.127.0.7.3.2.1"
ID_IS: Final = "0.4.0.127.0.7.3.1.2.1"
ID_AT: Final = "0.4.0.127.0.7.3.1.2.2"
ID_ST: Final = "0.4.0.127.0.7.3.1.2.3"
ID_SECTOR: Final = "0.4.0.127.0.7.3.1.3.2"  # certificate extension: terminal sector, TR-03110-3 C.3.2
ID_DATE_OF_BIRTH: Final = "0.4.0.127.0.7.3.1.4.1"  # authenticated auxiliary data, TR-03110-3 A.7.5
ID_DATE_OF_EXPIRY: Final = "0.4.0.127.0.7.3.1.4.2"
ID_COMMUNITY_ID: Final = "0.4.0.127.0.7.3.1.4.3"

HASH_NAMES: Final[dict[str, str]] = {
    SHA1: "sha1",
    SHA224: "sha224",
    SHA256: "sha256",
    SHA384: "sha384",
    SHA512: "sha512",
}
HASH_OIDS: Final[dict[str, str]] = {name: oid for oid, name in HASH_NAMES.items()}
HASH_LENGTHS: Final[dict[str, int]] = {"sha1": 20, "sha224": 28, "sha256": 32, "sha384": 48, "sha512": 64}


def encode_oid_content(dotted: str) -> bytes:
    """Content octets of an OBJECT IDENTIFIER, from its dotted form.

    Raises:
        ValueError: not an object identifier; the caller's mistake.
    """
    arcs = [int(arc) for arc in dotted.split(".")]
    if len(arcs) < 2 or arcs[0] > 2 or (arcs[0] < 2 and arcs[1] > 39) or min(arcs) < 0:
        raise ValueError(f"{dotted} is not an object identifier")
    return b"".join(_encode_arc(arc) for arc in (arcs[0] * 40 + arcs[1], *arcs[2:]))


def _encode_arc(arc: int) -> bytes:
    octets = [arc & 0x7F]
    while arc := arc >> 7:
        octets.append(0x80 | arc & 0x7F)
    return bytes(reversed(octets))


def decode_oid_content(content: bytes, offset: int | None = None) -> str:
    """Dotted form of an OBJECT IDENTIFIER, from its content octets.

    Args:
        offset: where the content lies in the input, for the error text.

    Raises:
        DecodeError: empty, cut, a subidentifier with leading zeros, or over 128 octets.
    """
    known = _DOTTED.get(content)
    return known if known is not None else _decode_arcs(content, offset)


def _decode_arcs(content: bytes, offset: int | None) -> str:
    if not content or content[-1] & 0x80 or len(content) > MAX_CONTENT:
        raise DecodeError("OBJECT IDENTIFIER is empty, cut or too long", offset=offset, clause=CLAUSE)
    arcs: list[int] = []
    arc = 0
    starts = True
    for octet in content:
        if starts and octet == 0x80:
            raise DecodeError("subidentifier with leading zeros", offset=offset, clause="X.690 8.19.2")
        arc = arc << 7 | octet & 0x7F
        starts = not octet & 0x80
        if starts:
            arcs.append(arc)
            arc = 0
    first = min(arcs[0] // 40, 2)
    return ".".join(map(str, (first, arcs[0] - 40 * first, *arcs[1:])))


def _known_oids() -> tuple[str, ...]:
    values = [value for name, value in globals().items() if name.isupper() and isinstance(value, str)]
    return tuple(value for value in values if value[:1].isdigit())


_DOTTED: Final[dict[bytes, str]] = {encode_oid_content(dotted): dotted for dotted in _known_oids()}
