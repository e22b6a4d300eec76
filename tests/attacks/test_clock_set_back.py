"""The verifier's clock is set back, so that what has expired is valid again and a lapsed list is fresh."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from eid.errors import Reason
from eid.verification.policy import shipped_policies
from eid.verification.report import Outcome, Verdict
from tests.builders import issuer
from tests.builders.document import NOW, Document, judge, outcome

A_YEAR_AGO = issuer.NOT_BEFORE - timedelta(days=365)  # the trust store's list is of NOT_BEFORE
BEHIND = (Outcome.INDETERMINATE, Reason.CLOCK_BEHIND)
ON_TIME = ("time.reference", "csca.trust", "ds.validity", "ds.revocation", "document.validity")


@pytest.mark.parametrize("policy", shipped_policies())
def test_nothing_that_rests_on_time_is_answered(document: Document, policy: str) -> None:
    report = judge(document, policy=policy, time=A_YEAR_AGO)
    assert {name: outcome(report, name) for name in ON_TIME} == dict.fromkeys(ON_TIME, BEHIND)
    assert report.verdict is Verdict.INDETERMINATE


def test_an_expired_document_is_not_brought_back(document: Document) -> None:
    late = datetime(2035, 6, 2, tzinfo=UTC)
    assert judge(document, time=late).verdict is Verdict.TOTAL_FAILED
    assert judge(document, time=A_YEAR_AGO).verdict is not Verdict.TOTAL_PASSED


def test_what_does_not_rest_on_time_still_fails(document: Document) -> None:
    report = judge(document.with_files(DG1=document.files["DG1"][:-1] + b"9"), time=A_YEAR_AGO)
    assert report.verdict is Verdict.TOTAL_FAILED


def test_revocation_beats_the_clock(document: Document) -> None:
    """That the list names the signer is known whatever the time is."""
    report = judge(document, time=A_YEAR_AGO, trust=document.trust(crls=(document.revoking_crl(),)))
    assert outcome(report, "ds.revocation") == (Outcome.FAILED, Reason.REVOKED)


def test_a_little_behind_is_no_attack(document: Document) -> None:
    """Issuers' clocks differ, and some write local time."""
    report = judge(document, time=issuer.NOT_BEFORE - timedelta(hours=23))
    assert outcome(report, "time.reference") == (Outcome.PASSED, None)


def test_judging_as_of_an_earlier_time_is_asked_for_in_so_many_words(document: Document) -> None:
    report = judge(document, time=A_YEAR_AGO, time_source="given")
    assert outcome(report, "time.reference") == (Outcome.PASSED, None)
    assert outcome(report, "ds.validity") == (Outcome.FAILED, Reason.NOT_YET_VALID)
    assert report.reference_source == "given"


def test_a_right_clock(document: Document) -> None:
    assert outcome(judge(document, time=NOW), "time.reference") == (Outcome.PASSED, None)
