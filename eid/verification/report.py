"""The result of a verification: one frozen value that HTTP, the command line and the HTML page all render.

Names follow ETSI EN 319 102-1 (5.1): a verdict in three values, each check with an outcome and a stable reason code.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum, unique
from functools import lru_cache
from typing import Any, Final

from pydantic_core import to_json

from eid.codec.name import decode_name
from eid.errors import DecodeError, Reason
from eid.verification.policy_lint import UNSAFE, Hazard

FORMAT: Final = "eid-verification-report"
VERSION: Final = 1
DESCRIBED: Final = 1024  # names, and results of checks, that are remembered as text: most come again and again


@unique
class Outcome(StrEnum):
    """How one check ended. What the chip cannot do is not what nobody asked it to do."""

    PASSED = "PASSED"
    FAILED = "FAILED"
    INDETERMINATE = "INDETERMINATE"
    NOT_SUPPORTED = "NOT_SUPPORTED"
    NOT_PERFORMED = "NOT_PERFORMED"


@unique
class Verdict(StrEnum):
    """The whole, in three words."""

    TOTAL_PASSED = "TOTAL_PASSED"
    INDETERMINATE = "INDETERMINATE"
    TOTAL_FAILED = "TOTAL_FAILED"


# What a reason makes of a check. A reason that means "cannot tell" is never reported as failed, nor as passed.
OUTCOMES: Final[dict[Reason, Outcome]] = {
    Reason.FORMAT_FAILURE: Outcome.FAILED,
    Reason.SIG_CRYPTO_FAILURE: Outcome.FAILED,
    Reason.HASH_FAILURE: Outcome.FAILED,
    Reason.DG_NOT_IN_SOD: Outcome.FAILED,
    Reason.PATH_SIGNATURE_FAILURE: Outcome.FAILED,
    Reason.NOT_YET_VALID: Outcome.FAILED,
    Reason.REVOKED: Outcome.FAILED,
    Reason.SUSPENDED: Outcome.FAILED,
    Reason.CSCA_DISTRUSTED: Outcome.FAILED,
    Reason.CLONE_SUSPECTED: Outcome.FAILED,
    Reason.CHALLENGE_MISMATCH: Outcome.FAILED,
    Reason.KEY_MISMATCH: Outcome.FAILED,
    Reason.DOWNGRADED: Outcome.FAILED,
    Reason.ISSUER_MISMATCH: Outcome.FAILED,
    Reason.MRZ_MISMATCH: Outcome.FAILED,
    Reason.DOCUMENT_EXPIRED: Outcome.FAILED,
    Reason.STATION_SIGNATURE_FAILURE: Outcome.FAILED,
    Reason.OUT_OF_USAGE_PERIOD: Outcome.FAILED,
    Reason.DOCUMENT_TYPE_MISMATCH: Outcome.FAILED,
    Reason.UNVERIFIED_PARAMETERS: Outcome.FAILED,
    Reason.ALGORITHM_UNSUPPORTED: Outcome.INDETERMINATE,
    Reason.CRYPTO_CONSTRAINTS_FAILURE: Outcome.INDETERMINATE,
    Reason.NO_SIGNING_CERTIFICATE_FOUND: Outcome.INDETERMINATE,
    Reason.NO_CERTIFICATE_CHAIN_FOUND: Outcome.INDETERMINATE,
    Reason.CHAIN_CONSTRAINTS_FAILURE: Outcome.INDETERMINATE,
    Reason.OUT_OF_BOUNDS_NO_POE: Outcome.INDETERMINATE,
    Reason.TRY_LATER: Outcome.INDETERMINATE,
    Reason.TRANSPORT_LOST: Outcome.INDETERMINATE,
    Reason.CLOCK_BEHIND: Outcome.INDETERMINATE,
    Reason.KEY_COMPROMISED: Outcome.INDETERMINATE,
    Reason.CLIENT_ASSERTED: Outcome.NOT_PERFORMED,
    Reason.UNTRUSTED_STATION: Outcome.NOT_PERFORMED,
    Reason.SOD_NOT_VERIFIED: Outcome.NOT_PERFORMED,
    Reason.DATA_MISSING: Outcome.NOT_PERFORMED,
    Reason.NOT_ATTEMPTED: Outcome.NOT_PERFORMED,
    Reason.CHIP_CANNOT: Outcome.NOT_SUPPORTED,
}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check.

    Args:
        id: stable dotted name. reason: None exactly where the check passed.
        clause: the specification's clause that the check enforces. detail: a sentence, without personal data.
    """

    id: str
    outcome: Outcome
    reason: Reason | None
    clause: str
    detail: str = ""


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """A judged piece of evidence.

    Args:
        reference_time: the time at which certificates were judged, UTC. reference_source: where it came from.
        policy, policy_version, policy_digest: the policy by name, version and SHA-256 of its file (hexadecimal).
        trust_store_digest: SHA-256 of the trust material that was used (hexadecimal).
        assurance: what TOTAL_PASSED says and what it does not; under another verdict it is not established.
        hazards: what the policy leaves open, by name; is_unsafe: whether somebody without a genuine document may pass.
        chain: subject names of the certificates that were used, DER, document signer first; empty where none was found.
    """

    verdict: Verdict
    policy: str
    policy_version: int
    policy_digest: str
    reference_time: datetime
    reference_source: str
    trust_store_digest: str
    checks: tuple[CheckResult, ...]
    assurance: str
    chain: tuple[bytes, ...] = field(default=(), repr=False)
    hazards: tuple[Hazard, ...] = ()

    @property
    def is_unsafe(self) -> bool:
        """Whether the policy may accept somebody who has no genuine document."""
        return not UNSAFE.isdisjoint(self.hazards)

    def check(self, check_id: str) -> CheckResult | None:
        """The check with this id, or None."""
        return next((item for item in self.checks if item.id == check_id), None)

    @property
    def certificates(self) -> tuple[str, ...]:
        """The chain's names as text; few who verify read them, so they are decoded on request."""
        return tuple(_describe(raw) for raw in self.chain)

    @property
    def failures(self) -> tuple[CheckResult, ...]:
        """The checks that failed."""
        return tuple(item for item in self.checks if item.outcome is Outcome.FAILED)


@lru_cache(maxsize=DESCRIBED)
def _describe(name: bytes) -> str:
    try:
        return str(decode_name(name, defects=[]))
    except DecodeError as error:
        return f"malformed: {error}"


def report_to_json(report: VerificationReport) -> dict[str, Any]:
    """The report as the JSON object that `docs/formats/verification-report.schema.json` describes."""
    return {**_describe_whole(report), "checks": [_check_to_json(item) for item in report.checks]}


def encode_report(report: VerificationReport) -> bytes:
    """The text of `report_to_json`, UTF-8, for those who write many of them."""
    checks = [_encode_check(item.id, item.outcome, item.reason, item.clause, item.detail) for item in report.checks]
    return b'%b,"checks":[%b]}' % (to_json(_describe_whole(report))[:-1], b",".join(checks))


def _describe_whole(report: VerificationReport) -> dict[str, Any]:
    """All but the checks."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "verdict": str(report.verdict),
        "policy": report.policy,
        "policy_version": report.policy_version,
        "policy_digest": report.policy_digest,
        "policy_unsafe": report.is_unsafe,
        "policy_hazards": [str(item) for item in report.hazards],
        "reference_time": report.reference_time.isoformat().replace("+00:00", "Z"),
        "reference_source": report.reference_source,
        "trust_store_digest": report.trust_store_digest,
        "assurance": report.assurance,
        "certificates": list(report.certificates),
    }


def _check_to_json(item: CheckResult) -> dict[str, Any]:
    return {
        "id": item.id,
        "outcome": str(item.outcome),  # quicker than `value`, which enumerations look up
        "reason": None if item.reason is None else str(item.reason),
        "clause": item.clause,
        "detail": item.detail,
    }


@lru_cache(maxsize=DESCRIBED)
def _encode_check(check_id: str, outcome: Outcome, reason: Reason | None, clause: str, detail: str) -> bytes:
    return to_json(_check_to_json(CheckResult(check_id, outcome, reason, clause, detail)))


def report_from_json(told: dict[str, Any]) -> VerificationReport:
    """A report out of its JSON object, as another process sent it; without the chain, whose names are text there.

    Raises:
        DecodeError: it is of another format or version, or malformed.
    """
    try:
        if (told["format"], told["version"]) != (FORMAT, VERSION):
            raise DecodeError("a report of another format or version")
        return VerificationReport(
            verdict=Verdict(told["verdict"]),
            policy=told["policy"],
            policy_version=told["policy_version"],
            policy_digest=told["policy_digest"],
            reference_time=datetime.fromisoformat(told["reference_time"]),
            reference_source=told["reference_source"],
            trust_store_digest=told["trust_store_digest"],
            checks=tuple(
                CheckResult(
                    item["id"],
                    Outcome(item["outcome"]),
                    None if item["reason"] is None else Reason(item["reason"]),
                    item["clause"],
                    item["detail"],
                )
                for item in told["checks"]
            ),
            assurance=told["assurance"],
            hazards=tuple(Hazard(item) for item in told["policy_hazards"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DecodeError("a malformed verification report") from error
