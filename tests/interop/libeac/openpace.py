"""OpenPACE's libeac through ctypes, as far as PACE goes: an implementation that others wrote, for either end.

Signatures: libeac's public headers eac.h and pace.h, version 1.1. Only octets cross the border; every pointer belongs
to this module.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from ctypes import POINTER, Structure, c_char, c_char_p, c_int, c_size_t, c_ulong, c_void_p
from types import TracebackType
from typing import Self

PACE_MRZ, PACE_CAN, PACE_PIN, PACE_PUK = 1, 2, 3, 4
_ENCRYPTION_BY_PACE = 0  # EAC_ID_PACE


class Unavailable(Exception):
    """The library is not on this machine."""


class LibeacError(Exception):
    """A function of libeac reported a fault."""


class _BufMem(Structure):
    """BUF_MEM of OpenSSL 3."""

    _fields_ = (("length", c_size_t), ("data", POINTER(c_char)), ("max", c_size_t), ("flags", c_ulong))


_Buffer = POINTER(_BufMem)


class Library:
    """libeac and the libcrypto it is linked with."""

    def __init__(self) -> None:
        try:
            self.eac = ctypes.CDLL("libeac.so.3")
            self.crypto = ctypes.CDLL("libcrypto.so.3")
        except OSError as absent:
            raise Unavailable(str(absent)) from absent
        self._declare()
        self.eac.EAC_init()

    def _declare(self) -> None:
        eac, crypto = self.eac, self.crypto
        for name, result, *arguments in (
            ("EAC_init", None),
            ("EAC_CTX_new", c_void_p),
            ("EAC_CTX_clear_free", None, c_void_p),
            ("EAC_CTX_init_pace", c_int, c_void_p, c_int, c_int),
            ("EAC_CTX_init_ef_cardaccess", c_int, c_char_p, c_size_t, c_void_p),
            ("EAC_OBJ_txt2nid", c_int, c_char_p),
            ("EAC_CTX_set_encryption_ctx", c_int, c_void_p, c_int),
            ("EAC_set_ssc", c_int, c_void_p, c_ulong),
            ("EAC_encrypt", _Buffer, c_void_p, _Buffer),
            ("EAC_decrypt", _Buffer, c_void_p, _Buffer),
            ("EAC_authenticate", _Buffer, c_void_p, _Buffer),
            ("PACE_SEC_new", c_void_p, c_char_p, c_size_t, c_int),
            ("PACE_SEC_clear_free", None, c_void_p),
            ("PACE_STEP1_enc_nonce", _Buffer, c_void_p, c_void_p),
            ("PACE_STEP2_dec_nonce", c_int, c_void_p, c_void_p, _Buffer),
            ("PACE_STEP3A_generate_mapping_data", _Buffer, c_void_p),
            ("PACE_STEP3A_map_generator", c_int, c_void_p, _Buffer),
            ("PACE_STEP3B_generate_ephemeral_key", _Buffer, c_void_p),
            ("PACE_STEP3B_compute_shared_secret", c_int, c_void_p, _Buffer),
            ("PACE_STEP3C_derive_keys", c_int, c_void_p),
            ("PACE_STEP3D_compute_authentication_token", _Buffer, c_void_p, _Buffer),
            ("PACE_STEP3D_verify_authentication_token", c_int, c_void_p, _Buffer),
        ):
            function = getattr(eac, name)
            function.restype, function.argtypes = result, arguments
        for name, result, *arguments in (
            ("BUF_MEM_new", _Buffer),
            ("BUF_MEM_grow", c_size_t, _Buffer, c_size_t),
            ("BUF_MEM_free", None, _Buffer),
        ):
            function = getattr(crypto, name)
            function.restype, function.argtypes = result, arguments

    def buffer(self, data: bytes) -> ctypes._Pointer[_BufMem]:
        made = self.crypto.BUF_MEM_new()
        self.crypto.BUF_MEM_grow(made, len(data))
        ctypes.memmove(made.contents.data, data, len(data))
        return made  # type: ignore[no-any-return]  # ctypes gives Any

    def take(self, made: ctypes._Pointer[_BufMem]) -> bytes:
        """Octets of a BUF_MEM, which is freed."""
        if not made:
            raise LibeacError("a step gave nothing")
        data = ctypes.string_at(made.contents.data, made.contents.length)
        self.crypto.BUF_MEM_free(made)
        return data


class Pace:
    """One run of PACE, for either end. `password`: the digits, or the whole MRZ, lines joined."""

    def __init__(self, library: Library, protocol: str, parameter_id: int, password: bytes, kind: int) -> None:
        self._open(library, password, kind)
        nid = self._eac.EAC_OBJ_txt2nid(protocol.encode("ascii"))
        self._check(self._eac.EAC_CTX_init_pace(self._context, nid, parameter_id), "init")

    @classmethod
    def announced(cls, library: Library, card_access: bytes, password: bytes, kind: int) -> Self:
        """One run over what EF.CardAccess announces, which may write its domain parameters out."""
        run = cls.__new__(cls)
        run._open(library, password, kind)
        run._check(run._eac.EAC_CTX_init_ef_cardaccess(card_access, len(card_access), run._context), "EF.CardAccess")
        return run

    def _open(self, library: Library, password: bytes, kind: int) -> None:
        self._library = library
        self._eac = library.eac
        self._context = self._eac.EAC_CTX_new()
        self._secret = self._eac.PACE_SEC_new(password, len(password), kind)
        self._check(int(bool(self._secret)), "password")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._eac.PACE_SEC_clear_free(self._secret)
        self._eac.EAC_CTX_clear_free(self._context)

    def encrypt_nonce(self) -> bytes:
        """The card's step 1."""
        return self._library.take(self._eac.PACE_STEP1_enc_nonce(self._context, self._secret))

    def decrypt_nonce(self, encrypted: bytes) -> None:
        """The terminal's step 1."""
        self._give(self._eac.PACE_STEP2_dec_nonce, encrypted, self._secret)

    def mapping_key(self) -> bytes:
        return self._library.take(self._eac.PACE_STEP3A_generate_mapping_data(self._context))

    def map_generator(self, peer: bytes) -> None:
        self._give(self._eac.PACE_STEP3A_map_generator, peer)

    def ephemeral_key(self) -> bytes:
        return self._library.take(self._eac.PACE_STEP3B_generate_ephemeral_key(self._context))

    def agree(self, peer: bytes) -> None:
        self._give(self._eac.PACE_STEP3B_compute_shared_secret, peer)
        self._check(self._eac.PACE_STEP3C_derive_keys(self._context), "step 3C")

    def token(self, peer: bytes) -> bytes:
        given = self._library.buffer(peer)
        made = self._eac.PACE_STEP3D_compute_authentication_token(self._context, given)
        self._library.crypto.BUF_MEM_free(given)
        return self._library.take(made)

    def accepts(self, token: bytes) -> bool:
        given = self._library.buffer(token)
        answer = self._eac.PACE_STEP3D_verify_authentication_token(self._context, given)
        self._library.crypto.BUF_MEM_free(given)
        return bool(answer == 1)

    def encrypt(self, counter: int, padded: bytes) -> bytes:
        """What secure messaging under the agreed keys makes of padded data at this send sequence counter."""
        return self._protect(self._eac.EAC_encrypt, counter, padded)

    def decrypt(self, counter: int, cryptogram: bytes) -> bytes:
        """The padded data of a cryptogram at this send sequence counter."""
        return self._protect(self._eac.EAC_decrypt, counter, cryptogram)

    def authenticate(self, counter: int, message: bytes) -> bytes:
        """The MAC over a message at this send sequence counter, 8 octets."""
        return self._protect(self._eac.EAC_authenticate, counter, message)

    def _protect(self, function: ctypes._FuncPointer, counter: int, data: bytes) -> bytes:
        self._check(self._eac.EAC_CTX_set_encryption_ctx(self._context, _ENCRYPTION_BY_PACE), "encryption context")
        self._check(self._eac.EAC_set_ssc(self._context, counter), "send sequence counter")
        given = self._library.buffer(data)
        made = function(self._context, given)
        self._library.crypto.BUF_MEM_free(given)
        return self._library.take(made)

    def _give(self, function: ctypes._FuncPointer, data: bytes, *before: int) -> None:
        given = self._library.buffer(data)
        answer = function(self._context, *before, given)
        self._library.crypto.BUF_MEM_free(given)
        self._check(answer, function.__name__)

    def _check(self, answer: int, name: str) -> None:
        if answer != 1:
            raise LibeacError(name)
