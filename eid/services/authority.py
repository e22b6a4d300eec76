"""The issuing authority on disk: CSCA, document signers, CRLs, the keys behind them, and the record of revocations.

DIR/authority.json   what there is, in order; written whole or not at all
DIR/keys/            the software key store (or the keys are in a PKCS#11 token)
DIR/*.cer, *.crl     certificates and CRLs, DER
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol

from eid.codec.x509 import Certificate, decode_certificate
from eid.crypto.signatures import SignatureAlgorithm
from eid.errors import LifecycleError, StoreError
from eid.keystore.card_keys import MasterKey
from eid.keystore.ports import Signer
from eid.pki.certificate_profile import IssuingState, Validity
from eid.pki.crl import Revocation, RevocationReason, build_crl
from eid.pki.csca import build_csca_certificate
from eid.pki.document_signer import build_document_signer_certificate, sign_sod
from eid.profile.loader import load_profile
from eid.profile.schema import CardProfile

FORMAT: Final = "eid-authority"
VERSION: Final = 1
REGISTER: Final = "authority.json"
KEYS: Final = "keys"
MASTER_KEY: Final = "card-master"
CSCA: Final = "csca-001"


class KeyStore(Protocol):
    """What the software store and the PKCS#11 store have in common."""

    def generate_ec(self, label: str, curve: str, algorithm: SignatureAlgorithm | None = None) -> Signer:
        """Make a key."""

    def load(self, label: str, algorithm: SignatureAlgorithm | None = None) -> Signer:
        """Reach a key."""

    def generate_master_key(self, label: str, length: int = 32) -> MasterKey:
        """Make a card master key."""

    def load_master_key(self, label: str) -> MasterKey:
        """Reach a card master key."""


@dataclass(frozen=True, slots=True)
class Register:
    """What the authority has made.

    Args:
        profile: name or path of the card profile that it signs for.
        signers: labels of the document signers, oldest first.
        crl_number: of the newest CRL. revocations: (serial, ISO time, reason's name) in the order in which they came.
    """

    profile: str
    signers: tuple[str, ...] = ()
    crl_number: int = 0
    revocations: tuple[tuple[int, str, str], ...] = ()

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
        }
        return json.dumps(told, indent=2).encode() + b"\n"


def decode_register(raw: bytes) -> Register:
    """Read `authority.json`.

    Raises:
        StoreError: it is of another format or version.
    """
    try:
        told: dict[str, Any] = json.loads(raw)
        if (told["format"], told["version"]) != (FORMAT, VERSION):
            raise StoreError(f"{REGISTER} is of another format or version")
        revocations = tuple((int(item["serial"], 16), item["at"], item["reason"]) for item in told["revocations"])
        return Register(told["profile"], tuple(told["signers"]), told["crl_number"], revocations)
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"{REGISTER} is damaged") from error


@dataclass(slots=True)
class IssuingAuthority:
    """An authority that is open: its keys can be used. Make one with `create_authority` or `open_authority`."""

    directory: Path
    keys: KeyStore = field(repr=False)
    register: Register
    profile: CardProfile

    # --- what there is

    @property
    def csca_certificate(self) -> bytes:
        """The CSCA certificate, DER."""
        return _read(self.directory / f"{CSCA}.cer")

    @property
    def crl(self) -> bytes:
        """The newest CRL, DER."""
        return _read(self.directory / f"crl-{self.register.crl_number:06}.crl")

    @property
    def signer_label(self) -> str:
        """Label of the newest document signer.

        Raises:
            LifecycleError: there is none.
        """
        if not self.register.signers:
            raise LifecycleError("the authority has no document signer yet")
        return self.register.signers[-1]

    @property
    def signer_certificate(self) -> bytes:
        """Certificate of the newest document signer, DER."""
        return _read(self.directory / f"{self.signer_label}.cer")

    @property
    def master_key(self) -> MasterKey:
        """The master key from which each card's SCP03 keys are derived."""
        return self.keys.load_master_key(MASTER_KEY)

    # --- what it does

    def add_signer(self, now: datetime, document_types: tuple[str, ...] | None = None) -> bytes:
        """Make the next document signer; its certificate, DER."""
        stated = self.profile.authority
        label = f"ds-{len(self.register.signers) + 1:03}"
        key = self.keys.generate_ec(label, stated.signer_curve, SignatureAlgorithm("ecdsa", stated.signer_hash))
        usage = Validity(now, now + timedelta(days=stated.signer_key_days))
        certificate = build_document_signer_certificate(
            self._csca_key(),
            self.csca_certificate,
            key.public_key_info,
            issuing_state(self.profile),
            f"SPECIMEN Document Signer {len(self.register.signers) + 1:03}",
            Validity(now, usage.not_after + timedelta(days=stated.document_days)),
            usage,
            document_types=document_types or (self.profile.document.code.rstrip("<"),),
        )
        _write(self.directory / f"{label}.cer", certificate)
        self._keep(replace(self.register, signers=(*self.register.signers, label)))
        return certificate

    def issue_crl(self, now: datetime) -> bytes:
        """Issue the next CRL with all that is revoked, DER."""
        number = self.register.crl_number + 1
        revocations = (
            Revocation(serial, datetime.fromisoformat(at), RevocationReason[reason] if reason else None)
            for serial, at, reason in self.register.revocations
        )
        crl = build_crl(
            self._csca_key(),
            self.csca_certificate,
            number=number,
            this_update=now,
            next_update=now + timedelta(days=self.profile.authority.crl_days),
            revocations=revocations,
        )
        _write(self.directory / f"crl-{number:06}.crl", crl)
        self._keep(replace(self.register, crl_number=number))
        return crl

    def revoke(self, serial: int, reason: RevocationReason | None, now: datetime) -> bytes:
        """Revoke a document signer and issue a CRL that says so, DER.

        Raises:
            LifecycleError: no document signer has that serial number, or it is revoked already.
        """
        if serial not in {certificate.serial for _, certificate in self.signers()}:
            raise LifecycleError(f"no document signer has the serial number {serial:x}")
        if any(known == serial for known, _, _ in self.register.revocations):
            raise LifecycleError(f"the document signer {serial:x} is revoked already")
        entry = (serial, now.isoformat(), "" if reason is None else reason.name)
        self._keep(replace(self.register, revocations=(*self.register.revocations, entry)))
        return self.issue_crl(now)

    def signers(self) -> tuple[tuple[str, Certificate], ...]:
        """All document signers, oldest first: label and certificate."""
        return tuple(
            (label, decode_certificate(_read(self.directory / f"{label}.cer"))) for label in self.register.signers
        )

    def sign_sod(self, lds_security_object: bytes, now: datetime) -> bytes:
        """EF.SOD, signed by the newest document signer.

        Raises:
            LifecycleError: its key may not sign any more: add a new one.
        """
        key = self.keys.load(self.signer_label, SignatureAlgorithm("ecdsa", self.profile.authority.signer_hash))
        return sign_sod(lds_security_object, key, self.signer_certificate, signing_time=now)

    def _csca_key(self) -> Signer:
        return self.keys.load(CSCA, SignatureAlgorithm("ecdsa", self.profile.authority.csca_hash))

    def _keep(self, register: Register) -> None:
        _write(self.directory / REGISTER, register.encode(), replace_existing=True)
        self.register = register


def issuing_state(profile: CardProfile) -> IssuingState:
    """The names that the authority's certificates carry."""
    stated = profile.authority
    return IssuingState(
        stated.country,
        stated.organization,
        stated.email,
        (stated.crl_uri,),
        stated.ec_parameters == "explicit",
        profile.document.issuing_state,
    )


def create_authority(directory: Path, profile_name: str, keys: KeyStore, now: datetime) -> IssuingAuthority:
    """Make a CSCA, its first document signer, a CRL and the card master key.

    Raises:
        StoreError: there is an authority in the directory already. KeyStoreError: a key cannot be made.
    """
    if (directory / REGISTER).exists():
        raise StoreError(f"there is an authority in {directory} already")
    profile = load_profile(profile_name).profile
    stated = profile.authority
    key = keys.generate_ec(CSCA, stated.csca_curve, SignatureAlgorithm("ecdsa", stated.csca_hash))
    usage = Validity(now, now + timedelta(days=stated.csca_key_days))
    lasting = stated.signer_key_days + stated.document_days
    certificate = build_csca_certificate(
        key,
        issuing_state(profile),
        "SPECIMEN CSCA",
        Validity(now, usage.not_after + timedelta(days=lasting)),
        usage,
    )
    directory.mkdir(parents=True, exist_ok=True)
    _write(directory / f"{CSCA}.cer", certificate)
    keys.generate_master_key(MASTER_KEY, profile.security_domain.key_length)
    authority = IssuingAuthority(directory, keys, Register(profile_name), profile)
    authority.add_signer(now)
    authority.issue_crl(now)
    return authority


def open_authority(directory: Path, keys: KeyStore) -> IssuingAuthority:
    """Open an authority that was made before.

    Raises:
        StoreError: there is none in the directory, or its register is damaged.
    """
    if not (directory / REGISTER).is_file():
        raise StoreError(f"there is no authority in {directory}; make one with: eid pki init")
    register = decode_register(_read(directory / REGISTER))
    return IssuingAuthority(directory, keys, register, load_profile(register.profile).profile)


def open_software_keys(directory: Path, passphrase: bytes | Callable[[], bytes]) -> KeyStore:
    """The authority's software key store."""
    from eid.keystore.software import SoftwareKeyStore

    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{directory}: {error.strerror}") from error
    return SoftwareKeyStore(directory / KEYS, passphrase)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error


def _write(path: Path, raw: bytes, *, replace_existing: bool = False) -> None:
    """Write a file whole or not at all."""
    if path.exists() and not replace_existing:
        raise StoreError(f"{path} exists already")
    unfinished = path.with_name(f".{path.name}.new")
    try:
        with unfinished.open("wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error
