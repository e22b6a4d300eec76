"""A trust store on disk: a directory with one database. Verification loads its material here, and what was decided.

The octets are compared with their fingerprints when they are loaded. Whoever can write the directory decides what is
trusted: it belongs to the operator.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine, select

from eid.codec import oid
from eid.errors import DecodeError, StoreError
from eid.pki.deviation_list import DeviationList, decode_deviation_list
from eid.pki.distrust import Distrust
from eid.pki.signed_list import decode_signed_list
from eid.pki.signer_source import digest_fingerprints
from eid.pki.trust_store import TrustStore, build_trust_store
from eid.store import trust_index as index
from eid.store.database import in_transaction, locate_file, open_database
from eid.store.schema_version import check, upgrade
from eid.store.tables import trust_certificate, trust_crl

T = TypeVar("T")
INDEX: Final = "index.db"
_EARLIER: Final = "certificates"  # the folder of stores of version 0.1 before they had a database


def open_index(directory: Path, *, make: bool = False) -> Engine:
    """Open the database of a trust store.

    Args:
        make: make the store where there is none.

    Raises:
        StoreError: there is no trust store, or one of another version.
    """
    if (directory / _EARLIER).is_dir():
        raise StoreError(
            f"{directory} was made by an earlier version: make a new one with"
            f" `eid trust import --store NEW --unsigned {directory / _EARLIER} {directory / 'crls'}`"
        )
    if not (directory / INDEX).is_file():
        if not make:
            raise StoreError(
                f"{directory} is no trust store; make one with: eid trust import --store {directory} FILE..."
            )
        try:
            directory.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"trust store {directory}: {error.strerror}") from error
    engine = open_database(locate_file(directory / INDEX))
    if not check(engine).is_ready:
        upgrade(engine)
    return engine


def in_store(directory: Path, work: Callable[[Connection], T]) -> T:
    """Run `work` in one transaction on the database of a trust store that is there.

    Raises:
        StoreError: the directory is no trust store. What `work` raises passes.
    """
    engine = open_index(directory)
    try:
        return in_transaction(engine, work)
    finally:
        engine.dispose()


def load_trust_store(directory: Path) -> TrustStore:
    """Load what a directory trusts.

    Raises:
        StoreError: the directory is no trust store, or its content is damaged.
    """
    return in_store(directory, lambda connection: _load(connection, directory))


def _load(connection: Connection, directory: Path) -> TrustStore:
    accepted = list(
        index.stream_certificates(
            connection,
            kinds=index.AUTHORITIES,
            states=("ACCEPTED",),
            with_raw=True,
            where=(trust_certificate.c.usable,),
        )
    )
    crls = index.list_crls(connection, with_raw=True, where=(trust_crl.c.usable,))
    lists = _newest(index.list_deviation_lists(connection, with_raw=True))
    _require_intact((*accepted, *crls, *lists), directory)
    return build_trust_store(
        (item.raw for item in accepted),
        (item.raw for item in crls),
        signers=StoredSigners(directory, _digest_signers(connection)),
        distrusts=load_distrusts(connection),
        deviation_lists=[_decode_list(item, directory) for item in lists],
        self_signed=frozenset(item.fingerprint for item in accepted if item.kind == "CSCA"),
    )


def _require_intact(
    items: Iterable[index.TrustedCertificate | index.TrustedCrl | index.StoredDeviationList], directory: Path
) -> None:
    for item in items:
        if hashlib.sha256(item.raw).digest() != item.fingerprint:
            raise StoreError(f"trust store {directory}: {item.fingerprint.hex()} is damaged")


def load_distrusts(connection: Connection) -> list[Distrust]:
    """The entries of the distrust list that are in force."""
    entries = [item for item in index.list_distrusts(connection) if item.lifted_at is None]
    meant = index.load_certificates(connection, [item.fingerprint for item in entries])
    return [Distrust(item.fingerprint, meant[item.fingerprint].key_id, item.since, item.reason) for item in entries]


def _newest(lists: Iterable[index.StoredDeviationList]) -> list[index.StoredDeviationList]:
    """The newest list of each state, which takes the place of the ones before it."""
    newest: dict[str, index.StoredDeviationList] = {}
    for item in lists:
        newest.setdefault(item.country, item)
    return list(newest.values())


def _decode_list(item: index.StoredDeviationList, directory: Path) -> DeviationList:
    """The content of a list; its signature was verified when it came in."""
    try:
        signed_data = decode_signed_list(item.raw, [])
        digest_name = oid.HASH_NAMES[signed_data.signer_info.digest_algorithm.oid]
        return decode_deviation_list(signed_data.content, item.country, digest_name)
    except (DecodeError, KeyError) as error:
        raise StoreError(f"trust store {directory}: a deviation list cannot be read") from error


# --- signers


def identify_signer(issuer_raw: bytes, serial: int) -> bytes:
    """What a certificate is found by whose issuer and serial number are known, 32 octets."""
    return hashlib.sha256(issuer_raw + str(serial).encode()).digest()


@dataclass(frozen=True, slots=True)
class StoredSigners:
    """Document signers' certificates in the database, read when one is asked for; a directory may hold 100,000."""

    directory: Path
    digest: bytes

    def find(self, issuer_raw: bytes, serial: int) -> tuple[bytes, ...]:
        """See `eid.pki.signer_source.SignerSource`."""
        return self._find(name_id=identify_signer(issuer_raw, serial))

    def find_by_key(self, subject_key_identifier: bytes) -> tuple[bytes, ...]:
        """See `eid.pki.signer_source.SignerSource`."""
        return self._find(ski=subject_key_identifier)

    def _find(self, **column: bytes) -> tuple[bytes, ...]:
        engine = open_database(locate_file(self.directory / INDEX))
        query = select(trust_certificate.c.raw).filter_by(kind="DS", usable=True, **column)
        query = query.order_by(trust_certificate.c.fingerprint).limit(_MOST)
        try:
            return in_transaction(engine, lambda connection: tuple(connection.execute(query).scalars()))
        finally:
            engine.dispose()


_MOST: Final = 65  # certificates of one name or key: those that are tried, and one that shows that there are more


def _digest_signers(connection: Connection) -> bytes:
    column = trust_certificate.c.fingerprint
    query = select(column).where(trust_certificate.c.kind == "DS", trust_certificate.c.usable).order_by(column)
    return digest_fingerprints(connection.execute(query).scalars())
