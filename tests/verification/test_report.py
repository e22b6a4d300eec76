"""The report as JSON and back, and names in it that cannot be read."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from pydantic_core import to_json

from eid.errors import DecodeError, Reason
from eid.verification.report import VerificationReport, encode_report, report_from_json, report_to_json
from tests.builders.document import Document, build_document, judge


@pytest.fixture(scope="module")
def report() -> VerificationReport:
    document: Document = build_document()
    return judge(document)


def told(report: VerificationReport) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(json.dumps(report_to_json(report)))
    return answer


def test_a_report_comes_back_whole_but_for_the_chain(report: VerificationReport) -> None:
    assert report.chain
    assert report_from_json(told(report)) == replace(report, chain=())


def test_its_text_is_that_of_the_object(report: VerificationReport) -> None:
    odd = replace(report.checks[0], reason=Reason.FORMAT_FAILURE, detail='"\\\n é \u2028')
    for one in (report, replace(report, checks=(*report.checks, odd)), replace(report, checks=())):
        for _ in range(2):  # what is remembered says the same
            assert encode_report(one) == to_json(report_to_json(one))


@pytest.mark.parametrize(
    "damage",
    [
        {"format": "eid-something-else"},
        {"version": 2},
        {"verdict": "TOTAL_MAYBE"},
        {"reference_time": "yesterday"},
        {"reference_time": None},
        {"checks": [{"id": "sod.format"}]},
        {"checks": 7},
    ],
    ids=lambda damage: next(iter(damage)),
)
def test_another_report_is_refused(report: VerificationReport, damage: dict[str, Any]) -> None:
    with pytest.raises(DecodeError, match="report"):
        report_from_json({**told(report), **damage})


@pytest.mark.parametrize("name", ["verdict", "checks", "assurance", "format"])
def test_a_report_without_a_part_is_refused(report: VerificationReport, name: str) -> None:
    rest = told(report)
    del rest[name]
    with pytest.raises(DecodeError, match="malformed"):
        report_from_json(rest)


def test_a_name_that_cannot_be_read_is_said_to_be_malformed(report: VerificationReport) -> None:
    (name,) = replace(report, chain=(b"\x30\x01",)).certificates
    assert name.startswith("malformed: ")
    assert all(not text.startswith("malformed") for text in report.certificates)
