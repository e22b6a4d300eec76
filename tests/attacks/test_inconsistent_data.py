"""Correctly signed, and wrong: data that contradict each other or their issuer."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eid.codec.name import encode_name
from eid.errors import Reason
from eid.lds.dg1 import DG1, build_dg1
from eid.lds.dg11 import DG11
from eid.verification.report import Outcome, Verdict
from tests.builders import issuer
from tests.builders.document import MRZ, Document, failed, judge, outcome


def test_mrz_of_another_state(document: Document) -> None:
    foreign = document.resigned(DG1=build_dg1(replace(MRZ, issuing_state="MAR")).encode())
    assert failed(judge(foreign)) == {"consistency.issuer": Reason.ISSUER_MISMATCH}


@pytest.mark.parametrize(
    ("country", "state", "expected"),
    [
        ("UT", "XQZ", (Outcome.FAILED, Reason.ISSUER_MISMATCH)),
        ("QX", "MAR", (Outcome.FAILED, Reason.ISSUER_MISMATCH)),
        ("QX", "XQZ", (Outcome.NOT_PERFORMED, Reason.DATA_MISSING)),  # codes of which nothing is known here
        (None, "UTO", (Outcome.NOT_PERFORMED, Reason.DATA_MISSING)),
    ],
)
def test_states_that_are_not_known(
    document: Document, country: str | None, state: str, expected: tuple[Outcome, Reason]
) -> None:
    """Two codes that nobody knows may be one state: that is no mismatch, and no match either."""
    subject = encode_name(((("C", country),) if country else ()) + (("CN", "SPECIMEN DS"),))
    certificate = issuer.certificate(
        document.csca, document.signer, issuer.ds_extensions(document.csca, document.signer), subject=subject
    )
    odd = replace(document, signer_certificate=certificate)
    odd = odd.resigned(DG1=build_dg1(replace(MRZ, issuing_state=state)).encode())
    report = judge(odd)
    assert outcome(report, "consistency.issuer") == expected
    assert report.verdict is (Verdict.TOTAL_FAILED if expected[0] is Outcome.FAILED else Verdict.INDETERMINATE)


def test_birth_dates_that_differ(document: Document) -> None:
    changed = document.resigned(DG11=DG11(full_date_of_birth="19860214").encode())
    assert failed(judge(changed)) == {"consistency.mrz": Reason.MRZ_MISMATCH}


def test_unknown_day_of_birth_agrees(document: Document) -> None:
    changed = document.resigned(
        DG1=build_dg1(replace(MRZ, date_of_birth="8502<<")).encode(), DG11=DG11(full_date_of_birth="19850200").encode()
    )
    assert failed(judge(changed)) == {}


def test_wrong_check_digit(document: Document) -> None:
    text = "".join(MRZ.encode())
    wrong = DG1(text[:14] + str((int(text[14]) + 1) % 10) + text[15:])
    report = judge(document.resigned(DG1=wrong.encode()))
    assert failed(report)["consistency.mrz"] is Reason.FORMAT_FAILURE


def test_data_group_that_does_not_decode(document: Document) -> None:
    report = judge(document.resigned(DG1=b"\x61\x03\x5f\x1f\x00"))
    assert failed(report)["consistency.mrz"] is Reason.FORMAT_FAILURE
