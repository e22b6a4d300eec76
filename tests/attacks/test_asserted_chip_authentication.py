"""A client claims that Chip Authentication succeeded. Anyone can write such a transcript, so it counts for nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from eid.errors import Reason
from eid.evidence import Origin, ProtocolName
from eid.verification.report import Outcome, Verdict
from tests.builders.document import Document, failed, judge, outcome, transcript


def test_upload_that_claims_success(document: Document) -> None:
    claimed = document.evidence(
        origin=Origin.UPLOAD, transcripts=(transcript(ProtocolName.PACE), document.chip_transcript())
    )
    report = judge(document, claimed)
    assert outcome(report, "chip.ca") == (Outcome.NOT_PERFORMED, Reason.CLIENT_ASSERTED)
    assert report.verdict is Verdict.INDETERMINATE


@pytest.mark.parametrize("origin", [Origin.STATION, Origin.RELAY])
def test_upload_that_calls_itself_something_better(document: Document, origin: Origin) -> None:
    claimed = document.evidence(origin=origin, challenge=None)
    report = judge(document, claimed, envelope=None, expected_challenge=None)
    assert outcome(report, "chip.ca") == (Outcome.NOT_PERFORMED, Reason.CLIENT_ASSERTED)


def test_station_that_nobody_knows(document: Document) -> None:
    report = judge(document, stations={})
    assert outcome(report, "station.signature") == (Outcome.NOT_PERFORMED, Reason.UNTRUSTED_STATION)
    assert outcome(report, "chip.ca") == (Outcome.NOT_PERFORMED, Reason.UNTRUSTED_STATION)


def test_known_key_identifier_with_a_foreign_signature(document: Document) -> None:
    forger = replace(document, station=ec.generate_private_key(ec.SECP256R1()))
    evidence = document.evidence()
    envelope = replace(forger.envelope(evidence), key_id=document.key_id)
    report = judge(document, evidence, envelope=envelope)
    assert failed(report) == {"station.signature": Reason.STATION_SIGNATURE_FAILURE}
    assert outcome(report, "chip.ca") == (Outcome.NOT_PERFORMED, Reason.UNTRUSTED_STATION)


def test_own_chip_key(document: Document) -> None:
    """Even a known station's word does not cover a key that the issuer did not sign."""
    own = transcript(ProtocolName.CHIP_AUTHENTICATION, chip_public_key=b"another key")
    report = judge(document, document.evidence(transcripts=(transcript(ProtocolName.PACE), own)))
    assert failed(report) == {"chip.ca": Reason.KEY_MISMATCH}
