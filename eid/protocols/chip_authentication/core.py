"""The role-blind part of Chip Authentication over elliptic curves (Doc 9303-11 6.2.3, 9.2.5, 9.2.6)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.curves import Curve
from eid.crypto.kdf import derive_k_enc, derive_k_mac
from eid.crypto.key_agreement import EcKeyPair
from eid.crypto.points import Point
from eid.crypto.public_key import load_public_key
from eid.crypto.signatures import OwnEcPublicKey, PublicKey, curve_of_key
from eid.errors import PeerProtocolError, Reason, VerificationError
from eid.lds.security_infos import (
    ID_CA_ECDH,
    ID_PK_ECDH,
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    SecurityInfo,
)
from eid.protocols.cipher_suites import find_suite
from eid.protocols.secure_messaging import SecureMessaging

VERSION: Final = 1
ID_CA_ECDH_3DES: Final = ID_CA_ECDH + ".1"
PROTOCOLS: Final = tuple(f"{ID_CA_ECDH}.{arc}" for arc in (1, 2, 3, 4))

# What is rather spoken, first to last.
_PREFERENCE: Final = (CipherSuite.AES_256, CipherSuite.AES_192, CipherSuite.AES_128, CipherSuite.TDES_112)


@dataclass(frozen=True, slots=True)
class ChipKey:
    """A static key of the chip, as DG14 announces it, with the protocol to prove it by.

    Args:
        public_key_info: SubjectPublicKeyInfo, DER, as it stands. key_id: None where the chip has only one key.
    """

    protocol: str
    suite: CipherSuite
    curve: Curve
    point: Point
    public_key_info: bytes = field(repr=False)
    key_id: int | None = None


def find_chip_keys(infos: Iterable[SecurityInfo]) -> tuple[ChipKey, ...]:
    """The keys of DG14 that can be proven here, the strongest cipher first.

    A key without any ChipAuthenticationInfo is taken for 3DES, as old chips mean it (BSI TR-03110-1 2.10 A.1.1.1).

    Raises:
        DecodeError: a key is malformed.
    """
    infos = tuple(infos)
    announced = [info for info in infos if isinstance(info, ChipAuthenticationInfo)]
    announced = announced or [ChipAuthenticationInfo(ID_CA_ECDH_3DES)]
    keys = [info for info in infos if isinstance(info, ChipAuthenticationPublicKeyInfo) and info.protocol == ID_PK_ECDH]
    found = [chip_key for key in keys for chip_key in _join(key, announced, len(keys))]
    return tuple(sorted(found, key=lambda chip_key: _PREFERENCE.index(chip_key.suite)))


def _join(
    key: ChipAuthenticationPublicKeyInfo, announced: list[ChipAuthenticationInfo], keys: int
) -> Iterator[ChipKey]:
    """The key with each protocol that is announced for it: by keyId, or without one where there is one key only."""
    loaded = _load_point(key.public_key_info)
    if loaded is None:
        return
    for info in announced:
        suite = find_suite(info.protocol, ID_CA_ECDH)
        if suite is not None and info.version == VERSION and (info.key_id == key.key_id or keys == 1):
            yield ChipKey(info.protocol, suite, *loaded, key.public_key_info, key.key_id)


def _load_point(public_key_info: bytes) -> tuple[Curve, Point] | None:
    try:
        return point_of(load_public_key(public_key_info))
    except VerificationError as error:
        if error.reason is Reason.ALGORITHM_UNSUPPORTED:  # a curve or key type that is not spoken here
            return None
        raise


def point_of(key: PublicKey) -> tuple[Curve, Point] | None:
    """Curve and point of an elliptic-curve key; None for an RSA key."""
    if isinstance(key, OwnEcPublicKey):
        return key.curve, key.point
    if isinstance(key, RSAPublicKey):
        return None
    numbers = key.public_numbers()
    return curve_of_key(key), (numbers.x, numbers.y)


def derive_session(suite: CipherSuite, own: EcKeyPair, peer: Point) -> SecureMessaging:
    """Secure messaging under the new keys; the send sequence counter starts at zero (Doc 9303-11 6.2.3 step 3, 9.8).

    Raises:
        PeerProtocolError: the peer's key is not on the curve, or is our own.
    """
    if peer == own.public_point:
        raise PeerProtocolError("both keys are the same")
    secret = own.agree(peer)
    return SecureMessaging(suite, derive_k_enc(suite, secret), derive_k_mac(suite, secret))
