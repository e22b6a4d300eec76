"""The issuing authority: CSCA, document signers, CRLs, the keys behind them, and the record of revocations.

Before a key is made the register names it as unfinished, so that an attempt that broke off is taken up again with that
key and with no other; a certificate or CRL that the register does not name was never issued.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from eid.codec.crl import decode_crl
from eid.codec.x509 import Certificate, decode_certificate
from eid.crypto.signatures import SignatureAlgorithm
from eid.errors import AlreadyDoneError, KeyStoreError, LifecycleError, NotStoredError, StoreError
from eid.keystore.ports import KeySetSource, KeyStore, Signer
from eid.pki.certificate_profile import IssuingState, Validity
from eid.pki.crl import Revocation, RevocationReason, build_crl
from eid.pki.csca import build_csca_certificate
from eid.pki.document_signer import build_document_signer_certificate, sign_sod
from eid.profile.loader import load_profile
from eid.profile.schema import CardProfile
from eid.services.authority_register import (
    CSCA,
    MASTER_KEY,
    REGISTER,
    Register,
    decode_register,
    load_file,
    lock_directory,
    store_file,
)

KEYS: Final = "keys"  # the folder of the software key store


@dataclass(slots=True)
class IssuingAuthority:
    """An authority that is open; without a key store it can only be looked at.

    Make one with `create_authority` or `open_authority`.
    """

    directory: Path
    store: KeyStore | None = field(repr=False)
    register: Register
    profile: CardProfile

    # --- what there is

    @property
    def keys(self) -> KeyStore:
        """Where the authority's keys are.

        Raises:
            KeyStoreError: it was opened without them.
        """
        if self.store is None:
            raise KeyStoreError("the authority was opened without its keys")
        return self.store

    @property
    def csca_certificate(self) -> bytes:
        """The CSCA certificate, DER."""
        return load_file(self.directory / f"{CSCA}.cer")

    @property
    def crl(self) -> bytes:
        """The newest CRL, DER."""
        return load_file(self._crl_path(self.register.crl_number))

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
        return load_file(self.directory / f"{self.signer_label}.cer")

    @property
    def master_key(self) -> KeySetSource:
        """The master key from which each card's SCP03 keys are derived."""
        return self.keys.load_master_key(MASTER_KEY)

    # --- what it does

    def add_signer(self, now: datetime, document_types: tuple[str, ...] | None = None) -> bytes:
        """Make the next document signer; its certificate, DER.

        Raises:
            KeyStoreError: a key cannot be used or made. StoreError: a file cannot be written.
        """
        with self._alone():
            return self._add_signer(now, document_types)

    def _add_signer(self, now: datetime, document_types: tuple[str, ...] | None = None) -> bytes:
        stated = self.profile.authority
        csca = self._csca_key()  # first: a wrong passphrase must not protect a new key
        number = len(self.register.signers) + 1
        label = f"ds-{number:03}"
        key = self._make_key(label, stated.signer_curve, SignatureAlgorithm("ecdsa", stated.signer_hash))
        usage = Validity(now, now + timedelta(days=stated.signer_key_days))
        certificate = build_document_signer_certificate(
            csca,
            self.csca_certificate,
            key.public_key_info,
            issuing_state(self.profile),
            f"SPECIMEN Document Signer {number:03}",
            Validity(now, usage.not_after + timedelta(days=stated.document_days)),
            usage,
            document_types=document_types or (self.profile.document.code.rstrip("<"),),
        )
        store_file(self.directory / f"{label}.cer", certificate)
        self._keep(replace(self.register, signers=(*self.register.signers, label), unfinished=""))
        return certificate

    def issue_crl(self, now: datetime) -> bytes:
        """Issue the next CRL with all that is revoked, DER.

        Raises:
            KeyStoreError: the CSCA's key cannot be used. StoreError: a file cannot be written.
        """
        with self._alone():
            return self._issue_crl(now)

    def _issue_crl(self, now: datetime) -> bytes:
        number = self.register.crl_number + 1
        while self._crl_path(number).exists():  # of an attempt that broke off; a number is not used twice
            number += 1
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
        store_file(self._crl_path(number), crl)
        self._keep(replace(self.register, crl_number=number))
        return crl

    def revoke(self, serial: int, reason: RevocationReason | None, now: datetime) -> bytes:
        """Revoke a document signer and issue a CRL that says so, DER.

        Raises:
            LifecycleError: no document signer has that serial number, or it is revoked already.
        """
        with self._alone():
            if serial not in {certificate.serial for _, certificate in self.signers()}:
                raise LifecycleError(f"no document signer has the serial number {serial:x}")
            if self.is_revoked(serial):
                raise AlreadyDoneError(f"the document signer {serial:x} is revoked already")
            self._csca_key()  # a revocation that no CRL can say would be believed to be published
            entry = (serial, now.isoformat(), "" if reason is None else reason.name)
            self._keep(replace(self.register, revocations=(*self.register.revocations, entry)))
            return self._issue_crl(now)

    def is_revoked(self, serial: int) -> bool:
        """Whether the register says that this certificate is revoked."""
        return any(known == serial for known, _, _ in self.register.revocations)

    def require_ready(self, now: datetime) -> None:
        """Insist that what is signed now will verify: before a card is touched, not after it is spoiled.

        Raises:
            LifecycleError: the document signer is revoked, or its key's time is over, or the CRL is out of date.
        """
        signer = decode_certificate(self.signer_certificate)
        if self.is_revoked(signer.serial):
            raise LifecycleError("the document signer is revoked: make the next one with: eid pki ds")
        period = signer.extensions.private_key_usage_period()
        until = (period and period.not_after) or signer.not_after
        if now > until:
            raise LifecycleError(f"the document signer's key signed until {until:%Y-%m-%d}: make the next: eid pki ds")
        next_update = decode_crl(self.crl).next_update
        if next_update is not None and now > next_update:
            raise LifecycleError(f"the CRL was due anew by {next_update:%Y-%m-%d}: issue it with: eid pki crl")

    def signers(self) -> tuple[tuple[str, Certificate], ...]:
        """All document signers, oldest first: label and certificate."""
        return tuple(
            (label, decode_certificate(load_file(self.directory / f"{label}.cer"))) for label in self.register.signers
        )

    def sign_sod(self, lds_security_object: bytes, now: datetime) -> bytes:
        """EF.SOD, signed by the newest document signer.

        Raises:
            LifecycleError: its key may not sign any more, or it is revoked: add a new one.
        """
        if self.is_revoked(decode_certificate(self.signer_certificate).serial):
            raise LifecycleError("the document signer is revoked: make the next one with: eid pki ds")
        key = self.keys.load(self.signer_label, SignatureAlgorithm("ecdsa", self.profile.authority.signer_hash))
        return sign_sod(lds_security_object, key, self.signer_certificate, signing_time=now)

    def _csca_key(self) -> Signer:
        return self.keys.load(CSCA, SignatureAlgorithm("ecdsa", self.profile.authority.csca_hash))

    def _crl_path(self, number: int) -> Path:
        return self.directory / f"crl-{number:06}.crl"

    def _make_key(self, label: str, curve: str, algorithm: SignatureAlgorithm) -> Signer:
        """A new key, or the one that an earlier attempt at this very label left behind."""
        if self.register.unfinished == label:
            if label in self.keys.labels():
                return self.keys.load(label, algorithm)
        elif label in self.keys.labels():  # in a token that serves somebody else, too
            raise KeyStoreError(f"there is a key {label!r} already, and this authority did not make it")
        self._keep(replace(self.register, unfinished=label))
        return self.keys.generate_ec(label, curve, algorithm)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time, who sees what the one before has written: a revocation must not be lost."""
        with lock_directory(self.directory):
            self.register = decode_register(load_file(self.directory / REGISTER))
            yield

    def _keep(self, register: Register) -> None:
        store_file(self.directory / REGISTER, register.encode())
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
    """Make a CSCA, its first document signer, a CRL and the card master key; go on where an attempt broke off.

    Raises:
        AlreadyDoneError: there is an authority in the directory. KeyStoreError: a key cannot be made.
        StoreError: a file cannot be written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{directory}: {error.strerror}") from error
    with lock_directory(directory):
        authority = _begin(directory, profile_name, keys)
        if authority.register.unfinished in ("", CSCA) and not authority.register.signers:
            _make_csca(authority, now)
        if authority.register.unfinished in (CSCA, MASTER_KEY):
            _make_master_key(authority)
        if not authority.register.signers:
            authority._add_signer(now)
        authority._issue_crl(now)
    return authority


def _begin(directory: Path, profile_name: str, keys: KeyStore) -> IssuingAuthority:
    """A new register, or that of an attempt that did not come as far as its first CRL."""
    known = Path(profile_name).absolute() if profile_name.endswith(".toml") or "/" in profile_name else profile_name
    register = Register(str(known))
    profile = load_profile(register.profile).profile
    if (directory / REGISTER).exists():
        register = decode_register(load_file(directory / REGISTER))
        if register.crl_number:
            raise AlreadyDoneError(f"there is an authority in {directory} already")
        if register.profile != str(known):
            raise LifecycleError(f"the attempt that broke off in {directory} was for profile {register.profile}")
    return IssuingAuthority(directory, keys, register, profile)


def _make_csca(authority: IssuingAuthority, now: datetime) -> None:
    stated = authority.profile.authority
    key = authority._make_key(CSCA, stated.csca_curve, SignatureAlgorithm("ecdsa", stated.csca_hash))
    usage = Validity(now, now + timedelta(days=stated.csca_key_days))
    lasting = stated.signer_key_days + stated.document_days
    certificate = build_csca_certificate(
        key,
        issuing_state(authority.profile),
        "SPECIMEN CSCA",
        Validity(now, usage.not_after + timedelta(days=lasting)),
        usage,
    )
    store_file(authority.directory / f"{CSCA}.cer", certificate)


def _make_master_key(authority: IssuingAuthority) -> None:
    if authority.register.unfinished == MASTER_KEY:
        if _has_master_key(authority.keys):
            return
    elif _has_master_key(authority.keys):
        raise KeyStoreError(f"there is a key {MASTER_KEY!r} already, and this authority did not make it")
    authority._keep(replace(authority.register, unfinished=MASTER_KEY))
    authority.keys.generate_master_key(MASTER_KEY, authority.profile.security_domain.key_length)


def _has_master_key(keys: KeyStore) -> bool:
    try:
        keys.load_master_key(MASTER_KEY)
    except KeyStoreError:
        return False
    return True


def open_authority(directory: Path, keys: KeyStore | None = None) -> IssuingAuthority:
    """Open an authority that was made before; without keys, to look at it.

    Raises:
        NotStoredError: there is none in the directory. StoreError: it was not finished, or its register is damaged.
    """
    require_authority(directory)
    register = decode_register(load_file(directory / REGISTER))
    if not register.crl_number:
        raise StoreError(f"the authority in {directory} was not finished; go on with: eid pki init")
    return IssuingAuthority(directory, keys, register, load_profile(register.profile).profile)


def require_authority(directory: Path) -> None:
    """Insist that there is an authority, before anything is made or asked for.

    Raises:
        NotStoredError: there is none in the directory.
    """
    if not (directory / REGISTER).is_file():
        raise NotStoredError(f"there is no authority in {directory}; make one with: eid pki init")


def open_software_keys(directory: Path, passphrase: bytes | Callable[[], bytes]) -> KeyStore:
    """The authority's software key store, made where it is missing."""
    from eid.keystore.software import SoftwareKeyStore

    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{directory}: {error.strerror}") from error
    return SoftwareKeyStore(directory / KEYS, passphrase)
