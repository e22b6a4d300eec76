"""The import of trust material into a trust store: all of it in one transaction, or nothing.

What comes in is judged by who vouches for it. A certificate that the operator names is accepted. A list counts if its
signature ends at an anchor that the operator pinned; a list that nobody signed only if the operator says so, and that
is never forgotten. Certificates of document signers, and CRLs, need no one: they prove themselves by their issuer.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Final

from sqlalchemy import Connection, or_

from eid.codec.x509 import format_serial
from eid.errors import DecodeError, EidError, LifecycleError, Reason, StoreError, VerificationError
from eid.pki.examination import ExaminedCertificate, ExaminedCrl, examine_certificate, examine_crl
from eid.pki.lint import Finding, Grade
from eid.pki.master_list import decode_master_list
from eid.pki.signed_list import (
    SignedList,
    list_countries,
    read_unpinned_list,
    verify_deviation_list,
    verify_master_list,
)
from eid.services.trust.files import identify_signer, load_distrusts, open_index
from eid.services.trust.policy import TrustPolicy, load_trust_policy
from eid.services.trust.settling import NO_ISSUER, describe_findings, restore_findings, settle
from eid.services.trust.sources import Claim, Piece, SourceFile, find_sources
from eid.store import trust_index as index
from eid.store.database import in_transaction
from eid.store.tables import trust_certificate, trust_crl

MAX_TEXT: Final = 1024  # characters that the index holds of a name or a reason
MAX_TOLD: Final = 1000  # objects of an import that are told one by one; all are counted
MAX_WAITING: Final = 1 << 30  # octets of signed lists in one import; they wait on the disk
BATCH: Final = 500
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


def import_trust(
    directory: Path,
    files: Iterable[Path],
    *,
    unsigned: bool,
    now: datetime,
    vouched: bool = True,
    progress: Progress | None = None,
) -> ImportReport:
    """Put certificates, CRLs and lists into a trust store; all of the files, or none.

    Args:
        files: DER, PEM, signed lists, LDIF, directories of them. unsigned: the operator vouches for lists that nobody
            signed. now: UTC. vouched: the operator named the files and vouches for single certificates; where nobody
            did, authorities that no list vouches for are held. progress: told how many objects were taken so far.

    Raises:
        DecodeError: a file is malformed, or holds something else. VerificationError: a signed list is not accepted.
        LifecycleError: several authorities in a file or directory that nobody signed, and `unsigned` was not said; a
            list older than one of the same signer that was imported before. StoreError: the store cannot be written.
        ProfileError: the store's policy is malformed.
    """
    paths = tuple(files)
    policy = load_trust_policy(directory)
    engine = open_index(directory, make=True)
    try:
        with _open_shelf(directory) as shelf:
            return in_transaction(
                engine,
                lambda connection: _Import(connection, shelf, policy, unsigned, vouched, now, progress).run(paths),
            )
    finally:
        engine.dispose()


def _open_shelf(directory: Path) -> IO[bytes]:
    """A file without a name beside the store, which is gone with the import."""
    try:
        return TemporaryFile(dir=directory)
    except OSError as failure:
        raise StoreError(f"trust store {directory}: {failure.strerror}") from failure


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A signed list on the shelf: where it came from, and where on the shelf it is, in octets."""

    claim: Claim
    place: str
    source: SourceFile
    offset: int
    length: int


@dataclass(slots=True)
class _Import:
    """One import under way, in its transaction."""

    connection: Connection
    shelf: IO[bytes]  # where signed lists wait until every CRL that came with them is in
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
    skipped: list[str] = field(default_factory=list)  # the first of the reasons
    waiting: list[_Waiting] = field(default_factory=list)
    authorities: list[bytes] = field(default_factory=list)  # fingerprints of new ones
    crls: list[bytes] = field(default_factory=list)  # of new ones

    def run(self, paths: tuple[Path, ...]) -> ImportReport:
        self.import_id = index.begin_import(self.connection, self.now)
        for path in paths:
            self._take_argument(path)
        self._settle()
        for piece, source in self._take_off_shelf(Claim.MASTER_LIST):
            self._take_master_list(piece, source)
        self._settle()
        for piece, source in self._take_off_shelf(Claim.DEVIATION_LIST):
            self._take_deviation_list(piece, source)
        return self._report()

    def _settle(self) -> None:
        settle(self.connection, self.policy, self.import_id, self.authorities, self.crls)

    # --- what was named

    def _take_argument(self, path: Path) -> None:
        sources = find_sources(path)
        bare = sum(self._take_source(source) for source in sources)
        if not self.counts and not self.waiting and self.skipped:
            raise DecodeError(f"{path}: nothing in it is a certificate, a CRL or a list: {self.skipped[0]}")
        if bare > 1 and self.vouched and not self.unsigned:
            raise LifecycleError(f"{path} is a list that nobody signed: say --unsigned if you vouch for it")

    def _take_source(self, source: SourceFile) -> int:
        """Take all of a file; the number of authorities in it that no list vouches for, none of an LDIF."""
        bare = 0
        batch: list[bytes] = []
        source_id, is_alone = 0, True
        for piece in source.pieces():
            if piece.skipped:
                self._note_skipped(piece, source)
                continue
            if piece.claim in (Claim.MASTER_LIST, Claim.DEVIATION_LIST):
                self._put_on_shelf(piece, source)
                continue
            source_id = source_id or self._note_file(source, piece)
            if piece.claim is Claim.CRL:
                self._take_crl(piece, source, source_id)
            else:
                is_alone = is_alone and _is_alone(piece, source)
                batch.append(piece.raw)
                if len(batch) == BATCH:
                    bare += self._take_bare(batch, source, source_id, must_read=is_alone)
                    batch = []
        if batch:
            bare += self._take_bare(batch, source, source_id, must_read=is_alone)
        return 0 if source.is_ldif else bare

    def _note_file(self, source: SourceFile, piece: Piece) -> int:
        kind = "LDIF" if source.is_ldif else "BUNDLE" if piece.place else "FILE"
        digest = bytes(32) if kind == "LDIF" else hashlib.sha256(piece.raw).digest()
        return index.add_source(
            self.connection, index.TrustSource(self.import_id, source.name[:MAX_TEXT], kind, digest)
        )

    def _note_skipped(self, piece: Piece, source: SourceFile) -> None:
        """Note what no use can be made of, and why; nothing of it is kept, for it may be anything."""
        if not self.skipped:
            self.skipped.append(piece.skipped)
        name = f"{source.name}: {piece.place}" if piece.place else source.name
        kind, digest = (
            "BUNDLE" if piece.place else "FILE",
            hashlib.sha256(piece.raw).digest() if piece.raw else bytes(32),
        )
        index.add_source(
            self.connection,
            index.TrustSource(self.import_id, name[:MAX_TEXT], kind, digest, refusal=piece.skipped[:MAX_TEXT]),
        )

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

    # --- lists

    def _take_master_list(self, piece: Piece, source: SourceFile) -> None:
        name = f"{source.name}: {piece.place}" if piece.place else source.name
        try:
            accepted, certificates = self._verify_master_list(piece.raw)
        except (VerificationError, DecodeError, LifecycleError) as refusal:
            if not source.is_ldif and not source.is_one_of_many:
                raise _named(refusal, name) from refusal
            self._note_refused(piece, name, "MASTER_LIST", refusal)
            return
        signed = accepted.path is not None
        source_id = index.add_source(self.connection, self._describe_list(piece, name, "MASTER_LIST", accepted))
        held_for = "" if not signed else "it is not known to enough lists yet"
        for start in range(0, len(certificates), BATCH):
            self._take_certificates(list(certificates[start : start + BATCH]), name, source_id, held_for)

    def _verify_master_list(self, raw: bytes) -> tuple[SignedList, tuple[bytes, ...]]:
        """The list and its certificates; one whose signer is not pinned only where the operator vouches for it."""
        pins = [item for item in index.list_pins(self.connection, with_raw=True) if item.state == "ACCEPTED"]
        countries = {item.country for item in pins}
        # A CRL whose issuer is in no list yet counts as soon as a key of the signer's own path signed it.
        may_count = or_(trust_crl.c.usable, trust_crl.c.why == NO_ISSUER)
        crls = index.list_crls(self.connection, with_raw=True, where=(may_count, trust_crl.c.country.in_(countries)))
        try:
            accepted, certificates = verify_master_list(
                raw,
                [item.raw for item in pins],
                [item.raw for item in crls],
                now=self.now,
                distrusts=load_distrusts(self.connection),
            )
        except VerificationError as refusal:
            if refusal.reason is not Reason.NO_CERTIFICATE_CHAIN_FOUND or not self.unsigned:
                raise
            accepted = read_unpinned_list(raw)
            return accepted, decode_master_list(accepted.content, [])
        newest = index.newest_signed_at(self.connection, accepted.country, "MASTER_LIST", self.import_id)
        if newest is not None and (accepted.signing_time is None or accepted.signing_time < newest):
            signed_at = accepted.signing_time
            age = "has no date, and may be" if signed_at is None else f"is of {signed_at:%Y-%m-%d},"
            raise LifecycleError(
                f"the list {age} older than that of {newest:%Y-%m-%d} by the same signer, which was imported before"
            )
        return accepted, certificates

    def _describe_list(self, piece: Piece, name: str, kind: str, accepted: SignedList) -> index.TrustSource:
        findings = tuple((item.code.value, Grade.NOTICE.value, item.what, item.clause) for item in accepted.defects)
        return index.TrustSource(
            self.import_id,
            name[:MAX_TEXT],
            kind,
            hashlib.sha256(piece.raw).digest(),
            accepted.path is not None,
            accepted.signer_name[:MAX_TEXT],
            accepted.country[:3] if accepted.path is not None else "",
            accepted.signing_time,
            "",
            findings,
        )

    def _note_refused(self, piece: Piece, name: str, kind: str, refusal: Exception) -> None:
        """A list in an LDIF that is not accepted: nothing is taken from it, the others are."""
        digest = hashlib.sha256(piece.raw).digest()
        index.add_source(
            self.connection,
            index.TrustSource(self.import_id, name[:MAX_TEXT], kind, digest, refusal=str(refusal)[:MAX_TEXT]),
        )

    def _put_on_shelf(self, piece: Piece, source: SourceFile) -> None:
        """Keep a signed list until all else is in: a CRL that comes with it may speak of its signer."""
        length = len(piece.raw)
        if sum(kept.length for kept in self.waiting) + length > MAX_WAITING:
            refusal = LifecycleError(f"{source.name}: over {MAX_WAITING} octets of signed lists in one import")
            if not source.is_ldif:
                raise refusal
            self._note_refused(piece, f"{source.name}: {piece.place}", piece.claim.name, refusal)
            return
        try:
            offset = self.shelf.tell()
            self.shelf.write(piece.raw)
        except OSError as failure:
            raise StoreError(f"the signed lists of the import cannot be kept: {failure.strerror}") from failure
        self.waiting.append(_Waiting(piece.claim, piece.place, source, offset, length))

    def _take_off_shelf(self, claim: Claim) -> Iterator[tuple[Piece, SourceFile]]:
        for kept in self.waiting:
            if kept.claim is claim:
                self.shelf.seek(kept.offset)
                yield Piece(claim, self.shelf.read(kept.length), kept.place), kept.source

    def _take_deviation_list(self, piece: Piece, source: SourceFile) -> None:
        """Take a deviation list, once its issuer may have come in: an accepted CSCA of its own country."""
        name = f"{source.name}: {piece.place}" if piece.place else source.name
        try:
            anchors, crls = self._find_anchors(piece.raw)
            distrusts = load_distrusts(self.connection)
            accepted, _ = verify_deviation_list(piece.raw, anchors, crls, now=self.now, distrusts=distrusts)
        except (VerificationError, DecodeError) as refusal:
            if not source.is_ldif and not source.is_one_of_many:
                raise _named(refusal, name) from refusal
            self._note_refused(piece, name, "DEVIATION_LIST", refusal)
            return
        fingerprint = hashlib.sha256(piece.raw).digest()
        known = index.touch(self.connection, [fingerprint], self.now)
        if fingerprint not in known:
            stored = index.StoredDeviationList(
                fingerprint, accepted.country[:3], accepted.signing_time, self.now, self.now, piece.raw
            )
            index.add_deviation_list(self.connection, stored)
        source_id = index.add_source(self.connection, self._describe_list(piece, name, "DEVIATION_LIST", accepted))
        index.add_sightings(self.connection, [fingerprint], source_id)
        self._tell(fingerprint, "DVL", accepted.signer_name, name, "", (), is_new=fingerprint not in known)

    def _find_anchors(self, raw: bytes) -> tuple[list[bytes], list[bytes]]:
        """Accepted authorities of the countries of a list's certificates, and their CRLs."""
        countries = list_countries(raw)
        authorities = index.stream_certificates(
            self.connection,
            kinds=index.AUTHORITIES,
            states=("ACCEPTED",),
            with_raw=True,
            where=(trust_certificate.c.usable, trust_certificate.c.country.in_(countries)),
        )
        crls = index.list_crls(
            self.connection, with_raw=True, where=(trust_crl.c.usable, trust_crl.c.country.in_(countries))
        )
        return [item.raw for item in authorities], [item.raw for item in crls]

    # --- CRLs

    def _take_crl(self, piece: Piece, source: SourceFile, source_id: int) -> None:
        examined = examine_crl(piece.raw)
        if examined.crl is None and _is_alone(piece, source):
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


def _is_alone(piece: Piece, source: SourceFile) -> bool:
    """Whether it is all that the operator named, who then is told at once what is wrong with it."""
    return not (piece.place or source.is_ldif or source.is_one_of_many)


def _named(refusal: EidError, name: str) -> EidError:
    """The same refusal, with the name of the file."""
    if isinstance(refusal, VerificationError):
        return VerificationError(refusal.reason, f"{name}: {refusal.detail}", clause=refusal.clause)
    if isinstance(refusal, DecodeError):
        return DecodeError(f"{name}: {refusal.what}", offset=refusal.offset, clause=refusal.clause)
    return LifecycleError(f"{name}: {refusal}")
