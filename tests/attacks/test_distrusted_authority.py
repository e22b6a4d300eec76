"""A CSCA whose key leaked: what chains to it is not accepted any more, by whichever certificate of that key."""

from __future__ import annotations

from datetime import timedelta

import pytest

from eid.codec.x509 import decode_certificate
from eid.crypto.hashes import digest
from eid.errors import Reason
from eid.pki.distrust import Distrust, identify_key
from eid.pki.trust_store import TrustStore, build_trust_store
from eid.verification.policy import shipped_policies
from eid.verification.report import Verdict
from tests.builders import issuer
from tests.builders.document import NOW, Document, failed, judge
from tests.builders.forgery import signed_at

LONG_AGO = NOW - timedelta(days=30)


def distrusting(document: Document, raw: bytes, since: object = LONG_AGO, *more: bytes) -> TrustStore:
    key = identify_key(decode_certificate(raw).spki_raw)
    entry = Distrust(digest("sha256", raw), key, since, "its key was published")  # type: ignore[arg-type]  # a moment, which the default is
    return build_trust_store((document.csca_certificate, *more), (issuer.crl(document.csca),), distrusts=(entry,))


@pytest.mark.parametrize("policy", shipped_policies())
def test_distrusted_csca(document: Document, policy: str) -> None:
    report = judge(document, policy=policy, trust=distrusting(document, document.csca_certificate))
    assert failed(report) == {"csca.trust": Reason.CSCA_DISTRUSTED}
    assert report.verdict is Verdict.TOTAL_FAILED


def test_distrusted_signer(document: Document) -> None:
    report = judge(document, trust=distrusting(document, document.signer_certificate))
    assert failed(report) == {"csca.trust": Reason.CSCA_DISTRUSTED}


def test_dated_back_to_before_the_distrust(document: Document) -> None:
    """Who has the key writes the date that he likes: the time of judging counts."""
    early = signed_at(document, issuer.NOT_BEFORE + timedelta(days=1))
    report = judge(early, trust=distrusting(document, document.csca_certificate))
    assert failed(report) == {"csca.trust": Reason.CSCA_DISTRUSTED}


def test_another_certificate_of_the_same_key(document: Document) -> None:
    """Explicit parameters in one, the curve's name in the other, a new serial number: the key is the same."""
    again = issuer.csca_certificate(document.csca, explicit=False, serial=77)
    key = identify_key(decode_certificate(again).spki_raw)
    assert key == identify_key(decode_certificate(document.csca_certificate).spki_raw)
    report = judge(document, trust=distrusting(document, again))
    assert failed(report) == {"csca.trust": Reason.CSCA_DISTRUSTED}


def test_distrust_that_begins_later(document: Document) -> None:
    trust = distrusting(document, document.csca_certificate, NOW + timedelta(days=1))
    assert judge(document, trust=trust).verdict is Verdict.TOTAL_PASSED
    later = judge(document, trust=trust, time=NOW + timedelta(days=1))
    assert failed(later) == {"csca.trust": Reason.CSCA_DISTRUSTED}


def test_distrust_is_part_of_what_the_report_rests_on(document: Document) -> None:
    with_entry = judge(document, trust=distrusting(document, document.csca_certificate))
    assert with_entry.trust_store_digest != judge(document).trust_store_digest
