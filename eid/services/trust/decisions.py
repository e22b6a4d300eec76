"""What an operator decides of a trust store: anchors for the signers of lists, approval of what is held, distrust."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Connection

from eid.errors import DecodeError, LifecycleError, NotStoredError
from eid.services.trust.files import in_store
from eid.store import trust_index as index

LEAST_DIGITS: Final = 8  # of a fingerprint that is shortened
MAX_REASON: Final = 256  # characters


def find_certificate(connection: Connection, fingerprint: str) -> index.TrustedCertificate:
    """The certificate, with its octets, that a fingerprint or the first digits of one mean.

    Args:
        fingerprint: hexadecimal, 8 digits at least; colons and blanks do not count.

    Raises:
        DecodeError: no hexadecimal, or too short. NotStoredError: none, or several, begin so.
    """
    digits = fingerprint.replace(":", "").replace(" ", "").lower()
    try:
        prefix = bytes.fromhex(digits + "0" * (len(digits) % 2))
    except ValueError:
        raise DecodeError(f"{fingerprint!r} is no fingerprint in hexadecimal") from None
    if not LEAST_DIGITS <= len(digits) <= 64:
        raise DecodeError(f"a fingerprint has 64 digits, of which {LEAST_DIGITS} at least must be said")
    found = index.find_certificates(connection, prefix, len(digits) % 2 == 1)
    if len(found) != 1:
        what = "several certificates begin" if found else "there is no certificate that begins"
        raise NotStoredError(f"{what} with {digits}")
    return found[0]


def pin_anchors(directory: Path, fingerprints: Iterable[str], now: datetime) -> tuple[index.TrustedCertificate, ...]:
    """Pin CSCA certificates of the store as anchors for the signers of lists.

    Raises:
        LifecycleError: it is no usable CSCA certificate, or is rejected.
        NotStoredError, DecodeError: as `find_certificate`.
    """

    def pin(connection: Connection) -> tuple[index.TrustedCertificate, ...]:
        found = tuple(find_certificate(connection, item) for item in fingerprints)
        for item in found:
            if item.kind != "CSCA" or not item.usable:
                raise LifecycleError(f"{item.fingerprint.hex()[:16]} is no usable self-signed CSCA certificate")
            if item.state == "REJECTED":
                raise LifecycleError(f"{item.fingerprint.hex()[:16]} is rejected: approve it first")
            index.release(connection, [item.fingerprint])
            index.add_pin(connection, item.fingerprint, now)
        return found

    return in_store(directory, pin)


def unpin_anchors(directory: Path, fingerprints: Iterable[str]) -> int:
    """Unpin anchors; how many were pinned. Their certificates stay trusted for documents."""

    def unpin(connection: Connection) -> int:
        found = [find_certificate(connection, item) for item in fingerprints]
        return sum(index.remove_pin(connection, item.fingerprint) for item in found)

    return in_store(directory, unpin)


def list_anchors(directory: Path) -> tuple[index.TrustedCertificate, ...]:
    """The pinned anchors."""
    return in_store(directory, index.list_pins)


def approve(
    directory: Path, fingerprints: Iterable[str], *, everything: bool = False, reject: bool = False
) -> tuple[index.TrustedCertificate, ...]:
    """Approve, or reject, certificates that are held.

    Args:
        everything: all that are held. reject: they never count, whichever lists know them, until they are approved.
    """

    def decide(connection: Connection) -> tuple[index.TrustedCertificate, ...]:
        if everything:
            found = tuple(index.stream_certificates(connection, states=("HELD",)))
        else:
            found = tuple(find_certificate(connection, item) for item in fingerprints)
        for item in found:
            reason = "rejected by the operator" if reject else ""
            index.set_state(connection, item.fingerprint, "REJECTED" if reject else "ACCEPTED", reason)
        return found

    return in_store(directory, decide)


@dataclass(frozen=True, slots=True)
class DistrustEntry:
    """One entry of the distrust list. also: fingerprints of the further certificates of the same key, meant as well."""

    certificate: index.TrustedCertificate
    since: datetime
    reason: str
    noted_at: datetime
    lifted_at: datetime | None
    also: tuple[str, ...]


def distrust(directory: Path, fingerprint: str, *, since: datetime, reason: str, now: datetime) -> DistrustEntry:
    """Distrust a certificate, and every other of its key, from a date on.

    Raises:
        LifecycleError: no reason, or one of over 256 characters.
    """
    if not reason.strip() or len(reason) > MAX_REASON:
        raise LifecycleError(f"a distrust needs a reason of 1 to {MAX_REASON} characters")

    def note(connection: Connection) -> DistrustEntry:
        found = find_certificate(connection, fingerprint)
        index.add_distrust(connection, found.fingerprint, since, reason, now)
        return DistrustEntry(found, since, reason, now, None, _siblings(connection, found))

    return in_store(directory, note)


def lift_distrust(directory: Path, fingerprint: str, now: datetime) -> int:
    """Lift the entries that name a certificate; how many there were. They stay in the list with the date."""
    return in_store(
        directory,
        lambda connection: index.lift_distrust(connection, find_certificate(connection, fingerprint).fingerprint, now),
    )


def list_distrusts(directory: Path) -> tuple[DistrustEntry, ...]:
    """Every entry, in force or lifted."""

    def collect(connection: Connection) -> tuple[DistrustEntry, ...]:
        entries = index.list_distrusts(connection)
        meant = index.load_certificates(connection, [item.fingerprint for item in entries])
        return tuple(
            DistrustEntry(
                meant[item.fingerprint],
                item.since,
                item.reason,
                item.noted_at,
                item.lifted_at,
                _siblings(connection, meant[item.fingerprint]),
            )
            for item in entries
        )

    return in_store(directory, collect)


def _siblings(connection: Connection, certificate: index.TrustedCertificate) -> tuple[str, ...]:
    same = index.certificates_of_key(connection, certificate.key_id)
    return tuple(item.fingerprint.hex() for item in same if item.fingerprint != certificate.fingerprint)
