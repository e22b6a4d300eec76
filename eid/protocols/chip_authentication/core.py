"""The role-blind part of Chip Authentication, versions 1 and 2, over curves and MODP groups.

Doc 9303-11 6.2.3, 9.2.5, 9.2.6; TR-03110-2 3.4, TR-03110-3 A.1.1.2, A.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from eid.codec.oid import encode_oid_content
from eid.codec.tlv import encode_tlv
from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.group import Group, GroupKey
from eid.crypto.kdf import derive_k_enc, derive_k_mac
from eid.crypto.mac import compute_mac
from eid.errors import PeerProtocolError
from eid.lds.security_infos import (
    ID_CA_DH,
    ID_CA_ECDH,
    ID_PK_DH,
    ID_PK_ECDH,
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    SecurityInfo,
)
from eid.protocols.chip_authentication.public_key import find_public_key
from eid.protocols.cipher_suites import find_suite
from eid.protocols.secure_messaging import SecureMessaging

VERSION_1: Final = 1
VERSION_2: Final = 2
ID_CA_ECDH_3DES: Final = ID_CA_ECDH + ".1"
ID_CA_DH_3DES: Final = ID_CA_DH + ".1"
PROTOCOLS: Final = tuple(f"{mechanism}.{arc}" for mechanism in (ID_CA_ECDH, ID_CA_DH) for arc in (1, 2, 3, 4))

_MECHANISMS: Final = {ID_PK_ECDH: ID_CA_ECDH, ID_PK_DH: ID_CA_DH}

# What is rather spoken, first to last.
_PREFERENCE: Final = (CipherSuite.AES_256, CipherSuite.AES_192, CipherSuite.AES_128, CipherSuite.TDES_112)


@dataclass(frozen=True, slots=True)
class StaticKey:
    """A long-term key of the chip, in the chip's hands."""

    group: Group
    key: GroupKey


@dataclass(frozen=True, slots=True)
class ChipKey:
    """A static key of the chip, as DG14 or EF.CardSecurity announces it, with the protocol to prove it by.

    Args:
        public: the key's element, encoded. public_key_info: SubjectPublicKeyInfo, DER, as it stands.
        key_id: None where the chip has only one key. version: of the protocol, 1 or 2.
    """

    protocol: str
    suite: CipherSuite
    group: Group
    public: bytes = field(repr=False)
    public_key_info: bytes = field(repr=False)
    key_id: int | None = None
    version: int = VERSION_1


def find_chip_keys(infos: Iterable[SecurityInfo], version: int = VERSION_1) -> tuple[ChipKey, ...]:
    """The keys that can be proven here by this version of the protocol, the strongest cipher first.

    A key without any ChipAuthenticationInfo is taken for 3DES in version 1, as old chips mean it
    (BSI TR-03110-1 2.10 A.1.1.1).

    Raises:
        DecodeError: a key is malformed.
    """
    infos = tuple(infos)
    announced = [info for info in infos if isinstance(info, ChipAuthenticationInfo)]
    announced = announced or [ChipAuthenticationInfo(protocol) for protocol in (ID_CA_ECDH_3DES, ID_CA_DH_3DES)]
    announced = [info for info in announced if info.version == version]
    keys = [
        info for info in infos if isinstance(info, ChipAuthenticationPublicKeyInfo) and info.protocol in _MECHANISMS
    ]
    found = [chip_key for key in keys for chip_key in _join(key, announced, keys)]
    return tuple(sorted(found, key=lambda chip_key: _PREFERENCE.index(chip_key.suite)))


def _join(
    key: ChipAuthenticationPublicKeyInfo,
    announced: list[ChipAuthenticationInfo],
    keys: list[ChipAuthenticationPublicKeyInfo],
) -> Iterator[ChipKey]:
    """The key with each protocol announced for it: by keyId, or without one where there is one key of its kind only."""
    mechanism = _MECHANISMS[key.protocol]
    is_only_one = sum(other.protocol == key.protocol for other in keys) == 1
    loaded = find_public_key(key.protocol, key.public_key_info)
    if loaded is None:
        return
    for info in announced:
        suite = find_suite(info.protocol, mechanism)
        if suite is not None and (info.key_id == key.key_id or is_only_one):
            yield ChipKey(info.protocol, suite, *loaded, key.public_key_info, key.key_id, info.version)


def derive_session(
    suite: CipherSuite, group: Group, own: GroupKey, peer: bytes, nonce: bytes = b""
) -> tuple[SecureMessaging, bytes]:
    """Secure messaging under the new keys, and KS_MAC; the send sequence counter starts at zero (6.2.3 step 3, 9.8).

    Args:
        nonce: r_PICC of version 2 (TR-03110-3 A.2.3); empty in version 1.

    Raises:
        DecodeError: the peer's key is no element of the group. PeerProtocolError: it is our own.
    """
    if int.from_bytes(group.require_element(peer), "big") == int.from_bytes(own.public, "big"):
        raise PeerProtocolError("both keys are the same")
    secret = own.agree(peer)
    k_mac = derive_k_mac(suite, secret, nonce)
    return SecureMessaging(suite, derive_k_enc(suite, secret, nonce), k_mac), k_mac


def compute_token(protocol: str, suite: CipherSuite, group: Group, k_mac: bytes, terminal_public: bytes) -> bytes:
    """T_PICC = MAC(K_MAC, PK_PCD) of version 2, 8 octets, over the public key's data object (TR-03110-2 3.4 step 4)."""
    oid = encode_tlv(0x06, encode_oid_content(protocol))
    key = encode_tlv(0x7F49, oid + encode_tlv(group.public_tag, terminal_public))
    return compute_mac(suite, k_mac, key)
