"""The signed lists of an import: they wait on the disk until every CRL that came with them is in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO, Final

from sqlalchemy import or_

from eid.errors import DecodeError, EidError, LifecycleError, Reason, StoreError, VerificationError
from eid.pki.lint import Grade
from eid.pki.master_list import decode_master_list
from eid.pki.signed_list import (
    SignedList,
    list_countries,
    read_unpinned_list,
    verify_deviation_list,
    verify_master_list,
)
from eid.services.trust.files import load_distrusts
from eid.services.trust.import_objects import BATCH, MAX_TEXT, ObjectImport
from eid.services.trust.settling import NO_ISSUER
from eid.services.trust.sources import Claim, Piece, SourceFile
from eid.store import trust_index as index
from eid.store.tables import trust_certificate, trust_crl

MAX_WAITING: Final = 1 << 30  # octets of signed lists in one import


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A signed list on the shelf: where it came from, and where on the shelf it is, in octets."""

    claim: Claim
    place: str
    source: SourceFile
    offset: int
    length: int


@dataclass(slots=True)
class ListImport(ObjectImport):
    """What an import does with master lists and deviation lists. shelf: the file in which they wait."""

    shelf: IO[bytes] = field(kw_only=True)
    waiting: list[_Waiting] = field(default_factory=list)

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


def _named(refusal: EidError, name: str) -> EidError:
    """The same refusal, with the name of the file."""
    if isinstance(refusal, VerificationError):
        return VerificationError(refusal.reason, f"{name}: {refusal.detail}", clause=refusal.clause)
    if isinstance(refusal, DecodeError):
        return DecodeError(f"{name}: {refusal.what}", offset=refusal.offset, clause=refusal.clause)
    return LifecycleError(f"{name}: {refusal}")
