"""A stolen signer's key signs today and writes a date from before its revocation, or from before its expiry."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from eid.codec import extension_builders as build
from eid.codec.crl import RevokedCertificate
from eid.errors import Reason
from eid.verification.policy import Policy, load_policy, shipped_policies
from eid.verification.report import Outcome, Verdict, VerificationReport
from eid.verification.verify import verify
from tests.builders import issuer
from tests.builders.document import CHALLENGE, NOW, Document, failed, judge, outcome
from tests.builders.forgery import by_signer, signed_at

REVOKED_AT = datetime(2026, 3, 1, tzinfo=UTC)
BEFORE = REVOKED_AT - timedelta(days=20)


def revoking(document: Document) -> bytes:
    return issuer.crl(document.csca, [RevokedCertificate(0x5A01_0203_0405_0607, REVOKED_AT, 1)], 8)


@pytest.mark.parametrize("policy", shipped_policies())
@pytest.mark.parametrize("time", [BEFORE, None], ids=["dated back", "undated"])
def test_revoked_signer_never_passes(document: Document, policy: str, time: datetime | None) -> None:
    report = judge(signed_at(document, time), policy=policy, trust=document.trust(crls=(revoking(document),)))
    assert failed(report)["ds.revocation"] is Reason.REVOKED
    assert report.verdict is Verdict.TOTAL_FAILED


@pytest.mark.parametrize("reference", ["now", "signing_time", "issue_date"])
def test_revoked_under_every_reference_time(document: Document, reference: str) -> None:
    trusting = believing(reference)
    trust = document.trust(crls=(revoking(document),))
    report = under(trusting, signed_at(document, BEFORE), trust=trust)
    assert failed(report) == {"ds.revocation": Reason.REVOKED}


def believing(reference: str) -> Policy:
    return replace(load_policy("border"), reference_time=reference)  # type: ignore[arg-type]  # a string, as a policy's file has it


def under(policy: Policy, document: Document, time: datetime = NOW, **given: object) -> VerificationReport:
    evidence = document.evidence()
    settings = {"trust": document.trust(), "expected_challenge": CHALLENGE, "envelope": document.envelope(evidence)}
    settings["stations"] = {document.key_id: document.station.public_key()}
    return verify(evidence, policy=policy, time=time, **{**settings, **given})  # type: ignore[arg-type]  # by name, as the caller has them


EXPIRY = datetime(2026, 5, 1, tzinfo=UTC)


def expired_signer(document: Document, time: datetime | None) -> Document:
    """The same signer's key, under a certificate that expired a month before the time of judging."""
    certificate = issuer.certificate(
        document.csca, document.signer, issuer.ds_extensions(document.csca, document.signer), not_after=EXPIRY
    )
    return signed_at(replace(document, signer_certificate=certificate), time)


INSIDE, OUTSIDE = BEFORE, EXPIRY + timedelta(days=3)


@pytest.mark.parametrize(
    ("reference", "signed", "expected"),
    [
        ("now", INSIDE, (Outcome.INDETERMINATE, Reason.OUT_OF_BOUNDS_NO_POE)),
        ("now", OUTSIDE, (Outcome.INDETERMINATE, Reason.OUT_OF_BOUNDS_NO_POE)),
        ("now", None, (Outcome.INDETERMINATE, Reason.OUT_OF_BOUNDS_NO_POE)),
        ("signing_time", INSIDE, (Outcome.PASSED, None)),
        ("signing_time", OUTSIDE, (Outcome.INDETERMINATE, Reason.OUT_OF_BOUNDS_NO_POE)),
        ("signing_time", None, (Outcome.INDETERMINATE, Reason.OUT_OF_BOUNDS_NO_POE)),
        ("signing_time", NOW + timedelta(days=30), (Outcome.INDETERMINATE, Reason.OUT_OF_BOUNDS_NO_POE)),
        ("signing_time", issuer.NOT_BEFORE - timedelta(days=1), (Outcome.FAILED, Reason.NOT_YET_VALID)),
    ],
)
def test_expired_signer(
    document: Document, reference: str, signed: datetime | None, expected: tuple[Outcome, Reason | None]
) -> None:
    """Only a policy that believes the document's own date lets it outlive its signer, and none without a date."""
    report = under(believing(reference), expired_signer(document, signed))
    assert outcome(report, "ds.validity") == expected
    assert (report.verdict is Verdict.TOTAL_PASSED) is (expected[0] is Outcome.PASSED)


def test_shipped_policies_believe_no_date() -> None:
    assert {load_policy(name).reference_time for name in shipped_policies()} == {"now"}


def test_signed_when_the_key_was_out_of_use(document: Document) -> None:
    """The private key usage period ended on 1 April: what is signed later was signed by whoever has the key now."""
    late = signed_at(document, datetime(2026, 4, 2, tzinfo=UTC))
    report = judge(late)
    assert failed(report) == {"ds.usage_period": Reason.OUT_OF_USAGE_PERIOD}
    assert report.verdict is Verdict.TOTAL_FAILED
    early = judge(signed_at(document, issuer.NOT_BEFORE - timedelta(seconds=1)))
    assert failed(early) == {"ds.usage_period": Reason.OUT_OF_USAGE_PERIOD}
    border = judge(late, policy="border")
    found = border.check("ds.usage_period")
    assert found is not None
    assert (border.verdict, found.detail) == (Verdict.TOTAL_PASSED, "tolerated: USAGE_PERIOD")


@pytest.mark.parametrize("policy", shipped_policies())
def test_undated_signature_cannot_be_told_from_one_out_of_use(document: Document, policy: str) -> None:
    """EF.SOD need not say when it was signed; whoever stole a key would write a date that fits. So it is told only."""
    report = judge(signed_at(document, None), policy=policy)
    assert outcome(report, "ds.usage_period") == (Outcome.INDETERMINATE, Reason.OUT_OF_BOUNDS_NO_POE)
    assert (failed(report), report.verdict) == ({}, Verdict.TOTAL_PASSED)


def test_a_policy_may_insist_on_a_date(document: Document) -> None:
    strict = load_policy("strict")
    insisting = replace(strict, required=strict.required | {"ds.usage_period"})
    assert under(insisting, signed_at(document, issuer.SIGNING_TIME)).verdict is Verdict.TOTAL_PASSED
    assert under(insisting, signed_at(document, None)).verdict is Verdict.INDETERMINATE


def test_signer_for_documents_of_another_kind(document: Document) -> None:
    """A signer of visas or residence permits signs an identity card."""
    kept = issuer.ds_extensions(document.csca, document.signer)
    types = build.document_type_list(("P", "VA"))
    extensions = [types if item.oid == types.oid else item for item in kept]
    certificate = issuer.certificate(document.csca, document.signer, extensions)
    foreign = by_signer(document, document.signer, certificate)
    assert failed(judge(foreign)) == {"ds.document_type": Reason.DOCUMENT_TYPE_MISMATCH}
