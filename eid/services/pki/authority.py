"""The issuing authority: CSCA, document signers, list signers, CRLs, the keys behind them, the record of revocations.

Before a key is made the register names it as unfinished, so that an attempt that broke off is taken up again with that
key and with no other; a certificate or CRL that the register does not name was never issued. Before a key signs the
record of signatures says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from eid.codec.crl import decode_crl
from eid.codec.x509 import decode_certificate
from eid.errors import LifecycleError, NotStoredError, StoreError
from eid.keystore.ports import KeyStore, Signer
from eid.lds.security_infos import SecurityInfo
from eid.pki.card_security import sign_card_security
from eid.pki.certificate_profile import Validity, is_same_key
from eid.pki.certification_request import verify_certification_request
from eid.pki.csca import build_csca_certificate, build_link_certificate
from eid.pki.document_signer import build_document_signer_certificate, sign_sod
from eid.profile.loader import load_profile
from eid.services.pki.authority_holdings import link_label
from eid.services.pki.authority_keys import algorithm_of, issuing_state
from eid.services.pki.authority_lists import AuthorityLists
from eid.services.pki.authority_register import REGISTER, decode_register
from eid.services.pki.authority_revocation import AuthorityRevocation
from eid.store.files import load_file, store_file
from eid.store.signature_record import SignatureLimitError

KEYS: Final = "keys"  # the folder of the software key store
MAX_NAME: Final = 64  # characters, of a common name, RFC 5280 A.1 ub-common-name
LAST_DAY: Final = timedelta(days=1)  # documents are good to its end, at whatever hour certificates were made


@dataclass(slots=True)
class IssuingAuthority(AuthorityRevocation, AuthorityLists):
    """An authority that is open; without a key store it can only be looked at.

    Make one with `create_authority` or `open_authority`.
    """

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
        key = self._make_key(label, stated.csca_curve, algorithm_of(stated, stated.csca_curve, stated.csca_hash))
        usage = Validity(now, now + timedelta(days=stated.csca_key_days))
        lasting = timedelta(days=stated.signer_key_days + stated.document_days) + LAST_DAY
        certificate = build_csca_certificate(
            self._recorded(key, f"certificate {label}", now),
            issuing_state(self.profile),
            name,
            Validity(now, usage.not_after + lasting),
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
        key = self._make_key(label, stated.signer_curve, algorithm_of(stated, stated.signer_curve, stated.signer_hash))
        usage = Validity(now, now + timedelta(days=stated.signer_key_days))
        certificate = build_document_signer_certificate(
            csca,
            self.csca_certificate,
            key.public_key_info,
            issuing_state(self.profile),
            f"SPECIMEN Document Signer {number:03}",
            Validity(now, usage.not_after + timedelta(days=stated.document_days) + LAST_DAY),
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
                Validity(now, usage.not_after + timedelta(days=stated.document_days) + LAST_DAY),
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


def require_common_name(name: str) -> None:
    """Insist that a certificate can carry a common name.

    Raises:
        LifecycleError: it cannot.
    """
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise LifecycleError(f"a common name has 1 to {MAX_NAME} printable characters")


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
