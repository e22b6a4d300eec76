"""The runner: every check in order, each outcome recorded, the policy folded over them. The only place that collects.

Folding fails closed (ETSI EN 319 102-1 5.1.4): a check that failed sinks the verdict unless the policy calls it
informative; a required check that did not pass leaves it indeterminate; nothing else passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from eid.crypto.signatures import PublicKey
from eid.errors import DecodeError, Reason, VerificationError
from eid.evidence import Evidence
from eid.evidence.codec import SignedEvidence
from eid.pki.trust_store import TrustStore
from eid.verification.case import Case
from eid.verification.checks import CHECKS, Check, Shortfall
from eid.verification.policy import Policy
from eid.verification.report import OUTCOMES, CheckResult, Outcome, Verdict, VerificationReport
from eid.verification.status_lists import NO_STATUS_LISTS, StatusLists

# To fetch a member from its enumeration takes longer than to compare it.
_PASSED: Final = Outcome.PASSED
_FAILED: Final = Outcome.FAILED


def verify(
    evidence: Evidence,
    trust: TrustStore,
    policy: Policy,
    *,
    time: datetime,
    time_source: str = "now",
    expected_challenge: bytes | None = None,
    envelope: SignedEvidence | None = None,
    stations: Mapping[bytes, PublicKey] | None = None,
    relayed: bool = False,
    status_lists: StatusLists = NO_STATUS_LISTS,
) -> VerificationReport:
    """Judge evidence.

    Args:
        time: reference time, UTC; `time_source` says where it came from.
        expected_challenge: the challenge that this verifier issued, if it did; evidence that answers another one fails.
        envelope: the signed form in which the evidence came, if any. stations: keys of the stations whose word counts.
        relayed: the caller gathered this evidence itself, through a relayed reader; the evidence alone never says so.
        status_lists: what is at hand of published statuses.

    Returns:
        The report; this function raises nothing for any evidence.
    """
    known = stations or {}
    case = Case(evidence, trust, policy, time, expected_challenge, envelope, known, relayed, time_source, status_lists)
    found = case.results
    for check in CHECKS:
        if check.expand is None:
            found[check.id] = _run(check, check.id, case)
        else:
            for check_id in check.expand(case):
                found[check_id] = _run(check, check_id, case)
    results = tuple(found.values())
    return VerificationReport(
        verdict=fold(results, policy),
        policy=policy.name,
        policy_version=policy.revision,
        policy_digest=policy.digest,
        reference_time=case.reference_time or time,
        reference_source=_name_source(case),
        trust_store_digest=trust.digest.hex(),
        checks=results,
        assurance=policy.assurance,
        chain=() if case.path is None else case.path.names,
        hazards=policy.hazards,
    )


def _name_source(case: Case) -> str:
    """Where the report's reference time came from; the time of judging where the policy's own could not be told."""
    from_document = case.reference_time is not None and case.policy.reference_time != "now"
    return case.policy.reference_time if from_document else case.time_source


def _run(check: Check, check_id: str, case: Case) -> CheckResult:
    try:
        found = check.run(case, check_id)
    except VerificationError as failure:
        clause = failure.clause or check.clause
        return CheckResult(check_id, OUTCOMES[failure.reason], failure.reason, clause, failure.detail)
    except DecodeError as failure:
        clause = failure.clause or check.clause
        return CheckResult(check_id, Outcome.FAILED, Reason.FORMAT_FAILURE, clause, str(failure))
    if isinstance(found, Shortfall):
        return CheckResult(check_id, OUTCOMES[found.reason], found.reason, check.clause, found.detail)
    return CheckResult(check_id, _PASSED, None, check.clause, found)


def fold(results: tuple[CheckResult, ...], policy: Policy) -> Verdict:
    """One verdict from all outcomes."""
    passed = set()
    for item in results:
        if item.outcome is _PASSED:
            passed.add(item.id)
        elif item.outcome is _FAILED and item.id not in policy.informative:
            return Verdict.TOTAL_FAILED
    satisfied = all(not passed.isdisjoint(group) for group in policy.required_one_of)
    return Verdict.TOTAL_PASSED if policy.required <= passed and satisfied else Verdict.INDETERMINATE
