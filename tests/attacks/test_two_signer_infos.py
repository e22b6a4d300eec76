"""A second signature beside the issuer's, in the hope that one program checks one of them and another the other."""

from __future__ import annotations

import pytest

from eid.codec import der
from eid.errors import Reason
from eid.verification.report import Verdict
from tests.builders.document import Document, build_document, failed, judge
from tests.builders.forgery import join, rebuild_signed_data, split, with_sod


def signer_infos(sod: bytes) -> list[bytes]:
    kept: list[bytes] = []
    rebuild_signed_data(sod, lambda fields: kept.extend(split(fields[-1])) or fields)  # type: ignore[func-returns-value]  # extend gives None
    return kept


def with_infos(sod: bytes, infos: list[bytes]) -> bytes:
    return rebuild_signed_data(sod, lambda fields: [*fields[:-1], join(der.SET, infos)])


@pytest.mark.parametrize("policy", ["strict", "border", "passive"])
@pytest.mark.parametrize("first", [True, False], ids=["forged first", "genuine first"])
def test_second_signer(document: Document, policy: str, first: bool) -> None:
    genuine = signer_infos(document.files["EF.SOD"])
    forged = signer_infos(build_document().files["EF.SOD"])
    infos = [*forged, *genuine] if first else [*genuine, *forged]
    report = judge(with_sod(document, with_infos(document.files["EF.SOD"], infos)), policy=policy)
    assert failed(report)["sod.format"] is Reason.FORMAT_FAILURE
    assert report.verdict is Verdict.TOTAL_FAILED


@pytest.mark.parametrize("policy", ["strict", "border"])
def test_the_same_signer_twice_and_none(document: Document, policy: str) -> None:
    genuine = signer_infos(document.files["EF.SOD"])
    for infos in ([*genuine, *genuine], []):
        report = judge(with_sod(document, with_infos(document.files["EF.SOD"], infos)), policy=policy)
        assert failed(report)["sod.format"] is Reason.FORMAT_FAILURE
