""" "Cannot tell" is never reported as failed, nor as passed: for every reason, every set of results, every policy."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.errors import DecodeError, Reason, VerificationError
from eid.evidence import Evidence, Origin
from eid.locale import LANGUAGES, check_text, text
from eid.pki.trust_store import build_trust_store
from eid.verification.case import Case
from eid.verification.checks import CHECKS, Check
from eid.verification.policy import load_policy, shipped_policies
from eid.verification.report import OUTCOMES, CheckResult, Outcome, Verdict
from eid.verification.verify import _run, fold
from tests.builders.sweep import examples

NOW = datetime(2026, 6, 1, tzinfo=UTC)
UNDECIDED = frozenset({Outcome.INDETERMINATE, Outcome.NOT_PERFORMED, Outcome.NOT_SUPPORTED})
# What each reason means, written down a second time: a slip in the table of outcomes does not go unseen.
CANNOT_TELL = frozenset(
    {
        Reason.ALGORITHM_UNSUPPORTED,
        Reason.CRYPTO_CONSTRAINTS_FAILURE,
        Reason.NO_SIGNING_CERTIFICATE_FOUND,
        Reason.NO_CERTIFICATE_CHAIN_FOUND,
        Reason.CHAIN_CONSTRAINTS_FAILURE,
        Reason.OUT_OF_BOUNDS_NO_POE,
        Reason.TRY_LATER,
        Reason.TRANSPORT_LOST,
        Reason.CLOCK_BEHIND,
        Reason.KEY_COMPROMISED,
        Reason.CLIENT_ASSERTED,
        Reason.UNTRUSTED_STATION,
        Reason.SOD_NOT_VERIFIED,
        Reason.DATA_MISSING,
        Reason.NOT_ATTEMPTED,
        Reason.CHIP_CANNOT,
    }
)
MANY = settings(max_examples=examples(200), deadline=None)
CHECK_IDS = sorted({*load_policy("strict").required, *load_policy("border").required, "chip.aa", "chip.ca", "access"})


def result_of(check_id: str, reason: Reason | None) -> CheckResult:
    outcome = Outcome.PASSED if reason is None else OUTCOMES[reason]
    return CheckResult(check_id, outcome, reason, "clause")


RESULTS = st.dictionaries(st.sampled_from(CHECK_IDS), st.none() | st.sampled_from(Reason)).map(
    lambda found: tuple(result_of(check_id, reason) for check_id, reason in found.items())
)


def test_every_reason_is_of_one_kind() -> None:
    assert {reason for reason, outcome in OUTCOMES.items() if outcome in UNDECIDED} == CANNOT_TELL
    assert {OUTCOMES[reason] for reason in set(Reason) - CANNOT_TELL} == {Outcome.FAILED}


@pytest.mark.parametrize("reason", Reason)
def test_the_runner_keeps_the_kind(reason: Reason) -> None:
    def run(case: Case, check_id: str) -> str:
        raise VerificationError(reason, "a sentence")

    case = Case(Evidence(Origin.UPLOAD, NOW, None, "", "", ()), build_trust_store(()), load_policy("strict"), NOW)
    found = _run(Check("a.check", "clause", run), "a.check", case)
    assert (found.outcome in UNDECIDED) is (reason in CANNOT_TELL)
    assert found.outcome is not Outcome.PASSED


def test_what_does_not_decode_has_failed() -> None:
    def run(case: Case, check_id: str) -> str:
        raise DecodeError("malformed")

    case = Case(Evidence(Origin.UPLOAD, NOW, None, "", "", ()), build_trust_store(()), load_policy("strict"), NOW)
    found = _run(Check("a.check", "clause", run), "a.check", case)
    assert (found.outcome, found.reason) == (Outcome.FAILED, Reason.FORMAT_FAILURE)


@MANY
@given(RESULTS, st.sampled_from(shipped_policies()))
def test_a_verdict_rests_on_what_is_known(results: tuple[CheckResult, ...], name: str) -> None:
    """Failed only where something failed; passed only where everything that is required passed."""
    policy = load_policy(name)
    verdict = fold(results, policy)
    passed = {item.id for item in results if item.outcome is Outcome.PASSED}
    sunk = any(item.outcome is Outcome.FAILED and item.id not in policy.informative for item in results)
    assert (verdict is Verdict.TOTAL_FAILED) is sunk
    complete = policy.required <= passed and all(passed.intersection(group) for group in policy.required_one_of)
    assert (verdict is Verdict.TOTAL_PASSED) is (complete and not sunk)


@MANY
@given(RESULTS, st.sampled_from(shipped_policies()), st.integers(0, 40), st.sampled_from(sorted(CANNOT_TELL)))
def test_not_knowing_a_result_never_decides(
    results: tuple[CheckResult, ...], name: str, index: int, reason: Reason
) -> None:
    """Where one result becomes "cannot tell", a verdict may become undecided; it never turns to its contrary."""
    if not results:
        return
    policy = load_policy(name)
    place = index % len(results)
    unknown = replace(results[place], outcome=OUTCOMES[reason], reason=reason)
    before, after = fold(results, policy), fold((*results[:place], unknown, *results[place + 1 :]), policy)
    assert (before, after) not in {
        (Verdict.TOTAL_PASSED, Verdict.TOTAL_FAILED),
        (Verdict.TOTAL_FAILED, Verdict.TOTAL_PASSED) if results[place].outcome is not Outcome.FAILED else None,
        (Verdict.INDETERMINATE, Verdict.TOTAL_FAILED),
        (Verdict.INDETERMINATE, Verdict.TOTAL_PASSED),
    }


@pytest.mark.parametrize("reason", Reason)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_reason_has_an_outcome_a_clause_and_a_text(reason: Reason, language: str) -> None:
    """Whoever raises it: a check that names no clause of its own tells that of the check."""

    def run(case: Case, check_id: str) -> str:
        raise VerificationError(reason, "why")

    case = Case(Evidence(Origin.UPLOAD, NOW, None, "", "", ()), build_trust_store(()), load_policy("strict"), NOW)
    for check in CHECKS:
        found = _run(Check(check.id, check.clause, run), check.id, case)
        assert (found.reason, found.outcome) == (reason, OUTCOMES[reason])
        assert found.outcome is not Outcome.PASSED
        assert found.clause
        assert text(language, "reason", reason) not in ("", reason.value)
        assert check_text(language, check.id) not in ("", check.id)


def test_what_a_decoder_says_has_a_reason_that_every_language_knows() -> None:
    """Its sentence is English, for those who look into the octets; code, clause and text are not."""

    def run(case: Case, check_id: str) -> str:
        raise DecodeError("a tag is missing", offset=7)

    case = Case(Evidence(Origin.UPLOAD, NOW, None, "", "", ()), build_trust_store(()), load_policy("strict"), NOW)
    for check in CHECKS:
        found = _run(Check(check.id, check.clause, run), check.id, case)
        assert (found.reason, found.outcome) == (Reason.FORMAT_FAILURE, Outcome.FAILED)
        assert found.clause == check.clause
        assert found.detail == "a tag is missing at octet 7"
