"""Looking at a trust store: what is in it, one certificate whole, what an import changed, which states have no CSCA."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from eid.errors import DecodeError, NotStoredError, VerificationError
from eid.pki.distrust import Distrust
from eid.pki.lint import Finding
from eid.pki.path import find_path
from eid.pki.reading import read_certificate
from eid.pki.trust_store import build_trust_store
from eid.services.trust.decisions import find_certificate
from eid.services.trust.files import in_store, load_distrusts
from eid.services.trust.settling import restore_findings
from eid.store import trust_index as index

SOON: Final = timedelta(days=90)
LISTS: Final = frozenset({"MASTER_LIST", "DEVIATION_LIST"})  # kinds of sources that replace the one before
LISTED: Final = ("CSCA", "LINK", "ML_SIGNER", "DVL_SIGNER", "OTHER")  # by default; of document signers there are many


@dataclass(frozen=True, slots=True)
class Listing:
    """What `eid trust list` tells.

    Args:
        counts: certificates of each kind, listed or not. distrusted: since when, by fingerprint, where the key is.
    """

    certificates: tuple[index.TrustedCertificate, ...]
    crls: tuple[index.TrustedCrl, ...]
    deviation_lists: tuple[index.StoredDeviationList, ...]
    counts: dict[str, int]
    distrusted: dict[bytes, datetime]


def list_trust(
    directory: Path, *, country: str | None = None, kinds: Sequence[str] = LISTED, states: Sequence[str] = ()
) -> Listing:
    """What a trust store holds, of one country, some kinds and some states.

    Raises:
        StoreError: the directory is no trust store.
    """

    def collect(connection: Connection) -> Listing:
        certificates = tuple(index.stream_certificates(connection, country=country, kinds=kinds, states=states))
        since = {item.key_id: item.since for item in sorted(load_distrusts(connection), key=_by_date, reverse=True)}
        return Listing(
            certificates,
            index.list_crls(connection, country=country),
            tuple(item for item in index.list_deviation_lists(connection) if country in (None, item.country)),
            index.count_certificates(connection),
            {item.fingerprint: since[item.key_id] for item in certificates if item.key_id in since},
        )

    return in_store(directory, collect)


def _by_date(item: Distrust) -> datetime:
    return item.since


@dataclass(frozen=True, slots=True)
class Shown:
    """One certificate whole.

    Args:
        sources: everything that ever had it. issuers, issued: authorities whose key signed it, and that its key signed;
            same_key: further certificates of its key. path: subjects of the path to an anchor, or why there is none.
        distrusted_since: None where it is not distrusted.
    """

    certificate: index.TrustedCertificate
    findings: tuple[Finding, ...]
    sources: tuple[index.TrustSource, ...]
    issuers: tuple[index.TrustedCertificate, ...]
    issued: tuple[index.TrustedCertificate, ...]
    same_key: tuple[index.TrustedCertificate, ...]
    path: str
    distrusted_since: datetime | None

    @property
    def is_vouched_for(self) -> bool:
        """Whether a signed list knows it."""
        return any(item.signed for item in self.sources)


def show_certificate(directory: Path, fingerprint: str) -> Shown:
    """One certificate by its fingerprint, or the first eight digits of it at least.

    Raises:
        NotStoredError: none, or several, begin so. DecodeError: no fingerprint.
    """

    def collect(connection: Connection) -> Shown:
        found = find_certificate(connection, fingerprint)
        pairs = index.list_relations(connection)
        issuers = [issuer for certificate, issuer in pairs if certificate == found.fingerprint]
        issued = [certificate for certificate, issuer in pairs if issuer == found.fingerprint]
        same_key = index.certificates_of_key(connection, found.key_id) if found.kind != "OTHER" or found.usable else ()
        entries = [item.since for item in load_distrusts(connection) if item.key_id == found.key_id]
        return Shown(
            found,
            restore_findings(found.findings),
            index.sources_of(connection, found.fingerprint),
            tuple(index.load_certificates(connection, issuers).values()),
            tuple(index.load_certificates(connection, issued).values()),
            tuple(item for item in same_key if item.fingerprint != found.fingerprint),
            _describe_path(connection, found),
            min(entries, default=None),
        )

    return in_store(directory, collect)


def _describe_path(connection: Connection, found: index.TrustedCertificate) -> str:
    if not found.usable:
        return "none: it cannot be used"
    if found.kind == "CSCA":
        return "it is an anchor itself" if found.state == "ACCEPTED" else "none: it is held or rejected"
    authorities = index.stream_certificates(
        connection, country=found.country, kinds=index.AUTHORITIES, states=("ACCEPTED",), with_raw=True
    )
    trust = build_trust_store(item.raw for item in authorities)
    try:
        certificate = read_certificate(found.raw, [])
        purpose = next(iter(certificate.extensions.extended_key_usage or ()), None)
        path = find_path(certificate, trust, [], purpose=purpose) if found.kind != "LINK" else None
        if path is None:
            above = trust.candidates(certificate)
            return f"a link below {above[0].subject}" if above else "none: no issuer found"
        return " < ".join(item.subject for item in path.authorities)
    except (VerificationError, DecodeError) as refusal:
        return f"none: {refusal}"


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. publishers: countries whose signed lists know it, or knew it.

    Args:
        what: "added", "held" or "rejected" of what is new in the store; "gone" of what a publisher's list has no more.
    """

    what: str
    certificate: index.TrustedCertificate
    publishers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """What changed between two imports. before: 0 for an empty store. sources: of the imports behind that one."""

    before: int
    after: int
    changes: tuple[Change, ...]
    sources: tuple[index.TrustSource, ...]


def diff_imports(directory: Path, before: int | None = None, after: int | None = None) -> Difference:
    """What came into the store behind one import, up to another, and what publishers left out of their lists meanwhile.

    Each publisher's newest list is compared with the one before of the same publisher: what an import does not hold
    because it is of another publisher, or a single file, is not gone.

    Args:
        before, after: numbers of imports; the last one, and the one before it, unless said otherwise.

    Raises:
        NotStoredError: there is no such import.
    """

    def collect(connection: Connection) -> Difference:
        numbers = [number for number, _ in index.list_imports(connection)]
        later = after if after is not None else (numbers[-1] if numbers else 0)
        earlier = before if before is not None else max((item for item in numbers if item < later), default=0)
        for number in (later, earlier):
            if number not in (*numbers, 0):
                raise NotStoredError(f"there is no import {number}")
        sources = index.list_sources(connection)
        new = index.seen_between(connection, earlier, later) - index.seen_between(connection, 0, earlier)
        rows = index.load_certificates(connection, sorted(new | _find_gone(connection, sources, earlier, later)))
        publishers = index.publishers(connection, list(rows))
        changes = [
            Change(_name_change(item, new), item, tuple(sorted(publishers[item.fingerprint]))) for item in rows.values()
        ]
        ordered = tuple(sorted(changes, key=lambda item: (item.certificate.country, item.what)))
        return Difference(earlier, later, ordered, tuple(item for item in sources if earlier < item.import_id <= later))

    return in_store(directory, collect)


def _find_gone(
    connection: Connection, sources: Sequence[index.TrustSource], earlier: int, later: int
) -> frozenset[bytes]:
    """What a publisher's list had up to the earlier import and, newer than that, has no more."""
    had = _newest_lists(item for item in sources if item.import_id <= earlier)
    has = _newest_lists(item for item in sources if earlier < item.import_id <= later)
    gone = (index.seen_by(connection, had[key]) - index.seen_by(connection, has[key]) for key in had.keys() & has)
    return frozenset().union(*gone)


def _newest_lists(sources: Iterable[index.TrustSource]) -> dict[tuple[str, str], list[int]]:
    """Of each publisher, or name of an unsigned list, the sources in the last import that has any."""
    last: dict[tuple[str, str], tuple[int, list[int]]] = {}
    for item in sources:
        if item.kind in LISTS and not item.refusal:
            key = (item.kind, item.country if item.signed else item.name)
            known = last.get(key, (0, []))
            last[key] = (item.import_id, [*(known[1] if known[0] == item.import_id else ()), item.id])
    return {key: ids for key, (_, ids) in last.items()}


def _name_change(item: index.TrustedCertificate, new: frozenset[bytes]) -> str:
    if item.fingerprint not in new:
        return "gone"
    return {"HELD": "held", "REJECTED": "rejected"}.get(item.state, "added")


def list_imports(directory: Path) -> tuple[tuple[int, datetime, tuple[index.TrustSource, ...]], ...]:
    """Number, time and sources of every import."""

    def collect(connection: Connection) -> tuple[tuple[int, datetime, tuple[index.TrustSource, ...]], ...]:
        return tuple(
            (number, at, index.list_sources(connection, number)) for number, at in index.list_imports(connection)
        )

    return in_store(directory, collect)


@dataclass(frozen=True, slots=True)
class Gap:
    """What a country lacks. why: sentences."""

    country: str
    why: tuple[str, ...]


def find_gaps(directory: Path, now: datetime, countries: Sequence[str] = ()) -> tuple[Gap, ...]:
    """Countries without a current CSCA, with one that ends soon, or without a fresh CRL.

    Args:
        countries: two letters each, that ought to be there, besides those that anything in the store is of.
    """

    def collect(connection: Connection) -> tuple[Gap, ...]:
        authorities: dict[str, list[index.TrustedCertificate]] = defaultdict(list)
        crls: dict[str, list[index.TrustedCrl]] = defaultdict(list)
        distrusted = {item.key_id for item in load_distrusts(connection) if item.since <= now}
        for item in index.stream_certificates(connection):
            counts = item.kind in index.AUTHORITIES and item.key_id not in distrusted
            authorities[item.country].extend((item,) if counts else ())
        for crl in index.list_crls(connection):
            crls[crl.country].append(crl)
        named = {item.upper() for item in countries}
        gaps = (
            Gap(country, _find_gap(authorities[country], crls[country], now))
            for country in sorted({*authorities, *crls, *named})
        )
        return tuple(gap for gap in gaps if gap.why)

    return in_store(directory, collect)


def _find_gap(
    authorities: list[index.TrustedCertificate], crls: list[index.TrustedCrl], now: datetime
) -> tuple[str, ...]:
    anchors = [item for item in authorities if item.kind == "CSCA"]
    good = [item for item in anchors if item.usable and item.state == "ACCEPTED" and item.not_after is not None]
    current = [item for item in good if item.not_before is not None and item.not_before <= now]
    current = [item for item in current if item.not_after is not None and item.not_after >= now]
    why = []
    if not current:
        held = sum(item.state == "HELD" for item in anchors)
        unusable = sum(not item.usable for item in anchors)
        last = max((item.not_after for item in good if item.not_after is not None), default=None)
        if last is not None:
            why.append(f"no current CSCA: the last ended on {last:%Y-%m-%d}")
        elif held or unusable:
            why.append(f"no CSCA that counts: {held} held, {unusable} unusable")
        else:
            why.append("no CSCA")
    else:
        last = max(item.not_after for item in current if item.not_after is not None)
        if last < now + SOON:
            why.append(f"the last CSCA ends on {last:%Y-%m-%d}")
    fresh = [item for item in crls if item.usable and item.next_update is not None and item.next_update >= now]
    if not fresh:
        why.append("no fresh CRL" if crls else "no CRL")
    return tuple(why)
