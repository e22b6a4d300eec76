"""The index of the trust store: which certificates and CRLs there are, where they came from, and what is wrong with
them.

It is for looking at. Verification loads the certificates themselves and never trusts a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, insert, select, update

from eid.store.tables import trust_certificate, trust_crl


@dataclass(frozen=True, slots=True)
class TrustedCertificate:
    """One certificate.

    Args:
        fingerprint: SHA-256 of its DER, 32 octets. kind: one of `eid.store.tables.CERTIFICATE_KINDS`.
        country: as in the subject, upper case. ski: subject key identifier. sources: lists and files it came from.
        defects: stable codes of what is wrong with it; a usable one may have some.
    """

    fingerprint: bytes
    kind: str
    country: str
    subject: str
    ski: bytes | None
    sources: tuple[str, ...]
    first_seen: datetime
    last_seen: datetime
    usable: bool
    defects: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TrustedCrl:
    """One revocation list. fingerprint: SHA-256 of its DER. issuer: its issuer's name."""

    fingerprint: bytes
    country: str
    issuer: str
    this_update: datetime
    next_update: datetime | None
    sources: tuple[str, ...]
    first_seen: datetime
    last_seen: datetime
    usable: bool
    defects: tuple[str, ...] = ()


def note_certificate(connection: Connection, certificate: TrustedCertificate) -> bool:
    """Enter a certificate, or renew what is known of it; return whether it is new."""
    return _note(connection, trust_certificate, asdict(certificate))


def note_crl(connection: Connection, crl: TrustedCrl) -> bool:
    """Enter a CRL, or renew what is known of it; return whether it is new."""
    return _note(connection, trust_crl, asdict(crl))


def list_certificates(
    connection: Connection, *, country: str | None = None, kinds: Sequence[str] = ()
) -> tuple[TrustedCertificate, ...]:
    """Certificates by country, kind and subject; all of them, or those of one country, or of some kinds."""
    query = select(trust_certificate)
    if country is not None:
        query = query.where(trust_certificate.c.country == country)
    if kinds:
        query = query.where(trust_certificate.c.kind.in_(kinds))
    columns = trust_certificate.c
    rows = connection.execute(query.order_by(columns.country, columns.kind, columns.subject, columns.fingerprint))
    return tuple(TrustedCertificate(**_with_tuples(dict(row))) for row in rows.mappings())


def list_crls(connection: Connection, *, country: str | None = None) -> tuple[TrustedCrl, ...]:
    """CRLs by country, newest first."""
    query = select(trust_crl)
    if country is not None:
        query = query.where(trust_crl.c.country == country)
    rows = connection.execute(query.order_by(trust_crl.c.country, trust_crl.c.this_update.desc()))
    return tuple(TrustedCrl(**_with_tuples(dict(row))) for row in rows.mappings())


def _note(connection: Connection, table: Table, values: dict[str, Any]) -> bool:
    same = table.c.fingerprint == values["fingerprint"]
    known = connection.execute(select(table.c.first_seen, table.c.sources).where(same).with_for_update()).one_or_none()
    values |= {"sources": list(values["sources"]), "defects": list(values["defects"])}
    if known is None:
        connection.execute(insert(table).values(**values))
        return True
    values["first_seen"] = known.first_seen
    values["sources"] = list(dict.fromkeys((*known.sources, *values["sources"])))
    connection.execute(update(table).where(same).values(**values))
    return False


def _with_tuples(values: dict[str, Any]) -> dict[str, Any]:
    return values | {"sources": tuple(values["sources"]), "defects": tuple(values["defects"])}
