"""The card's side of Active Authentication."""

from __future__ import annotations

import os
from collections.abc import Callable

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.crypto import iso9796
from eid.crypto.hashes import hash_algorithm
from eid.crypto.signatures import curve_of_key, decode_ecdsa_der, encode_ecdsa_plain
from eid.protocols.active_authentication import messages


class ActiveAuthenticationCard:
    """Answers INTERNAL AUTHENTICATE.

    Args:
        key: the chip's private key. hash_name: "sha1" to "sha512".
        implicit_trailer: RSA; None is Doc 9303-11 6.1.2.2 (BC for SHA-1), False writes 33CC for SHA-1 as some cards do.
    """

    def __init__(
        self,
        key: RSAPrivateKey | EllipticCurvePrivateKey,
        hash_name: str = "sha256",
        random: Callable[[int], bytes] = os.urandom,
        *,
        implicit_trailer: bool | None = None,
    ) -> None:
        self._key = key
        self._hash = hash_algorithm(hash_name)
        self._random = random
        self._implicit_trailer = implicit_trailer

    def internal_authenticate(self, command: CommandAPDU) -> ResponseAPDU:
        """Sign RND.IFD (Doc 9303-11 6.1.2, 6.1.3).

        Raises:
            CommandRefused: 6A86 or 6700, the command is malformed.
        """
        challenge = messages.decode_internal_authenticate(command)
        if isinstance(self._key, RSAPrivateKey):
            return ResponseAPDU(
                iso9796.sign(
                    self._key, challenge, self._hash.name, self._random, implicit_trailer=self._implicit_trailer
                )
            )
        return ResponseAPDU(_sign_plain(self._key, challenge, ECDSA(self._hash.library)))


def _sign_plain(key: EllipticCurvePrivateKey, challenge: bytes, algorithm: ECDSA) -> bytes:
    """r || s (TR-03111 5.2.1)."""
    n = curve_of_key(key.public_key()).n
    return encode_ecdsa_plain(*decode_ecdsa_der(key.sign(challenge, algorithm), n), n)
