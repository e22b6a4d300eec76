"""The import of trust material into a trust store: all of it in one transaction, or nothing.

What comes in is judged by who vouches for it. A certificate that the operator names is accepted. A list counts if its
signature ends at an anchor that the operator pinned; a list that nobody signed only if the operator says so, and that
is never forgotten. Certificates of document signers, and CRLs, need no one: they prove themselves by their issuer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from sqlalchemy import Connection

from eid.errors import DecodeError, LifecycleError, StoreError
from eid.services.trust.files import open_index
from eid.services.trust.import_lists import ListImport
from eid.services.trust.import_objects import BATCH, MAX_TEXT, ImportReport, Progress, stands_alone
from eid.services.trust.policy import load_trust_policy
from eid.services.trust.sources import Claim, Piece, SourceFile, find_sources
from eid.store import trust_index as index
from eid.store.database import in_transaction


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

            def work(connection: Connection) -> ImportReport:
                return _Import(connection, policy, unsigned, vouched, now, progress, shelf=shelf).run(paths)

            return in_transaction(engine, work)
    finally:
        engine.dispose()


def _open_shelf(directory: Path) -> IO[bytes]:
    """A file without a name beside the store, which is gone with the import."""
    try:
        return TemporaryFile(dir=directory)
    except OSError as failure:
        raise StoreError(f"trust store {directory}: {failure.strerror}") from failure


@dataclass(slots=True)
class _Import(ListImport):
    """One import under way, file by file."""

    skipped: list[str] = field(default_factory=list)  # the first of the reasons

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
                is_alone = is_alone and stands_alone(piece, source)
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
