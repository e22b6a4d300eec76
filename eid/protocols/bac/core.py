"""The role-blind part of Basic Access Control (Doc 9303-11 4.3, 9.7.2)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from eid.crypto.block_cipher import decrypt_cbc, encrypt_cbc
from eid.crypto.cipher_suite import MAC_LENGTH, CipherSuite
from eid.crypto.hashes import digest
from eid.crypto.kdf import derive_k_enc, derive_k_mac
from eid.crypto.mac import compute_mac, verify_mac
from eid.errors import DecodeError, LocalProtocolError
from eid.protocols.secure_messaging import SecureMessaging

SUITE: Final = CipherSuite.TDES_112
NONCE_LENGTH: Final = 8  # RND.IC, RND.IFD
KEY_LENGTH: Final = 16  # K.IC, K.IFD
TOKEN_LENGTH: Final = 2 * NONCE_LENGTH + KEY_LENGTH + MAC_LENGTH  # E || M of ISO/IEC 11770-2 mechanism 6

_ZERO_IV: Final = bytes(SUITE.block_size)


@dataclass(frozen=True, slots=True)
class DocumentKeys:
    """K_Enc and K_MAC, the document basic access keys."""

    k_enc: bytes = field(repr=False)
    k_mac: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    """What one end sends: its own nonce (8 octets), the other's nonce (8 octets), its keying material (16 octets)."""

    own_nonce: bytes = field(repr=False)
    peer_nonce: bytes = field(repr=False)
    keying_material: bytes = field(repr=False)


def derive_document_keys(mrz_information: str) -> DocumentKeys:
    """Document basic access keys of the MRZ information (Doc 9303-11 9.7.2).

    Raises:
        LocalProtocolError: the MRZ information is empty or not ASCII.
    """
    if not mrz_information or not mrz_information.isascii():
        raise LocalProtocolError("the MRZ information is empty or has characters that an MRZ cannot have")
    k_seed = digest("sha1", mrz_information.encode("ascii"))[:KEY_LENGTH]
    return DocumentKeys(derive_k_enc(SUITE, k_seed), derive_k_mac(SUITE, k_seed))


def encode_token(keys: DocumentKeys, token: Token) -> bytes:
    """E || M of one end, 40 octets (Doc 9303-11 4.3.1 steps 2 and 3, 4.3.3.1; no padding before encryption)."""
    plain = token.own_nonce + token.peer_nonce + token.keying_material
    cryptogram = encrypt_cbc(SUITE, keys.k_enc, _ZERO_IV, plain)
    return cryptogram + compute_mac(SUITE, keys.k_mac, cryptogram)


def decode_token(keys: DocumentKeys, raw: bytes) -> Token:
    """Check and decrypt E || M of the other end.

    Raises:
        DecodeError: not 40 octets.
        AuthenticationError: the MAC is wrong: the other end knows another MRZ.
    """
    if len(raw) != TOKEN_LENGTH:
        raise DecodeError(f"authentication token of {len(raw)} octets", clause="Doc 9303-11 4.3.1")
    cryptogram, mac = raw[:-MAC_LENGTH], raw[-MAC_LENGTH:]
    verify_mac(compute_mac(SUITE, keys.k_mac, cryptogram), mac)
    plain = decrypt_cbc(SUITE, keys.k_enc, _ZERO_IV, cryptogram)
    return Token(plain[:NONCE_LENGTH], plain[NONCE_LENGTH : 2 * NONCE_LENGTH], plain[2 * NONCE_LENGTH :])


def derive_session(k_ifd: bytes, k_ic: bytes, rnd_ifd: bytes, rnd_ic: bytes) -> SecureMessaging:
    """Secure messaging of the keying material of both ends (Doc 9303-11 4.3.1 step 5, 9.8.6.3)."""
    k_seed = bytes(ours ^ theirs for ours, theirs in zip(k_ifd, k_ic, strict=True))
    ssc = rnd_ic[-4:] + rnd_ifd[-4:]
    return SecureMessaging(SUITE, derive_k_enc(SUITE, k_seed), derive_k_mac(SUITE, k_seed), ssc)
