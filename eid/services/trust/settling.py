"""What is decided once an import is in: whose key signed what, which held authorities may count, which CRLs do.

Held authorities are looked at again at each import: another list may know them now.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from sqlalchemy import Connection

from eid.codec.crl import CertificateList, decode_crl
from eid.codec.extensions import KeyUsage
from eid.codec.x509 import Certificate
from eid.crypto.public_key import load_public_key
from eid.crypto.signatures import PublicKey
from eid.errors import DecodeError, VerificationError
from eid.pki.lint import Finding, Grade
from eid.pki.reading import read_certificate
from eid.pki.trust_store import is_signed_by
from eid.services.trust.files import load_distrusts
from eid.services.trust.policy import TrustPolicy
from eid.store import trust_index as index
from eid.store.tables import trust_certificate, trust_crl

NO_ISSUER: Final = "no authority of its issuer's name signed it (RFC 5280 6.3.3)"
NO_RIGHT: Final = "its issuer's key usage does not allow it (RFC 5280 6.3.3)"
_CLAUSE: Final = "RFC 5280 6.3.3"
_NUMBER_CLAUSE: Final = "RFC 5280 5.2.3"


def describe_findings(findings: Iterable[Finding]) -> tuple[index.FindingRow, ...]:
    """Findings as the index keeps them."""
    return tuple((item.code, item.grade.value, item.what, item.clause) for item in findings)


def restore_findings(rows: Iterable[index.FindingRow]) -> tuple[Finding, ...]:
    """Findings out of the index."""
    return tuple(Finding(code, Grade(grade), what, clause) for code, grade, what, clause in rows)


def settle(
    connection: Connection, policy: TrustPolicy, import_id: int, authorities: Sequence[bytes], crls: Sequence[bytes]
) -> None:
    """Settle what an import left open.

    Args:
        authorities, crls: fingerprints of those that are new with it.
    """
    if authorities:
        _relate(connection, authorities)
    _release_held(connection, policy)
    _settle_crls(connection, crls)


# --- whose key signed what


def _relate(connection: Connection, fresh: Sequence[bytes]) -> None:
    """Find the issuers of links: of those that are new among all, of all that had none among the new ones."""
    new = index.load_certificates(connection, fresh)
    names = {item.subject_id for item in new.values()}
    related = {certificate for certificate, _ in index.list_relations(connection)}
    open_links = (
        item
        for item in index.stream_certificates(connection, kinds=("LINK",), where=(trust_certificate.c.usable,))
        if item.fingerprint in new or (item.fingerprint not in related and item.issuer_id in names)
    )
    wanted = {item.fingerprint: item.issuer_id for item in open_links}
    if not wanted:
        return
    issuers = _group(index.issuer_candidates(connection, sorted(set(wanted.values()))))
    raws = index.load_raws(connection, list(wanted))
    pairs = []
    for fingerprint, issuer_id in wanted.items():
        link = read_certificate(raws[fingerprint], [])
        pairs += [
            (fingerprint, item.fingerprint)
            for item in issuers.get(issuer_id, ())
            if item.fingerprint != fingerprint and _is_signed(link, _load_key(item))
        ]
    index.add_relations(connection, pairs)


def _group(items: Iterable[index.TrustedCertificate]) -> Mapping[bytes, list[index.TrustedCertificate]]:
    groups: dict[bytes, list[index.TrustedCertificate]] = defaultdict(list)
    for item in items:
        groups[item.subject_id].append(item)
    return groups


def _load_key(item: index.TrustedCertificate) -> PublicKey:
    """The key of a usable authority; it was loaded before."""
    return load_public_key(read_certificate(item.raw, []).spki_raw)


def _is_signed(signed: Certificate | CertificateList, key: PublicKey) -> bool:
    try:
        return is_signed_by(signed, key)
    except (DecodeError, VerificationError):
        return False


# --- held authorities


def _release_held(connection: Connection, policy: TrustPolicy) -> None:
    """Accept held authorities for which enough speaks, until nothing changes any more: links confirm one another."""
    held = {
        item.fingerprint: item
        for item in index.stream_certificates(connection, kinds=index.AUTHORITIES, states=("HELD",))
    }
    if not held:
        return
    publishers = index.publishers(connection, list(held))
    relations = _group_relations(index.list_relations(connection))
    distrusted = _find_distrusted(connection)
    while True:
        accepted = {
            (item.key_id, item.subject_id): item
            for item in index.stream_certificates(connection, kinds=("LINK",), states=("ACCEPTED",))
            if distrusted.isdisjoint(relations.get(item.fingerprint, ()))
        }
        states = index.load_certificates(connection, [issuer for item in held for issuer in relations.get(item, ())])
        released = [
            item
            for item in held.values()
            if _speaks_enough(item, publishers[item.fingerprint], policy)
            or (item.kind == "CSCA" and (item.key_id, item.subject_id) in accepted)
            or any(
                states[issuer].state == "ACCEPTED" and issuer not in distrusted
                for issuer in relations.get(item.fingerprint, ())
            )
        ]
        index.release(connection, [item.fingerprint for item in released])
        for item in released:
            del held[item.fingerprint]
        if not released:
            break
    for item in held.values():
        known = len(publishers[item.fingerprint])
        why = f"known to {known} of {policy.quorum} signed lists" if known else "nobody signed for it"
        index.set_state(connection, item.fingerprint, "HELD", why)


def _find_distrusted(connection: Connection) -> frozenset[bytes]:
    """Fingerprints of all certificates of distrusted keys: who has such a key could vouch for any key of his own."""
    keys = {item.key_id for item in load_distrusts(connection)}
    return frozenset(item.fingerprint for key in keys for item in index.certificates_of_key(connection, key))


def _speaks_enough(item: index.TrustedCertificate, publishers: frozenset[str], policy: TrustPolicy) -> bool:
    """Enough lists know it, or its own state's list does."""
    return len(publishers) >= policy.quorum or (bool(item.country) and item.country in publishers)


def _group_relations(pairs: Iterable[tuple[bytes, bytes]]) -> Mapping[bytes, list[bytes]]:
    groups: dict[bytes, list[bytes]] = defaultdict(list)
    for certificate, issuer in pairs:
        groups[certificate].append(issuer)
    return groups


# --- CRLs


def _settle_crls(connection: Connection, fresh: Sequence[bytes]) -> None:
    """Find who signed the CRLs: the new ones, and those whose issuer may have come since."""
    orphans = index.list_crls(connection, where=(~trust_crl.c.usable, trust_crl.c.signer_key.is_(None)))
    new = frozenset(fresh)
    for listed in orphans:
        if listed.this_update is None or any(code == "UNUSABLE" for code, *_ in listed.findings[:-1]):
            continue  # it cannot be read
        _settle_crl(connection, listed, listed.fingerprint in new)


def _settle_crl(connection: Connection, listed: index.TrustedCrl, is_new: bool) -> None:
    stored = index.load_crl(connection, listed.fingerprint)
    if stored is None or (listed.why and listed.why not in (NO_ISSUER, NO_RIGHT)):
        return
    crl = decode_crl(stored.raw, [])
    issuers = [
        item
        for item in index.issuer_candidates(connection, [listed.issuer_id])
        if item.state == "ACCEPTED" and _is_signed(crl, _load_key(item))
    ]
    allowed = [item for item in issuers if _may_sign_crls(item)]
    findings = [item for item in listed.findings if item[3] not in (_CLAUSE, _NUMBER_CLAUSE)]
    key = allowed[0].key_id if allowed else None
    why = "" if allowed else NO_RIGHT if issuers else NO_ISSUER
    if not why and key is not None:
        why = _find_regress(connection, listed, key)
        if why:
            findings.append(("CRL_NUMBER_BACK", Grade.ERROR.value, why, _NUMBER_CLAUSE))
    if why and not any(item[2] == why for item in findings):
        findings.append(("UNUSABLE", Grade.ERROR.value, why, _CLAUSE))
    index.change_crl(connection, listed.fingerprint, usable=not why, why=why, signer_key=key, findings=tuple(findings))


def _may_sign_crls(item: index.TrustedCertificate) -> bool:
    """RFC 5280 6.3.3 (f): the key usage, where there is one, has cRLSign."""
    usage = read_certificate(item.raw, []).extensions.key_usage
    return usage is None or bool(usage & KeyUsage.CRL_SIGN)


def _find_regress(connection: Connection, listed: index.TrustedCrl, key: bytes) -> str:
    """Why a CRL that came after one of a higher number does not count: numbers never go back (RFC 5280 5.2.3)."""
    earlier = index.list_crls(
        connection,
        where=(trust_crl.c.usable, trust_crl.c.signer_key == key, trust_crl.c.first_seen < listed.first_seen),
    )
    numbers = [int(item.number) for item in earlier if item.number is not None]
    if not numbers:
        return ""
    if listed.number is None:
        return f"it has no number, and number {max(numbers)} was seen before"
    if int(listed.number) < max(numbers):
        return f"its number {listed.number} goes back behind {max(numbers)}, which was seen before"
    if int(listed.number) == max(numbers):
        return f"another CRL of number {listed.number} was seen before"
    return ""
