"""A chip that runs PACE is opened by BAC, as if it had none."""

from __future__ import annotations

from eid.errors import Reason
from eid.evidence import ProtocolName, ProtocolOutcome
from eid.verification.report import Outcome, Verdict
from tests.builders.document import Document, failed, judge, outcome, transcript


def test_bac_where_pace_is_signed(document: Document) -> None:
    ran = (transcript(ProtocolName.BAC), document.active_transcript())
    assert failed(judge(document, document.evidence(transcripts=ran))) == {"access": Reason.DOWNGRADED}


def test_bac_after_a_pace_that_failed(document: Document) -> None:
    ran = (
        transcript(ProtocolName.PACE, ProtocolOutcome.FAILED),
        transcript(ProtocolName.BAC),
        document.active_transcript(),
    )
    assert failed(judge(document, document.evidence(transcripts=ran))) == {"access": Reason.DOWNGRADED}


def test_bac_with_the_announcement_of_pace_withheld(document: Document) -> None:
    ran = (transcript(ProtocolName.BAC), document.active_transcript())
    report = judge(document, document.evidence(transcripts=ran, without=["DG14"]))
    assert failed(report) == {"access": Reason.DOWNGRADED}
    assert report.verdict is Verdict.TOTAL_FAILED


def test_border_takes_bac_and_says_so(document: Document) -> None:
    ran = (transcript(ProtocolName.BAC), document.active_transcript())
    report = judge(document, document.evidence(transcripts=ran), "border")
    found = report.check("access")
    assert found is not None
    assert (found.outcome, found.detail) == (Outcome.PASSED, "BAC")


def test_nothing_said(document: Document) -> None:
    report = judge(document, document.evidence(transcripts=(document.active_transcript(),)))
    assert outcome(report, "access") == (Outcome.NOT_PERFORMED, Reason.NOT_ATTEMPTED)
