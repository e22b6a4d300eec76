"""SecurityInfos: which protocols a chip runs, with which parameters (Doc 9303-11 9.2, TR-03110-3 A.1).

They stand in EF.CardAccess, EF.CardSecurity and DG14. Object identifiers are dotted strings throughout.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from eid.codec import der
from eid.codec.oid import decode_oid_content, encode_oid_content
from eid.errors import DecodeError

_TWO_SMALL_INTEGERS: Final = re.compile(rb"\x02\x01([\x00-\x7f])\x02\x01([\x00-\x7f])")
MAX_STANDARDIZED_ID: Final = 31  # Doc 9303-11 9.5.1: what is above is the chip's own
MAX_SECURITY_INFOS: Final = 64  # what one chip may announce; real ones have fewer than ten

BSI_DE_PROTOCOLS: Final = "0.4.0.127.0.7.2.2"
ID_PK: Final = BSI_DE_PROTOCOLS + ".1"
ID_PK_DH: Final = ID_PK + ".1"
ID_PK_ECDH: Final = ID_PK + ".2"
ID_TA: Final = BSI_DE_PROTOCOLS + ".2"
ID_CA_DH: Final = BSI_DE_PROTOCOLS + ".3.1"
ID_CA_ECDH: Final = BSI_DE_PROTOCOLS + ".3.2"
ID_RI_DH: Final = BSI_DE_PROTOCOLS + ".5.1"
ID_RI_ECDH: Final = BSI_DE_PROTOCOLS + ".5.2"
ID_PACE_DH_GM: Final = BSI_DE_PROTOCOLS + ".4.1"
ID_PACE_ECDH_GM: Final = BSI_DE_PROTOCOLS + ".4.2"
ID_PACE_DH_IM: Final = BSI_DE_PROTOCOLS + ".4.3"
ID_PACE_ECDH_IM: Final = BSI_DE_PROTOCOLS + ".4.4"
ID_PACE_ECDH_CAM: Final = BSI_DE_PROTOCOLS + ".4.6"
ID_AA: Final = "2.23.136.1.1.5"
ID_EFDIR: Final = "2.23.136.1.1.13"

# The last arc of a PACE or Chip Authentication protocol says how secure messaging ciphers (Doc 9303-11 9.2.1, 9.2.5).
SUITE_ARCS: Final = {1: "3DES-CBC-CBC", 2: "AES-CBC-CMAC-128", 3: "AES-CBC-CMAC-192", 4: "AES-CBC-CMAC-256"}


@dataclass(frozen=True, slots=True)
class PACEInfo:
    """PACEInfo (Doc 9303-11 9.2.1): mapping and cipher suite, version 2, domain parameters.

    Args:
        parameter_id: 0..31 standardised (9.5.1); else the chip's own name of a PACEDomainParameterInfo, or None.
        domain_parameter: of that PACEDomainParameterInfo, once `find_pace_infos` has put the two together.
    """

    protocol: str
    version: int = 2
    parameter_id: int | None = None
    domain_parameter: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class PACEDomainParameterInfo:
    """PACEDomainParameterInfo (Doc 9303-11 9.2.1); `domain_parameter` is an AlgorithmIdentifier, DER."""

    protocol: str
    domain_parameter: bytes = field(repr=False)
    parameter_id: int | None = None


@dataclass(frozen=True, slots=True)
class ChipAuthenticationInfo:
    """ChipAuthenticationInfo (Doc 9303-11 9.2.5): protocol with cipher suite, version 1 (2 and 3 in TR-03110), key."""

    protocol: str
    version: int = 1
    key_id: int | None = None


@dataclass(frozen=True, slots=True)
class ChipAuthenticationDomainParameterInfo:
    """ChipAuthenticationDomainParameterInfo (TR-03110-3 A.1.1.2, version 2); `domain_parameter` as for PACE."""

    protocol: str
    domain_parameter: bytes = field(repr=False)
    key_id: int | None = None


@dataclass(frozen=True, slots=True)
class ChipAuthenticationPublicKeyInfo:
    """ChipAuthenticationPublicKeyInfo (Doc 9303-11 9.2.6); `public_key_info` is a SubjectPublicKeyInfo, DER."""

    protocol: str
    public_key_info: bytes = field(repr=False)
    key_id: int | None = None


@dataclass(frozen=True, slots=True)
class TerminalAuthenticationInfo:
    """TerminalAuthenticationInfo (Doc 9303-11 9.2.8); identifiers of EF.CVCA where the chip tells them."""

    protocol: str = ID_TA
    version: int = 1
    ef_cvca_fid: int | None = None
    ef_cvca_sfi: int | None = None


@dataclass(frozen=True, slots=True)
class RestrictedIdentificationInfo:
    """RestrictedIdentificationInfo (TR-03110-3 A.1.1.4): one key of the chip, and who may use it.

    Args:
        authorized_only: whether the terminal needs the right of Restricted Identification.
        max_key_length: of a sector's public key, bits, where the chip tells it.
    """

    protocol: str
    key_id: int
    authorized_only: bool
    version: int = 1
    max_key_length: int | None = None


@dataclass(frozen=True, slots=True)
class RestrictedIdentificationDomainParameterInfo:
    """RestrictedIdentificationDomainParameterInfo (TR-03110-3 A.1.1.4); `domain_parameter` as for PACE."""

    protocol: str
    domain_parameter: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ActiveAuthenticationInfo:
    """ActiveAuthenticationInfo (Doc 9303-11 9.2.4): the chip's ECDSA algorithm, as an object identifier."""

    signature_algorithm: str
    version: int = 1
    protocol: str = ID_AA


@dataclass(frozen=True, slots=True)
class EFDIRInfo:
    """EFDIRInfo (Doc 9303-11 9.2.10): an authentic copy of EF.DIR."""

    ef_dir: bytes = field(repr=False)
    protocol: str = ID_EFDIR


@dataclass(frozen=True, slots=True)
class UnknownSecurityInfo:
    """Any other SecurityInfo; required data, and what follows it, as they stand, DER."""

    protocol: str
    required_data: bytes = field(repr=False)
    optional_data: bytes | None = field(default=None, repr=False)


SecurityInfo: TypeAlias = (
    PACEInfo
    | PACEDomainParameterInfo
    | ChipAuthenticationInfo
    | ChipAuthenticationDomainParameterInfo
    | ChipAuthenticationPublicKeyInfo
    | TerminalAuthenticationInfo
    | RestrictedIdentificationInfo
    | RestrictedIdentificationDomainParameterInfo
    | ActiveAuthenticationInfo
    | EFDIRInfo
    | UnknownSecurityInfo
)


def decode_security_infos(raw: bytes) -> tuple[SecurityInfo, ...]:
    """Decode SecurityInfos, in the order in which they stand (chips do not all sort the SET).

    Raises:
        DecodeError: not a SET OF SecurityInfo, or a known SecurityInfo of another form (Doc 9303-11 9.2).
    """
    der.check_input(raw, "SecurityInfos")
    start, stop = der.enter(raw, 0, len(raw), der.SET, "SecurityInfos")
    der.check_end(stop, len(raw), "SecurityInfos")
    infos: list[SecurityInfo] = []
    while start < stop:
        if len(infos) == MAX_SECURITY_INFOS:
            raise DecodeError(f"more than {MAX_SECURITY_INFOS} SecurityInfos", offset=start, clause="Doc 9303-11 9.2")
        inner, start = der.enter(raw, start, stop, der.SEQUENCE, "SecurityInfo")
        infos.append(_decode_security_info(raw, inner, start))
    return tuple(infos)


def find_security_infos(raw: bytes, protocols: Collection[str]) -> tuple[SecurityInfo, ...]:
    """Decode those SecurityInfos whose protocol is one of these, in the order in which they stand.

    Of the others nothing but the protocol is looked at, so that a defect in one of them stays without effect.

    Raises:
        DecodeError: not a SET OF SecurityInfo, or one of those that are looked for has another form.
    """
    der.check_input(raw, "SecurityInfos")
    start, stop = der.enter(raw, 0, len(raw), der.SET, "SecurityInfos")
    der.check_end(stop, len(raw), "SecurityInfos")
    found: list[SecurityInfo] = []
    count = 0
    while start < stop:
        count += 1
        if count > MAX_SECURITY_INFOS:
            raise DecodeError(f"more than {MAX_SECURITY_INFOS} SecurityInfos", offset=start, clause="Doc 9303-11 9.2")
        inner, start = der.enter(raw, start, stop, der.SEQUENCE, "SecurityInfo")
        inner, behind = der.enter(raw, inner, start, der.OBJECT_IDENTIFIER, "SecurityInfo protocol")
        protocol, decode = _DECODERS.get(raw[inner:behind], (None, _decode_unknown))
        if protocol is not None and protocol in protocols:
            found.append(decode(protocol, raw, behind, start))
    return tuple(found)


def find_pace_infos(infos: Iterable[SecurityInfo]) -> tuple[PACEInfo, ...]:
    """The PACEInfos; one without standardised domain parameters with those that the chip states beside it.

    A PACEDomainParameterInfo belongs to a PACEInfo of its mechanism and of the same identifier (Doc 9303-11 9.2.1,
    TR-03110-3 A.1.1.1). It is not signed when PACE is run: whoever uses it compares it with known groups.
    """
    known = tuple(infos)
    stated = [info for info in known if isinstance(info, PACEDomainParameterInfo)]
    return tuple(_with_domain_parameter(info, stated) for info in known if isinstance(info, PACEInfo))


def _with_domain_parameter(info: PACEInfo, stated: Iterable[PACEDomainParameterInfo]) -> PACEInfo:
    if info.parameter_id is not None and info.parameter_id <= MAX_STANDARDIZED_ID:
        return info
    mechanism = info.protocol.rpartition(".")[0]
    own = [item for item in stated if item.protocol == mechanism and item.parameter_id == info.parameter_id]
    return replace(info, domain_parameter=own[0].domain_parameter) if len(own) == 1 else info


def write_out_parameters(infos: Iterable[PACEInfo]) -> tuple[SecurityInfo, ...]:
    """The PACEInfos, and behind them the domain parameters that they carry, each once: the way back."""
    known = tuple(infos)
    stated = (
        PACEDomainParameterInfo(info.protocol.rpartition(".")[0], info.domain_parameter, info.parameter_id)
        for info in known
        if info.domain_parameter is not None
    )
    return (*known, *dict.fromkeys(stated))


def encode_security_infos(infos: Iterable[SecurityInfo]) -> bytes:
    """Encode as DER SET OF, sorted (X.690 11.6)."""
    return der.encode_set_of(encode_security_info(info) for info in infos)


def encode_security_info(info: SecurityInfo) -> bytes:
    """Encode one SecurityInfo."""
    return der.encode_sequence(der.encode_oid(info.protocol), *_encode_data(info))


def _encode_data(info: SecurityInfo) -> tuple[bytes, ...]:
    match info:
        case PACEInfo():
            return der.encode_integer(info.version), *_encode_optional_integer(info.parameter_id)
        case PACEDomainParameterInfo():
            return info.domain_parameter, *_encode_optional_integer(info.parameter_id)
        case ChipAuthenticationInfo():
            return der.encode_integer(info.version), *_encode_optional_integer(info.key_id)
        case ChipAuthenticationDomainParameterInfo():
            return info.domain_parameter, *_encode_optional_integer(info.key_id)
        case ChipAuthenticationPublicKeyInfo():
            return info.public_key_info, *_encode_optional_integer(info.key_id)
        case TerminalAuthenticationInfo():
            return der.encode_integer(info.version), *_encode_file_id(info)
        case RestrictedIdentificationInfo():
            return _encode_restricted_identification(info), *_encode_optional_integer(info.max_key_length)
        case RestrictedIdentificationDomainParameterInfo():
            return (info.domain_parameter,)
        case ActiveAuthenticationInfo():
            return der.encode_integer(info.version), der.encode_oid(info.signature_algorithm)
        case EFDIRInfo():
            return (der.encode_octet_string(info.ef_dir),)
        case UnknownSecurityInfo():
            return info.required_data, info.optional_data or b""


def _encode_optional_integer(value: int | None) -> tuple[bytes, ...]:
    return () if value is None else (der.encode_integer(value),)


def _encode_file_id(info: TerminalAuthenticationInfo) -> tuple[bytes, ...]:
    if info.ef_cvca_fid is None:
        return ()
    parts = [der.encode_octet_string(info.ef_cvca_fid.to_bytes(2, "big"))]
    if info.ef_cvca_sfi is not None:
        parts.append(der.encode_octet_string(bytes((info.ef_cvca_sfi,))))
    return (der.encode_sequence(*parts),)


def _encode_restricted_identification(info: RestrictedIdentificationInfo) -> bytes:
    return der.encode_sequence(
        der.encode_integer(info.version), der.encode_integer(info.key_id), der.encode_boolean(info.authorized_only)
    )


def _decode_security_info(data: bytes, offset: int, end: int) -> SecurityInfo:
    start, offset = der.enter(data, offset, end, der.OBJECT_IDENTIFIER, "SecurityInfo protocol")
    protocol, decode = _DECODERS.get(data[start:offset], (None, _decode_unknown))
    if protocol is None:
        protocol = decode_oid_content(data[start:offset], start)
    return decode(protocol, data, offset, end)


def _decode_pace_info(protocol: str, data: bytes, offset: int, end: int) -> PACEInfo:
    return PACEInfo(protocol, *_read_version_and_number(data, offset, end, "PACEInfo"))


def _decode_pace_domain_parameter_info(protocol: str, data: bytes, offset: int, end: int) -> PACEDomainParameterInfo:
    identifier, offset = _read_raw_sequence(data, offset, end, "PACEDomainParameterInfo domainParameter")
    parameter_id = _read_last_integer(data, offset, end, "PACEDomainParameterInfo parameterId")
    return PACEDomainParameterInfo(protocol, identifier, parameter_id)


def _decode_chip_authentication_info(protocol: str, data: bytes, offset: int, end: int) -> ChipAuthenticationInfo:
    return ChipAuthenticationInfo(protocol, *_read_version_and_number(data, offset, end, "ChipAuthenticationInfo"))


def _decode_chip_authentication_domain_parameter_info(
    protocol: str, data: bytes, offset: int, end: int
) -> ChipAuthenticationDomainParameterInfo:
    identifier, offset = _read_raw_sequence(data, offset, end, "ChipAuthenticationDomainParameterInfo domainParameter")
    key_id = _read_last_integer(data, offset, end, "ChipAuthenticationDomainParameterInfo keyId")
    return ChipAuthenticationDomainParameterInfo(protocol, identifier, key_id)


def _decode_chip_authentication_public_key_info(
    protocol: str, data: bytes, offset: int, end: int
) -> ChipAuthenticationPublicKeyInfo:
    info, offset = _read_raw_sequence(data, offset, end, "ChipAuthenticationPublicKeyInfo key")
    key_id = _read_last_integer(data, offset, end, "ChipAuthenticationPublicKeyInfo keyId")
    return ChipAuthenticationPublicKeyInfo(protocol, info, key_id)


def _decode_terminal_authentication_info(
    protocol: str, data: bytes, offset: int, end: int
) -> TerminalAuthenticationInfo:
    version, offset = der.read_unsigned(data, offset, end, "TerminalAuthenticationInfo version")
    if offset == end:
        return TerminalAuthenticationInfo(protocol, version)
    inner, stop = der.enter(data, offset, end, der.SEQUENCE, "efCVCA")
    der.check_end(stop, end, "TerminalAuthenticationInfo")
    fid, inner = _read_fixed_octets(data, inner, stop, 2, "efCVCA fid")
    sfi = None
    if inner < stop:
        sfi, inner = _read_fixed_octets(data, inner, stop, 1, "efCVCA sfi")
    der.check_end(inner, stop, "efCVCA")
    return TerminalAuthenticationInfo(protocol, version, fid, sfi)


def _decode_restricted_identification_info(
    protocol: str, data: bytes, offset: int, end: int
) -> RestrictedIdentificationInfo:
    what = "RestrictedIdentificationInfo"
    inner, stop = der.enter(data, offset, end, der.SEQUENCE, what)
    version, inner = der.read_unsigned(data, inner, stop, f"{what} version")
    key_id, inner = der.read_unsigned(data, inner, stop, f"{what} keyId")
    authorized_only, inner = der.read_boolean(data, inner, stop, f"{what} authorizedOnly")
    der.check_end(inner, stop, what)
    max_key_length = _read_last_integer(data, stop, end, f"{what} maxKeyLen")
    return RestrictedIdentificationInfo(protocol, key_id, authorized_only, version, max_key_length)


def _decode_restricted_identification_domain_parameter_info(
    protocol: str, data: bytes, offset: int, end: int
) -> RestrictedIdentificationDomainParameterInfo:
    what = "RestrictedIdentificationDomainParameterInfo"
    identifier, offset = _read_raw_sequence(data, offset, end, f"{what} domainParameter")
    der.check_end(offset, end, what)
    return RestrictedIdentificationDomainParameterInfo(protocol, identifier)


def _decode_active_authentication_info(protocol: str, data: bytes, offset: int, end: int) -> ActiveAuthenticationInfo:
    version, offset = der.read_unsigned(data, offset, end, "ActiveAuthenticationInfo version")
    algorithm, offset = der.read_oid(data, offset, end, "ActiveAuthenticationInfo signatureAlgorithm")
    der.check_end(offset, end, "ActiveAuthenticationInfo")
    return ActiveAuthenticationInfo(algorithm, version, protocol)


def _decode_ef_dir_info(protocol: str, data: bytes, offset: int, end: int) -> EFDIRInfo:
    ef_dir, offset = der.read_octet_string(data, offset, end, "EFDIRInfo eFDIR")
    der.check_end(offset, end, "EFDIRInfo")
    return EFDIRInfo(ef_dir, protocol)


def _decode_unknown(protocol: str, data: bytes, offset: int, end: int) -> UnknownSecurityInfo:
    """Keep what nobody here knows as it is: a chip must not become unreadable by it."""
    elements = [data[start:behind] for start, _, _, behind in der.split(data, offset, end, "SecurityInfo data")]
    return UnknownSecurityInfo(protocol, b"".join(elements[:1]), b"".join(elements[1:]) or None)


def _read_version_and_number(data: bytes, offset: int, end: int, what: str) -> tuple[int, int | None]:
    """Read a version and, where there is one, the identifier of the parameters or the key."""
    usual = _TWO_SMALL_INTEGERS.fullmatch(data, offset, end)
    if usual is not None:
        return usual[1][0], usual[2][0]
    version, offset = der.read_unsigned(data, offset, end, f"{what} version")
    return version, _read_last_integer(data, offset, end, f"{what} identifier")


def _read_last_integer(data: bytes, offset: int, end: int, what: str) -> int | None:
    if offset == end:
        return None
    value, offset = der.read_unsigned(data, offset, end, what)
    der.check_end(offset, end, what)
    return value


def _read_raw_sequence(data: bytes, offset: int, end: int, what: str) -> tuple[bytes, int]:
    _, stop = der.enter(data, offset, end, der.SEQUENCE, what)
    return data[offset:stop], stop


def _read_fixed_octets(data: bytes, offset: int, end: int, size: int, what: str) -> tuple[int, int]:
    content, offset = der.read_octet_string(data, offset, end, what)
    if len(content) != size:
        raise DecodeError(f"{what} of {len(content)} octets where {size} are due", offset=offset)
    return int.from_bytes(content, "big"), offset


# Protocols whose own identifier carries domain parameters, and whose children (one arc more: the cipher suite) are run.
_MECHANISMS: Final[dict[str, Callable[[str, bytes, int, int], SecurityInfo]]] = {
    **dict.fromkeys(
        (ID_PACE_DH_GM, ID_PACE_ECDH_GM, ID_PACE_DH_IM, ID_PACE_ECDH_IM, ID_PACE_ECDH_CAM), _decode_pace_info
    ),
    **dict.fromkeys((ID_CA_DH, ID_CA_ECDH), _decode_chip_authentication_info),
}
_PROTOCOLS: Final[dict[str, Callable[[str, bytes, int, int], SecurityInfo]]] = {
    **dict.fromkeys(
        (ID_PACE_DH_GM, ID_PACE_ECDH_GM, ID_PACE_DH_IM, ID_PACE_ECDH_IM, ID_PACE_ECDH_CAM),
        _decode_pace_domain_parameter_info,
    ),
    **dict.fromkeys((ID_CA_DH, ID_CA_ECDH), _decode_chip_authentication_domain_parameter_info),
    **dict.fromkeys((ID_PK_DH, ID_PK_ECDH), _decode_chip_authentication_public_key_info),
    **dict.fromkeys((ID_RI_DH, ID_RI_ECDH), _decode_restricted_identification_domain_parameter_info),
    **{
        f"{mechanism}.{arc}": _decode_restricted_identification_info
        for mechanism in (ID_RI_DH, ID_RI_ECDH)
        for arc in range(1, 6)
    },
    ID_TA: _decode_terminal_authentication_info,
    ID_AA: _decode_active_authentication_info,
    ID_EFDIR: _decode_ef_dir_info,
}
_CHILDREN: Final = {f"{parent}.{arc}": decode for parent, decode in _MECHANISMS.items() for arc in SUITE_ARCS}
# By the content octets of the protocol's identifier, so that what is known need not be spelt out and looked up again.
_DECODERS: Final = {encode_oid_content(name): (name, decode) for name, decode in (_PROTOCOLS | _CHILDREN).items()}
