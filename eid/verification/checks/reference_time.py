"""time.reference: the time at which certificates are judged is known, and the clock is not proven wrong.

A clock that was set back would bring expired documents and lapsed lists to life. The youngest CRL that counts was
signed by its issuer: no right clock shows an earlier time. The time that a document states for itself is taken only
where the policy says so, never for expiry or revocation, and never where the issuer's signature does not cover it.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from datetime import time as time_of_day
from typing import Final

from eid.errors import Reason, VerificationError
from eid.lds.dg12 import decode_dg12
from eid.pki.trust_store import TrustStore
from eid.verification.case import Case
from eid.verification.checks.check import Check

TOLERANCE: Final = timedelta(days=1)  # clocks of issuers differ, and some write local time
CLAUSE: Final = "Doc 9303-12 7.1"


def run(case: Case, check_id: str) -> str:
    """Settle the reference time as the policy chooses it."""
    if case.time_source == "now":
        _require_right_clock(case)
    match case.policy.reference_time:
        case "now":
            case.reference_time = case.time
            return ""
        case "signing_time":
            stated = _signing_time(case)
        case "issue_date":
            stated = _end_of_issue_date(case)
    case.reference_time = _require_past(case, stated)
    return f"{case.policy.reference_time}: {stated:%Y-%m-%d}"


def _require_right_clock(case: Case) -> None:
    if is_clock_behind(case.trust, case.time):
        raise VerificationError(Reason.CLOCK_BEHIND, f"the trust store has a CRL of {case.trust.newest_list:%Y-%m-%d}")


def is_clock_behind(trust: TrustStore, now: datetime) -> bool:
    """Whether a clock that shows `now` (UTC) is proven wrong: an issuer has signed a CRL after that."""
    return trust.newest_list is not None and trust.newest_list - now > TOLERANCE


def _signing_time(case: Case) -> datetime:
    """The signingTime of EF.SOD (RFC 5652 11.3); absent, nothing tells when it was signed."""
    attributes = case.require_sod().signed_data.signer_info.signed_attributes
    if attributes is None or attributes.signing_time is None:
        raise VerificationError(Reason.OUT_OF_BOUNDS_NO_POE, "EF.SOD does not say when it was signed")
    if not case.passed("sod.signature"):
        raise VerificationError(Reason.SOD_NOT_VERIFIED, "no verified signature covers the signing time")
    return attributes.signing_time


def _end_of_issue_date(case: Case) -> datetime:
    """The last moment of the date of issue in DG12 (Doc 9303-10 4.7.12): the day has no hour."""
    try:
        issued = decode_dg12(case.require_bound(12)).date_of_issue or ""
        return datetime.combine(date.fromisoformat(issued), time_of_day(23, 59, 59), UTC)
    except (VerificationError, ValueError) as failure:  # DecodeError is a ValueError
        what = "no signed DG12 tells the date of issue"
        raise VerificationError(Reason.OUT_OF_BOUNDS_NO_POE, what) from failure


def _require_past(case: Case, stated: datetime) -> datetime:
    if stated - case.time > TOLERANCE:
        raise VerificationError(Reason.OUT_OF_BOUNDS_NO_POE, f"the document says that it is of {stated:%Y-%m-%d}")
    return stated


REFERENCE_TIME: Final = Check("time.reference", CLAUSE, run)
