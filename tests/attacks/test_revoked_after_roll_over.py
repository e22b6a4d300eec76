"""A signer below the CSCA's old key, after the state rolled over: one list, by the new key, speaks for both."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from eid.codec import extension_builders as build
from eid.codec.crl import RevokedCertificate, encode_crl, encode_tbs_crl
from eid.codec.name import encode_name
from eid.codec.x509 import decode_certificate
from eid.crypto.hashes import digest
from eid.errors import Reason
from eid.pki.distrust import Distrust, identify_key
from eid.pki.trust_store import TrustStore, build_trust_store
from eid.verification.policy import shipped_policies
from eid.verification.report import Outcome, Verdict
from tests.builders import issuer
from tests.builders.document import NOW, Document, failed, judge, outcome

TRY_LATER = (Outcome.INDETERMINATE, Reason.TRY_LATER)
NEW = issuer.ec_key("P-384", "sha384")
REVOKED = (RevokedCertificate(0x5A01_0203_0405_0607, issuer.NOT_BEFORE, 1),)
DAY = timedelta(days=1)


def csca(begin: datetime = issuer.NOT_BEFORE + DAY, end: datetime = issuer.NOT_AFTER) -> bytes:
    extensions = issuer.csca_extensions(NEW, True)
    return issuer.certificate(NEW, NEW, extensions, subject=issuer.CSCA_NAME, serial=2, not_before=begin, not_after=end)


def crl(
    key: issuer.Key,
    revoked: Sequence[RevokedCertificate] = (),
    *,
    end: datetime = NOW + DAY,
    name: bytes = issuer.CSCA_NAME,
) -> bytes:
    tbs = encode_tbs_crl(
        signature_algorithm=key.algorithm,
        issuer=name,
        this_update=NOW - 9 * DAY,
        next_update=end,
        revoked=revoked,
        extensions=(build.authority_key_identifier(key.key_identifier()), build.crl_number(7)),
    )
    return encode_crl(tbs, key.algorithm, key.sign(tbs))


def rolled_over(document: Document, certificate: bytes, *crls: bytes, distrusted: bool = False) -> TrustStore:
    key = identify_key(decode_certificate(certificate).spki_raw)
    entry = Distrust(digest("sha256", certificate), key, NOW - DAY, "its key was published")
    distrusts = (entry,) if distrusted else ()
    return build_trust_store((document.csca_certificate, certificate), crls, distrusts=distrusts)


@pytest.mark.parametrize("policy", shipped_policies())
def test_revoked_by_the_new_key(document: Document, policy: str) -> None:
    for older in ((), (issuer.crl(document.csca, number=99),)):  # numbers of another key do not count against it
        report = judge(document, policy=policy, trust=rolled_over(document, csca(), *older, issuer.crl(NEW, REVOKED)))
        assert failed(report) == {"ds.revocation": Reason.REVOKED}
        assert report.verdict is Verdict.TOTAL_FAILED


def test_the_new_keys_list_is_enough(document: Document) -> None:
    assert judge(document, trust=rolled_over(document, csca(), issuer.crl(NEW))).verdict is Verdict.TOTAL_PASSED


def test_a_lapsed_list_of_one_key_does_not_undo_the_fresh_one_of_another(document: Document) -> None:
    for stale, fresh in ((NEW, document.csca), (document.csca, NEW)):
        trust = rolled_over(document, csca(), crl(stale, end=NOW - DAY), crl(fresh, end=NOW + DAY))
        assert judge(document, trust=trust).verdict is Verdict.TOTAL_PASSED
    both = rolled_over(document, csca(), crl(NEW, end=NOW - DAY), crl(document.csca, end=NOW - DAY))
    assert outcome(judge(document, trust=both), "ds.revocation") == TRY_LATER


def test_an_authority_of_another_name_says_nothing(document: Document) -> None:
    """Its list has the serial number, of a signer of its own."""
    name = encode_name((("C", "UT"), ("O", "SPECIMEN"), ("CN", "ANOTHER CSCA")))
    other = issuer.certificate(NEW, NEW, issuer.csca_extensions(NEW), issuer=name, subject=name, serial=2)
    trust = rolled_over(document, other, crl(NEW, REVOKED, name=name))
    assert outcome(judge(document, trust=trust), "ds.revocation") == TRY_LATER


def test_an_earlier_key_does_not_speak_for_a_later_one(document: Document) -> None:
    """It may be one that can be broken by now."""
    trust = rolled_over(document, csca(issuer.NOT_BEFORE - DAY), issuer.crl(NEW))
    assert outcome(judge(document, trust=trust), "ds.revocation") == TRY_LATER


def test_a_distrusted_key_says_nothing(document: Document) -> None:
    """Whoever has it signs a clean list."""
    trust = rolled_over(document, csca(), issuer.crl(NEW), distrusted=True)
    assert outcome(judge(document, trust=trust), "ds.revocation") == TRY_LATER


def test_nor_does_one_whose_certificate_is_over(document: Document) -> None:
    trust = rolled_over(document, csca(end=NOW - DAY), issuer.crl(NEW))
    assert outcome(judge(document, trust=trust), "ds.revocation") == TRY_LATER


def test_nor_one_that_nobody_accepted(document: Document) -> None:
    """A certificate under the state's name that is not self-signed is no anchor, whoever signed it."""
    extensions = issuer.csca_extensions(NEW, True)
    linked = issuer.certificate(document.signer, NEW, extensions, subject=issuer.CSCA_NAME, serial=3)
    trust = rolled_over(document, linked, issuer.crl(NEW))
    assert outcome(judge(document, trust=trust), "ds.revocation") == TRY_LATER
