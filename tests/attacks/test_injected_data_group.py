"""A data group that EF.SOD does not list is slipped in beside the genuine ones."""

from __future__ import annotations

from eid.errors import Reason
from eid.lds.dg12 import DG12
from eid.verification.report import Verdict
from tests.builders.document import Document, failed, judge


def test_unlisted_data_group_fails(document: Document) -> None:
    report = judge(document.with_files(DG12=DG12(issuing_authority="SPECIMEN").encode()))
    assert failed(report) == {"sod.dg_hashes.dg12": Reason.DG_NOT_IN_SOD}
    assert report.verdict is Verdict.TOTAL_FAILED
