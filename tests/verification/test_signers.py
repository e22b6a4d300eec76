"""The signer's certificate found by name, in the trust store, by trial; signatures that need a leniency."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from eid.codec import cms, der, oid
from eid.codec.defect import DefectCode
from eid.codec.extensions import Extension
from eid.codec.name import encode_name
from eid.codec.x509 import decode_certificate
from eid.errors import Reason
from eid.pki.signer_source import HeldSigners
from eid.pki.trust_store import TrustStore, build_trust_store
from eid.verification.checks.sod_signature import MAX_TRIALS
from eid.verification.policy import load_policy
from eid.verification.report import Outcome, Verdict, VerificationReport
from eid.verification.verify import verify
from tests.builders import issuer
from tests.builders.document import CHALLENGE, NOW, Document, failed, judge, outcome
from tests.builders.forgery import hashes_of, join, sod_with, split, with_sod

OTHER_NAME = (encode_name((("C", "UT"), ("CN", "SPECIMEN nobody"))), 4711)


def detail(report: VerificationReport, check_id: str) -> str:
    found = report.check(check_id)
    assert found is not None
    return found.detail


def tolerating(document: Document, *codes: DefectCode, **given: object) -> VerificationReport:
    """Judged under `strict` with these leniencies and no other."""
    policy = replace(load_policy("strict"), tolerated=frozenset(codes))
    evidence = document.evidence()
    settings = {"trust": document.trust(), "time": NOW, "expected_challenge": CHALLENGE}
    settings |= {"envelope": document.envelope(evidence), "stations": {document.key_id: document.station.public_key()}}
    return verify(evidence, policy=policy, **{**settings, **given})  # type: ignore[arg-type]  # by name, as the caller has them


def storing(document: Document, *certificates: bytes) -> TrustStore:
    return build_trust_store(
        (document.csca_certificate,), (issuer.crl(document.csca),), signers=HeldSigners(certificates)
    )


@pytest.mark.parametrize("by_key_identifier", [False, True], ids=["issuer and serial", "key identifier"])
def test_signer_outside(document: Document, by_key_identifier: bool) -> None:
    named = decode_certificate(document.signer_certificate)
    signer = named.extensions.subject_key_identifier if by_key_identifier else (named.issuer_raw, named.serial)
    bare = with_sod(document, sod_with(document, certificates=(), signer=signer))
    trust = storing(document, document.signer_certificate)
    report = tolerating(bare, DefectCode.SIGNER_OUTSIDE, trust=trust)
    assert report.verdict is Verdict.TOTAL_PASSED
    assert detail(report, "sod.format") == "tolerated: SIGNER_OUTSIDE"
    for without in (tolerating(bare, trust=trust), tolerating(bare, DefectCode.SIGNER_OUTSIDE)):
        assert outcome(without, "sod.signature") == (Outcome.INDETERMINATE, Reason.NO_SIGNING_CERTIFICATE_FOUND)
        assert without.verdict is Verdict.INDETERMINATE


def test_a_stored_signer_is_not_trusted_for_lying_there(document: Document) -> None:
    """Somebody got his own certificate into a directory of document signers."""
    rogue_csca, rogue = issuer.ec_key("P-384", "sha384"), issuer.ec_key()
    certificate = issuer.ds_certificate(rogue_csca, rogue)
    forged = replace(document, signer=rogue, signer_certificate=certificate)
    forged = with_sod(forged, sod_with(forged, certificates=()))
    report = judge(forged, policy="border", trust=storing(document, certificate))
    assert outcome(report, "sod.signature") == (Outcome.PASSED, None)
    assert outcome(report, "ds.path") == (Outcome.INDETERMINATE, Reason.NO_CERTIFICATE_CHAIN_FOUND)
    assert report.verdict is Verdict.INDETERMINATE


def test_misnamed_signer(document: Document) -> None:
    odd = with_sod(document, sod_with(document, signer=OTHER_NAME))
    report = tolerating(odd, DefectCode.SIGNER_IDENTIFIER)
    assert (report.verdict, detail(report, "sod.signature")) == (
        Verdict.TOTAL_PASSED,
        "tolerated: SIGNER_IDENTIFIER",
    )
    strict = judge(odd)
    assert outcome(strict, "sod.signature") == (Outcome.INDETERMINATE, Reason.NO_SIGNING_CERTIFICATE_FOUND)


LENIENT = (DefectCode.SIGNER_IDENTIFIER, DefectCode.CERTIFICATE_COUNT, DefectCode.SET_ORDER)


def others(document: Document, count: int) -> tuple[bytes, ...]:
    return tuple(issuer.ds_certificate(document.csca, issuer.ec_key(), serial=100 + number) for number in range(count))


def test_by_trial(document: Document) -> None:
    """No certificate is named, and one of several has the key that signed."""
    carried = (*others(document, 2), document.signer_certificate)
    odd = with_sod(document, sod_with(document, signer=OTHER_NAME, certificates=carried))
    report = tolerating(odd, *LENIENT)
    assert report.verdict is Verdict.TOTAL_PASSED
    assert detail(report, "sod.signature") == "tolerated: SIGNER_IDENTIFIER"
    assert report.certificates[0].endswith("CN=SPECIMEN DS 1")


def test_by_trial_is_refused_where_it_is_ambiguous(document: Document) -> None:
    """Two certificates of the same key, and nothing that says which of them is meant."""
    again = issuer.ds_certificate(document.csca, document.signer, serial=99)
    carried = (document.signer_certificate, again)
    odd = with_sod(document, sod_with(document, signer=OTHER_NAME, certificates=carried))
    report = tolerating(odd, *LENIENT)
    assert outcome(report, "sod.signature") == (Outcome.INDETERMINATE, Reason.NO_SIGNING_CERTIFICATE_FOUND)
    assert (failed(report), report.verdict) == ({}, Verdict.INDETERMINATE)


def test_by_trial_finds_nobody(document: Document) -> None:
    odd = with_sod(document, sod_with(document, signer=OTHER_NAME, certificates=others(document, 3)))
    report = tolerating(odd, *LENIENT)
    assert outcome(report, "sod.signature") == (Outcome.INDETERMINATE, Reason.NO_SIGNING_CERTIFICATE_FOUND)


def test_trials_are_few(document: Document) -> None:
    """Each costs a verification, and who sends the document chooses their number."""
    extensions = issuer.ds_extensions(document.csca, document.signer)[:2]  # shorter, so in DER they stand first
    short = [issuer.certificate(document.csca, issuer.ec_key(), extensions, serial=9) for _ in range(MAX_TRIALS)]
    for count, expected in ((MAX_TRIALS - 1, Outcome.PASSED), (MAX_TRIALS, Outcome.INDETERMINATE)):
        carried = (*short[:count], document.signer_certificate)
        odd = with_sod(document, sod_with(document, signer=OTHER_NAME, certificates=carried))
        assert outcome(tolerating(odd, *LENIENT), "sod.signature")[0] is expected


def test_a_report_says_that_not_all_were_tried(document: Document) -> None:
    """Many certificates of one issuer and serial number in the trust store: as many are tried as is said."""
    bare = with_sod(document, sod_with(document, certificates=()))
    many = [issuer.ds_certificate(document.csca, issuer.ec_key()) for _ in range(MAX_TRIALS + 1)]
    report = tolerating(bare, DefectCode.SIGNER_OUTSIDE, trust=storing(document, *many))
    assert outcome(report, "sod.signature") == (Outcome.INDETERMINATE, Reason.NO_SIGNING_CERTIFICATE_FOUND)
    assert detail(report, "sod.signature") == (
        "no certificate has the key that signed, of the first 64 of at least 65; the others were not tried"
    )
    found = tolerating(bare, DefectCode.SIGNER_OUTSIDE, trust=storing(document, *many[2:], document.signer_certificate))
    assert outcome(found, "sod.signature") == (Outcome.PASSED, None)


def without_key_usage(extensions: tuple[Extension, ...]) -> tuple[Extension, ...]:
    return tuple(item for item in extensions if item.oid != oid.KEY_USAGE)


def test_a_signer_without_key_usage(document: Document) -> None:
    """Mandatory (Doc 9303-12 table 6): refused, and under a policy that tolerates it the report says so."""
    extensions = without_key_usage(issuer.ds_extensions(document.csca, document.signer))
    odd = replace(document, signer_certificate=issuer.certificate(document.csca, document.signer, extensions))
    odd = with_sod(odd, sod_with(odd))
    assert outcome(judge(odd), "ds.path") == (Outcome.INDETERMINATE, Reason.CHAIN_CONSTRAINTS_FAILURE)
    others = tolerating(odd, DefectCode.BASIC_CONSTRAINTS)
    assert outcome(others, "ds.path") == (Outcome.INDETERMINATE, Reason.CHAIN_CONSTRAINTS_FAILURE)
    report = tolerating(odd, DefectCode.KEY_USAGE)
    assert (report.verdict, detail(report, "ds.path")) == (Verdict.TOTAL_PASSED, "tolerated: KEY_USAGE")
    border = judge(odd, policy="border")
    assert (border.verdict, detail(border, "ds.path")) == (Verdict.TOTAL_PASSED, "tolerated: KEY_USAGE")


def test_an_issuer_without_key_usage(document: Document) -> None:
    extensions = without_key_usage(issuer.csca_extensions(document.csca))
    bare = issuer.certificate(document.csca, document.csca, extensions, subject=issuer.CSCA_NAME)
    trust = build_trust_store([bare], (issuer.crl(document.csca),))
    assert outcome(judge(document, trust=trust), "ds.path") == (
        Outcome.INDETERMINATE,
        Reason.CHAIN_CONSTRAINTS_FAILURE,
    )
    assert detail(tolerating(document, DefectCode.KEY_USAGE, trust=trust), "ds.path") == "tolerated: KEY_USAGE"


def reversed_attributes(raw: bytes) -> bytes:
    return join(der.SET, split(raw)[::-1])


def test_attributes_in_another_order_than_signed(document: Document) -> None:
    """Signed in DER, stored otherwise: every list of a published study has it so."""
    sod = sod_with(
        document, attributes=reversed_attributes, sign=lambda raw: document.signer.sign(reversed_attributes(raw))
    )
    odd = with_sod(document, sod)
    report = tolerating(odd, DefectCode.SET_ORDER)
    assert (report.verdict, detail(report, "sod.signature")) == (Verdict.TOTAL_PASSED, "")
    assert detail(report, "sod.format") == "tolerated: SET_ORDER"
    assert failed(judge(odd))["sod.format"] is Reason.FORMAT_FAILURE


def test_attributes_signed_as_they_stand(document: Document) -> None:
    odd = with_sod(document, sod_with(document, attributes=reversed_attributes))
    report = tolerating(odd, DefectCode.SET_ORDER, DefectCode.SIGNED_AS_STORED)
    assert (report.verdict, detail(report, "sod.signature")) == (Verdict.TOTAL_PASSED, "tolerated: SIGNED_AS_STORED")
    for codes in ((DefectCode.SET_ORDER,), (DefectCode.SET_ORDER, DefectCode.DIGEST_INFO_PARAMETERS)):
        assert failed(tolerating(odd, *codes)) == {"sod.signature": Reason.SIG_CRYPTO_FAILURE}


def test_hashes_may_all_differ(document: Document) -> None:
    """The digest of the content, the hash that is signed and that of the data groups are three (Doc 9303-10 4.6.2)."""
    key = replace(document.signer, hash_name="sha384")
    content = issuer.build_lds_security_object("sha256", hashes_of(document))
    named = decode_certificate(document.signer_certificate)
    attributes = cms.encode_signed_attributes(
        oid.LDS_SECURITY_OBJECT, hashlib.sha512(content).digest(), issuer.SIGNING_TIME
    )
    info = cms.encode_signer_info(
        signer=(named.issuer_raw, named.serial),
        digest_algorithm=issuer.digest_identifier("sha512"),
        signed_attributes=attributes,
        signature_algorithm=key.algorithm,
        signature=key.sign(attributes),
    )
    signed = cms.encode_signed_data(
        content_type=oid.LDS_SECURITY_OBJECT,
        content=content,
        digest_algorithm=issuer.digest_identifier("sha512"),
        certificates=(document.signer_certificate,),
        signer_info=info,
    )
    assert judge(with_sod(document, issuer.encode_ef_sod(signed))).verdict is Verdict.TOTAL_PASSED
