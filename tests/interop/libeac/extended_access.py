"""OpenPACE's libeac through ctypes: Terminal Authentication and Chip Authentication, both of version 2.

Signatures: libeac's public headers eac.h, ta.h and ca.h, version 1.1.
"""

from __future__ import annotations

import ctypes
from ctypes import c_char_p, c_int, c_size_t, c_void_p
from types import TracebackType
from typing import Any, Self

from tests.interop.libeac.openpace import LibeacError, Library, _Buffer, _BufMem


class ExtendedAccess:
    """One EAC context."""

    def __init__(self, library: Library, pace: tuple[str, int]) -> None:
        self._library, self._eac = library, library.eac
        for name, result, *arguments in (
            ("EAC_CTX_init_ta", c_int, c_void_p, *((c_char_p, c_size_t) * 3)),
            ("EAC_CTX_init_ca", c_int, c_void_p, c_int, c_int, *((c_char_p, c_size_t) * 2)),
            ("TA_disable_checks", None, c_void_p),
            ("TA_STEP2_import_certificate", c_int, c_void_p, c_char_p, c_size_t),
            ("TA_STEP3_generate_ephemeral_key", _Buffer, c_void_p),
            ("CA_STEP2_get_eph_pubkey", _Buffer, c_void_p),
            ("TA_STEP4_get_nonce", _Buffer, c_void_p),
            ("TA_STEP4_set_nonce", c_int, c_void_p, _Buffer),
            ("TA_STEP5_sign", _Buffer, c_void_p, _Buffer, _Buffer, _Buffer),
            ("TA_STEP6_verify", c_int, c_void_p, _Buffer, _Buffer, _Buffer, _Buffer),
            ("CA_STEP4_compute_shared_secret", c_int, c_void_p, _Buffer),
            ("CA_STEP6_derive_keys", c_int, c_void_p, _Buffer, _Buffer),
        ):
            function = getattr(self._eac, name)
            function.restype, function.argtypes = result, arguments
        self._context = self._eac.EAC_CTX_new()
        self._check(self._eac.EAC_CTX_init_pace(self._context, self._nid(pace[0]), pace[1]), "PACE")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._eac.EAC_CTX_clear_free(self._context)

    def _nid(self, oid: str) -> int:
        return int(self._eac.EAC_OBJ_txt2nid(oid.encode("ascii")))

    def trust(self, cvca: bytes) -> None:
        """The card's trust point; dates are not looked at."""
        self._check(self._eac.EAC_CTX_init_ta(self._context, None, 0, cvca, len(cvca), None, 0), "trust point")
        self._eac.TA_disable_checks(self._context)

    def own(self, private_key: bytes, certificate: bytes) -> None:
        """The terminal's key, PKCS#8, and certificate."""
        arguments = (private_key, len(private_key), certificate, len(certificate), None, 0)
        self._check(self._eac.EAC_CTX_init_ta(self._context, *arguments), "terminal's key")

    def chip(self, protocol: str, parameter_id: int, public: bytes) -> None:
        """The chip's public key."""
        arguments = (None, 0, public, len(public))
        self._check(self._eac.EAC_CTX_init_ca(self._context, self._nid(protocol), parameter_id, *arguments), "chip")

    def imports(self, certificate: bytes) -> bool:
        """Whether the card accepts a certificate."""
        return bool(self._eac.TA_STEP2_import_certificate(self._context, certificate, len(certificate)) == 1)

    def ephemeral_key(self) -> tuple[bytes, bytes]:
        """The terminal's key, compressed and whole."""
        compressed = self._library.take(self._eac.TA_STEP3_generate_ephemeral_key(self._context))
        return compressed, self._library.take(self._eac.CA_STEP2_get_eph_pubkey(self._context))

    def challenge(self) -> bytes:
        return self._library.take(self._eac.TA_STEP4_get_nonce(self._context))

    def take_challenge(self, challenge: bytes) -> None:
        self._check(self._call(self._eac.TA_STEP4_set_nonce, challenge), "challenge")

    def sign(self, compressed: bytes, id_picc: bytes, auxiliary: bytes) -> bytes:
        return self._library.take(self._call(self._eac.TA_STEP5_sign, compressed, id_picc, auxiliary))

    def verifies(self, compressed: bytes, id_picc: bytes, auxiliary: bytes, signature: bytes) -> bool:
        return bool(self._call(self._eac.TA_STEP6_verify, compressed, id_picc, auxiliary, signature) == 1)

    def agree(self, public: bytes) -> None:
        self._check(self._call(self._eac.CA_STEP4_compute_shared_secret, public), "shared secret")

    def accepts(self, nonce: bytes, token: bytes) -> bool:
        return bool(self._call(self._eac.CA_STEP6_derive_keys, nonce, token) == 1)

    def _call(self, function: Any, *octets: bytes) -> Any:
        given: list[ctypes._Pointer[_BufMem] | None] = [self._library.buffer(item) if item else None for item in octets]
        answer = function(self._context, *given)
        for item in given:
            if item is not None:
                self._library.crypto.BUF_MEM_free(item)
        return answer

    def _check(self, answer: int, name: str) -> None:
        if answer != 1:
            raise LibeacError(name)
