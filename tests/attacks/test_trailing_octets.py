"""Octets behind what was signed, at every level where there is room for them."""

from __future__ import annotations

import pytest

from eid.codec import der
from eid.errors import Reason
from eid.verification.report import Verdict
from tests.builders.document import Document, failed, judge
from tests.builders.forgery import join, rebuild_signed_data, sod_with, split, with_sod

JUNK = b"\x04\x01\x00"


def behind_everything(sod: bytes) -> bytes:
    return sod + JUNK


def inside_the_file(sod: bytes) -> bytes:
    return join(0x77, [*split(sod), JUNK])


def inside_the_content_info(sod: bytes) -> bytes:
    return join(0x77, [join(der.SEQUENCE, [*split(split(sod)[0]), JUNK])])


def inside_the_signed_data(sod: bytes) -> bytes:
    return rebuild_signed_data(sod, lambda fields: [*fields, JUNK])


def inside_the_signer_info(sod: bytes) -> bytes:
    def change(fields: list[bytes]) -> list[bytes]:
        info = split(fields[-1])[0]
        return [*fields[:-1], join(der.SET, [join(der.SEQUENCE, [*split(info), JUNK])])]

    return rebuild_signed_data(sod, change)


def inside_the_certificates(sod: bytes) -> bytes:
    return rebuild_signed_data(
        sod, lambda fields: [join(0xA0, [*split(item), JUNK]) if item[0] == 0xA0 else item for item in fields]
    )


PLACES = (
    behind_everything,
    inside_the_file,
    inside_the_content_info,
    inside_the_signed_data,
    inside_the_signer_info,
    inside_the_certificates,
)


@pytest.mark.parametrize("policy", ["strict", "border", "passive"])
@pytest.mark.parametrize("add", PLACES, ids=lambda add: add.__name__)
def test_trailing(document: Document, add: object, policy: str) -> None:
    assert callable(add)
    report = judge(with_sod(document, add(document.files["EF.SOD"])), policy=policy)
    assert failed(report)["sod.format"] is Reason.FORMAT_FAILURE
    assert report.verdict is Verdict.TOTAL_FAILED


@pytest.mark.parametrize("policy", ["strict", "border"])
def test_trailing_in_what_was_signed(document: Document, policy: str) -> None:
    """The signature covers them: the signer's own software is at fault, or somebody had it sign what he chose."""
    genuine = split(split(split(split(split(document.files["EF.SOD"])[0])[1])[0])[2])[1]
    content = split(genuine)[0]
    assert content[0] == der.OCTET_STRING
    _, _, start, _ = next(iter(der.split(content, 0, len(content), "eContent")))
    report = judge(with_sod(document, sod_with(document, content=content[start:] + JUNK)), policy=policy)
    assert failed(report)["sod.format"] is Reason.FORMAT_FAILURE


def test_data_group_with_trailing_octets(document: Document) -> None:
    report = judge(document.with_files(DG1=document.files["DG1"] + b"\x00"))
    assert failed(report)["sod.dg_hashes.dg1"] is Reason.HASH_FAILURE
