"""The issuing authority: CSCA, document signers, list signers, CRLs, the keys behind them, the record of revocations.

Before a key is made the register names it as unfinished, so that an attempt that broke off is taken up again with that
key and with no other; a certificate or CRL that the register does not name was never issued. Before a key signs the
record of signatures says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from eid.codec import oid
from eid.codec.crl import decode_crl
from eid.codec.spki import decode_spki
from eid.codec.x509 import decode_certificate
from eid.crypto.signatures import SignatureAlgorithm
from eid.errors import AlreadyDoneError, KeyStoreError, LifecycleError, NotStoredError, StoreError
from eid.keystore.algorithm import rsa_algorithm
from eid.keystore.ports import KeySetSource, KeyStore, Signer
from eid.lds.security_infos import SecurityInfo
from eid.pki.card_security import sign_card_security
from eid.pki.certificate_profile import IssuingState, Validity, is_same_key
from eid.pki.certification_request import verify_certification_request
from eid.pki.content_signer import usage_of
from eid.pki.crl import Revocation, RevocationReason, build_crl
from eid.pki.csca import build_csca_certificate, build_link_certificate
from eid.pki.document_signer import build_document_signer_certificate, sign_sod
from eid.pki.list_signer import ListKind, build_list_signer_certificate, sign_list
from eid.profile.loader import load_profile
from eid.profile.schema import Authority, CardProfile
from eid.services.pki.authority_holdings import AuthorityHoldings, link_label
from eid.services.pki.authority_register import (
    MASTER_KEY,
    REGISTER,
    Register,
    decode_register,
    load_file,
    lock_directory,
    store_file,
)
from eid.services.pki.recorded_signer import RecordedSigner
from eid.store.signature_record import SignatureLimitError

KEYS: Final = "keys"  # the folder of the software key store
LIST_LABELS: Final = {ListKind.MASTER: "mls", ListKind.DEVIATION: "dls", ListKind.STATUS: "sls"}
STATUS_CURVE: Final = "P-256"  # JOSE has no names for the Brainpool curves
LIST_FILES: Final = {ListKind.MASTER: ("masterlist", "ml"), ListKind.DEVIATION: ("deviationlist", "dl")}
MAX_NAME: Final = 64  # characters, of a common name, RFC 5280 A.1 ub-common-name
LIST_KEY_DAYS: Final = (
    366  # a list signer's key signs for a year, and its certificate outlives the last list by another
)


@dataclass(slots=True)
class IssuingAuthority(AuthorityHoldings):
    """An authority that is open; without a key store it can only be looked at.

    Make one with `create_authority` or `open_authority`.

    Args:
        operator: who gives the orders, for the record of signatures.
    """

    store: KeyStore | None = field(repr=False)
    operator: str = ""
    _opened: dict[str, Signer] = field(default_factory=dict, init=False, repr=False)

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
    def master_key(self) -> KeySetSource:
        """The master key from which each card's SCP03 keys are derived."""
        return self.keys.load_master_key(MASTER_KEY)

    # --- CSCA

    def add_csca(self, now: datetime, *, name: str | None = None, with_link: bool = True) -> bytes:
        """Make the next CSCA key; its self-signed certificate, DER. A link certificate and CRLs come with it.

        Args:
            name: common name from now on, None for the one before. with_link: have the old key vouch for the new one.

        Raises:
            LifecycleError: the old key's time is over, so that it must not sign a link. KeyStoreError: a key cannot be
                used or made. StoreError: a file cannot be written.
        """
        with self._alone():
            old_raw = self.csca_certificate
            old = self._csca_signer(now, "link certificate") if with_link else None
            label = f"csca-{len(self.register.cscas) + 1:03}"
            self.certify_csca(label, name or self.register.name, now)
            if old is not None:
                new_raw = self.load(label)
                until = min(decode_certificate(raw).not_after for raw in (old_raw, new_raw))
                state = issuing_state(self.profile)
                link = build_link_certificate(old, old_raw, new_raw, state, Validity(now, until))
                store_file(self.directory / f"{link_label(label)}.cer", link)
            self._keep(
                replace(
                    self.register,
                    cscas=(*self.register.cscas, label),
                    name=name or self.register.name,
                    unfinished="",
                )
            )
            self._issue_crl(now)
            return self.csca_certificate

    def certify_csca(self, label: str, name: str, now: datetime) -> None:
        """Make a CSCA's key and self-signed certificate; the register does not name them yet.

        Raises:
            LifecycleError: the name is none that a certificate can carry.
        """
        require_common_name(name)
        stated = self.profile.authority
        key = self._make_key(label, stated.csca_curve, _algorithm(stated, stated.csca_curve, stated.csca_hash))
        usage = Validity(now, now + timedelta(days=stated.csca_key_days))
        lasting = stated.signer_key_days + stated.document_days
        certificate = build_csca_certificate(
            self._recorded(key, f"certificate {label}", now),
            issuing_state(self.profile),
            name,
            Validity(now, usage.not_after + timedelta(days=lasting)),
            usage,
        )
        store_file(self.directory / f"{label}.cer", certificate)

    # --- document signers

    def add_signer(self, now: datetime, document_types: tuple[str, ...] | None = None) -> bytes:
        """Make the next document signer; its certificate, DER.

        Args:
            document_types: as the MRZ writes them; None for those of the profile.

        Raises:
            LifecycleError: the CSCA's key may not sign any more. KeyStoreError: a key cannot be used or made.
            StoreError: a file cannot be written.
        """
        with self._alone():
            return self._add_signer(now, document_types)

    def _add_signer(self, now: datetime, document_types: tuple[str, ...] | None = None) -> bytes:
        stated = self.profile.authority
        number = len(self.register.signers) + 1
        label = f"ds-{number:03}"
        csca = self._csca_signer(now, f"certificate {label}")  # first: a wrong passphrase must not protect a new key
        key = self._make_key(label, stated.signer_curve, _algorithm(stated, stated.signer_curve, stated.signer_hash))
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

    def certify_request(
        self, request: bytes, now: datetime, document_types: tuple[str, ...] | None = None
    ) -> tuple[Path, bytes]:
        """Issue a certificate to a document signer whose key lives elsewhere; its file, and the certificate, DER.

        The request says who asks and with which key, and proves that he has it. All else is the authority's decision:
        country and organization are its own, periods and extensions those of its own document signers.

        Args:
            request: PKCS#10, DER or PEM. document_types: as `add_signer`.

        Raises:
            DecodeError, VerificationError: as `verify_certification_request`. LifecycleError: it is of another state,
                its key is in a certificate of this authority already, the name cannot be carried, or the CSCA's key may
                not sign any more. KeyStoreError: the CSCA's key cannot be used. StoreError: a file cannot be written.
        """
        accepted = verify_certification_request(request)
        state, stated = issuing_state(self.profile), self.profile.authority
        if accepted.country not in (None, state.country.upper()):
            raise LifecycleError(f"the request is of {accepted.country}, not of {state.country}")
        require_common_name(accepted.common_name)
        with self._alone():
            certificates = [decode_certificate(raw) for raw in self.csca_certificates]
            for known in (*certificates, *(item for _, item in self.issued())):
                if is_same_key(known.spki_raw, accepted.public_key_info):
                    raise LifecycleError("the key of the request is in a certificate of this authority already")
            label = f"xds-{len(self.register.external_signers) + 1:03}"
            usage = Validity(now, now + timedelta(days=stated.signer_key_days))
            certificate = build_document_signer_certificate(
                self._csca_signer(now, f"certificate {label}"),
                self.csca_certificate,
                accepted.public_key_info,
                state,
                accepted.common_name,
                Validity(now, usage.not_after + timedelta(days=stated.document_days)),
                usage,
                document_types=document_types or (self.profile.document.code.rstrip("<"),),
            )
            path = self.directory / f"{label}.cer"
            store_file(path, certificate)
            self._keep(replace(self.register, external_signers=(*self.register.external_signers, label)))
            return path, certificate

    def require_ready(self, now: datetime) -> None:
        """Insist that what is signed now will verify: before a card is touched, not after it is spoiled.

        Where the document signer's time or number of signatures is over, the next one is made.

        Raises:
            LifecycleError: the document signer is revoked, no next one can be made, or the CRL is out of date.
        """
        self._require_unrevoked()
        next_update = decode_crl(self.crl).next_update
        if next_update is not None and now > next_update:
            raise LifecycleError(f"the CRL was due anew by {next_update:%Y-%m-%d}: issue it with: eid pki crl")
        self._usable_signer(now)

    def sign_sod(self, lds_security_object: bytes, now: datetime) -> bytes:
        """EF.SOD, signed by the newest document signer that may sign now; the next one is made where none may.

        Raises:
            LifecycleError: the document signer is revoked: add a new one. KeyStoreError: a key cannot be used.
        """
        return self._sign_document(
            "EF.SOD",
            lambda signer, certificate: sign_sod(lds_security_object, signer, certificate, signing_time=now),
            now,
        )

    def sign_card_security(self, security_infos: Iterable[SecurityInfo], now: datetime) -> bytes:
        """EF.CardSecurity, signed as EF.SOD is.

        Raises:
            LifecycleError, KeyStoreError: as `sign_sod`.
        """
        infos = tuple(security_infos)
        return self._sign_document(
            "EF.CardSecurity",
            lambda signer, certificate: sign_card_security(infos, signer, certificate, signing_time=now),
            now,
        )

    def _sign_document(self, purpose: str, sign: Callable[[Signer, bytes], bytes], now: datetime) -> bytes:
        self._require_unrevoked()
        while True:
            label = self._usable_signer(now)
            if label not in self._opened:  # to open a software key costs scrypt's time
                self._opened[label] = self._open_key(label, self.profile.authority.signer_hash)
            limit = self.profile.authority.signer_signatures
            try:
                return sign(self._recorded(self._opened[label], purpose, now, limit), self.load(label))
            except SignatureLimitError:  # another process took the last one meanwhile
                continue

    def _require_unrevoked(self) -> None:
        self.register = decode_register(load_file(self.directory / REGISTER))  # another process may have revoked it
        if self.is_revoked(decode_certificate(self.signer_certificate).serial):
            # Not rolled over in silence: whatever made the key suspect may have reached the next one, too.
            raise LifecycleError("the document signer is revoked: make the next one with: eid pki ds")

    def _usable_signer(self, now: datetime) -> str:
        """Label of the newest document signer that may sign now, made where there is none."""
        label = self._find_signer(now)
        if label is not None:
            return label
        types = decode_certificate(self.signer_certificate).extensions.document_types()
        with self._alone():
            label = self._find_signer(now)
            if label is None:
                self._add_signer(now, types)
            return label or self.signer_label

    def _find_signer(self, now: datetime) -> str | None:
        return next((label for label, item in reversed(self.signers()) if self.may_sign(label, item, now)), None)

    # --- lists

    def sign_list(self, kind: ListKind, content: bytes, now: datetime) -> tuple[Path, bytes]:
        """Sign a master or deviation list; its file and ContentInfo, DER. A list signer is made where none may sign.

        Args:
            content: CscaMasterList or DeviationList, DER.

        Raises:
            LifecycleError: the CSCA's key may not sign any more. KeyStoreError: a key cannot be used or made.
        """
        with self._alone():
            label = self._usable_list_signer(kind, now)
            name, suffix = LIST_FILES[kind]
            key = self._open_key(label, self.profile.authority.signer_hash)
            signer = self._recorded(key, name, now, self.profile.authority.signer_signatures)
            raw = sign_list(kind, content, signer, self.load(label), self.issuer_of(label), signing_time=now)
            number = 1
            while (path := self.directory / f"{name}-{number:06}.{suffix}").exists():
                number += 1
            store_file(path, raw)
            return path, raw

    def status_signer(self, now: datetime) -> tuple[Signer, bytes]:
        """The key that signs status lists, its certificate, DER; made where none may sign.

        Raises:
            LifecycleError: the CSCA's key may not sign any more. KeyStoreError: a key cannot be used or made.
        """
        with self._alone():
            kind = ListKind.STATUS
            label = self._usable_list_signer(kind, now)
            limit = self.profile.authority.signer_signatures
            return self._recorded(self._open_key(label, "sha256"), "status list", now, limit), self.load(label)

    def add_list_signer(self, kind: ListKind, now: datetime) -> bytes:
        """Make the next list signer, which signs from now on; its certificate, DER.

        Raises:
            LifecycleError: the CSCA's key may not sign any more. KeyStoreError: a key cannot be used or made.
        """
        with self._alone():
            return self.load(self._add_list_signer(kind, now))

    def _usable_list_signer(self, kind: ListKind, now: datetime) -> str:
        """Label of a list signer that may sign now, made where there is none."""
        newest = self.newest_list_signer(LIST_LABELS[kind])
        if newest is not None and self.is_revoked(newest[1].serial):
            # As of document signers: whatever made the key suspect may have reached the next one, too.
            what = f"the list signer {newest[0]} is revoked: make the next one with:"
            raise LifecycleError(f"{what} eid pki list-signer {kind.name.lower()}")
        return self._find_list_signer(kind, now) or self._add_list_signer(kind, now)

    def _find_list_signer(self, kind: ListKind, now: datetime) -> str | None:
        prefix = LIST_LABELS[kind]
        return next(
            (
                label
                for label, item in reversed(self.list_signers())
                if label.startswith(prefix) and self.may_sign(label, item, now)
            ),
            None,
        )

    def _add_list_signer(self, kind: ListKind, now: datetime) -> str:
        stated, prefix = self.profile.authority, LIST_LABELS[kind]
        number = 1 + sum(label.startswith(prefix) for label in self.register.list_signers)
        label = f"{prefix}-{number:03}"
        csca = self._csca_signer(now, f"certificate {label}")
        is_status = kind is ListKind.STATUS
        curve, hash_name = (STATUS_CURVE, "sha256") if is_status else (stated.signer_curve, stated.signer_hash)
        key = self._make_key(label, curve, _algorithm(stated, curve, hash_name))
        usage = Validity(now, now + timedelta(days=LIST_KEY_DAYS))
        certificate = build_list_signer_certificate(
            kind,
            csca,
            self.csca_certificate,
            key.public_key_info,
            issuing_state(self.profile),
            f"SPECIMEN {kind.name.title()} List Signer {number:03}",
            Validity(now, usage.not_after + timedelta(days=LIST_KEY_DAYS)),
            usage,
        )
        store_file(self.directory / f"{label}.cer", certificate)
        self._keep(replace(self.register, list_signers=(*self.register.list_signers, label), unfinished=""))
        return label

    # --- CRLs

    def issue_crl(self, now: datetime) -> bytes:
        """Issue the next CRLs with all that is revoked; that of the newest CSCA, DER.

        Raises:
            KeyStoreError: a CSCA's key cannot be used. StoreError: a file cannot be written.
        """
        with self._alone():
            return self._issue_crl(now)

    def _issue_crl(self, now: datetime) -> bytes:
        """One CRL by each CSCA key: who knows only one of a state's keys can check what that key has issued."""
        number, crls = self.register.crl_number, dict(self.register.crls)
        for label in self.crl_issuers(now):
            number += 1
            while self.crl_path(number).exists():  # of an attempt that broke off; a number is not used twice
                number += 1
            certificate = self.load(label)
            crl = build_crl(
                self._recorded(self._open_key(label, self.profile.authority.csca_hash), f"CRL {number}", now),
                certificate,
                number=number,
                this_update=now,
                next_update=now + timedelta(days=self.profile.authority.crl_days),
                revocations=self._revocations(decode_certificate(certificate).subject_raw),
            )
            store_file(self.crl_path(number), crl)
            crls[label] = number
        self._keep(replace(self.register, crl_number=number, crls=tuple(sorted(crls.items()))))
        return self.crl

    def crl_issuers(self, now: datetime) -> tuple[str, ...]:
        """Labels of the CSCAs that sign CRLs, oldest first: the newest, and those before it that still have a key."""
        *older, newest = self.register.cscas
        present = set(self.keys.labels()) if older else set()
        living = (label for label in older if decode_certificate(self.load(label)).not_after >= now)
        return (*(label for label in living if label in present), newest)

    def _revocations(self, issuer: bytes) -> Iterable[Revocation]:
        """What a CRL in this name lists: a serial number means something under its own issuer's name only."""
        mine = {item.serial for _, item in self.issued() if item.issuer_raw == issuer}
        for serial, at, reason in self.register.revocations:
            if serial in mine:
                yield Revocation(serial, datetime.fromisoformat(at), RevocationReason[reason] if reason else None)

    def revoke(self, serial: int, reason: RevocationReason | None, now: datetime) -> bytes:
        """Revoke a certificate that a CSCA issued, and issue CRLs that say so; the newest CSCA's, DER.

        Raises:
            LifecycleError: no certificate has that serial number, it is revoked already, or no CRL can say so.
        """
        with self._alone():
            meant = next((certificate for _, certificate in self.issued() if certificate.serial == serial), None)
            if meant is None:
                raise LifecycleError(f"no document signer has the serial number {serial:x}")
            if self.is_revoked(serial):
                raise AlreadyDoneError(f"the document signer {serial:x} is revoked already")
            self._require_csca_key()  # a revocation that no CRL can say would be believed to be published
            issuers = (decode_certificate(self.load(label)).subject_raw for label in self.crl_issuers(now))
            if meant.issuer_raw not in issuers:
                raise LifecycleError(f"no key of the name that issued {serial:x} signs CRLs any more")
            entry = (serial, now.isoformat(), "" if reason is None else reason.name)
            self._keep(replace(self.register, revocations=(*self.register.revocations, entry)))
            return self._issue_crl(now)

    def release(self, serial: int, now: datetime) -> bytes:
        """Take a certificate that was on hold off the CRLs; the newest CSCA's, DER (RFC 5280 5.3.1).

        Raises:
            LifecycleError: it is not on hold; another revocation is for ever.
        """
        with self._alone():
            held = RevocationReason.CERTIFICATE_HOLD.name
            kept = tuple(item for item in self.register.revocations if (item[0], item[2]) != (serial, held))
            if len(kept) == len(self.register.revocations):
                raise LifecycleError(f"no certificate with the serial number {serial:x} is on hold")
            self._require_csca_key()
            self._keep(replace(self.register, revocations=kept))
            return self._issue_crl(now)

    # --- keys and files

    def _csca_signer(self, now: datetime, purpose: str) -> RecordedSigner:
        """The newest CSCA's key, within its time only (Doc 9303-12 4.1.4). CRLs it signs after that, too."""
        until = usage_of(decode_certificate(self.csca_certificate)).not_after
        if now > until:
            raise LifecycleError(f"the CSCA's key signed until {until:%Y-%m-%d}: make the next one with: eid pki csca")
        return self._recorded(self._open_key(self.csca_label, self.profile.authority.csca_hash), purpose, now)

    def _require_csca_key(self) -> None:
        self._open_key(self.csca_label, self.profile.authority.csca_hash)

    def _open_key(self, label: str, hash_name: str) -> Signer:
        """A key whose certificate is there; that says whether it is RSA or EC, whatever the profile says meanwhile."""
        is_rsa = decode_spki(decode_certificate(self.load(label)).spki_raw).algorithm.oid == oid.RSA_ENCRYPTION
        return self.keys.load(label, _algorithm(self.profile.authority, "RSA-" if is_rsa else "", hash_name))

    def _recorded(self, signer: Signer, purpose: str, now: datetime, limit: int | None = None) -> RecordedSigner:
        return RecordedSigner(signer, self.record, purpose, self.operator, now, limit)

    def _make_key(self, label: str, kind: str, algorithm: SignatureAlgorithm) -> Signer:
        """A new key, or the one that an earlier attempt at this very label left behind.

        Args:
            kind: name of a curve, or "RSA-" and a number of bits.
        """
        if self.register.unfinished == label:
            if label in self.keys.labels():
                return self.keys.load(label, algorithm)
        elif label in self.keys.labels():  # in a token that serves somebody else, too
            raise KeyStoreError(f"there is a key {label!r} already, and this authority did not make it")
        self._keep(replace(self.register, unfinished=label))
        if kind.startswith("RSA-"):
            return self.keys.generate_rsa(label, int(kind.removeprefix("RSA-")), algorithm)
        return self.keys.generate_ec(label, kind, algorithm)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time, who sees what the one before has written: a revocation must not be lost."""
        with lock_directory(self.directory):
            self.register = decode_register(load_file(self.directory / REGISTER))
            yield

    def _keep(self, register: Register) -> None:
        store_file(self.directory / REGISTER, register.encode())
        self.register = register


def require_common_name(name: str) -> None:
    """Insist that a certificate can carry a common name.

    Raises:
        LifecycleError: it cannot.
    """
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise LifecycleError(f"a common name has 1 to {MAX_NAME} printable characters")


def _algorithm(stated: Authority, kind: str, hash_name: str) -> SignatureAlgorithm:
    if kind.startswith("RSA-"):
        return rsa_algorithm(f"rsa-{stated.rsa_scheme}", hash_name)
    return SignatureAlgorithm("ecdsa", hash_name)


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


def open_authority(directory: Path, keys: KeyStore | None = None, operator: str = "") -> IssuingAuthority:
    """Open an authority that was made before; without keys, to look at it.

    Raises:
        NotStoredError: there is none in the directory. StoreError: it was not finished, or its register is damaged.
    """
    require_authority(directory)
    register = decode_register(load_file(directory / REGISTER))
    if not register.crl_number:
        raise StoreError(f"the authority in {directory} was not finished; go on with: eid pki init")
    return IssuingAuthority(directory, register, load_profile(register.profile).profile, keys, operator)


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
