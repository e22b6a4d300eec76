"""One byte of a data group altered: its hash check fails, and no other check does."""

from __future__ import annotations

import pytest

from eid.errors import Reason
from eid.verification.report import Verdict
from tests.builders.document import Document, failed, judge


@pytest.mark.parametrize("name", ["DG1", "DG2", "DG11", "DG14", "DG15"])
def test_every_byte_of_a_data_group_is_covered(document: Document, name: str) -> None:
    genuine = document.files[name]
    for place in range(0, len(genuine), max(1, len(genuine) // 24)):
        altered = bytearray(genuine)
        altered[place] ^= 0x01
        report = judge(document.with_files(**{name: bytes(altered)}))
        assert report.verdict is Verdict.TOTAL_FAILED
        assert failed(report)[f"sod.dg_hashes.{name.lower()}"] is Reason.HASH_FAILURE


def test_swapped_with_another_holder(document: Document) -> None:
    altered = document.files["DG1"].replace(b"SPECIMEN<<ANNA<MARIA<", b"SPECIMEN<<BERTHA<ROSE<"[:21])
    assert altered != document.files["DG1"]
    assert failed(judge(document.with_files(DG1=altered))) == {"sod.dg_hashes.dg1": Reason.HASH_FAILURE}
