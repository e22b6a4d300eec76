"""What an authority revokes, and the CRLs that say so."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from eid.codec.x509 import decode_certificate
from eid.errors import AlreadyDoneError, LifecycleError
from eid.pki.crl import Revocation, RevocationReason, build_crl
from eid.services.pki.authority_keys import AuthorityKeys
from eid.store.files import store_file


@dataclass(slots=True)
class AuthorityRevocation(AuthorityKeys):
    """What an authority does with revocations and CRLs."""

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
