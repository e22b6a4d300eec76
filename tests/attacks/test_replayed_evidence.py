"""Yesterday's evidence, sent again for today's challenge."""

from __future__ import annotations

import pytest

from eid.errors import Reason
from eid.evidence import Origin, ProtocolName
from eid.verification.report import Outcome, Verdict
from tests.builders.document import CHALLENGE, Document, failed, judge, outcome, transcript

TODAY = bytes.fromhex("A0A1A2A3A4A5A6A7")


def test_answer_to_another_challenge(document: Document) -> None:
    report = judge(document, expected_challenge=TODAY)
    assert failed(report) == {"chip.aa": Reason.CHALLENGE_MISMATCH}
    assert report.verdict is Verdict.TOTAL_FAILED


def test_relabelled_answer(document: Document) -> None:
    """Writing today's challenge beside yesterday's signature does not help."""
    old = document.active_transcript()
    relabelled = transcript(ProtocolName.ACTIVE_AUTHENTICATION, challenge=TODAY, signature=old.messages["signature"])
    evidence = document.evidence(transcripts=(transcript(ProtocolName.PACE), relabelled), challenge=TODAY)
    assert failed(judge(document, evidence, expected_challenge=TODAY)) == {"chip.aa": Reason.CLONE_SUSPECTED}


def test_evidence_that_names_one_challenge_and_answers_another(document: Document) -> None:
    evidence = document.evidence(challenge=TODAY)
    assert failed(judge(document, evidence, expected_challenge=None)) == {"chip.aa": Reason.CHALLENGE_MISMATCH}


@pytest.mark.parametrize("named", [None, CHALLENGE], ids=["the reader's own", "named in the evidence"])
def test_no_challenge_was_issued(document: Document, named: bytes | None) -> None:
    """The chip did answer once, nobody knows to whom: no proof of this session, unless a known station asked."""
    sent = document.evidence(origin=Origin.UPLOAD, challenge=named)
    report = judge(document, sent, "kyc-remote", expected_challenge=None)
    assert outcome(report, "chip.aa") == (Outcome.NOT_PERFORMED, Reason.CLIENT_ASSERTED)
    assert (failed(report), report.verdict) == ({}, Verdict.INDETERMINATE)
    asked = document.evidence(challenge=named)
    assert judge(document, asked, "kyc-remote", expected_challenge=None).verdict is Verdict.TOTAL_PASSED
    unknown = judge(document, asked, "kyc-remote", expected_challenge=None, stations={})
    assert outcome(unknown, "chip.aa") == (Outcome.NOT_PERFORMED, Reason.UNTRUSTED_STATION)
