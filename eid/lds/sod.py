"""EF.SOD (Doc 9303-10 4.6.2): the LDS security object, version 0 and 1, in a CMS SignedData; nothing is verified."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from eid.codec import der, oid
from eid.codec.algorithm import digest_identifier, read_algorithm
from eid.codec.cms import SignedData, decode_signed_data
from eid.codec.defect import DefectCode, Defects, tolerate
from eid.errors import DecodeError

TAG: Final = 0x77
MAX_SOD: Final = 1 << 16  # octets
_OTHER_CONTENT_TYPES: Final = (*oid.LEGACY_LDS_SECURITY_OBJECTS, oid.DATA)
MAX_DATA_GROUPS: Final = 16  # ub-DataGroups
_CLAUSE: Final = "Doc 9303-10 4.6.2.3"
_CONTENT_TYPE_CLAUSE: Final = "Doc 9303-10 4.6.2.2"
# DataGroupHash by the hash's length: what stands before the number (1..16), and between number and hash
_DATA_GROUP_HASHES: Final = {
    length: (bytes((der.SEQUENCE, length + 5, der.INTEGER, 1)), bytes((der.OCTET_STRING, length)))
    for length in oid.HASH_LENGTHS.values()
}
_HASH_IDENTIFIERS: Final = {name: digest_identifier(name).encode() for name in oid.HASH_LENGTHS}


@dataclass(frozen=True, slots=True)
class LdsVersion:
    """LDSVersionInfo: "0108" and "040000", digits as Doc 9303-10 4.6.1 writes them."""

    lds_version: str
    unicode_version: str


@dataclass(frozen=True, slots=True)
class LdsSecurityObject:
    """LDSSecurityObject: version 0, or 1 with the LDS version; hash name ("sha256"); hash of each data group."""

    version: int
    hash_algorithm: str
    data_group_hashes: Mapping[int, bytes] = field(hash=False)
    lds_version: LdsVersion | None = None


@dataclass(frozen=True, slots=True)
class SecurityObject:
    """EF.SOD: the file as it stands, the CMS structure, and the LDS security object in it."""

    raw: bytes = field(repr=False)
    signed_data: SignedData
    lds_security_object: LdsSecurityObject

    @property
    def hash_algorithm(self) -> str:
        """Name of the hash function of the data groups."""
        return self.lds_security_object.hash_algorithm

    @property
    def data_group_hashes(self) -> Mapping[int, bytes]:
        """Hash of each data group by its number."""
        return self.lds_security_object.data_group_hashes

    @property
    def lds_version(self) -> str | None:
        """LDS version ("0108"), None in version 0."""
        version = self.lds_security_object.lds_version
        return None if version is None else version.lds_version

    @property
    def certificates(self) -> tuple[bytes, ...]:
        """Certificates that the file carries, DER; in strict reading none or one, the document signer's."""
        return self.signed_data.certificates


def decode_ef_sod(raw: bytes, defects: Defects = None) -> SecurityObject:
    """Decode EF.SOD, tag 77 included; the input must hold nothing else.

    Args:
        raw: DER, at most 65,536 octets.
        defects: where tolerable departures are recorded; without it they are refused.

    Raises:
        DecodeError: malformed, another content type than LDSSecurityObject, more than one certificate, or another
            departure that is not tolerated.
    """
    der.check_input(raw, "EF.SOD", MAX_SOD)
    start, stop = der.enter(raw, 0, len(raw), TAG, "EF.SOD")
    der.check_end(stop, len(raw), "EF.SOD")
    signed_data = decode_signed_data(raw[start:stop], defects)
    if signed_data.content_type != oid.LDS_SECURITY_OBJECT:
        if signed_data.content_type not in _OTHER_CONTENT_TYPES:
            raise DecodeError("eContentType is no LDS security object", clause=_CONTENT_TYPE_CLAUSE)
        what = "eContentType is not that of Doc 9303"
        tolerate(defects, DefectCode.CONTENT_TYPE, what, start, _CONTENT_TYPE_CLAUSE)
    if len(signed_data.certificates) > 1:  # no signature covers the others
        what = "more than the document signer's certificate"
        tolerate(defects, DefectCode.CERTIFICATE_COUNT, what, start, _CONTENT_TYPE_CLAUSE)
    return SecurityObject(raw, signed_data, decode_lds_security_object(signed_data.content, defects))


def decode_lds_security_object(raw: bytes, defects: Defects = None) -> LdsSecurityObject:
    """Decode the eContent of EF.SOD.

    Raises:
        DecodeError: malformed, an unknown version or hash algorithm, a data group number that is doubled or not in
            1..16, a hash of another length than its algorithm makes; or a departure that is not tolerated.
    """
    what = "LDSSecurityObject"
    offset, end = der.read_sequence(raw, what, MAX_SOD)
    version, offset = der.read_small(raw, offset, end, "LDSSecurityObject version")
    if version > 1:
        raise DecodeError(f"{what}: unknown version", offset=offset, clause=_CLAUSE)
    algorithm_offset = offset
    algorithm, offset = read_algorithm(raw, offset, end, "hashAlgorithm", defects)
    hash_name = oid.HASH_NAMES.get(algorithm.oid)
    if hash_name is None:
        raise DecodeError(f"{what}: unknown hash algorithm", offset=algorithm_offset, clause=_CLAUSE)
    hashes, offset = _read_hashes(raw, offset, end, oid.HASH_LENGTHS[hash_name], defects)
    lds_version = None
    if offset < end:
        lds_version, offset = _read_lds_version(raw, offset, end)
    der.check_end(offset, end, what)
    if (lds_version is None) != (version == 0):
        clause = "Doc 9303-10 4.6.2.3, App. D"
        tolerate(defects, DefectCode.LDS_VERSION, f"{what}: version and ldsVersionInfo disagree", offset, clause)
    return LdsSecurityObject(version, hash_name, MappingProxyType(hashes), lds_version)


def _read_hashes(
    data: bytes, offset: int, end: int, hash_length: int, defects: Defects
) -> tuple[dict[int, bytes], int]:
    """Read DataGroupHash values. Given the number 1..16 and the hash's length, DER leaves each a single form."""
    what = "dataGroupHashValues"
    offset, stop = der.enter(data, offset, end, der.SEQUENCE, what)
    hashes: dict[int, bytes] = {}
    before, after = _DATA_GROUP_HASHES[hash_length]
    start = offset
    while offset < stop:
        behind = offset + len(before) + 1 + len(after) + hash_length
        if behind > stop or data[offset : offset + 4] != before or data[offset + 5 : offset + 7] != after:
            raise DecodeError(f"{what}: malformed, or another hash's length", offset=offset, clause=_CLAUSE)
        number = data[offset + 4]
        if not 1 <= number <= MAX_DATA_GROUPS or number in hashes:
            raise DecodeError(f"{what}: data group {number} is unknown or doubled", offset=offset, clause=_CLAUSE)
        hashes[number] = data[offset + 7 : behind]
        offset = behind
    if len(hashes) < 2:
        tolerate(defects, DefectCode.DATA_GROUP_COUNT, f"{what}: fewer than two", start, _CLAUSE)
    return hashes, stop


def _read_lds_version(data: bytes, offset: int, end: int) -> tuple[LdsVersion, int]:
    what = "ldsVersionInfo"
    offset, stop = der.enter(data, offset, end, der.SEQUENCE, what)
    texts = []
    for name, length in (("ldsVersion", 4), ("unicodeVersion", 6)):
        start, offset = der.enter(data, offset, stop, der.PRINTABLE_STRING, name)
        if offset - start != length or not data[start:offset].isdigit():
            raise DecodeError(f"{name} is not of {length} digits", offset=start, clause=_CLAUSE)
        texts.append(data[start:offset].decode("ascii"))
    der.check_end(offset, stop, what)
    return LdsVersion(texts[0], texts[1]), stop


def build_lds_security_object(
    hash_algorithm: str, data_group_hashes: Mapping[int, bytes], lds_version: LdsVersion | None = None
) -> bytes:
    """DER of an LDSSecurityObject, data groups in order: version 1 if an LDS version is given, else version 0.

    Args:
        hash_algorithm: name such as "sha256". data_group_hashes: hash of each data group by its number 1..16.

    Raises:
        ValueError: an unknown hash algorithm, fewer than two data groups, a number not in 1..16 or a hash of the wrong
            length; the caller's mistake.
    """
    length = oid.HASH_LENGTHS.get(hash_algorithm)
    if length is None or len(data_group_hashes) < 2:
        raise ValueError("an LDS security object needs a known hash algorithm and two data groups or more")
    if any(not 1 <= number <= MAX_DATA_GROUPS for number in data_group_hashes):
        raise ValueError("a data group has a number from 1 to 16")
    if any(len(value) != length for value in data_group_hashes.values()):
        raise ValueError(f"a {hash_algorithm} hash has {length} octets")
    hashes = dict(sorted(data_group_hashes.items()))
    version = 0 if lds_version is None else 1
    return encode_lds_security_object(LdsSecurityObject(version, hash_algorithm, hashes, lds_version))


def encode_lds_security_object(value: LdsSecurityObject) -> bytes:
    """DER of LDSSecurityObject: the eContent that is hashed and signed. Hashes are of the algorithm's length."""
    before, after = _DATA_GROUP_HASHES[oid.HASH_LENGTHS[value.hash_algorithm]]
    hashes = [b"%b%c%b%b" % (before, number, after, digest) for number, digest in value.data_group_hashes.items()]
    version_info = b""
    if value.lds_version is not None:
        texts = (value.lds_version.lds_version, value.lds_version.unicode_version)
        version_info = der.encode_sequence(*(der.encode_string(der.PRINTABLE_STRING, text) for text in texts))
    return der.encode_sequence(
        der.encode_integer(value.version),
        _HASH_IDENTIFIERS[value.hash_algorithm],
        der.encode(der.SEQUENCE, b"".join(hashes)),
        version_info,
    )


def encode_ef_sod(signed_data: bytes) -> bytes:
    """EF.SOD from the ContentInfo in DER."""
    return der.encode(TAG, signed_data)
