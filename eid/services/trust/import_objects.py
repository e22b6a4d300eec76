"""The objects of an import: certificates and CRLs, entered into the index as they are, each with its findings."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from eid.codec.x509 import format_serial
from eid.errors import DecodeError
from eid.pki.examination import ExaminedCertificate, ExaminedCrl, examine_certificate, examine_crl
from eid.pki.lint import Finding, Grade
from eid.services.trust.files import identify_signer
from eid.services.trust.policy import TrustPolicy
from eid.services.trust.settling import describe_findings, restore_findings, settle
from eid.services.trust.sources import Piece, SourceFile
from eid.store import trust_index as index
from eid.store.tables import trust_crl

MAX_TEXT: Final = 1024  # characters that the index holds of a name or a reason
BATCH: Final = 500
MAX_TOLD: Final = 1000  # objects of an import that are told one by one; all are counted
Progress = Callable[[int], None]


@dataclass(frozen=True, slots=True)
class Imported:
    """One certificate, CRL or deviation list of an import.

    Args:
        kind: "CSCA", "LINK", "DS", "ML_SIGNER", "DVL_SIGNER", "OTHER", "CRL" or "DVL". subject: of a CRL its issuer.
        is_new: whether the store did not have it yet. is_held: whether it waits for a decision.
        findings: graded; where it is unusable, the last says why.
    """

    fingerprint: str
    kind: str
    subject: str
    source: str
    is_new: bool
    usable: bool
    is_held: bool = False
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did.

    Args:
        items: the first thousand objects. counts: objects by kind. new, held, unusable: how many.
        findings: how many of each grade and code. sources: files and lists, refused ones with their reason.
    """

    import_id: int
    items: tuple[Imported, ...]
    counts: Mapping[str, int]
    new: int
    held: int
    unusable: int
    findings: Mapping[tuple[Grade, str], int]
    sources: tuple[index.TrustSource, ...]

    @property
    def total(self) -> int:
        """All objects."""
        return sum(self.counts.values())


@dataclass(slots=True)
class ObjectImport:
    """One import under way, in its transaction."""

    connection: Connection
    policy: TrustPolicy
    unsigned: bool
    vouched: bool
    now: datetime
    progress: Progress | None
    import_id: int = 0
    items: list[Imported] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    findings: Counter[tuple[Grade, str]] = field(default_factory=Counter)
    new: int = 0
    authorities: list[bytes] = field(default_factory=list)  # fingerprints of new ones
    crls: list[bytes] = field(default_factory=list)  # of new ones

    def _settle(self) -> None:
        settle(self.connection, self.policy, self.import_id, self.authorities, self.crls)

    # --- certificates

    def _take_bare(self, batch: list[bytes], source: SourceFile, source_id: int, *, must_read: bool) -> int:
        """Take certificates that no list vouches for; how many of them are authorities."""
        held_for = "" if self.unsigned or (self.vouched and not source.is_ldif) else "nobody signed for it"
        return self._take_certificates(batch, source.name, source_id, held_for, must_read=must_read)

    def _take_certificates(
        self, batch: list[bytes], name: str, source_id: int, held_for: str, *, must_read: bool = False
    ) -> int:
        """Enter certificates, authorities held where `held_for` says why; how many authorities there are."""
        raws = {hashlib.sha256(raw).digest(): raw for raw in batch}
        known = index.touch(self.connection, list(raws), self.now)
        fresh = [examine_certificate(raw) for fingerprint, raw in raws.items() if fingerprint not in known]
        for item in fresh:
            if must_read and item.certificate is None:
                raise DecodeError(f"{name}: {item.why}", clause="RFC 5280 4.1")
        index.add_certificates(self.connection, [self._describe(item, held_for) for item in fresh])
        index.add_sightings(self.connection, raws, source_id)
        if not held_for:
            index.release(self.connection, list(known))
        self.authorities.extend(item.fingerprint for item in fresh if item.kind.is_authority)
        for item in fresh:
            self._tell(item.fingerprint, item.kind.value, item.subject, name, item.why, item.findings, is_new=True)
        seen = index.load_certificates(self.connection, list(known)).values()
        for row in seen:
            self._tell(row.fingerprint, row.kind, row.subject, name, row.why, restore_findings(row.findings))
        authorities = sum(1 for row in seen if row.kind in index.AUTHORITIES)
        return authorities + sum(1 for item in fresh if item.kind.is_authority)

    def _describe(self, item: ExaminedCertificate, held_for: str) -> index.TrustedCertificate:
        certificate = item.certificate
        is_held = bool(held_for) and item.kind.is_authority
        return index.TrustedCertificate(
            fingerprint=item.fingerprint,
            kind=item.kind.value,
            country=item.country[:3],
            subject=item.subject[:MAX_TEXT],
            issuer=item.issuer[:MAX_TEXT],
            serial="" if certificate is None else format_serial(certificate.serial)[:64],
            ski=None if certificate is None else (certificate.extensions.subject_key_identifier or b"")[:64] or None,
            subject_id=item.subject_id,
            issuer_id=item.issuer_id,
            key_id=item.key_id,
            name_id=bytes(32) if certificate is None else identify_signer(certificate.issuer_raw, certificate.serial),
            not_before=None if certificate is None else certificate.not_before,
            not_after=None if certificate is None else certificate.not_after,
            usable=item.is_usable,
            why=item.why[:MAX_TEXT],
            state="HELD" if is_held else "ACCEPTED",
            held_for=held_for if is_held else "",
            findings=describe_findings(item.findings),
            first_seen=self.now,
            last_seen=self.now,
            raw=item.raw,
        )

    # --- CRLs

    def _take_crl(self, piece: Piece, source: SourceFile, source_id: int) -> None:
        examined = examine_crl(piece.raw)
        if examined.crl is None and stands_alone(piece, source):
            raise DecodeError(f"{source.name}: {examined.why}", clause="RFC 5280 5.1")
        known = index.touch(self.connection, [examined.fingerprint], self.now)
        if examined.fingerprint not in known:
            index.add_crls(self.connection, [self._describe_crl(examined)])
            self.crls.append(examined.fingerprint)
        index.add_sightings(self.connection, [examined.fingerprint], source_id)
        self._tell(
            examined.fingerprint,
            "CRL",
            examined.issuer,
            source.name,
            examined.why,
            examined.findings,
            is_new=examined.fingerprint not in known,
        )

    def _describe_crl(self, item: ExaminedCrl) -> index.TrustedCrl:
        return index.TrustedCrl(
            item.fingerprint,
            item.country[:3],
            item.issuer[:MAX_TEXT],
            item.issuer_id,
            None if item.number is None else str(item.number)[:64],
            None if item.crl is None else item.crl.this_update,
            None if item.crl is None else item.crl.next_update,
            None,
            False,
            item.why[:MAX_TEXT],
            describe_findings(item.findings),
            self.now,
            self.now,
            item.raw,
        )

    # --- telling

    def _tell(
        self,
        fingerprint: bytes,
        kind: str,
        subject: str,
        name: str,
        why: str,
        findings: tuple[Finding, ...],
        *,
        is_new: bool = False,
    ) -> None:
        self.counts[kind] += 1
        self.new += is_new
        if kind != "CRL":  # a CRL's are known once it is settled who signed it
            self.findings.update((item.grade, item.code) for item in findings)
        if len(self.items) < MAX_TOLD:
            told = Imported(fingerprint.hex(), kind, subject, name, is_new, not why, False, findings)
            self.items.append(told)
        if self.progress is not None:
            self.progress(self.counts.total())

    def _report(self) -> ImportReport:
        for row in index.list_crls(self.connection, where=(index.is_seen_in(self.import_id, trust_crl),)):
            self.findings.update((item.grade, item.code) for item in restore_findings(row.findings))
        held, unusable = index.count_seen(self.connection, self.import_id)
        return ImportReport(
            self.import_id,
            self._renew(),
            dict(sorted(self.counts.items())),
            self.new,
            held,
            unusable,
            dict(sorted(self.findings.items())),
            index.list_sources(self.connection, self.import_id),
        )

    def _renew(self) -> tuple[Imported, ...]:
        """What the objects came to be once everything was settled."""
        wanted = [bytes.fromhex(item.fingerprint) for item in self.items if item.kind != "CRL"]
        rows = {key.hex(): row for key, row in index.load_certificates(self.connection, wanted).items()}
        crls = {
            item.fingerprint.hex(): item
            for item in index.list_crls(self.connection, where=(index.is_seen_in(self.import_id, trust_crl),))
        }
        return tuple(
            replace(item, usable=crl.usable, findings=restore_findings(crl.findings))
            if (crl := crls.get(item.fingerprint)) is not None
            else replace(item, is_held=row.state == "HELD")
            if (row := rows.get(item.fingerprint)) is not None
            else item
            for item in self.items
        )


def stands_alone(piece: Piece, source: SourceFile) -> bool:
    """Whether it is all that the operator named, who then is told at once what is wrong with it."""
    return not (piece.place or source.is_ldif or source.is_one_of_many)
