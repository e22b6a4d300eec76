"""Whether a verifier that answers can also judge: its clock, and the revocation lists that it goes by."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum, unique

from eid.pki.trust_store import TrustStore
from eid.verification.checks.reference_time import is_clock_behind


@unique
class Impairment(StrEnum):
    """Why verdicts are INDETERMINATE that need not be; stable names."""

    CLOCK_BEHIND = "CLOCK_BEHIND"  # the trust store has a CRL that is younger than the clock shows
    CRLS_MISSING = "CRLS_MISSING"  # no CRL of any authority is at hand
    CRLS_STALE = "CRLS_STALE"  # every CRL is stale: nobody has brought new ones


@dataclass(frozen=True, slots=True)
class ServiceHealth:
    """How a verifier stands.

    Args:
        impairments: none where it is well. stale: countries of whose CRLs none is fresh, upper case, sorted.
    """

    impairments: tuple[Impairment, ...] = ()
    stale: tuple[str, ...] = ()


def judge_health(trust: TrustStore, now: datetime) -> ServiceHealth:
    """How a verifier with this trust store and this clock (UTC) stands."""
    fresh: set[str] = set()
    known: set[str] = set()
    for authority in trust.authorities:
        for crl in trust.crls_of(authority):
            country = crl.issuer_country or ""
            known.add(country)
            if crl.next_update is not None and crl.next_update >= now:
                fresh.add(country)
    impairments = []
    if is_clock_behind(trust, now):
        impairments.append(Impairment.CLOCK_BEHIND)
    if not known:
        impairments.append(Impairment.CRLS_MISSING)
    elif not fresh:
        impairments.append(Impairment.CRLS_STALE)
    return ServiceHealth(tuple(impairments), tuple(sorted(known - fresh)))
