"""A CVCA, a document verifier, or a terminal's holder: keys, requests, certificates, links (TR-03110-3 2.2, C).

Who gets a certificate has shown who he is: by a second signature under a key that was certified before, his own or that
of his national CVCA; or, the first time, by a digest of the request that came another way.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Final

from eid.codec.cv import CvCertificate, CvExtension, Role, decode_cv_certificate
from eid.crypto.signatures import SignatureAlgorithm
from eid.errors import AlreadyDoneError, LifecycleError, NotStoredError, StoreError
from eid.keystore.ports import KeyStore, Signer
from eid.pki.cv_chain import SIGNATURE_ALGORITHMS, Verified, load_trust_point, verify_cv_chain
from eid.pki.cv_issuing import build_cv_certificate, build_cv_public_key
from eid.pki.cv_request import (
    VerifiedRequest,
    authenticate_cv_request,
    build_cv_request,
    certify_cv_request,
    verify_cv_request,
    verify_outer_signature,
    without_parameters,
)
from eid.pki.cv_rights import build_chat
from eid.protocols.restricted_identification.core import build_terminal_sector
from eid.protocols.restricted_identification.sector_key import SectorPublicKey
from eid.services.pki.cv_register import HOLDER, REGISTER, SEQUENCE_DIGITS, CvRegister, decode_cv_register
from eid.services.pki.recorded_keys import RecordedKeys
from eid.services.pki.recorded_signer import RecordedSigner
from eid.store.files import load_file, lock_directory, store_file
from eid.store.signature_record import SignatureRecord

SIGNATURES: Final = "signatures"
FOLDERS: Final = ("own", "issued", "trust", "others")
MAX_CHAIN: Final = 8
ROLES_BELOW: Final[dict[str, tuple[Role, ...]]] = {
    "cvca": (Role.DOMESTIC_DV, Role.FOREIGN_DV),
    "dv": (Role.TERMINAL,),
    "terminal": (),
}


@dataclass(slots=True)
class CvAuthority(RecordedKeys):
    """It is open; without a key store it can only be looked at. Make one with `create_cv_authority`, or open it."""

    directory: Path
    store: KeyStore | None = field(repr=False)
    register: CvRegister
    operator: str = ""

    # --- what there is

    @property
    def record(self) -> SignatureRecord:
        """What each key has signed."""
        return SignatureRecord(self.directory / SIGNATURES)

    @property
    def certificate(self) -> bytes:
        """The newest certificate of its own.

        Raises:
            LifecycleError: there is none yet.
        """
        return load_file(self._own(self.register.current))

    def links(self) -> tuple[bytes, ...]:
        """Link certificates of a CVCA, oldest first."""
        paths = (self.directory / "own" / f"{name}.link.cvcert" for name in self.register.keys)
        return tuple(load_file(path) for path in paths if path.exists())

    def issued(self) -> tuple[CvCertificate, ...]:
        """All certificates that it has issued, by name."""
        paths = sorted((self.directory / "issued").glob("*.cvcert"))
        return tuple(decode_cv_certificate(load_file(path)) for path in paths)

    def chain(self) -> tuple[Verified, tuple[bytes, ...]]:
        """The trust point, and the certificates from below it to the newest of its own.

        Raises:
            LifecycleError: there is none yet. NotStoredError: a certificate between is missing.
        """
        chain = [decode_cv_certificate(self.certificate)]
        while not chain[0].is_self_signed:
            above = chain[0].authority_reference
            trusted = self.directory / "trust" / f"{above}.cvcert"
            if trusted.exists():
                return load_trust_point(load_file(trusted)), tuple(item.raw for item in chain)
            between = self.directory / "others" / f"{above}.cvcert"
            if len(chain) == MAX_CHAIN or not between.exists():
                raise NotStoredError(f"the certificate of {above} is not here")
            chain.insert(0, decode_cv_certificate(load_file(between)))
        return load_trust_point(chain[0].raw), tuple(item.raw for item in chain[1:])

    def verified(self, today: date) -> Verified:
        """Its own newest certificate, verified down from the trust point.

        Raises:
            VerificationError: the chain does not verify today. LifecycleError, NotStoredError: as `chain`.
        """
        trust_point, chain = self.chain()
        return verify_cv_chain((decode_cv_certificate(raw) for raw in chain), trust_point, today)

    # --- a CVCA's keys

    def renew(self, now: datetime, days: int, rights: bytes, kind: str | None = None) -> bytes:
        """Make the next CVCA key: its self-signed certificate, and a link certificate by the key before it.

        Args:
            days: validity. rights: of all terminals below, role bits clear. kind: of key, None for the one before.

        Returns:
            the self-signed certificate.

        Raises:
            LifecycleError: it is no CVCA. KeyStoreError: a key cannot be used or made.
        """
        if self.register.role != "cvca":
            raise LifecycleError("only a CVCA signs a certificate for itself")
        with self._alone():
            old = self._signer(self.register.current, "link certificate", now) if self.register.keys else None
            key = self._next_key(kind or self.register.kind)
            reference = self.register.pending
            terms = {
                "holder_reference": reference,
                "public_key": build_cv_public_key(key, explicit=True),
                "chat": build_chat(Role.CVCA, self.register.terminal_type_oid, rights),
                "effective_date": now.date(),
                "expiration_date": now.date() + timedelta(days=days),
            }
            signer = self._recorded(key, f"certificate {reference}", now)
            raw = build_cv_certificate(signer, authority_reference=reference, **terms)  # type: ignore[arg-type]  # above
            store_file(self._own(reference), raw)
            if old is not None:
                link = build_cv_certificate(old, authority_reference=self.register.current, **terms)  # type: ignore[arg-type]  # above
                store_file(self.directory / "own" / f"{reference}.link.cvcert", link)
            self._keep(replace(self.register, keys=(*self.register.keys, reference), pending=""))
            return raw

    # --- what it asks of others

    def request(self, now: datetime, authority_reference: str | None = None) -> bytes:
        """A request for the next key; signed by the key so far, too, where its certificate has not expired.

        Args:
            authority_reference: whose certificate is hoped for; None leaves that to the receiver.

        Raises:
            LifecycleError: a CVCA asks nobody. KeyStoreError: a key cannot be used or made.
        """
        if self.register.role == "cvca":
            raise LifecycleError("a CVCA certifies itself: renew it")
        with self._alone():
            key = self._next_key(self.register.kind)
            reference = self.register.pending
            signer = self._recorded(key, f"request {reference}", now)
            raw = build_cv_request(signer, reference, authority_reference)
            if self.register.keys and decode_cv_certificate(self.certificate).expiration_date >= now.date():
                current = self.register.current
                raw = authenticate_cv_request(raw, self._signer(current, f"request {reference}", now), current)
            store_file(self.directory / "own" / f"{reference}.cvreq", raw)
            return raw

    def install(self, raw: bytes, between: tuple[bytes, ...], trusted: tuple[bytes, ...], now: datetime) -> bytes:
        """Take over the certificate that was asked for, once it verifies.

        Args:
            between: certificates from below the trust point to the issuer's. trusted: CVCA certificates that came on a
                trustworthy way; they are kept.

        Raises:
            LifecycleError: it is not for the key that waits. VerificationError: the chain does not verify today.
            DecodeError: malformed.
        """
        certificate = decode_cv_certificate(raw)
        with self._alone():
            if not self.register.pending or certificate.holder_reference != self.register.pending:
                raise LifecycleError(f"no key waits for a certificate of {certificate.holder_reference}")
            self._require_own_key(certificate)
            points = {point.certificate.holder_reference: point for point in map(load_trust_point, trusted)}
            for path in sorted((self.directory / "trust").glob("*.cvcert")):
                points.setdefault(path.name.removesuffix(".cvcert"), load_trust_point(load_file(path)))
            chain = (*map(decode_cv_certificate, between), certificate)
            point = points.get(chain[0].authority_reference)
            if point is None:
                raise LifecycleError(f"the CVCA {chain[0].authority_reference} is not trusted here")
            verify_cv_chain(chain, point, now.date())
            for found in points.values():
                store_file(self._file("trust", found.certificate.holder_reference), found.certificate.raw)
            for item in chain[:-1]:
                store_file(self._file("others", item.holder_reference), item.raw)
            store_file(self._own(certificate.holder_reference), raw)
            names = (*self.register.keys, certificate.holder_reference)
            self._keep(replace(self.register, keys=names, pending=""))
        return raw

    def _require_own_key(self, certificate: CvCertificate) -> None:
        """The public key must be the one that was sent in; its request says so."""
        sent = verify_cv_request(load_file(self.directory / "own" / f"{certificate.holder_reference}.cvreq"))
        if without_parameters(sent.request.public_key) != without_parameters(certificate.public_key):
            raise LifecycleError("the certificate is not for the key that was sent in")

    # --- what it does for others

    def countersign(self, raw: bytes, now: datetime) -> bytes:
        """Vouch for a request of one's own country to a foreign CVCA: a second signature (C.2.2).

        Raises:
            LifecycleError: it is no CVCA, or has not issued a certificate to the sender. VerificationError: the request
                does not verify. DecodeError: malformed.
        """
        if self.register.role != "cvca":
            raise LifecycleError("a CVCA vouches for a request to a foreign CVCA")
        request = verify_cv_request(raw)
        sender = request.request.holder_reference[:-SEQUENCE_DIGITS]
        if not self._known(sender):
            raise LifecycleError(f"{sender} is not known here: only a holder with a certificate is vouched for")
        inner = request.request.raw
        current = self.register.current
        return authenticate_cv_request(inner, self._signer(current, f"request of {sender}", now), current)

    def issue(
        self,
        raw: bytes,
        role: Role,
        rights: bytes,
        days: int,
        now: datetime,
        *,
        fingerprint: str | None = None,
        sectors: tuple[SectorPublicKey, ...] = (),
    ) -> bytes:
        """The certificate that a request asks for.

        Args:
            rights: of the holder, role bits clear. days: validity, cut at the end of the issuer's.
            fingerprint: SHA-256 of the request, hex, as it came another way than the request.
            sectors: in which the terminal may tell cards apart (C.3.2), two at most.

        Raises:
            LifecycleError: the sender has not shown who he is, what is asked for reaches beyond the issuer's own, or
                sectors for one that is no authentication terminal.
            AlreadyDoneError: that holder reference has a certificate. VerificationError: a signature is wrong.
            DecodeError: malformed. KeyStoreError: the key cannot be used.
        """
        if role not in ROLES_BELOW[self.register.role]:
            raise LifecycleError(f"a {self.register.role} issues no certificate to a {role.name}")
        if sectors and (role is not Role.TERMINAL or self.register.terminal_type != "at" or len(sectors) > 2):
            raise LifecycleError("one or two sectors are of authentication terminals, and of nobody else")
        with self._alone():
            own = self.verified(now.date())
            request = verify_cv_request(raw, own.key.curve)
            reference = request.request.holder_reference
            path = self._file("issued", reference)
            if path.exists():
                raise AlreadyDoneError(f"{reference} has its certificate: {path}")
            self._require_known_sender(request, raw, fingerprint, now.date())
            until = min(now.date() + timedelta(days=days), own.certificate.expiration_date)
            signer = self._signer(self.register.current, f"certificate {reference}", now)
            chat = build_chat(role, self.register.terminal_type_oid, rights)
            certificate = certify_cv_request(signer, own, request, chat, now.date(), until, _extend(signer, sectors))
            store_file(path, certificate)
            return certificate

    def _require_known_sender(self, request: VerifiedRequest, raw: bytes, fingerprint: str | None, today: date) -> None:
        if fingerprint is not None:
            told = "".join(fingerprint.split()).replace(":", "").lower()
            if not hmac.compare_digest(told.encode(), hashlib.sha256(raw).hexdigest().encode()):
                raise LifecycleError("the request is not the one whose digest was told")
            return
        sender = request.request.holder_reference[:-SEQUENCE_DIGITS]
        if request.outer is None:
            raise LifecycleError(
                f"nobody vouches for this request of {sender}: compare its digest with the sender, and tell it"
            )
        verify_outer_signature(request, self._find_voucher(request.outer.authority_reference, sender, today))

    def _find_voucher(self, reference: str, sender: str, today: date) -> Verified:
        """Under what a request is countersigned: the sender's certificate so far, or his national CVCA's."""
        issued, trusted = self._file("issued", reference), self._file("trust", reference)
        if reference[:-SEQUENCE_DIGITS] == sender and issued.exists():
            own = self.verified(today)
            # One that this key did not issue, but the one before it, verifies under that one.
            return self._verify_issued(decode_cv_certificate(load_file(issued)), own, today)
        if reference[:2] == sender[:2] and trusted.exists():
            return load_trust_point(load_file(trusted))
        raise LifecycleError(f"{reference}, which vouches for this request of {sender}, is not known here")

    def _verify_issued(self, certificate: CvCertificate, own: Verified, today: date) -> Verified:
        issuer = own
        if certificate.authority_reference != own.certificate.holder_reference:
            before = self._own(certificate.authority_reference)
            if self.register.role != "cvca" or not before.exists():
                raise LifecycleError(f"{certificate.holder_reference} was issued under a key that is gone")
            issuer = load_trust_point(load_file(before))
        return verify_cv_chain((certificate,), issuer, today)

    def trust(self, raw: bytes) -> Verified:
        """Trust a foreign CVCA's certificate that came on a trustworthy way: it may vouch for requests.

        Raises:
            VerificationError: it is no CVCA's, or its signature is wrong. DecodeError: malformed.
        """
        point = load_trust_point(raw)
        with self._alone():
            store_file(self._file("trust", point.certificate.holder_reference), raw)
        return point

    def _known(self, sender: str) -> bool:
        return any(item.holder_reference[:-SEQUENCE_DIGITS] == sender for item in self.issued())

    # --- keys and files

    def _next_key(self, kind: str) -> Signer:
        """The key that waits for its certificate, or a new one; the register names it before it is made."""
        if not self.register.pending:
            number = self.register.sequence + 1
            if number >= 10**SEQUENCE_DIGITS:
                raise LifecycleError("all sequence numbers are used up")
            reference = self.register.reference(number)
            self._require_new(reference)
            self._keep(replace(self.register, kind=kind, sequence=number, pending=reference))
        return self._load_or_generate(self.register.pending, kind, self.register.algorithm)

    def _signer(self, reference: str, purpose: str, now: datetime) -> RecordedSigner:
        """A key that has a certificate; the certificate says what it signs with."""
        certificate = decode_cv_certificate(load_file(self._own(reference)))
        signer = self.keys.load(reference, _algorithm_of(certificate))
        return self._recorded(signer, purpose, now)

    def _own(self, reference: str) -> Path:
        return self.directory / "own" / f"{reference}.cvcert"

    def _file(self, folder: str, reference: str) -> Path:
        """File of another holder's certificate; a reference with anything but letters and digits makes no file name."""
        if not (reference.isascii() and reference.isalnum()):
            raise LifecycleError("a holder reference here has letters and digits only")
        return self.directory / folder / f"{reference}.cvcert"

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One writer at a time, who sees what the one before has written."""
        with lock_directory(self.directory):
            self.register = decode_cv_register(load_file(self.directory / REGISTER))
            yield

    def _keep(self, register: CvRegister) -> None:
        store_file(self.directory / REGISTER, register.encode())
        self.register = register


def _algorithm_of(certificate: CvCertificate) -> SignatureAlgorithm:
    """What a certified key signs with; signatures of a key store are DER, and made plain later."""
    algorithm = SIGNATURE_ALGORITHMS[certificate.public_key.oid]
    return replace(algorithm, kind="ecdsa") if algorithm.kind == "ecdsa-plain" else algorithm


def create_cv_authority(
    directory: Path, register: CvRegister, keys: KeyStore | None = None, operator: str = ""
) -> CvAuthority:
    """Make the directory of a CVCA, a document verifier or a terminal's holder; no key yet.

    Raises:
        AlreadyDoneError: there is one already. LifecycleError: the holder is malformed. StoreError: it cannot be made.
    """
    if not HOLDER.fullmatch(register.holder):
        raise LifecycleError("a holder is a country and one to nine letters or digits, e.g. UTCVCASPEC")
    if (directory / REGISTER).exists():
        raise AlreadyDoneError(f"there is a CV authority in {directory} already")
    try:
        for name in FOLDERS:
            (directory / name).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{directory}: {error.strerror}") from error
    with lock_directory(directory):
        store_file(directory / REGISTER, register.encode())
    return CvAuthority(directory, keys, register, operator)


def open_cv_authority(directory: Path, keys: KeyStore | None = None, operator: str = "") -> CvAuthority:
    """Open what was made before; without keys, to look at it.

    Raises:
        NotStoredError: there is none. StoreError: its register is damaged.
    """
    require_cv_authority(directory)
    return CvAuthority(directory, keys, decode_cv_register(load_file(directory / REGISTER)), operator)


def require_cv_authority(directory: Path) -> None:
    """Insist that there is one, before anything is made or asked for.

    Raises:
        NotStoredError: there is none in the directory.
    """
    if not (directory / REGISTER).is_file():
        raise NotStoredError(f"there is no CV authority in {directory}; make one with: eid pki cv init")


def _extend(signer: Signer, sectors: tuple[SectorPublicKey, ...]) -> tuple[CvExtension, ...]:
    if not sectors:
        return ()
    return (build_terminal_sector(signer.algorithm.hash_name, *(key.content for key in sectors)),)
