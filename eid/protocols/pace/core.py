"""The role-blind part of PACE with generic mapping over elliptic curves (Doc 9303-11 4.4, 9.5, 9.7.3)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NewType

from eid.codec.oid import encode_oid_content
from eid.codec.tlv import encode_tlv
from eid.crypto import points
from eid.crypto.block_cipher import decrypt_cbc, encrypt_cbc
from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.curves import Curve, curve_by_id
from eid.crypto.hashes import digest
from eid.crypto.kdf import derive_k_enc, derive_k_mac, derive_k_pi
from eid.crypto.key_agreement import EcKeyPair
from eid.crypto.mac import compute_mac
from eid.crypto.points import Point
from eid.errors import LocalProtocolError, PeerProtocolError
from eid.lds.security_infos import ID_PACE_ECDH_GM, PACEInfo
from eid.profile.card_image import PasswordId
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


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a PACEInfo means: cipher suite and domain parameters."""

    protocol: str
    suite: CipherSuite
    curve: Curve


@dataclass(frozen=True, slots=True)
class PaceResult:
    """An opened session, and how it was opened."""

    secure_messaging: SecureMessaging
    info: PACEInfo
    curve: Curve
    password: PasswordId


@dataclass(frozen=True, slots=True)
class SessionKeys:
    """KS_Enc and KS_MAC."""

    ks_enc: bytes = field(repr=False)
    ks_mac: bytes = field(repr=False)


def find_parameters(info: PACEInfo) -> Parameters | None:
    """What a PACEInfo means, or None where it asks for something that is not spoken here."""
    suite = find_suite(info.protocol, ID_PACE_ECDH_GM)
    curve = None if info.parameter_id is None else curve_by_id(info.parameter_id)
    if suite is None or curve is None or info.version != VERSION:
        return None
    return Parameters(info.protocol, suite, curve)


def require_parameters(info: PACEInfo) -> Parameters:
    """What a PACEInfo means.

    Raises:
        LocalProtocolError: it asks for something that is not spoken here.
    """
    parameters = find_parameters(info)
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


def generate_key_pair(curve: Curve, random: Callable[[int], bytes]) -> EcKeyPair:
    """A fresh key pair; OpenSSL chooses the scalar unless other randomness was injected."""
    return EcKeyPair.generate(curve, None if random is os.urandom else random)


def map_generator(curve: Curve, nonce: Nonce, own: EcKeyPair, peer: Point) -> Point:
    """Generic mapping: G' = s G + H with H = SK_map,own PK_map,peer (Doc 9303-11 4.4.3.3.1).

    Raises:
        PeerProtocolError: the peer's key is not on the curve or is our own, or G' would be the point at infinity.
    """
    if peer == own.public_point:
        raise PeerProtocolError("both mapping keys are the same")
    s = int.from_bytes(nonce, "big") % curve.n
    if s == 0:
        raise PeerProtocolError("the nonce is zero")
    return points.add(curve, EcKeyPair.from_scalar(curve, s).public_point, own.multiply(peer))


def derive_session_keys(suite: CipherSuite, own: EcKeyPair, own_public: Point, peer_public: Point) -> SessionKeys:
    """KS_Enc and KS_MAC of the key agreement on the mapped generator (Doc 9303-11 4.4.3.4, 9.7.1).

    Args:
        own_public: the own public key on the mapped generator.

    Raises:
        PeerProtocolError: the peer's key is not on the curve, or is our own, which 4.4.3.4 d) forbids.
    """
    if peer_public == own_public:
        raise PeerProtocolError("both ephemeral keys are the same")
    secret = own.agree(peer_public)
    return SessionKeys(derive_k_enc(suite, secret), derive_k_mac(suite, secret))


def compute_token(parameters: Parameters, keys: SessionKeys, public_key: Point) -> bytes:
    """T = MAC(KS_MAC, PK), 8 octets, over the data object of the *other* end's ephemeral key (4.4.3.4, 9.4.1)."""
    oid = encode_tlv(0x06, encode_oid_content(parameters.protocol))
    point = encode_tlv(0x86, points.encode_point(parameters.curve, public_key))
    return compute_mac(parameters.suite, keys.ks_mac, encode_tlv(0x7F49, oid + point))


def open_session(suite: CipherSuite, keys: SessionKeys) -> SecureMessaging:
    """Secure messaging after PACE: the send sequence counter starts at zero (Doc 9303-11 9.8.7.3)."""
    return SecureMessaging(suite, keys.ks_enc, keys.ks_mac)
