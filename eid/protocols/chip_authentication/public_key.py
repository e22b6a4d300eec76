"""The chip's public key out of its SubjectPublicKeyInfo (TR-03110-3 A.1.1.2, A.4; RFC 3279 2.3.3).

Domain parameters are never taken as given: a standardised identifier names them, or they equal those of a known group.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from eid.codec import der
from eid.codec.algorithm import AlgorithmIdentifier, decode_algorithm
from eid.codec.oid import EC_PUBLIC_KEY
from eid.codec.spki import SubjectPublicKeyInfo, decode_ec_parameters, decode_spki
from eid.crypto.curves import Curve, curve_by_id
from eid.crypto.dh_groups import DH_GROUPS, DhParameters, dh_group_by_id
from eid.crypto.group import DhGroup, EcGroup, Group
from eid.crypto.points import encode_point
from eid.crypto.public_key import load_public_key, match_curve
from eid.crypto.signatures import OwnEcPublicKey, PublicKey, curve_of_key
from eid.errors import DecodeError, LocalProtocolError, Reason, VerificationError
from eid.lds.security_infos import ID_CA_ECDH, ID_PK_DH, ID_RI_ECDH

STANDARDIZED_DOMAIN_PARAMETERS: Final = "0.4.0.127.0.7.1.2"  # TR-03110-3 A.2.1.1
DH_PUBLIC_NUMBER: Final = "1.2.840.10046.2.1"  # X9.42: p, g, q
DH_KEY_AGREEMENT: Final = "1.2.840.113549.1.3.1"  # PKCS#3: p, g


def find_public_key(protocol: str, public_key_info: bytes) -> tuple[Group, bytes] | None:
    """Group and element of a ChipAuthenticationPublicKeyInfo; None for a group or key type that is not spoken here.

    Raises:
        DecodeError: malformed, or no element of the group.
    """
    if protocol == ID_PK_DH:
        return _find_dh_key(decode_spki(public_key_info))
    info = decode_spki(public_key_info)
    if info.algorithm.oid == STANDARDIZED_DOMAIN_PARAMETERS:
        curve = curve_by_id(_decode_parameter_id(info))
        return None if curve is None else (EcGroup(curve), EcGroup(curve).require_element(info.public_key))
    try:
        return _element_of(load_public_key(public_key_info))
    except VerificationError as error:
        if error.reason is Reason.ALGORITHM_UNSUPPORTED:
            return None
        raise


def find_domain_parameters(protocol: str, domain_parameter: bytes) -> Group | None:
    """Group of a domain parameter info of Chip Authentication or Restricted Identification (TR-03110-3 A.2.1).

    Args:
        protocol: id-CA-DH, id-CA-ECDH, id-RI-DH or id-RI-ECDH. domain_parameter: AlgorithmIdentifier, DER.

    Returns:
        the group; None for one that is not spoken here.

    Raises:
        DecodeError: malformed.
    """
    return find_group(domain_parameter, over_curve=protocol in (ID_CA_ECDH, ID_RI_ECDH))


def find_group(domain_parameter: bytes, *, over_curve: bool) -> Group | None:
    """The group that an AlgorithmIdentifier names or writes out, where it is a known one; else None.

    Raises:
        DecodeError: malformed.
    """
    algorithm = decode_algorithm(domain_parameter)
    if algorithm.oid == STANDARDIZED_DOMAIN_PARAMETERS:
        number = _decode_number(algorithm.parameters or b"")
        curve, modp = curve_by_id(number), dh_group_by_id(number)
        if over_curve:
            return None if curve is None else EcGroup(curve)
        return None if modp is None else DhGroup(modp)
    if not over_curve:
        known = _match_parameters(algorithm) if algorithm.oid in (DH_PUBLIC_NUMBER, DH_KEY_AGREEMENT) else None
        return None if known is None else DhGroup(known)
    if algorithm.oid != EC_PUBLIC_KEY:
        return None
    try:
        return EcGroup(match_curve(decode_ec_parameters(algorithm.parameters)))
    except VerificationError:
        return None


def encode_domain_parameters(group: Group) -> bytes:
    """AlgorithmIdentifier of a group with a standardised identifier (TR-03110-3 A.2.1.1).

    Raises:
        LocalProtocolError: it has none.
    """
    number = None
    if isinstance(group, EcGroup):
        number = group.curve.standardized_id
    elif isinstance(group, DhGroup):
        number = group.parameters.standardized_id
    if number is None:
        raise LocalProtocolError(f"{group.name} has no standardised domain parameter identifier")
    return der.encode_sequence(der.encode_oid(STANDARDIZED_DOMAIN_PARAMETERS), der.encode_integer(number))


def _element_of(key: PublicKey) -> tuple[Group, bytes] | None:
    if isinstance(key, RSAPublicKey):
        return None
    curve: Curve = curve_of_key(key)
    if isinstance(key, OwnEcPublicKey):
        return EcGroup(curve), encode_point(curve, key.point)
    numbers = key.public_numbers()
    return EcGroup(curve), encode_point(curve, (numbers.x, numbers.y))


def _find_dh_key(info: SubjectPublicKeyInfo) -> tuple[Group, bytes] | None:
    if info.algorithm.oid == STANDARDIZED_DOMAIN_PARAMETERS:
        parameters = dh_group_by_id(_decode_parameter_id(info))
    elif info.algorithm.oid in (DH_PUBLIC_NUMBER, DH_KEY_AGREEMENT):
        parameters = _match_parameters(info.algorithm)
    else:
        return None
    if parameters is None:
        return None
    group = DhGroup(parameters)
    return group, group.require_element(_decode_public_value(info.public_key, parameters))


def _match_parameters(algorithm: AlgorithmIdentifier) -> DhParameters | None:
    """The known group with this p and g, and this q where it is told."""
    numbers = _decode_numbers(algorithm.parameters or b"")
    if algorithm.oid == DH_KEY_AGREEMENT:
        return next((group for group in DH_GROUPS if [group.p, group.g] == numbers[:2]), None)
    return next((group for group in DH_GROUPS if [group.p, group.g, group.q] == numbers[:3]), None)


def _decode_numbers(raw: bytes) -> list[int]:
    what = "DH domain parameters"
    offset, stop = der.read_sequence(raw, what)
    numbers: list[int] = []
    while offset < stop and len(numbers) < 3:
        number, offset = der.read_integer(raw, offset, stop, what)
        numbers.append(number)
    if len(numbers) < 2:
        raise DecodeError(f"{what} are incomplete", clause="RFC 3279 2.3.3")
    return numbers


def _decode_parameter_id(info: SubjectPublicKeyInfo) -> int:
    return _decode_number(info.algorithm.parameters or b"")


def _decode_number(raw: bytes) -> int:
    what = "standardised domain parameters"
    number, offset = der.read_unsigned(raw, 0, len(raw), what)
    der.check_end(offset, len(raw), what)
    return number


def _decode_public_value(raw: bytes, parameters: DhParameters) -> bytes:
    value, offset = der.read_integer(raw, 0, len(raw), "DHPublicKey")
    der.check_end(offset, len(raw), "DHPublicKey")
    if not 0 < value < parameters.p:
        raise DecodeError("DHPublicKey is out of range", clause="RFC 2631 2.1.5")
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
