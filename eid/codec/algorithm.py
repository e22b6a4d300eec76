"""AlgorithmIdentifier (RFC 5280 4.1.1.2), the parameters each algorithm demands, RSASSA-PSS-params (RFC 4055 3.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from eid.codec import der, oid
from eid.codec.defect import DefectCode, Defects, tolerate
from eid.errors import DecodeError

_NULL: Final = der.encode_null()


@dataclass(frozen=True, slots=True)
class AlgorithmIdentifier:
    """An algorithm's object identifier (dotted) and its parameters, one DER element or None."""

    oid: str
    parameters: bytes | None = None

    def encode(self) -> bytes:
        """DER."""
        return der.encode_sequence(der.encode_oid(self.oid), self.parameters or b"")


@dataclass(frozen=True, slots=True)
class PssParameters:
    """RSASSA-PSS-params: hash and mask generation hash by name ("sha256"), salt length in octets; trailerFieldBC."""

    hash_name: str = "sha1"
    mgf_hash_name: str = "sha1"
    salt_length: int = 20


_HASHES: Final = tuple(oid.HASH_NAMES)
_RSA: Final = (
    oid.RSA_ENCRYPTION,
    oid.SHA1_WITH_RSA,
    oid.SHA224_WITH_RSA,
    oid.SHA256_WITH_RSA,
    oid.SHA384_WITH_RSA,
    oid.SHA512_WITH_RSA,
)
_ECDSA: Final = (
    oid.ECDSA_WITH_SHA1,
    oid.ECDSA_WITH_SHA224,
    oid.ECDSA_WITH_SHA256,
    oid.ECDSA_WITH_SHA384,
    oid.ECDSA_WITH_SHA512,
)
SIGNATURE_HASHES: Final[dict[str, str]] = {
    **dict(zip(_RSA[1:], oid.HASH_LENGTHS, strict=True)),
    **dict(zip(_ECDSA, oid.HASH_LENGTHS, strict=True)),
}
"""Hash name of the signature algorithms whose object identifier names one."""


def _fixed_identifiers() -> dict[bytes, AlgorithmIdentifier]:
    """DER of every identifier whose parameters are fixed: all that strict reading accepts of these algorithms."""
    allowed = [
        *(AlgorithmIdentifier(name, parameters) for name in _HASHES for parameters in (None, _NULL)),  # RFC 5754 2
        *(AlgorithmIdentifier(name, parameters) for name in _RSA for parameters in (None, _NULL)),  # RFC 4055 5
        *(AlgorithmIdentifier(name) for name in _ECDSA),  # RFC 5758 3.2
    ]
    return {item.encode(): item for item in allowed}


_FIXED: Final = _fixed_identifiers()
_FIXED_OIDS: Final = frozenset((*_HASHES, *_RSA, *_ECDSA))


def read_algorithm(
    data: bytes, offset: int, end: int, what: str, defects: Defects = None
) -> tuple[AlgorithmIdentifier, int]:
    """Read an AlgorithmIdentifier: the value, and the offset behind it.

    Raises:
        DecodeError: malformed, or parameters other than the algorithm demands (tolerable: ALGORITHM_PARAMETERS).
    """
    if offset + 1 < end:
        stop = offset + 2 + data[offset + 1]
        fixed = _FIXED.get(data[offset:stop])
        if fixed is not None and stop <= end:
            return fixed, stop
    start, stop = der.enter(data, offset, end, der.SEQUENCE, what)
    return _read_other(data, start, stop, what, defects), stop


def _read_other(data: bytes, start: int, stop: int, what: str, defects: Defects) -> AlgorithmIdentifier:
    name, offset = der.read_oid(data, start, stop, what)
    parameters = None
    if offset < stop:
        _, _, behind = der.read_any(data, offset, stop, f"{what} parameters")
        parameters = data[offset:behind]
        if behind != stop:
            what = f"{what}: octets follow its parameters"
            tolerate(defects, DefectCode.ALGORITHM_PARAMETERS, what, behind, "RFC 5280 4.1.1.2")
            return AlgorithmIdentifier(name, parameters)
    if name in _FIXED_OIDS:
        tolerate(
            defects, DefectCode.ALGORITHM_PARAMETERS, f"{what}: wrong parameters", offset, "RFC 4055 5, RFC 5758 3.2"
        )
    elif name == oid.RSASSA_PSS and parameters is not None:
        decode_pss_parameters(parameters, defects)
    return AlgorithmIdentifier(name, parameters)


def decode_algorithm(raw: bytes, what: str = "AlgorithmIdentifier", defects: Defects = None) -> AlgorithmIdentifier:
    """Decode an AlgorithmIdentifier that fills the input.

    Raises:
        DecodeError: as `read_algorithm`.
    """
    identifier, stop = read_algorithm(raw, 0, len(raw), what, defects)
    der.check_end(stop, len(raw), what)
    return identifier


def decode_pss_parameters(raw: bytes, defects: Defects = None) -> PssParameters:
    """Decode RSASSA-PSS-params.

    Raises:
        DecodeError: malformed; a mask generation function other than MGF1, an unknown hash, a trailer field other
            than 1; a default value that is written out (tolerable: ENCODED_DEFAULT).
    """
    what = "RSASSA-PSS-params"
    offset, end = der.read_sequence(raw, what)
    fields: dict[int, tuple[int, int]] = {}
    for at, tag, start, stop in der.split(raw, offset, end, what):
        if not 0xA0 <= tag <= 0xA3 or any(tag <= earlier for earlier in fields):
            raise DecodeError(f"{what}: unexpected field", offset=at, clause="RFC 4055 3.1")
        fields[tag] = (start, stop)
    default = PssParameters()
    hash_name, mgf_hash_name, salt_length = default.hash_name, default.mgf_hash_name, default.salt_length
    if 0xA0 in fields:
        hash_name = _read_hash(raw, *fields[0xA0], what, defects)
    if 0xA1 in fields:
        mgf_hash_name = _read_mgf(raw, *fields[0xA1], defects)
    if 0xA2 in fields:
        salt_length = _read_small(raw, *fields[0xA2], "saltLength")
    if 0xA3 in fields and _read_small(raw, *fields[0xA3], "trailerField") != 1:
        raise DecodeError(f"{what}: trailerField is not 1", offset=fields[0xA3][0], clause="RFC 4055 3.1")
    written = {0xA0: hash_name, 0xA1: mgf_hash_name, 0xA2: salt_length, 0xA3: 1}
    defaults = {0xA0: default.hash_name, 0xA1: default.mgf_hash_name, 0xA2: default.salt_length, 0xA3: 1}
    for tag, (start, _) in fields.items():
        if written[tag] == defaults[tag]:
            tolerate(defects, DefectCode.ENCODED_DEFAULT, f"{what}: default is written out", start, "X.690 11.5")
    return PssParameters(hash_name, mgf_hash_name, salt_length)


def _read_hash(data: bytes, offset: int, end: int, what: str, defects: Defects) -> str:
    identifier, stop = read_algorithm(data, offset, end, f"{what} hashAlgorithm", defects)
    der.check_end(stop, end, what)
    name = oid.HASH_NAMES.get(identifier.oid)
    if name is None:
        raise DecodeError(f"{what}: unknown hash algorithm", offset=offset, clause="RFC 4055 2.1")
    return name


def _read_mgf(data: bytes, offset: int, end: int, defects: Defects) -> str:
    what = "maskGenAlgorithm"
    start, stop = der.enter(data, offset, end, der.SEQUENCE, what)
    der.check_end(stop, end, what)
    name, start = der.read_oid(data, start, stop, what)
    if name != oid.MGF1:
        raise DecodeError(f"{what} is not MGF1", offset=offset, clause="RFC 4055 2.2")
    return _read_hash(data, start, stop, what, defects)


def _read_small(data: bytes, offset: int, end: int, what: str) -> int:
    value, stop = der.read_unsigned(data, offset, end, what)
    der.check_end(stop, end, what)
    if value > 0xFFFF:
        raise DecodeError(f"{what} is over 65535", offset=offset, clause="RFC 4055 3.1")
    return value


def encode_pss_parameters(parameters: PssParameters) -> bytes:
    """RSASSA-PSS-params, defaults left out (X.690 11.5)."""
    default = PssParameters()
    fields = b""
    if parameters.hash_name != default.hash_name:
        fields += der.encode_explicit(0, hash_identifier(parameters.hash_name).encode())
    if parameters.mgf_hash_name != default.mgf_hash_name:
        mgf = AlgorithmIdentifier(oid.MGF1, hash_identifier(parameters.mgf_hash_name).encode())
        fields += der.encode_explicit(1, mgf.encode())
    if parameters.salt_length != default.salt_length:
        fields += der.encode_explicit(2, der.encode_integer(parameters.salt_length))
    return der.encode_sequence(fields)


def hash_identifier(hash_name: str) -> AlgorithmIdentifier:
    """AlgorithmIdentifier of a hash function by name ("sha256"), with NULL parameters as RFC 8017 writes it.

    Raises:
        KeyError: unknown name; the caller's mistake.
    """
    return AlgorithmIdentifier(oid.HASH_OIDS[hash_name], _NULL)


def digest_identifier(hash_name: str) -> AlgorithmIdentifier:
    """AlgorithmIdentifier of a hash function for CMS and LDS, parameters absent (RFC 5754 2)."""
    return AlgorithmIdentifier(oid.HASH_OIDS[hash_name])


def ecdsa_identifier(hash_name: str) -> AlgorithmIdentifier:
    """ecdsa-with-SHA1 to ecdsa-with-SHA512 (RFC 5758 3.2)."""
    return AlgorithmIdentifier(dict(zip(oid.HASH_LENGTHS, _ECDSA, strict=True))[hash_name])


def rsa_identifier(hash_name: str) -> AlgorithmIdentifier:
    """sha1WithRSAEncryption to sha512WithRSAEncryption (RFC 4055 5)."""
    return AlgorithmIdentifier(dict(zip(oid.HASH_LENGTHS, _RSA[1:], strict=True))[hash_name], _NULL)


def pss_identifier(hash_name: str, salt_length: int | None = None) -> AlgorithmIdentifier:
    """id-RSASSA-PSS with its parameters; MGF1 over the same hash, salt as long as the hash unless said otherwise."""
    salt = oid.HASH_LENGTHS[hash_name] if salt_length is None else salt_length
    return AlgorithmIdentifier(oid.RSASSA_PSS, encode_pss_parameters(PssParameters(hash_name, hash_name, salt)))
