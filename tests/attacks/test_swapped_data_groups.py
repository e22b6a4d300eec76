"""Genuine data groups of two documents put together: a portrait of one, the particulars of the other."""

from __future__ import annotations

import pytest

from eid.errors import Reason
from eid.verification.policy import shipped_policies
from eid.verification.report import Verdict
from tests.builders.document import Document, build_document, failed, judge


@pytest.mark.parametrize("policy", shipped_policies())
def test_portrait_of_another_document(document: Document, policy: str) -> None:
    other = document.resigned(DG2=b"\x75\x02\x05\x00")  # the same issuer signed it, for somebody else
    mixed = document.with_files(DG2=other.files["DG2"])
    report = judge(mixed, policy=policy)
    assert failed(report) == {"sod.dg_hashes.dg2": Reason.HASH_FAILURE}
    assert report.verdict is Verdict.TOTAL_FAILED


def test_two_data_groups_under_each_others_names(document: Document) -> None:
    swapped = document.with_files(DG11=document.files["DG14"], DG14=document.files["DG11"])
    found = failed(judge(swapped))
    assert found["sod.dg_hashes.dg11"] is found["sod.dg_hashes.dg14"] is Reason.HASH_FAILURE


def test_security_object_of_another_document(document: Document) -> None:
    other = build_document()
    mixed = document.with_files(EF_SOD=other.files["EF.SOD"])
    found = failed(judge(mixed))
    assert {name for name, reason in found.items() if reason is Reason.HASH_FAILURE} == {
        "sod.dg_hashes.dg14",  # DG1, DG2 and DG11 are the same in both specimens
        "sod.dg_hashes.dg15",
    }
