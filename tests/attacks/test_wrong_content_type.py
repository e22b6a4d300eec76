"""Something else that the signer signed is passed off as a security object, or a security object as something else."""

from __future__ import annotations

import hashlib

import pytest

from eid.codec import cms, oid
from eid.errors import Reason
from eid.lds.sod import build_lds_security_object
from eid.verification.report import Verdict
from tests.builders import issuer
from tests.builders.document import Document, failed, judge, outcome
from tests.builders.forgery import hashes_of, sod_with, with_sod

STRANGE = (oid.CSCA_MASTER_LIST, oid.SIGNED_DATA, "2.23.136.1.1.2.1", "1.2.3.4")


@pytest.mark.parametrize("content_type", STRANGE)
@pytest.mark.parametrize("policy", ["strict", "border", "passive"])
def test_other_content(document: Document, content_type: str, policy: str) -> None:
    """Truly signed, of the very octets of a security object: only the type is another."""
    report = judge(with_sod(document, sod_with(document, content_type=content_type)), policy=policy)
    assert failed(report)["sod.format"] is Reason.FORMAT_FAILURE
    assert report.verdict is Verdict.TOTAL_FAILED


@pytest.mark.parametrize("content_type", [oid.DATA, *oid.LEGACY_LDS_SECURITY_OBJECTS])
def test_types_of_older_documents_need_their_leniency(document: Document, content_type: str) -> None:
    odd = with_sod(document, sod_with(document, content_type=content_type))
    assert failed(judge(odd))["sod.format"] is Reason.FORMAT_FAILURE
    assert failed(judge(odd, policy="passive"))["sod.format"] is Reason.FORMAT_FAILURE
    border = judge(odd, policy="border")
    assert border.verdict is Verdict.TOTAL_PASSED
    found = border.check("sod.format")
    assert found is not None
    assert "CONTENT_TYPE" in found.detail


def test_type_inside_differs_from_the_one_outside(document: Document) -> None:
    """The attribute that the signature covers says id-data; the field that it does not says security object."""
    content = build_lds_security_object("sha256", hashes_of(document))
    other = cms.encode_signed_attributes(oid.DATA, hashlib.sha256(content).digest(), issuer.SIGNING_TIME)
    forged = with_sod(document, sod_with(document, content=content, attributes=lambda _: other))
    for policy in ("strict", "border"):
        assert outcome(judge(forged, policy=policy), "sod.format")[1] is Reason.FORMAT_FAILURE
