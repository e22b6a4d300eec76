"""The register of an issuing authority, and the directory that holds it.

DIR/authority.json   what there is, in order; written whole or not at all
DIR/keys/            the software key store (or the keys are in a PKCS#11 token)
DIR/*.cer, *.crl     certificates and CRLs, DER; link-002.cer vouches for csca-002
DIR/*.ml, *.dl       master and deviation lists that were signed here
DIR/signatures/      what each key signed (eid.store.signature_record)
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from eid.pki.crl import RevocationReason
from eid.services.pki.register_format import RegisterFormat

REGISTER: Final = "authority.json"
FORMAT: Final = RegisterFormat(REGISTER, "eid-authority", 1)
MASTER_KEY: Final = "card-master"
CSCA: Final = "csca-001"
CSCA_NAME: Final = "SPECIMEN CSCA"
LABEL: Final = re.compile(r"(?:csca|ds|xds|mls|dls|sls)-[0-9]{3,9}")


@dataclass(frozen=True, slots=True)
class Register:
    """What the authority has made.

    Args:
        profile: name or absolute path of the card profile that it signs for.
        signers: labels of the document signers, oldest first.
        crl_number: of the newest CRL, 0 for none.
        revocations: (serial, ISO time, reason's name or "") in the order in which they came.
        unfinished: label of the key that is being made; "" where none is.
        cscas, list_signers: labels, oldest first.
        retired: labels of keys that must not sign any more, though their time is not over.
        external_signers: labels of document signers whose keys live elsewhere, oldest first.
        crls: (label of a CSCA, number of the newest CRL that its key signed). name: common name of the CSCA.
    """

    profile: str
    signers: tuple[str, ...] = ()
    crl_number: int = 0
    revocations: tuple[tuple[int, str, str], ...] = ()
    unfinished: str = ""
    cscas: tuple[str, ...] = ()
    list_signers: tuple[str, ...] = ()
    retired: tuple[str, ...] = ()
    crls: tuple[tuple[str, int], ...] = ()
    name: str = CSCA_NAME
    external_signers: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """JSON; serial numbers as hexadecimal text."""
        told = {
            "profile": self.profile,
            "signers": list(self.signers),
            "crl_number": self.crl_number,
            "revocations": [
                {"serial": f"{serial:x}", "at": at, "reason": reason} for serial, at, reason in self.revocations
            ],
            "unfinished": self.unfinished,
            "cscas": list(self.cscas),
            "list_signers": list(self.list_signers),
            "retired": list(self.retired),
            "crls": dict(self.crls),
            "name": self.name,
            "external_signers": list(self.external_signers),
        }
        return FORMAT.encode(told)


def decode_register(raw: bytes) -> Register:
    """Read `authority.json`.

    Raises:
        StoreError: it is of another format or version, or damaged.
    """
    return FORMAT.decode(raw, _build)


def _build(told: dict[str, Any]) -> Register:
    revocations = tuple((int(item["serial"], 16), item["at"], item["reason"]) for item in told["revocations"])
    register = Register(
        told["profile"],
        tuple(told["signers"]),
        told["crl_number"],
        revocations,
        told["unfinished"],
        tuple(told["cscas"]),
        tuple(told["list_signers"]),
        tuple(told["retired"]),
        tuple(told["crls"].items()),
        told["name"],
        tuple(told.get("external_signers", ())),  # registers of version 0.1 have none
    )
    _check_register(register)
    return register


def _check_register(register: Register) -> None:
    """Insist on sound values: labels become file names and key names.

    Raises:
        ValueError, TypeError, KeyError: they are not.
    """
    unfinished = () if register.unfinished in ("", MASTER_KEY) else (register.unfinished,)
    numbers = dict(register.crls)
    labels = (*register.signers, *register.cscas, *register.list_signers, *register.retired, *numbers, *unfinished)
    labels += register.external_signers
    if not all(LABEL.fullmatch(label) for label in labels):
        raise ValueError("a label is malformed")
    if not all(isinstance(text, str) for text in (register.profile, register.name)):
        raise ValueError("the profile or the name is malformed")
    if any(type(number) is not int or number < 0 for number in (register.crl_number, *numbers.values())):
        raise ValueError("a CRL number is no number")
    for _, at, reason in register.revocations:
        if datetime.fromisoformat(at).tzinfo is None or (reason and not RevocationReason[reason]):
            raise ValueError("a revocation is malformed")
