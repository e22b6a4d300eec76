"""What a trust store holds: certificates, CRLs and deviation lists, where they came from, and what was decided of them.

Everything is written in the transaction of one import or one decision. Nothing is ever deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Final, TypeAlias

from sqlalchemy import Connection, Table, delete, func, insert, select, update
from sqlalchemy.sql.elements import ColumnElement

from eid.store.tables import (
    trust_certificate,
    trust_crl,
    trust_deviation_list,
    trust_distrust,
    trust_import,
    trust_pin,
    trust_relation,
    trust_sighting,
    trust_source,
)

BATCH: Final = 500  # values in one IN list
FindingRow: TypeAlias = tuple[str, str, str, str]  # code, grade, sentence, clause


@dataclass(frozen=True, slots=True)
class TrustSource:
    """A file of an import, or a list in it.

    Args:
        kind: one of `eid.store.tables.SOURCE_KINDS`. digest: SHA-256 of a list, of a file otherwise; zeros where the
            file is streamed. signed: whether a signature was verified up to a pinned anchor. signer, country: of it.
        refusal: why nothing was taken from it, "" where it was.
    """

    import_id: int
    name: str
    kind: str
    digest: bytes
    signed: bool = False
    signer: str = ""
    country: str = ""
    signed_at: datetime | None = None
    refusal: str = ""
    findings: tuple[FindingRow, ...] = ()
    id: int = 0


@dataclass(frozen=True, slots=True)
class TrustedCertificate:
    """One certificate.

    Args:
        fingerprint: SHA-256 of raw. kind: one of `eid.store.tables.CERTIFICATE_KINDS`. country: upper case, "" if none.
        serial: hexadecimal. ski: subject key identifier. subject_id, issuer_id: of the normalised names.
        key_id: `eid.pki.distrust.identify_key`. name_id: `identify_signer`. raw: b"" where it was not asked for.
        why: why it cannot be used. state: ACCEPTED, HELD or REJECTED. held_for: why it waits for a decision.
    """

    fingerprint: bytes
    kind: str
    country: str
    subject: str
    issuer: str
    serial: str
    ski: bytes | None
    subject_id: bytes
    issuer_id: bytes
    key_id: bytes
    name_id: bytes
    not_before: datetime | None
    not_after: datetime | None
    usable: bool
    why: str
    state: str
    held_for: str
    findings: tuple[FindingRow, ...]
    first_seen: datetime
    last_seen: datetime
    raw: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class TrustedCrl:
    """One revocation list.

    Args:
        number: decimal, None where there is none. signer_key: of the authority that signed it, None if unknown.
    """

    fingerprint: bytes
    country: str
    issuer: str
    issuer_id: bytes
    number: str | None
    this_update: datetime | None
    next_update: datetime | None
    signer_key: bytes | None
    usable: bool
    why: str
    findings: tuple[FindingRow, ...]
    first_seen: datetime
    last_seen: datetime
    raw: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class StoredDeviationList:
    """One deviation list whose signature was verified."""

    fingerprint: bytes
    country: str
    signed_at: datetime | None
    first_seen: datetime
    last_seen: datetime
    raw: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class StoredDistrust:
    """One entry of the distrust list. lifted_at: None while it is in force."""

    id: int
    fingerprint: bytes
    since: datetime
    reason: str
    noted_at: datetime
    lifted_at: datetime | None


# --- imports and sources


def begin_import(connection: Connection, now: datetime) -> int:
    """Number a new import."""
    return int(connection.execute(insert(trust_import).values(at=now).returning(trust_import.c.id)).scalar_one())


def list_imports(connection: Connection) -> tuple[tuple[int, datetime], ...]:
    """Number and time of every import."""
    return tuple((row.id, row.at) for row in connection.execute(select(trust_import).order_by(trust_import.c.id)))


def add_source(connection: Connection, source: TrustSource) -> int:
    """Note a source, and number it."""
    values = {name: value for name, value in asdict(source).items() if name != "id"}
    values["findings"] = [list(item) for item in source.findings]
    return int(connection.execute(insert(trust_source).values(**values).returning(trust_source.c.id)).scalar_one())


def list_sources(connection: Connection, import_id: int | None = None) -> tuple[TrustSource, ...]:
    """The sources of one import, or of all."""
    query = select(trust_source).order_by(trust_source.c.id)
    if import_id is not None:
        query = query.where(trust_source.c.import_id == import_id)
    return tuple(TrustSource(**_restore(row)) for row in connection.execute(query).mappings())


def add_sightings(connection: Connection, fingerprints: Iterable[bytes], source_id: int) -> None:
    """Note what a source had."""
    rows = [{"fingerprint": item, "source_id": source_id} for item in fingerprints]
    if rows:
        connection.execute(insert(trust_sighting).prefix_with("OR IGNORE", dialect="sqlite"), rows)


def sources_of(connection: Connection, fingerprint: bytes) -> tuple[TrustSource, ...]:
    """Every source that had a certificate, CRL or deviation list."""
    query = select(trust_source).join(trust_sighting, trust_sighting.c.source_id == trust_source.c.id)
    query = query.where(trust_sighting.c.fingerprint == fingerprint).order_by(trust_source.c.id)
    return tuple(TrustSource(**_restore(row)) for row in connection.execute(query).mappings())


def seen_between(connection: Connection, after: int, until: int) -> frozenset[bytes]:
    """Fingerprints of all that the imports behind one and up to another had."""
    return _seen(connection, trust_source.c.import_id > after, trust_source.c.import_id <= until)


def seen_by(connection: Connection, source_ids: Sequence[int]) -> frozenset[bytes]:
    """Fingerprints of all that some sources had."""
    return _seen(connection, trust_source.c.id.in_(source_ids))


def _seen(connection: Connection, *conditions: ColumnElement[bool]) -> frozenset[bytes]:
    query = select(trust_sighting.c.fingerprint).join(trust_source, trust_sighting.c.source_id == trust_source.c.id)
    return frozenset(connection.execute(query.where(*conditions)).scalars())


def publishers(connection: Connection, fingerprints: Sequence[bytes]) -> dict[bytes, frozenset[str]]:
    """The countries whose signed lists had each certificate."""
    found: dict[bytes, set[str]] = {item: set() for item in fingerprints}
    for batch in _batches(fingerprints):
        query = select(trust_sighting.c.fingerprint, trust_source.c.country).join(
            trust_source, trust_sighting.c.source_id == trust_source.c.id
        )
        query = query.where(trust_source.c.signed, trust_sighting.c.fingerprint.in_(batch)).distinct()
        for fingerprint, country in connection.execute(query):
            found[fingerprint].add(country)
    return {item: frozenset(countries) for item, countries in found.items()}


def newest_signed_at(connection: Connection, country: str, kind: str, before: int) -> datetime | None:
    """When the newest list of a publisher, of imports before one, was signed."""
    query = select(func.max(trust_source.c.signed_at)).where(
        trust_source.c.country == country,
        trust_source.c.kind == kind,
        trust_source.c.signed,
        trust_source.c.import_id < before,
    )
    found: datetime | None = connection.execute(query).scalar()
    return found


# --- certificates, CRLs, deviation lists


def touch(connection: Connection, fingerprints: Sequence[bytes], now: datetime) -> frozenset[bytes]:
    """Renew when certificates, CRLs and deviation lists were last seen; return which of them were known."""
    known: set[bytes] = set()
    for table in (trust_certificate, trust_crl, trust_deviation_list):
        for batch in _batches(fingerprints):
            column = table.c.fingerprint
            found = connection.execute(select(column).where(column.in_(batch))).scalars().all()
            if found:
                connection.execute(update(table).where(column.in_(found)).values(last_seen=now))
                known.update(found)
    return frozenset(known)


def add_certificates(connection: Connection, certificates: Iterable[TrustedCertificate]) -> None:
    """Enter certificates that are new."""
    _add(connection, trust_certificate, certificates)


def add_crls(connection: Connection, crls: Iterable[TrustedCrl]) -> None:
    """Enter CRLs that are new."""
    _add(connection, trust_crl, crls)


def add_deviation_list(connection: Connection, item: StoredDeviationList) -> None:
    """Enter a deviation list that is new."""
    connection.execute(insert(trust_deviation_list).values(**asdict(item)))


def stream_certificates(
    connection: Connection,
    *,
    country: str | None = None,
    kinds: Sequence[str] = (),
    states: Sequence[str] = (),
    with_raw: bool = False,
    where: Iterable[ColumnElement[bool]] = (),
) -> Iterator[TrustedCertificate]:
    """Certificates by country, kind and subject, one after the other; of one country, some kinds, some states."""
    columns = trust_certificate.c
    query = select(*(item for item in columns if with_raw or item.name != "raw"))
    if country is not None:
        query = query.where(columns.country == country)
    if kinds:
        query = query.where(columns.kind.in_(kinds))
    if states:
        query = query.where(columns.state.in_(states))
    query = query.where(*where).order_by(columns.country, columns.kind, columns.subject, columns.fingerprint)
    for row in connection.execute(query.execution_options(yield_per=BATCH)).mappings():
        yield TrustedCertificate(**_restore(row))


def load_certificates(connection: Connection, fingerprints: Sequence[bytes]) -> dict[bytes, TrustedCertificate]:
    """Certificates, without their octets, by fingerprint; those that there are."""
    found: dict[bytes, TrustedCertificate] = {}
    for batch in _batches(fingerprints):
        for item in stream_certificates(connection, where=(trust_certificate.c.fingerprint.in_(batch),)):
            found[item.fingerprint] = item
    return found


def certificates_of_key(connection: Connection, key_id: bytes) -> tuple[TrustedCertificate, ...]:
    """Every certificate of one key."""
    return tuple(stream_certificates(connection, where=(trust_certificate.c.key_id == key_id,)))


def load_raws(connection: Connection, fingerprints: Sequence[bytes]) -> dict[bytes, bytes]:
    """The octets of certificates by fingerprint."""
    columns = trust_certificate.c
    found: dict[bytes, bytes] = {}
    for batch in _batches(fingerprints):
        rows = connection.execute(select(columns.fingerprint, columns.raw).where(columns.fingerprint.in_(batch)))
        found.update((row.fingerprint, row.raw) for row in rows)
    return found


def find_certificates(connection: Connection, prefix: bytes, is_odd: bool = False) -> tuple[TrustedCertificate, ...]:
    """Certificates, with their octets, whose fingerprint begins so; at most two.

    Args:
        is_odd: of the last octet only the upper four bits count.
    """
    upper = prefix + b"\xff" * (32 - len(prefix))
    if is_odd:
        upper = prefix[:-1] + bytes((prefix[-1] | 0x0F,)) + b"\xff" * (32 - len(prefix))
    column = trust_certificate.c.fingerprint
    query = select(trust_certificate).where(column.between(prefix.ljust(32, b"\0"), upper)).limit(2)
    return tuple(TrustedCertificate(**_restore(row)) for row in connection.execute(query).mappings())


def issuer_candidates(connection: Connection, subject_ids: Sequence[bytes]) -> tuple[TrustedCertificate, ...]:
    """Usable authorities of these names, with their octets."""
    found: list[TrustedCertificate] = []
    for batch in _batches(subject_ids):
        where = (trust_certificate.c.subject_id.in_(batch), trust_certificate.c.usable)
        found.extend(stream_certificates(connection, kinds=AUTHORITIES, with_raw=True, where=where))
    return tuple(found)


AUTHORITIES: Final = ("CSCA", "LINK")


def set_state(connection: Connection, fingerprint: bytes, state: str, held_for: str = "") -> None:
    """Decide of a certificate."""
    same = trust_certificate.c.fingerprint == fingerprint
    connection.execute(update(trust_certificate).where(same).values(state=state, held_for=held_for))


def release(connection: Connection, fingerprints: Sequence[bytes]) -> None:
    """Accept those of the certificates that are held: somebody vouches for them now. Rejected ones stay rejected."""
    for batch in _batches(fingerprints):
        held = (trust_certificate.c.fingerprint.in_(batch), trust_certificate.c.state == "HELD")
        connection.execute(update(trust_certificate).where(*held).values(state="ACCEPTED", held_for=""))


def is_seen_in(import_id: int, table: Table) -> ColumnElement[bool]:
    """The condition that an import had the certificate, CRL or deviation list of a row."""
    seen = select(trust_sighting.c.fingerprint).join(trust_source, trust_sighting.c.source_id == trust_source.c.id)
    found: ColumnElement[bool] = table.c.fingerprint.in_(seen.where(trust_source.c.import_id == import_id))
    return found


def count_seen(connection: Connection, import_id: int) -> tuple[int, int]:
    """How many certificates of an import are held, and how many certificates and CRLs of it are unusable."""

    def count(table: Table, condition: ColumnElement[bool]) -> int:
        query = select(func.count()).select_from(table).where(is_seen_in(import_id, table), condition)
        return int(connection.execute(query).scalar_one())

    unusable = sum(count(table, ~table.c.usable) for table in (trust_certificate, trust_crl))
    return count(trust_certificate, trust_certificate.c.state == "HELD"), unusable


def add_relations(connection: Connection, pairs: Iterable[tuple[bytes, bytes]]) -> None:
    """Note whose key signed an authority's certificate: its fingerprint, the issuer's."""
    rows = [{"certificate": certificate, "issuer": issuer} for certificate, issuer in pairs]
    if rows:
        connection.execute(insert(trust_relation).prefix_with("OR IGNORE", dialect="sqlite"), rows)


def list_relations(connection: Connection) -> tuple[tuple[bytes, bytes], ...]:
    """All pairs of a certificate and an issuer of it."""
    rows = connection.execute(select(trust_relation).order_by(*trust_relation.c))
    return tuple((row.certificate, row.issuer) for row in rows)


def list_crls(
    connection: Connection,
    *,
    country: str | None = None,
    with_raw: bool = False,
    where: Iterable[ColumnElement[bool]] = (),
) -> tuple[TrustedCrl, ...]:
    """CRLs by country, newest first."""
    columns = trust_crl.c
    query = select(*(item for item in columns if with_raw or item.name != "raw")).where(*where)
    if country is not None:
        query = query.where(columns.country == country)
    rows = connection.execute(query.order_by(columns.country, columns.this_update.desc(), columns.fingerprint))
    return tuple(TrustedCrl(**_restore(row)) for row in rows.mappings())


def load_crl(connection: Connection, fingerprint: bytes) -> TrustedCrl | None:
    """One CRL with its octets."""
    return next(iter(list_crls(connection, with_raw=True, where=(trust_crl.c.fingerprint == fingerprint,))), None)


def change_crl(
    connection: Connection,
    fingerprint: bytes,
    *,
    usable: bool,
    why: str,
    signer_key: bytes | None,
    findings: Sequence[FindingRow],
) -> None:
    """Renew what is known of a CRL's issuer."""
    same = trust_crl.c.fingerprint == fingerprint
    values = {"usable": usable, "why": why, "signer_key": signer_key, "findings": [list(item) for item in findings]}
    connection.execute(update(trust_crl).where(same).values(**values))


def list_deviation_lists(connection: Connection, *, with_raw: bool = False) -> tuple[StoredDeviationList, ...]:
    """Deviation lists by country, newest first."""
    columns = trust_deviation_list.c
    query = select(*(item for item in columns if with_raw or item.name != "raw"))
    rows = connection.execute(query.order_by(columns.country, columns.signed_at.desc()))
    return tuple(StoredDeviationList(**row) for row in rows.mappings())


def count_certificates(connection: Connection) -> dict[str, int]:
    """How many certificates of each kind there are."""
    kind = trust_certificate.c.kind
    return {row[0]: row[1] for row in connection.execute(select(kind, func.count()).group_by(kind).order_by(kind))}


# --- decisions


def add_pin(connection: Connection, fingerprint: bytes, now: datetime) -> bool:
    """Pin an anchor; return whether it was not pinned before."""
    same = trust_pin.c.fingerprint == fingerprint
    if connection.execute(select(trust_pin).where(same)).one_or_none() is not None:
        return False
    connection.execute(insert(trust_pin).values(fingerprint=fingerprint, pinned_at=now))
    return True


def remove_pin(connection: Connection, fingerprint: bytes) -> bool:
    """Unpin an anchor; return whether it was pinned. Its certificate stays."""
    return connection.execute(delete(trust_pin).where(trust_pin.c.fingerprint == fingerprint)).rowcount > 0


def list_pins(connection: Connection, *, with_raw: bool = False) -> tuple[TrustedCertificate, ...]:
    """The pinned anchors."""
    where = (trust_certificate.c.fingerprint.in_(select(trust_pin.c.fingerprint)),)
    return tuple(stream_certificates(connection, with_raw=with_raw, where=where))


def add_distrust(connection: Connection, fingerprint: bytes, since: datetime, reason: str, now: datetime) -> None:
    """Distrust a certificate, and all of the same key, from a date on."""
    values = {"fingerprint": fingerprint, "since": since, "reason": reason, "noted_at": now, "lifted_at": None}
    connection.execute(insert(trust_distrust).values(**values))


def lift_distrust(connection: Connection, fingerprint: bytes, now: datetime) -> int:
    """Lift every entry in force that means a certificate; return how many there were."""
    same = (trust_distrust.c.fingerprint == fingerprint, trust_distrust.c.lifted_at.is_(None))
    return connection.execute(update(trust_distrust).where(*same).values(lifted_at=now)).rowcount


def list_distrusts(connection: Connection) -> tuple[StoredDistrust, ...]:
    """Every entry, in force or lifted."""
    rows = connection.execute(select(trust_distrust).order_by(trust_distrust.c.id)).mappings()
    return tuple(StoredDistrust(**row) for row in rows)


# --- rows and values


def _add(connection: Connection, table: Table, items: Iterable[Any]) -> None:
    rows = [_flatten(item) for item in items]
    if rows:
        connection.execute(insert(table), rows)


def _flatten(item: Any) -> dict[str, Any]:
    return {part.name: getattr(item, part.name) for part in fields(item)}


def _restore(row: Mapping[Any, Any]) -> dict[str, Any]:
    values = dict(row)
    values["findings"] = tuple(tuple(item) for item in values["findings"])
    return values


def _batches(values: Sequence[bytes]) -> Iterator[Sequence[bytes]]:
    return (values[start : start + BATCH] for start in range(0, len(values), BATCH))
