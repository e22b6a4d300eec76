"""OpenPACE's libeac through ctypes: Terminal Authentication, Chip Authentication 2, Restricted Identification.

Signatures: libeac's public headers eac.h, ta.h, ca.h and ri.h, version 1.1. It offers no function that gives a chip its
key of Restricted Identification, so the two structures on the way to it are written out here as eac.h has them.
"""

from __future__ import annotations

import ctypes
from ctypes import CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_int, c_long, c_size_t, c_void_p
from types import TracebackType
from typing import Any, Self

from tests.interop.libeac.openpace import LibeacError, Library, _Buffer, _BufMem


class _RiCtx(Structure):
    """RI_CTX of eac.h."""

    _fields_ = (
        ("protocol", c_int),
        ("id", c_int),
        ("md", c_void_p),
        ("generate_key", CFUNCTYPE(_Buffer, c_void_p, c_void_p)),
        ("compute_key", c_void_p),
        ("static_key", c_void_p),
    )


class _EacCtx(Structure):
    """The beginning of EAC_CTX of eac.h."""

    _fields_ = (
        ("tr_version", c_int),
        ("bn_ctx", c_void_p),
        ("md_ctx", c_void_p),
        ("cipher_ctx", c_void_p),
        ("pace_ctx", c_void_p),
        ("pace_ctxs", c_void_p),
        ("ri_ctx", POINTER(_RiCtx)),
    )


class ExtendedAccess:
    """One EAC context."""

    def __init__(self, library: Library, pace: tuple[str, int]) -> None:
        self._library, self._eac = library, library.eac
        for name, result, *arguments in (
            ("EAC_CTX_init_ta", c_int, c_void_p, *((c_char_p, c_size_t) * 2)),
            ("EAC_CTX_init_ca", c_int, c_void_p, c_int, c_int),
            ("EAC_CTX_init_ri", c_int, c_void_p, c_int, c_int),
            ("RI_STEP2_compute_identifier", _Buffer, c_void_p, _Buffer),
            ("CA_set_key", c_int, c_void_p, *((c_char_p, c_size_t) * 2)),
            ("CA_STEP3_check_pcd_pubkey", c_int, c_void_p, _Buffer, _Buffer),
            ("CA_STEP5_derive_keys", c_int, c_void_p, _Buffer, POINTER(_Buffer), POINTER(_Buffer)),
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
        self._check(self._eac.EAC_CTX_init_ta(self._context, None, 0, cvca, len(cvca)), "trust point")
        self._eac.TA_disable_checks(self._context)

    def own(self, private_key: bytes, certificate: bytes) -> None:
        """The terminal's key, PKCS#8, and certificate."""
        arguments = (private_key, len(private_key), certificate, len(certificate))
        self._check(self._eac.EAC_CTX_init_ta(self._context, *arguments), "terminal's key")

    def chip(self, protocol: str, parameter_id: int) -> None:
        """Protocol and domain parameters of Chip Authentication, for either end."""
        self._check(self._eac.EAC_CTX_init_ca(self._context, self._nid(protocol), parameter_id), "chip")

    def chip_key(self, scalar: bytes, public: bytes) -> None:
        """The chip's own key, for its end."""
        self._check(self._eac.CA_set_key(self._context, scalar, len(scalar), public, len(public)), "chip's key")

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

    def is_bound(self, compressed: bytes, public: bytes) -> bool:
        """Whether the chip takes the terminal's key for the one of Terminal Authentication."""
        return bool(self._call(self._eac.CA_STEP3_check_pcd_pubkey, compressed, public) == 1)

    def answer(self, public: bytes) -> tuple[bytes, bytes]:
        """The chip's nonce and token for the terminal's key."""
        self.agree(public)
        nonce, token, given = _Buffer(), _Buffer(), self._library.buffer(public)
        answer = self._eac.CA_STEP5_derive_keys(self._context, given, byref(nonce), byref(token))
        self._library.crypto.BUF_MEM_free(given)
        self._check(answer, "token")
        return self._library.take(nonce), self._library.take(token)

    def restricted(self, protocol: str, parameter_id: int, private_key: bytes | None = None) -> bytes:
        """The chip's key of Restricted Identification: PKCS#8, or made here; its public key where it was made."""
        self._check(self._eac.EAC_CTX_init_ri(self._context, self._nid(protocol), parameter_id), "RI")
        context = ctypes.cast(self._context, POINTER(_EacCtx)).contents
        restricted = context.ri_ctx.contents
        if private_key is None:
            return self._library.take(restricted.generate_key(restricted.static_key, context.bn_ctx))
        load, free = self._library.crypto.d2i_AutoPrivateKey, self._library.crypto.EVP_PKEY_free
        load.restype, load.argtypes = c_void_p, (c_void_p, POINTER(c_char_p), c_long)
        free.restype, free.argtypes = None, (c_void_p,)
        key = load(None, byref(c_char_p(private_key)), len(private_key))
        self._check(int(bool(key)), "chip's key")
        free(restricted.static_key)
        restricted.static_key = key
        return b""

    def identifier(self, sector: bytes) -> bytes:
        """What the chip is called in the sector of this public key."""
        return self._library.take(self._call(self._eac.RI_STEP2_compute_identifier, sector))

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
