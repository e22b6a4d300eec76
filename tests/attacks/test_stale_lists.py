"""A revocation kept out of sight: by a list that lapsed, is older, is another authority's, or is forged."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from eid.codec import extension_builders as build
from eid.codec.crl import RevokedCertificate, encode_crl, encode_tbs_crl
from eid.errors import Reason
from eid.verification.policy import shipped_policies
from eid.verification.report import Outcome, Verdict
from tests.builders import issuer
from tests.builders.document import NOW, Document, build_document, failed, judge, outcome

SERIAL = 0x5A01_0203_0405_0607
TRY_LATER = (Outcome.INDETERMINATE, Reason.TRY_LATER)


def crl(
    key: issuer.Key,
    this_update: datetime,
    next_update: datetime,
    *,
    serials: tuple[int, ...] = (),
    number: int = 7,
    name: bytes = issuer.CSCA_NAME,
) -> bytes:
    tbs = encode_tbs_crl(
        signature_algorithm=key.algorithm,
        issuer=name,
        this_update=this_update,
        next_update=next_update,
        revoked=[RevokedCertificate(serial, this_update, 1) for serial in serials],
        extensions=(build.authority_key_identifier(key.key_identifier()), build.crl_number(number)),
    )
    return encode_crl(tbs, key.algorithm, key.sign(tbs))


def lapsed(document: Document, days: int) -> bytes:
    return crl(document.csca, NOW - timedelta(days=90), NOW - timedelta(days=days))


def test_stale(document: Document) -> None:
    report = judge(document, trust=document.trust(crls=(lapsed(document, 1),)))
    assert outcome(report, "ds.revocation") == TRY_LATER
    assert (failed(report), report.verdict) == ({}, Verdict.INDETERMINATE)


@pytest.mark.parametrize(("days", "verdict"), [(13, Verdict.TOTAL_PASSED), (15, Verdict.INDETERMINATE)])
def test_grace_ends_and_is_told(document: Document, days: int, verdict: Verdict) -> None:
    report = judge(document, policy="offline-mobile", trust=document.trust(crls=(lapsed(document, days),)))
    assert report.verdict is verdict
    found = report.check("ds.revocation")
    assert found is not None
    assert ("tolerated: stale since" in found.detail) is (verdict is Verdict.TOTAL_PASSED)


@pytest.mark.parametrize("policy", shipped_policies())
def test_stale_and_revoking(document: Document, policy: str) -> None:
    stale = crl(document.csca, NOW - timedelta(days=90), NOW - timedelta(days=60), serials=(SERIAL,))
    report = judge(document, policy=policy, trust=document.trust(crls=(stale,)))
    assert failed(report) == {"ds.revocation": Reason.REVOKED}


def test_a_fresh_clean_list_does_not_undo_a_revocation(document: Document) -> None:
    """A revocation is for good (RFC 5280 3.3): who lists it no more has erred, or is not who he was."""
    revoked = crl(document.csca, NOW - timedelta(days=9), NOW + timedelta(days=9), serials=(SERIAL,), number=8)
    clean = crl(document.csca, NOW - timedelta(days=1), NOW + timedelta(days=30), number=9)
    assert failed(judge(document, trust=document.trust(crls=(revoked, clean)))) == {"ds.revocation": Reason.REVOKED}


def test_clean_list_by_the_signer_itself(document: Document) -> None:
    """The stolen key signs a list under its authority's name."""
    own = crl(document.signer, NOW - timedelta(days=1), NOW + timedelta(days=30), number=99)
    assert outcome(judge(document, trust=document.trust(crls=(own,))), "ds.revocation") == TRY_LATER


def test_list_of_another_authority(document: Document) -> None:
    """It has the serial number, of a signer of its own: it neither revokes ours nor says that ours is good."""
    other = build_document()
    foreign = crl(other.csca, NOW - timedelta(days=1), NOW + timedelta(days=30), serials=(SERIAL,))
    report = judge(document, trust=document.trust(crls=(foreign,)))
    assert outcome(report, "ds.revocation") == TRY_LATER
    both = judge(document, trust=document.trust(crls=(foreign, issuer.crl(document.csca))))
    assert both.verdict is Verdict.TOTAL_PASSED


def test_altered_list(document: Document) -> None:
    raw = bytearray(crl(document.csca, NOW - timedelta(days=1), NOW + timedelta(days=30), serials=(SERIAL,)))
    place = bytes(raw).index(SERIAL.to_bytes(8, "big"))
    raw[place + 7] ^= 1  # another serial than the revoked one
    report = judge(document, trust=document.trust(crls=(bytes(raw),)))
    assert outcome(report, "ds.revocation") == TRY_LATER


def test_list_from_the_future_says_that_the_clock_is_wrong(document: Document) -> None:
    coming = crl(document.csca, datetime(2027, 1, 1, tzinfo=UTC), datetime(2027, 2, 1, tzinfo=UTC))
    report = judge(document, trust=document.trust(crls=(coming,)))
    assert outcome(report, "ds.revocation") == (Outcome.INDETERMINATE, Reason.CLOCK_BEHIND)
    assert judge(document, trust=document.trust(crls=(coming,)), time_source="given").verdict is Verdict.TOTAL_PASSED
