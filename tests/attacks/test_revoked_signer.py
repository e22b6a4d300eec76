"""A revoked document signer, and attempts to keep its revocation out of sight."""

from __future__ import annotations

from datetime import timedelta

from eid.errors import Reason
from eid.verification.report import Outcome, Verdict
from tests.builders import issuer
from tests.builders.document import Document, build_document, failed, judge, outcome


def test_revoked(document: Document) -> None:
    report = judge(document, trust=document.trust(crls=(document.revoking_crl(),)))
    assert failed(report) == {"ds.revocation": Reason.REVOKED}
    assert report.verdict is Verdict.TOTAL_FAILED


def test_revoked_beats_every_reference_time(document: Document) -> None:
    """A stolen key back-dates at will: judged at a time before the revocation, it is revoked all the same."""
    trust = document.trust(crls=(document.revoking_crl(),))
    for time in (issuer.NOT_BEFORE + timedelta(hours=1), issuer.NOT_AFTER - timedelta(days=1)):
        assert failed(judge(document, trust=trust, time=time))["ds.revocation"] is Reason.REVOKED


def test_stale_list_still_revokes(document: Document) -> None:
    report = judge(
        document, trust=document.trust(crls=(document.revoking_crl(),)), time=issuer.NOT_AFTER + timedelta(days=9)
    )
    assert outcome(report, "ds.revocation") == (Outcome.FAILED, Reason.REVOKED)


def test_older_clean_list_does_not_hide_the_newer_one(document: Document) -> None:
    trust = document.trust(crls=(issuer.crl(document.csca, number=3), document.revoking_crl(number=8)))
    assert failed(judge(document, trust=trust)) == {"ds.revocation": Reason.REVOKED}


def test_forged_list_says_nothing(document: Document) -> None:
    """A CRL under the CSCA's name, signed by another key: neither proof of revocation nor of its absence."""
    other = build_document()
    for forged in (other.revoking_crl(), issuer.crl(other.csca)):
        report = judge(document, trust=document.trust(crls=(forged,)))
        assert outcome(report, "ds.revocation") == (Outcome.INDETERMINATE, Reason.TRY_LATER)
        assert report.verdict is Verdict.INDETERMINATE


def test_another_serial_has_no_effect(document: Document) -> None:
    trust = document.trust(crls=(document.revoking_crl(serial=12345),))
    assert judge(document, trust=trust).verdict is Verdict.TOTAL_PASSED
