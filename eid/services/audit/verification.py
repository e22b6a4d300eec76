"""`eid audit verify`: every row of the audit log against its chain, and against signed heads kept elsewhere.

One pass in the order in which rows were sealed. Every chain is read once, a page at a time, however long the log is. A
chain shows a change that somebody made to some rows; a signed head shows it of somebody who has rewritten all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from sqlalchemy import Engine

from eid.audit.chain import BUCKETS, AuditRow, Chain
from eid.audit.tree_head import Entry, Seal, SealedLog
from eid.errors import Reason, StoreError, VerificationError
from eid.store.audit import read_buckets, read_heads, read_page
from eid.store.database import in_transaction
from eid.store.head_files import load_seals
from eid.store.schema_version import check
from eid.store.tree_heads import read_seals

PAGE: Final = 200  # rows of one chain that are held at once; there are 256 chains
HEADS: Final = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong. bucket and seq: the row; both None where it is not about one row."""

    what: str
    bucket: int | None = None
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What was looked at and found.

    Args:
        rows: that were right. sealed: how many of them stand under a signed head. heads: signed heads that were right.
        exported: how many of those came from the files, which are the ones that rights over the database do not reach.
    """

    rows: int
    sealed: int
    heads: int
    exported: int
    findings: tuple[Finding, ...]

    @property
    def first_row(self) -> Finding | None:
        """The first bad row, in the order in which rows were sealed."""
        return next((item for item in self.findings if item.seq is not None), None)


def verify_audit_log(engine: Engine, origin: str, public_key_info: bytes, heads: Path | None = None) -> AuditReport:
    """Look at every row and every head.

    Rows that are written meanwhile are left alone: each chain is read up to where its head stood at the start.

    Args:
        origin, public_key_info: of the log, from elsewhere than the database. heads: directory of exported heads.

    Raises:
        StoreError: the database or the directory cannot be read at all.
    """
    return _Examination(engine, SealedLog(origin, public_key_info)).run(heads)


@dataclass(slots=True)
class _Examination:
    engine: Engine
    log: SealedLog
    readers: dict[int, _Reader] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    sealed: int = 0
    heads: int = 0
    exported: int = 0

    def run(self, directory: Path | None) -> AuditReport:
        missing = check(self.engine).missing_triggers
        if missing:
            self.findings.append(Finding(f"triggers are missing: {', '.join(missing)}"))
        self._open_chains()
        if directory is not None:
            self._follow(self._exported(directory))
        if self.heads == self.exported and not self._has_broken_head():
            self._follow(self._stored())
        for reader in self.readers.values():
            self._finish(reader)
        rows = sum(reader.chain.size for reader in self.readers.values())
        return AuditReport(rows, self.sealed, self.heads, self.exported, tuple(self.findings))

    def _open_chains(self) -> None:
        """Note where each chain stands now, and which ones there are."""
        heads = in_transaction(self.engine, read_heads)
        for bucket in sorted({*heads, *in_transaction(self.engine, read_buckets)}):
            if not 0 <= bucket < BUCKETS:
                self.findings.append(Finding(f"there is no chain {bucket}", bucket, 1))
                continue
            self.readers[bucket] = _Reader(self.engine, bucket, heads.get(bucket))

    def _has_broken_head(self) -> bool:
        return any(item.what.startswith(_BROKEN_HEAD) for item in self.findings)

    def _exported(self, directory: Path) -> Iterator[Seal]:
        """The heads of the files; each is held against the one of the same size in the database."""
        for seal in load_seals(directory):
            self.exported += 1
            stored = in_transaction(self.engine, partial(read_seals, after=seal.size - 1, limit=1))
            if stored != (seal,):
                gone = not stored or stored[0].size != seal.size
                what = "is gone from the database" if gone else "is another one in the database"
                self.findings.append(Finding(f"tree head {seal.size} {what}"))
            yield seal

    def _stored(self) -> Iterator[Seal]:
        """The heads of the database behind those that were followed already."""
        while seals := in_transaction(self.engine, lambda c: read_seals(c, self.log.frontier.size, HEADS)):
            yield from seals

    def _follow(self, seals: Iterable[Seal]) -> None:
        """Hold every row against the head that it stands under; a head that is not right ends it."""
        for seal in seals:
            try:
                entries = self.log.accept(seal)
            except VerificationError as failure:
                self.findings.append(Finding(f"{_BROKEN_HEAD}{failure.detail}"))
                return
            except (TypeError, ValueError, AttributeError):  # a column holds what nobody would write into it
                self.findings.append(Finding(f"{_BROKEN_HEAD}tree head {seal.size} cannot be read"))
                return
            self.heads += 1
            for entry in entries:
                self._compare(entry)

    def _compare(self, entry: Entry) -> None:
        reader = self.readers.setdefault(entry.bucket, _Reader(self.engine, entry.bucket, None))
        if reader.is_broken:
            return
        try:
            row = reader.next()
            if row is None:
                raise VerificationError(Reason.HASH_FAILURE, f"{reader.place()} is missing: a signed head has it")
            reader.accept(row)
            if (row.seq, row.hash) != (entry.seq, entry.row_hash):
                said = f"row {row.seq} of chain {row.bucket} is another one than the signed head has"
                raise VerificationError(Reason.HASH_FAILURE, said)
        except VerificationError as failure:
            self._report(reader, failure, entry.seq)
            return
        self.sealed += 1

    def _finish(self, reader: _Reader) -> None:
        """Read what stands under no head yet, and hold the end against the chain's head."""
        if reader.is_broken:
            return
        try:
            while (row := reader.next()) is not None:
                reader.accept(row)
            reader.check_end()
        except VerificationError as failure:
            self._report(reader, failure, reader.chain.size + 1)

    def _report(self, reader: _Reader, failure: VerificationError, seq: int) -> None:
        reader.is_broken = True
        self.findings.append(Finding(failure.detail, reader.bucket, seq))


_BROKEN_HEAD: Final = "a head is not right: "


class _Reader:
    """The rows of one chain, a page at a time, up to where its head stood at the start."""

    def __init__(self, engine: Engine, bucket: int, head: tuple[int, bytes] | None) -> None:
        self.bucket = bucket
        self.chain = Chain(bucket)
        self.is_broken = False
        self._engine = engine
        self._head = head
        self._page: list[AuditRow] = []
        self._after = 0

    def place(self) -> str:
        """The row that comes next, in words."""
        return f"row {self.chain.size + 1} of chain {self.bucket}"

    def next(self) -> AuditRow | None:
        """The next row; None behind the last.

        Raises:
            VerificationError: what stands there is not a row.
        """
        if self._head is not None and self.chain.size >= self._head[0]:
            return None
        if not self._page:
            self._page = list(reversed(self._read(PAGE, self._after) or self._read(1, self._after) or ()))
            if self._page:
                self._after = self._page[0].seq
        return self._page.pop() if self._page else None

    def accept(self, row: AuditRow) -> None:
        """Hold a row against its chain.

        Raises:
            VerificationError: it does not follow.
        """
        try:
            self.chain.accept(row)
        except (TypeError, ValueError, AttributeError) as failure:  # a column holds what nobody would write into it
            raise self._unreadable() from failure

    def check_end(self) -> None:
        """Hold the last row against the chain's head.

        Raises:
            VerificationError: the head tells of other rows, or there is none.
        """
        if self._head is None:
            raise VerificationError(Reason.HASH_FAILURE, f"chain {self.bucket} has rows and no head")
        if (self.chain.size, self.chain.hash) != self._head:
            raise VerificationError(Reason.HASH_FAILURE, f"{self.place()} is missing, or the chain's head was altered")
        # The row first, then the head: a row that is written meanwhile comes with a head that has moved on
        if self._read(1, self.chain.size) and in_transaction(self._engine, read_heads).get(self.bucket) == self._head:
            raise VerificationError(Reason.HASH_FAILURE, f"{self.place()} stands behind the chain's head")

    def _read(self, limit: int, after: int) -> tuple[AuditRow, ...] | None:
        """Rows behind a number; None where one of several cannot be read."""
        try:
            return in_transaction(self._engine, lambda connection: read_page(connection, self.bucket, after, limit))
        except (TypeError, ValueError, AttributeError, StoreError) as failure:
            if limit > 1:
                return None
            raise self._unreadable() from failure

    def _unreadable(self) -> VerificationError:
        return VerificationError(Reason.FORMAT_FAILURE, f"{self.place()} was altered: it cannot be read")
