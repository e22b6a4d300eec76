"""Correctly signed, and wrong: data that contradict each other or their issuer."""

from __future__ import annotations

from dataclasses import replace

from eid.errors import Reason
from eid.lds.dg1 import DG1, build_dg1
from eid.lds.dg11 import DG11
from tests.builders.document import MRZ, Document, failed, judge


def test_mrz_of_another_state(document: Document) -> None:
    foreign = document.resigned(DG1=build_dg1(replace(MRZ, issuing_state="MAR")).encode())
    assert failed(judge(foreign)) == {"consistency.issuer": Reason.ISSUER_MISMATCH}


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
