"""A perfect copy of all files on a chip that does not hold the private keys."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from eid.errors import Reason
from eid.evidence import ProtocolName, ProtocolOutcome
from eid.verification.report import Outcome, Verdict
from tests.builders.document import CHALLENGE, Document, failed, judge, outcome, transcript

PACE = transcript(ProtocolName.PACE)


def test_foreign_active_authentication_key(document: Document) -> None:
    foreign = document.active_transcript(key=ec.generate_private_key(ec.SECP256R1()))
    report = judge(document, document.evidence(transcripts=(PACE, foreign)))
    assert failed(report) == {"chip.aa": Reason.CLONE_SUSPECTED}
    assert report.verdict is Verdict.TOTAL_FAILED


@pytest.mark.parametrize("ended", [ProtocolOutcome.REFUSED, ProtocolOutcome.FAILED, ProtocolOutcome.NOT_SUPPORTED])
@pytest.mark.parametrize(
    ("protocol", "check"),
    [(ProtocolName.ACTIVE_AUTHENTICATION, "chip.aa"), (ProtocolName.CHIP_AUTHENTICATION, "chip.ca")],
)
def test_chip_that_will_not_prove_a_key_it_is_signed_to_have(
    document: Document, protocol: ProtocolName, check: str, ended: ProtocolOutcome
) -> None:
    report = judge(document, document.evidence(transcripts=(PACE, transcript(protocol, ended))))
    assert failed(report) == {check: Reason.CLONE_SUSPECTED}
    assert report.verdict is Verdict.TOTAL_FAILED


@pytest.mark.parametrize("name", ["DG14", "DG15"])
def test_leaving_the_key_out_of_the_upload_does_not_make_it_unsupported(document: Document, name: str) -> None:
    report = judge(document, document.evidence(without=(name,)))
    check = "chip.aa" if name == "DG15" else "chip.ca"
    assert outcome(report, check) == (Outcome.NOT_PERFORMED, Reason.DATA_MISSING)


def test_own_key_in_data_group_15(document: Document) -> None:
    """The copy brings its own DG15: the hash no longer fits, so what its key signs counts for nothing."""
    own = ec.generate_private_key(ec.SECP256R1())
    from eid.crypto.public_key import encode_public_key
    from eid.lds.dg15 import DG15

    changed = document.with_files(DG15=DG15(encode_public_key(own.public_key())).encode())
    report = judge(changed, changed.evidence(transcripts=(PACE, document.active_transcript(key=own))))
    assert failed(report) == {"sod.dg_hashes.dg15": Reason.HASH_FAILURE}
    assert outcome(report, "chip.aa") == (Outcome.NOT_PERFORMED, Reason.SOD_NOT_VERIFIED)


@pytest.mark.parametrize("signature", [b"", bytes(64), b"\xff" * 64, bytes(63), bytes(1000)])
def test_malformed_signatures(document: Document, signature: bytes) -> None:
    forged = transcript(ProtocolName.ACTIVE_AUTHENTICATION, challenge=CHALLENGE, signature=signature)
    report = judge(document, document.evidence(transcripts=(PACE, forged)))
    assert failed(report) == {"chip.aa": Reason.CLONE_SUSPECTED}
