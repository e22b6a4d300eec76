"""Whether an authority's record of signatures is whole, and tells of the same certificates and CRLs that are there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from eid.codec.crl import decode_crl
from eid.codec.x509 import Certificate, decode_certificate
from eid.errors import DecodeError, StoreError
from eid.services.pki.authority_holdings import AuthorityHoldings
from eid.store.files import load_file


@dataclass(frozen=True, slots=True)
class KeyAccount:
    """The signatures of one key: how many, and the SHA-256 of the record's last line, to be noted elsewhere."""

    label: str
    count: int
    head: str


@dataclass(frozen=True, slots=True)
class Audit:
    """Result of an audit.

    Args:
        accounts: every key that has signed. findings: sentences, each a thing to explain; none is as it should be.
    """

    accounts: tuple[KeyAccount, ...]
    findings: tuple[str, ...]


def audit_authority(authority: AuthorityHoldings) -> Audit:
    """Hold the record against itself and against the certificates and CRLs of the directory.

    A CSCA's signature without its object is a finding: an attempt that broke off, or one that somebody hides.
    """
    findings: list[str] = []
    accounts: list[KeyAccount] = []
    digests: dict[str, dict[str, str]] = {}
    for label in authority.record.labels():
        try:
            made = {entry.digest: entry.purpose for entry in authority.record.entries(label)}
            accounts.append(KeyAccount(label, authority.record.count(label), authority.record.head(label)))
        except StoreError as error:
            findings.append(str(error))
            made = {}
        digests[label] = made
    seen: set[str] = set()
    for name, issuer, digest in _signed_objects(authority, findings):
        seen.add(digest)
        if digest not in digests.get(issuer, {}):
            findings.append(f"{name} carries a signature of {issuer} that is not in the record")
    for label in authority.register.cscas:
        for digest, purpose in digests.get(label, {}).items():
            if digest not in seen:
                findings.append(f"{label} made a signature ({purpose}) whose object is not here")
    return Audit(tuple(accounts), tuple(findings))


def _signed_objects(authority: AuthorityHoldings, findings: list[str]) -> Iterator[tuple[str, str, str]]:
    """Name, label of the issuer's key, and digest of the signed part of every certificate and CRL in the directory."""
    register = authority.register
    named = {f"{label}.cer" for label in (*register.cscas, *register.signers, *register.list_signers)}
    named |= {f"{label}.cer" for label in register.external_signers}
    named |= {f"{label}.cer" for label, _ in authority.links}
    keys = {_identifier(decode_certificate(authority.load(label))): label for label in register.cscas}
    for path in sorted(authority.directory.glob("*.c[er][rl]")):
        try:
            item = (decode_certificate if path.suffix == ".cer" else decode_crl)(load_file(path))
        except (DecodeError, StoreError) as error:
            findings.append(f"{path.name}: {error}")
            continue
        if path.suffix == ".cer" and path.name not in named:
            findings.append(f"{path.name} is not in the register")
        identifier = item.extensions.authority_key_identifier
        issuer = keys.get(None if identifier is None else identifier.key_identifier)
        if issuer is None:
            findings.append(f"{path.name} was issued by a key that is not the authority's")
            continue
        yield path.name, issuer, hashlib.sha256(item.tbs_raw).hexdigest()


def _identifier(certificate: Certificate) -> bytes | None:
    return certificate.extensions.subject_key_identifier
