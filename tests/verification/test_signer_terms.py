"""What a signer's certificate allows, and the time at which certificates are judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from eid.codec import der
from eid.codec import extension_builders as build
from eid.codec.extensions import Extension
from eid.errors import Reason
from eid.lds.dg1 import build_dg1
from eid.lds.dg12 import DG12
from eid.verification.policy import load_policy
from eid.verification.report import Outcome, Verdict, VerificationReport
from eid.verification.verify import verify
from tests.builders import issuer
from tests.builders.document import CHALLENGE, MRZ, NOW, Document, build_files, failed, judge, outcome

PERIOD, TYPES = "2.5.29.16", "2.23.136.1.1.6.2"


def signed_under(document: Document, change: Callable[[list[Extension]], list[Extension]]) -> Document:
    """The document under a certificate of the same signer with other extensions."""
    kept = list(issuer.ds_extensions(document.csca, document.signer))
    certificate = issuer.certificate(document.csca, document.signer, change(kept))
    return build_files(replace(document, signer_certificate=certificate))


def without(oid: str) -> Callable[[list[Extension]], list[Extension]]:
    return lambda kept: [item for item in kept if item.oid != oid]


def instead(extension: Extension) -> Callable[[list[Extension]], list[Extension]]:
    return lambda kept: [extension if item.oid == extension.oid else item for item in kept]


def detail(report: VerificationReport, check_id: str) -> str:
    found = report.check(check_id)
    assert found is not None
    return found.detail


@pytest.mark.parametrize(
    ("oid", "check_id", "told"), [(PERIOD, "ds.usage_period", "no period"), (TYPES, "ds.document_type", "no document")]
)
def test_a_certificate_that_states_nothing_binds_nobody(document: Document, oid: str, check_id: str, told: str) -> None:
    report = judge(signed_under(document, without(oid)))
    assert report.verdict is Verdict.TOTAL_PASSED
    assert told in detail(report, check_id)


@pytest.mark.parametrize(("oid", "check_id"), [(PERIOD, "ds.usage_period"), (TYPES, "ds.document_type")])
@pytest.mark.parametrize("value", [b"\x30\x03\x80\x01\x00", b"\x05\x00", b"\x30\x80\x00\x00"])
def test_a_malformed_extension(document: Document, oid: str, check_id: str, value: bytes) -> None:
    odd = signed_under(document, instead(Extension(oid, False, value)))
    assert failed(judge(odd)) == {check_id: Reason.FORMAT_FAILURE}
    border = judge(odd, policy="border")
    assert (border.verdict, detail(border, check_id)) == (Verdict.TOTAL_PASSED, "tolerated: MALFORMED_EXTENSION")


@pytest.mark.parametrize(
    ("not_before", "not_after", "expected"),
    [
        (0x80, None, Outcome.PASSED),
        (None, 0x81, Outcome.PASSED),
        (None, None, Outcome.PASSED),
    ],
)
def test_half_a_period(document: Document, not_before: int | None, not_after: int | None, expected: Outcome) -> None:
    """Either end may be left open (RFC 3280 4.2.1.4)."""
    parts = [der.encode(not_before, b"20260101000000Z")] if not_before else []
    parts += [der.encode(not_after, b"20260401000000Z")] if not_after else []
    half = Extension(PERIOD, False, der.encode_sequence(*parts))
    assert outcome(judge(signed_under(document, instead(half))), "ds.usage_period")[0] is expected


@pytest.mark.parametrize(
    ("listed", "code", "allowed"),
    [
        (("I",), "I", True),
        (("I",), "ID", True),
        (("ID",), "ID", True),
        (("ID",), "I", False),
        (("P", "VA"), "I", False),
    ],
)
def test_document_types(document: Document, listed: tuple[str, ...], code: str, allowed: bool) -> None:
    files = {**document.files, "DG1": build_dg1(replace(MRZ, document_code=code)).encode()}
    made = signed_under(replace(document, files=files), instead(build.document_type_list(listed)))
    assert (failed(judge(made)) == {}) is allowed
    if not allowed:
        border = judge(made, policy="border")
        assert (border.verdict, detail(border, "ds.document_type")) == (
            Verdict.TOTAL_PASSED,
            "tolerated: DOCUMENT_TYPE",
        )


EXPIRY = datetime(2026, 5, 1, tzinfo=UTC)


def by_issue_date(document: Document, issued: str | None, *, alter: bool = False) -> VerificationReport:
    """Judged as of the date of issue, under a signer that expired a month ago."""
    certificate = issuer.certificate(
        document.csca, document.signer, issuer.ds_extensions(document.csca, document.signer), not_after=EXPIRY
    )
    files = dict(document.files)
    if issued is not None:
        files["DG12"] = DG12(date_of_issue=issued).encode()
    made = build_files(replace(document, files=files, signer_certificate=certificate))
    if alter:
        made = made.with_files(DG12=DG12(date_of_issue="20260102").encode())
    evidence = made.evidence()
    policy = replace(load_policy("border"), reference_time="issue_date")
    known = {made.key_id: made.station.public_key()}
    settings = {"time": NOW, "expected_challenge": CHALLENGE, "envelope": made.envelope(evidence), "stations": known}
    return verify(evidence, made.trust(), policy, **settings)  # type: ignore[arg-type]  # by name, as the caller has them


def test_the_day_of_issue(document: Document) -> None:
    report = by_issue_date(document, "20260430")
    assert report.verdict is Verdict.TOTAL_PASSED
    assert detail(report, "time.reference") == "issue_date: 2026-04-30"
    assert (report.reference_time, report.reference_source) == (
        datetime(2026, 4, 30, 23, 59, 59, tzinfo=UTC),
        "issue_date",
    )


def test_issued_after_the_signer_expired(document: Document) -> None:
    report = by_issue_date(document, "20260502")
    assert outcome(report, "ds.validity") == (Outcome.INDETERMINATE, Reason.OUT_OF_BOUNDS_NO_POE)


@pytest.mark.parametrize("issued", ["00010101", "99991231"])
def test_a_day_of_issue_at_the_edge_of_the_calendar(document: Document, issued: str) -> None:
    assert by_issue_date(document, issued).verdict is not Verdict.TOTAL_PASSED


EDGES = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize("moment", EDGES)
def test_judged_at_the_edge_of_the_calendar(document: Document, moment: datetime) -> None:
    """Whatever grace a policy has: there is no day before the first."""
    report = judge(document, time=moment, time_source="given", policy="offline-mobile")
    assert report.verdict is not Verdict.TOTAL_PASSED


@pytest.mark.parametrize("issued", [None, "20260230", f"{NOW + timedelta(days=3):%Y%m%d}"])
def test_a_day_of_issue_that_is_not_known(document: Document, issued: str | None) -> None:
    """Absent, no such day, or still to come."""
    report = by_issue_date(document, issued)
    unknown = (Outcome.INDETERMINATE, Reason.OUT_OF_BOUNDS_NO_POE)
    assert {outcome(report, name) for name in ("time.reference", "ds.validity", "csca.trust")} == {unknown}
    assert (report.reference_time, report.reference_source) == (NOW, "now")
    assert report.verdict is Verdict.INDETERMINATE


def test_a_day_of_issue_that_nobody_signed(document: Document) -> None:
    report = by_issue_date(document, "20260502", alter=True)
    assert outcome(report, "time.reference") == (Outcome.INDETERMINATE, Reason.OUT_OF_BOUNDS_NO_POE)
    assert failed(report) == {"sod.dg_hashes.dg12": Reason.HASH_FAILURE}
