"""The role-blind part of PACE: generic, integrated and chip-authentication mapping, over curves and MODP groups.

Doc 9303-11 4.4, 9.5, 9.7.3. Group elements are octets throughout; `eid.crypto.group` does the mathematics.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, unique
from typing import Final, NewType

from eid.codec.algorithm import decode_algorithm
from eid.codec.cv import Chat
from eid.codec.oid import EC_PUBLIC_KEY, encode_oid_content
from eid.codec.spki import decode_ec_parameters
from eid.codec.tlv import encode_tlv
from eid.crypto.block_cipher import decrypt_cbc, encrypt_cbc, encrypt_ecb
from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.curves import curve_by_id
from eid.crypto.dh_groups import dh_group_by_id
from eid.crypto.foreign_curves import validate_curve
from eid.crypto.group import DhGroup, EcGroup, Group, GroupKey
from eid.crypto.hashes import digest
from eid.crypto.integrated_mapping import derive_field_element, nonce_lengths
from eid.crypto.kdf import derive_k_enc, derive_k_mac, derive_k_pi
from eid.crypto.mac import compute_mac
from eid.crypto.padding import pad, unpad
from eid.errors import AuthenticationError, DecodeError, LocalProtocolError, PeerProtocolError
from eid.lds.security_infos import (
    ID_PACE_DH_GM,
    ID_PACE_DH_IM,
    ID_PACE_ECDH_CAM,
    ID_PACE_ECDH_GM,
    ID_PACE_ECDH_IM,
    MAX_STANDARDIZED_ID,
    PACEInfo,
)
from eid.profile.card_image import PasswordId
from eid.protocols.chip_authentication.public_key import find_group as find_explicit_group
from eid.protocols.cipher_suites import find_suite
from eid.protocols.secure_messaging import SecureMessaging

Nonce = NewType("Nonce", bytes)

VERSION: Final = 2  # PACEInfo.version, Doc 9303-11 9.2.1
NONCE_LENGTH: Final = 16  # what our card chooses: whole blocks of either cipher
MAX_NONCE_LENGTH: Final = 64


@dataclass(frozen=True, slots=True)
class Password:
    """A password: which one, and its value, raw.

    Args:
        value: the MRZ information (document number, birth and expiry date with their check digits) for MRZ, the digits
            for CAN, PIN and PUK; ASCII octets.
    """

    id: PasswordId
    value: bytes = field(repr=False)


@unique
class Mapping(Enum):
    """How the nonce is mapped to a generator (Doc 9303-11 4.4.3.3)."""

    GENERIC = "GM"
    INTEGRATED = "IM"
    CHIP_AUTHENTICATION = "CAM"


@unique
class GroupSource(Enum):
    """Where the group comes from, and so who vouches for it."""

    STANDARDISED = "standardised"
    KNOWN = "written out, those of a known group"
    VALIDATED = "written out, of no known curve, validated"


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a PACEInfo means: mapping, cipher suite and group."""

    protocol: str
    mapping: Mapping
    suite: CipherSuite
    group: Group
    source: GroupSource = GroupSource.STANDARDISED


@dataclass(frozen=True, slots=True)
class ChipAuthenticationData:
    """What chip-authentication mapping leaves to be checked against the chip's public key, once that is known.

    Args:
        factor: CA_IC, a scalar's octets. mapping_public: the chip's public mapping key, encoded.
    """

    factor: bytes = field(repr=False)
    mapping_public: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class PaceResult:
    """An opened session, and how it was opened.

    Args:
        group: name of the curve or MODP group.
        chip_authentication: after chip-authentication mapping, for `verify_chip_authentication_data`; else None.
        chip_public: the chip's ephemeral key, encoded; ID_PICC of Terminal Authentication once it is compressed.
        references: names of the card's trust points, newest first. chat: what the terminal asked to be restricted to.
    """

    secure_messaging: SecureMessaging
    info: PACEInfo
    group: str
    password: PasswordId
    chip_authentication: ChipAuthenticationData | None = None
    chip_public: bytes = field(default=b"", repr=False)
    references: tuple[bytes, ...] = ()
    chat: Chat | None = None


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """KS_Enc and KS_MAC."""

    ks_enc: bytes = field(repr=False)
    ks_mac: bytes = field(repr=False)


_MECHANISMS: Final = (
    (ID_PACE_ECDH_GM, Mapping.GENERIC, True),
    (ID_PACE_ECDH_IM, Mapping.INTEGRATED, True),
    (ID_PACE_ECDH_CAM, Mapping.CHIP_AUTHENTICATION, True),
    (ID_PACE_DH_GM, Mapping.GENERIC, False),
    (ID_PACE_DH_IM, Mapping.INTEGRATED, False),
)


def find_parameters(info: PACEInfo, *, foreign_curves: bool = False) -> Parameters | None:
    """What a PACEInfo means, or None where it asks for something that is not spoken here.

    Args:
        foreign_curves: whether a curve that the chip writes out and nobody knows will do, once it was validated.
    """
    if info.version != VERSION:
        return None
    for mechanism, mapping, on_curve in _MECHANISMS:
        suite = find_suite(info.protocol, mechanism)
        if suite is None:
            continue
        found = _group_of(info, on_curve=on_curve, foreign_curves=foreign_curves)
        if found is None or isinstance(found[0], EcGroup) != on_curve:
            return None
        parameters = Parameters(info.protocol, mapping, suite, *found)
        return parameters if _is_possible(parameters) else None
    return None


def _group_of(info: PACEInfo, *, on_curve: bool, foreign_curves: bool) -> tuple[Group, GroupSource] | None:
    """The group of standardised parameters, or of those that the chip writes out, where they are a known group's.

    EF.CardAccess is not authenticated before PACE, so what it writes out is compared by value with the groups that are
    known here: in a weak group of an attacker's choice the password could be guessed offline. Where the caller says so,
    a curve that is no known one is validated and used. A prime field never is: nothing tells whether its prime was made
    so that logarithms are easy for whoever made it.
    """
    if info.parameter_id is not None and info.parameter_id <= MAX_STANDARDIZED_ID:
        standardised = find_group(info.parameter_id)
        return None if standardised is None else (standardised, GroupSource.STANDARDISED)
    if info.domain_parameter is None:
        return None
    try:
        known = find_explicit_group(info.domain_parameter, over_curve=on_curve)
        if known is not None:
            return known, GroupSource.KNOWN
        if not foreign_curves or not on_curve:
            return None
        return _validate_group(info.domain_parameter), GroupSource.VALIDATED
    except (DecodeError, PeerProtocolError):
        return None


def _validate_group(domain_parameter: bytes) -> EcGroup:
    """The curve that an AlgorithmIdentifier writes out, validated.

    Raises:
        DecodeError: it writes none out. PeerProtocolError: it is not sound.
    """
    algorithm = decode_algorithm(domain_parameter)
    written_out = decode_ec_parameters(algorithm.parameters) if algorithm.oid == EC_PUBLIC_KEY else ""
    if isinstance(written_out, str):
        raise DecodeError("no explicit EC domain parameters", clause="TR-03110-3 A.2.1.2")
    return EcGroup(validate_curve(written_out))


def describe_refused_parameters(info: PACEInfo, *, foreign_curves: bool) -> str | None:
    """Why domain parameters that the chip writes out are not used; None where they are, or where it writes none out."""
    if info.domain_parameter is None or find_parameters(info, foreign_curves=foreign_curves) is not None:
        return None
    if not foreign_curves:
        return "written out, of no known group"
    try:
        _validate_group(info.domain_parameter)
    except (DecodeError, PeerProtocolError) as fault:
        return f"written out, refused: {fault}"
    return "written out, not for this mapping"


def find_group(parameter_id: int) -> EcGroup | DhGroup | None:
    """The group with this standardised domain parameter identifier (Doc 9303-11 9.5.1)."""
    curve = curve_by_id(parameter_id)
    if curve is not None:
        return EcGroup(curve)
    modp = dh_group_by_id(parameter_id)
    return None if modp is None else DhGroup(modp)


def _is_possible(parameters: Parameters) -> bool:
    if parameters.mapping is Mapping.CHIP_AUTHENTICATION:  # its static key is read on known curves only
        aes_only = parameters.suite is not CipherSuite.TDES_112  # Doc 9303-11 9.2.1
        return aes_only and parameters.source is not GroupSource.VALIDATED
    if parameters.mapping is Mapping.INTEGRATED and isinstance(parameters.group, EcGroup):
        return parameters.group.field_prime % 4 == 3  # Doc 9303-11 B.1; P-224 is the known one that is not
    return True


def require_parameters(info: PACEInfo, *, foreign_curves: bool = False) -> Parameters:
    """What a PACEInfo means; `foreign_curves` as for `find_parameters`.

    Raises:
        LocalProtocolError: it asks for something that is not spoken here.
    """
    parameters = find_parameters(info, foreign_curves=foreign_curves)
    if parameters is None:
        raise LocalProtocolError(f"PACE {info.protocol} with domain parameters {info.parameter_id} is not supported")
    return parameters


def derive_nonce_key(suite: CipherSuite, password: Password) -> bytes:
    """K_pi: KDF over f(pi), which is SHA-1 of the MRZ information, and the digits themselves otherwise (9.7.3).

    Raises:
        LocalProtocolError: the password is empty.
    """
    if not password.value:
        raise LocalProtocolError(f"the {password.id.name} is empty")
    f_pi = digest("sha1", password.value) if password.id is PasswordId.MRZ else password.value
    return derive_k_pi(suite, f_pi)


def encrypt_nonce(suite: CipherSuite, k_pi: bytes, nonce: Nonce) -> bytes:
    """z = E(K_pi, s), zero IV, no padding (Doc 9303-11 4.4.3.3)."""
    return encrypt_cbc(suite, k_pi, bytes(suite.block_size), nonce)


def decrypt_nonce(suite: CipherSuite, k_pi: bytes, encrypted: bytes) -> Nonce:
    """s = D(K_pi, z).

    Raises:
        PeerProtocolError: z is empty, too long, or not whole blocks.
    """
    if not encrypted or len(encrypted) > MAX_NONCE_LENGTH or len(encrypted) % suite.block_size:
        raise PeerProtocolError(f"an encrypted nonce of {len(encrypted)} octets")
    return Nonce(decrypt_cbc(suite, k_pi, bytes(suite.block_size), encrypted))


def nonce_length(parameters: Parameters) -> int:
    """Octets of the nonce that our card chooses."""
    if parameters.mapping is Mapping.INTEGRATED:
        return nonce_lengths(parameters.suite)[0]
    return NONCE_LENGTH


def map_generator(group: Group, nonce: Nonce, own: GroupKey, peer: bytes) -> bytes:
    """Generic mapping: G' = s G + H with H = SK_map,own PK_map,peer (Doc 9303-11 4.4.3.3.1).

    Raises:
        DecodeError: the peer's key is no element of the group.
        PeerProtocolError: the peer's key is our own, or G' would be the neutral element.
    """
    if group.require_element(peer) == own.public:
        raise PeerProtocolError("both mapping keys are the same")
    s = int.from_bytes(nonce, "big") % group.order
    if s == 0:
        raise PeerProtocolError("the nonce is zero")
    return group.add(group.key(s).public, own.multiply(peer))


def map_nonces(parameters: Parameters, nonce: Nonce, terminal_nonce: bytes) -> bytes:
    """Integrated mapping: G' = f_G(R_p(s, t)) (Doc 9303-11 4.4.3.3.2).

    Raises:
        PeerProtocolError: a nonce of the wrong length, or one that leads to no generator.
    """
    lengths = nonce_lengths(parameters.suite)
    if (len(nonce), len(terminal_nonce)) != lengths:
        raise PeerProtocolError(f"nonces of {len(nonce)} and {len(terminal_nonce)} octets where {lengths} are due")
    number = derive_field_element(parameters.suite, nonce, terminal_nonce, parameters.group.field_prime)
    return parameters.group.map_number(number)


def derive_session_keys(suite: CipherSuite, own: GroupKey, own_public: bytes, peer_public: bytes) -> SessionKeys:
    """KS_Enc and KS_MAC of the key agreement on the mapped generator (Doc 9303-11 4.4.3.4, 9.7.1).

    Args:
        own_public: the own public key on the mapped generator.

    Raises:
        DecodeError: the peer's key is no element of the group.
        PeerProtocolError: it is our own, which 4.4.3.4 d) forbids.
    """
    if int.from_bytes(peer_public, "big") == int.from_bytes(own_public, "big"):
        raise PeerProtocolError("both ephemeral keys are the same")
    secret = own.agree(peer_public)
    return SessionKeys(derive_k_enc(suite, secret), derive_k_mac(suite, secret))


def compute_token(parameters: Parameters, keys: SessionKeys, public_key: bytes) -> bytes:
    """T = MAC(KS_MAC, PK), 8 octets, over the data object of the *other* end's ephemeral key (4.4.3.4, 9.4)."""
    oid = encode_tlv(0x06, encode_oid_content(parameters.protocol))
    element = encode_tlv(parameters.group.public_tag, public_key)
    return compute_mac(parameters.suite, keys.ks_mac, encode_tlv(0x7F49, oid + element))


def encrypt_chip_authentication_data(
    suite: CipherSuite, keys: SessionKeys, group: Group, static_scalar: int, mapping_scalar: int
) -> bytes:
    """A_IC = E(KS_Enc, CA_IC) with CA_IC = SK_IC^-1 SK_map,IC mod n (Doc 9303-11 4.4.3.5.1)."""
    factor = pow(static_scalar, -1, group.order) * mapping_scalar % group.order
    octets = factor.to_bytes((group.order.bit_length() + 7) // 8, "big")
    return encrypt_cbc(suite, keys.ks_enc, _cam_iv(suite, keys), pad(octets, suite.block_size))


def decrypt_chip_authentication_data(suite: CipherSuite, keys: SessionKeys, encrypted: bytes) -> bytes:
    """CA_IC out of A_IC.

    Raises:
        PeerProtocolError: not whole blocks, or wrongly padded.
    """
    if not encrypted or len(encrypted) % suite.block_size:
        raise PeerProtocolError("encrypted chip authentication data is not of whole blocks")
    try:
        return unpad(decrypt_cbc(suite, keys.ks_enc, _cam_iv(suite, keys), encrypted), suite.block_size)
    except DecodeError as fault:
        raise PeerProtocolError("encrypted chip authentication data is not padded") from fault


def _cam_iv(suite: CipherSuite, keys: SessionKeys) -> bytes:
    """IV = E(KS_Enc, -1): one block of ones (Doc 9303-11 4.4.3.5)."""
    return encrypt_ecb(suite, keys.ks_enc, b"\xff" * suite.block_size)


def verify_chip_authentication_data(group: Group, data: ChipAuthenticationData, chip_public: bytes) -> None:
    """PK_map,IC = CA_IC PK_IC: the chip knows the private key of its static public key (Doc 9303-11 4.4.3.5.2).

    Args:
        chip_public: the chip's static public key, encoded; it proves nothing until the issuer's signature covers it.

    Raises:
        AuthenticationError: it does not hold. DecodeError: the public key is none of the group.
    """
    factor = int.from_bytes(data.factor, "big")
    if not 0 < factor < group.order or group.key(factor).multiply(chip_public) != data.mapping_public:
        raise AuthenticationError("the chip did not prove its Chip Authentication key")


def open_session(suite: CipherSuite, keys: SessionKeys) -> SecureMessaging:
    """Secure messaging after PACE: the send sequence counter starts at zero (Doc 9303-11 9.8.7.3)."""
    return SecureMessaging(suite, keys.ks_enc, keys.ks_mac)
