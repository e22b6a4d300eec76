"""The register of an issuing authority, and the directory that holds it.

DIR/authority.json   what there is, in order; written whole or not at all
DIR/keys/            the software key store (or the keys are in a PKCS#11 token)
DIR/*.cer, *.crl     certificates and CRLs, DER
"""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from eid.errors import StoreError
from eid.pki.crl import RevocationReason

FORMAT: Final = "eid-authority"
VERSION: Final = 1
REGISTER: Final = "authority.json"
MASTER_KEY: Final = "card-master"
CSCA: Final = "csca-001"
LABEL: Final = re.compile(r"ds-[0-9]{3,9}")


@dataclass(frozen=True, slots=True)
class Register:
    """What the authority has made.

    Args:
        profile: name or absolute path of the card profile that it signs for.
        signers: labels of the document signers, oldest first.
        crl_number: of the newest CRL, 0 for none.
        revocations: (serial, ISO time, reason's name or "") in the order in which they came.
        unfinished: label of the key that is being made; "" where none is.
    """

    profile: str
    signers: tuple[str, ...] = ()
    crl_number: int = 0
    revocations: tuple[tuple[int, str, str], ...] = ()
    unfinished: str = ""

    def encode(self) -> bytes:
        """JSON; serial numbers as hexadecimal text."""
        told = {
            "format": FORMAT,
            "version": VERSION,
            "profile": self.profile,
            "signers": list(self.signers),
            "crl_number": self.crl_number,
            "revocations": [
                {"serial": f"{serial:x}", "at": at, "reason": reason} for serial, at, reason in self.revocations
            ],
            "unfinished": self.unfinished,
        }
        return json.dumps(told, indent=2).encode() + b"\n"


def decode_register(raw: bytes) -> Register:
    """Read `authority.json`.

    Raises:
        StoreError: it is of another format or version, or damaged.
    """
    try:
        told: dict[str, Any] = json.loads(raw)
        if (told["format"], told["version"]) != (FORMAT, VERSION):
            raise StoreError(f"{REGISTER} is of another format or version")
        revocations = tuple((int(item["serial"], 16), item["at"], item["reason"]) for item in told["revocations"])
        register = Register(
            told["profile"], tuple(told["signers"]), told["crl_number"], revocations, told.get("unfinished", "")
        )
        _check_register(register)
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise StoreError(f"{REGISTER} is damaged") from error
    return register


def _check_register(register: Register) -> None:
    """Insist on sound values: labels become file names and key names.

    Raises:
        ValueError, TypeError, KeyError: they are not.
    """
    labels = (*register.signers, *((register.unfinished,) if register.unfinished not in ("", CSCA, MASTER_KEY) else ()))
    if not all(LABEL.fullmatch(label) for label in labels) or not isinstance(register.profile, str):
        raise ValueError("a label or the profile is malformed")
    if type(register.crl_number) is not int or register.crl_number < 0:
        raise ValueError("the CRL number is no number")
    for _, at, reason in register.revocations:
        if datetime.fromisoformat(at).tzinfo is None or (reason and not RevocationReason[reason]):
            raise ValueError("a revocation is malformed")


@contextmanager
def lock_directory(directory: Path) -> Iterator[None]:
    """Hold the directory against other writers of this machine.

    Raises:
        StoreError: it is missing or cannot be written to.
    """
    try:
        descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise StoreError(f"{directory}: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)  # which ends the lock


def load_file(path: Path) -> bytes:
    """Content of a file.

    Raises:
        StoreError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error


def store_file(path: Path, raw: bytes) -> None:
    """Write a file whole or not at all, durably.

    Raises:
        StoreError: it cannot be written.
    """
    unfinished = path.with_name(f".{path.name}.new")
    try:
        with unfinished.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
