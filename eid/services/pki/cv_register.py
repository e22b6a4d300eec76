"""What a card-verifiable certificate authority, or a terminal's holder, has on disk (TR-03110-3 C).

DIR/cv.json         who it is and which keys it has, in order; written whole or not at all
DIR/keys/           the software key store (or the keys are in a PKCS#11 token)
DIR/own/            its certificates, link certificates and requests
DIR/issued/         certificates that it has issued
DIR/trust/          CVCA certificates that it trusts, its own not among them
DIR/others/         certificates between those and its own
DIR/signatures/     what each key signed (eid.store.signature_record)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

from eid.crypto.signatures import SignatureAlgorithm
from eid.errors import LifecycleError
from eid.keystore.algorithm import rsa_algorithm
from eid.pki.cv_rights import TERMINAL_TYPES
from eid.services.pki.register_format import RegisterFormat

REGISTER: Final = "cv.json"
FORMAT: Final = RegisterFormat(REGISTER, "eid-cv-authority", 1)
CvRole = Literal["cvca", "dv", "terminal"]
HOLDER: Final = re.compile(r"[A-Z]{2}[A-Z0-9]{1,9}")  # country and mnemonic, TR-03110-3 D.2.1.2; printable here
SEQUENCE_DIGITS: Final = 5


@dataclass(frozen=True, slots=True)
class CvRegister:
    """Who it is and what it has made.

    Args:
        holder: country and mnemonic, e.g. "UTCVCASPEC". terminal_type: "is", "at" or "st".
        kind: a curve's name, or "RSA-" and a number of bits. scheme: "pss" or "pkcs1", for RSA.
        keys: holder references of the keys that have a certificate, oldest first. sequence: the last number in use.
        pending: holder reference of the key that waits for its certificate; "" for none.
    """

    role: CvRole
    holder: str
    terminal_type: str
    kind: str
    hash_name: str = "sha256"
    scheme: str = "pss"
    keys: tuple[str, ...] = ()
    sequence: int = 0
    pending: str = ""

    @property
    def terminal_type_oid(self) -> str:
        """The terminal type, dotted."""
        return TERMINAL_TYPES[self.terminal_type]

    @property
    def algorithm(self) -> SignatureAlgorithm:
        """What the keys sign with."""
        if self.kind.startswith("RSA-"):
            return rsa_algorithm(f"rsa-{self.scheme}", self.hash_name)
        return SignatureAlgorithm("ecdsa", self.hash_name)

    @property
    def current(self) -> str:
        """Holder reference of the newest key that has a certificate.

        Raises:
            LifecycleError: there is none yet.
        """
        if not self.keys:
            raise LifecycleError(f"{self.holder} has no certificate yet: request one, and install it")
        return self.keys[-1]

    def reference(self, sequence: int) -> str:
        """Holder reference with a sequence number."""
        return f"{self.holder}{sequence:0{SEQUENCE_DIGITS}}"

    def encode(self) -> bytes:
        """JSON."""
        told = {
            "role": self.role,
            "holder": self.holder,
            "terminal_type": self.terminal_type,
            "kind": self.kind,
            "hash": self.hash_name,
            "scheme": self.scheme,
            "keys": list(self.keys),
            "sequence": self.sequence,
            "pending": self.pending,
        }
        return FORMAT.encode(told)


def decode_cv_register(raw: bytes) -> CvRegister:
    """Read `cv.json`.

    Raises:
        StoreError: it is of another format or version, or damaged.
    """
    return FORMAT.decode(raw, _build)


def _build(told: dict[str, Any]) -> CvRegister:
    register = CvRegister(
        told["role"],
        told["holder"],
        told["terminal_type"],
        told["kind"],
        told["hash"],
        told["scheme"],
        tuple(told["keys"]),
        told["sequence"],
        told["pending"],
    )
    _check_register(register)
    return register


def _check_register(register: CvRegister) -> None:
    """Insist on sound values: references become file names and key names.

    Raises:
        ValueError, TypeError: they are not.
    """
    own = re.compile(rf"{re.escape(register.holder)}[0-9]{{{SEQUENCE_DIGITS}}}")
    references = (*register.keys, *((register.pending,) if register.pending else ()))
    if not HOLDER.fullmatch(register.holder) or not all(own.fullmatch(item) for item in references):
        raise ValueError("a reference is malformed")
    if register.role not in get_args(CvRole) or register.terminal_type not in TERMINAL_TYPES:
        raise ValueError("an unknown role or terminal type")
    if type(register.sequence) is not int or not 0 <= register.sequence < 10**SEQUENCE_DIGITS:
        raise ValueError("the sequence number is none")
    if not all(isinstance(text, str) for text in (register.kind, register.hash_name, register.scheme)):
        raise ValueError("the key's kind is malformed")
