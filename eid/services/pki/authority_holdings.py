"""What an issuing authority holds: certificates, CRLs, the record of signatures. To look at it takes no key."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from eid.codec.crl import CertificateList, decode_crl
from eid.codec.x509 import Certificate, decode_certificate
from eid.errors import LifecycleError, StoreError
from eid.pki.content_signer import usage_of
from eid.profile.schema import CardProfile
from eid.services.pki.authority_register import Register
from eid.store.files import load_file
from eid.store.signature_record import SignatureRecord

SIGNATURES: Final = "signatures"
CRL_DUE: Final = 2 / 3  # of a CRL's time: then the next one is due, so that relying parties have a third to fetch it


@dataclass(slots=True)
class AuthorityHoldings:
    """The directory of an authority, as its register says.

    Args:
        profile: what it signs for.
    """

    directory: Path
    register: Register
    profile: CardProfile

    @property
    def record(self) -> SignatureRecord:
        """What each key has signed."""
        return SignatureRecord(self.directory / SIGNATURES)

    @property
    def csca_label(self) -> str:
        """Label of the newest CSCA."""
        return self.register.cscas[-1]

    @property
    def csca_certificate(self) -> bytes:
        """The newest CSCA certificate, DER."""
        return self.load(self.csca_label)

    @property
    def csca_certificates(self) -> tuple[bytes, ...]:
        """All CSCA certificates, DER, oldest first."""
        return tuple(map(self.load, self.register.cscas))

    @property
    def links(self) -> tuple[tuple[str, Certificate], ...]:
        """Link certificates, oldest first: label of the file, and certificate."""
        labels = (link_label(label) for label in self.register.cscas[1:])
        found = (label for label in labels if (self.directory / f"{label}.cer").exists())
        return tuple((label, decode_certificate(self.load(label))) for label in found)

    @property
    def crl(self) -> bytes:
        """The newest CRL of the newest CSCA, DER."""
        return load_file(self.crl_path(dict(self.register.crls).get(self.csca_label, 0)))

    @property
    def crls(self) -> tuple[bytes, ...]:
        """The newest CRL of each CSCA key that signs one, DER, oldest CSCA first."""
        return tuple(load_file(self.crl_path(number)) for _, number in self.register.crls)

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
        return self.load(self.signer_label)

    def signers(self) -> tuple[tuple[str, Certificate], ...]:
        """All document signers, oldest first: label and certificate."""
        return self._certificates(self.register.signers)

    def list_signers(self) -> tuple[tuple[str, Certificate], ...]:
        """All list signers, oldest first: label and certificate."""
        return self._certificates(self.register.list_signers)

    def external_signers(self) -> tuple[tuple[str, Certificate], ...]:
        """Document signers whose keys live elsewhere, oldest first: label and certificate."""
        return self._certificates(self.register.external_signers)

    def newest_list_signer(self, prefix: str) -> tuple[str, Certificate] | None:
        """Label and certificate of the newest list signer whose label begins so."""
        return next((item for item in reversed(self.list_signers()) if item[0].startswith(prefix)), None)

    def issued(self) -> tuple[tuple[str, Certificate], ...]:
        """All certificates that a CSCA issued to others or to its successor, and that can be revoked."""
        return (*self.links, *self.signers(), *self.external_signers(), *self.list_signers())

    def is_revoked(self, serial: int) -> bool:
        """Whether the register says that this certificate is revoked."""
        return any(known == serial for known, _, _ in self.register.revocations)

    def may_sign(self, label: str, certificate: Certificate, now: datetime) -> bool:
        """Whether a document signer's key may make one more signature now."""
        usage = usage_of(certificate)
        return (
            label not in self.register.retired
            and not self.is_revoked(certificate.serial)
            and usage.not_before <= now <= usage.not_after
            and self.record.count(label) < self.profile.authority.signer_signatures
        )

    def crl_due(self, now: datetime) -> datetime | None:
        """Since when the next CRL is due; None where it is not yet."""
        due = now if self.is_crl_behind else min(map(due_time, map(decode_crl, self.crls)))
        return due if due <= now else None

    @property
    def is_crl_behind(self) -> bool:
        """Whether the newest CSCA has no CRL, or one that does not know the register: an attempt broke off before it.

        Of older CSCAs it is not asked: one whose key was destroyed signs no further CRL.
        """
        if self.csca_label not in dict(self.register.crls):
            return True
        crl = decode_crl(self.crl)
        times = (datetime.fromisoformat(at).replace(microsecond=0) for _, at, _ in self.register.revocations)
        is_said = all(at <= crl.this_update for at in times)
        return not is_said or any(not self.is_revoked(serial) for serial in crl.revoked)

    def issuer_of(self, label: str) -> bytes:
        """The CSCA certificate that a signer's certificate was issued under."""
        named = decode_certificate(self.load(label)).extensions.authority_key_identifier
        identifier = None if named is None else named.key_identifier
        for raw in self.csca_certificates:
            if decode_certificate(raw).extensions.subject_key_identifier == identifier:
                return raw
        raise StoreError(f"the CSCA certificate above {label} is not there")

    def crl_path(self, number: int) -> Path:
        """File of a CRL."""
        return self.directory / f"crl-{number:06}.crl"

    def _certificates(self, labels: Iterable[str]) -> tuple[tuple[str, Certificate], ...]:
        return tuple((label, decode_certificate(self.load(label))) for label in labels)

    def load(self, label: str) -> bytes:
        """A certificate by its label, DER.

        Raises:
            StoreError: it cannot be read.
        """
        return load_file(self.directory / f"{label}.cer")


def link_label(csca_label: str) -> str:
    """Label of the link certificate that vouches for a CSCA."""
    return csca_label.replace("csca", "link")


def due_time(crl: CertificateList) -> datetime:
    """When the CRL after this one is due."""
    until = crl.next_update or crl.this_update
    return crl.this_update + (until - crl.this_update) * CRL_DUE
