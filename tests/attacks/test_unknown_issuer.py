"""Signers that no trusted CSCA issued: self-made, self-carried, or under a borrowed name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eid.codec import extension_builders as build
from eid.errors import Reason
from eid.pki.trust_store import build_trust_store
from eid.verification.report import Outcome, Verdict
from tests.builders import issuer
from tests.builders.document import Document, build_document, build_files, failed, judge, outcome
from tests.builders.forgery import hashes_of


def test_foreign_csca_of_the_same_name(document: Document) -> None:
    """It cannot be told from a key roll-over that this store has not heard of, and is not accepted."""
    impostor = build_document()
    report = judge(impostor, trust=document.trust())
    assert outcome(report, "ds.path") == (Outcome.INDETERMINATE, Reason.NO_CERTIFICATE_CHAIN_FOUND)
    assert report.verdict is Verdict.INDETERMINATE


def test_foreign_csca_under_the_key_identifier_of_the_real_one(document: Document) -> None:
    """A certificate that names the trusted key and is not signed by it is a forgery."""
    impostor = build_document()
    extensions = issuer.ds_extensions(document.csca, impostor.signer)
    certificate = issuer.certificate(impostor.csca, impostor.signer, extensions)
    forged = build_files(replace(impostor, signer_certificate=certificate))
    report = judge(forged, trust=document.trust())
    assert failed(report) == {"ds.path": Reason.PATH_SIGNATURE_FAILURE}
    assert report.verdict is Verdict.TOTAL_FAILED


def test_csca_that_comes_with_the_document_is_not_trusted(document: Document) -> None:
    sod = issuer.ef_sod(
        document.signer,
        document.signer_certificate,
        hashes_of(document),
        certificates=(document.signer_certificate, document.csca_certificate),
    )
    carried = document.with_files(EF_SOD=sod)
    strict = judge(carried, trust=build_trust_store(()))
    assert outcome(strict, "sod.format") == (Outcome.FAILED, Reason.FORMAT_FAILURE)
    tolerant = judge(carried, policy="passive", trust=build_trust_store(()))
    assert outcome(tolerant, "ds.path") == (Outcome.INDETERMINATE, Reason.NO_CERTIFICATE_CHAIN_FOUND)
    assert (failed(tolerant), tolerant.verdict) == ({}, Verdict.INDETERMINATE)
    # It is the store that decides: with the CSCA in it the very same file passes.
    assert judge(carried, policy="passive").verdict is Verdict.TOTAL_PASSED


def test_signer_certificate_as_its_own_authority(document: Document) -> None:
    """A document signer in the trust store is no anchor: it is not self-signed."""
    report = judge(document, trust=build_trust_store((document.signer_certificate,)))
    assert outcome(report, "ds.path") == (Outcome.INDETERMINATE, Reason.NO_CERTIFICATE_CHAIN_FOUND)


def test_document_signer_that_issues_another(document: Document) -> None:
    """The signer signs a certificate for a key of its own choice, under its own name as issuer."""
    rogue = issuer.ec_key()
    certificate = issuer.certificate(
        document.signer, rogue, issuer.ds_extensions(document.signer, rogue), issuer=issuer.DS_NAME
    )
    forged = build_files(replace(document, signer=rogue, signer_certificate=certificate))
    report = judge(forged, trust=document.trust())
    assert outcome(report, "ds.path") == (Outcome.INDETERMINATE, Reason.NO_CERTIFICATE_CHAIN_FOUND)
    trust = build_trust_store((document.csca_certificate, document.signer_certificate), ())
    assert outcome(judge(forged, trust=trust), "ds.path") == (Outcome.INDETERMINATE, Reason.CHAIN_CONSTRAINTS_FAILURE)


def test_signature_by_another_key_than_the_certificate(document: Document) -> None:
    forged = build_files(replace(document, signer=issuer.ec_key()))
    assert failed(judge(forged)) == {"sod.signature": Reason.SIG_CRYPTO_FAILURE}


@pytest.mark.parametrize("by_name", [True, False], ids=["a link under the name", "one that names the CSCA's key"])
def test_forged_link(document: Document, by_name: bool) -> None:
    """A certificate says that the trusted CSCA rolled over to the impostor's key; the CSCA did not sign it."""
    impostor, forger = build_document(), issuer.ec_key("P-384", "sha384")
    named = build.authority_key_identifier((forger if by_name else document.csca).key_identifier())
    extensions = [named if item.oid == named.oid else item for item in issuer.csca_extensions(impostor.csca)]
    link = issuer.certificate(forger, impostor.csca, extensions, subject=issuer.CSCA_NAME)
    trust = build_trust_store((document.csca_certificate, link), (issuer.crl(document.csca), issuer.crl(impostor.csca)))
    told = (
        (Outcome.INDETERMINATE, Reason.NO_CERTIFICATE_CHAIN_FOUND)
        if by_name
        else (Outcome.FAILED, Reason.PATH_SIGNATURE_FAILURE)
    )
    assert outcome(judge(impostor, trust=trust), "ds.path") == told
    assert judge(document, trust=trust).verdict is Verdict.TOTAL_PASSED
