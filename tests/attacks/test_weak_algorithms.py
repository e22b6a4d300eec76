"""Hashes and keys below the policy's floor: "cannot tell", neither passed nor failed."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest

from eid.codec.crl import RevokedCertificate
from eid.codec.x509 import decode_certificate
from eid.errors import Reason
from eid.pki.trust_store import build_trust_store
from eid.verification.report import Outcome, Verdict
from tests.builders import issuer
from tests.builders.document import NOW, Document, build_files, failed, judge, outcome


def signed_with(document: Document, key: issuer.Key, hash_name: str = "sha256") -> Document:
    certificate = issuer.ds_certificate(document.csca, key)
    groups = {name: raw for name, raw in document.files.items() if name.startswith("DG")}
    digests = {int(name[2:]): hashlib.new(hash_name, raw).digest() for name, raw in groups.items()}
    sod = issuer.ef_sod(key, certificate, digests, hash_name=hash_name)
    return replace(document, signer=key, signer_certificate=certificate, files={**groups, "EF.SOD": sod})


@pytest.mark.parametrize(
    ("key", "hash_name"),
    [
        (issuer.ec_key(hash_name="sha256"), "sha1"),
        (issuer.ec_key(hash_name="sha1"), "sha256"),
        (issuer.rsa_key(1024), "sha256"),
    ],
    ids=["SHA-1 of data groups", "SHA-1 of the signature", "RSA-1024"],
)
def test_weak(document: Document, key: issuer.Key, hash_name: str) -> None:
    weak = signed_with(document, key, hash_name)
    report = judge(weak)
    assert outcome(report, "sod.algorithms") == (Outcome.INDETERMINATE, Reason.CRYPTO_CONSTRAINTS_FAILURE)
    assert failed(report) == {}
    assert report.verdict is Verdict.INDETERMINATE
    assert judge(weak, policy="border").verdict is Verdict.TOTAL_PASSED


@pytest.mark.parametrize("key", [issuer.rsa_key(2048), issuer.rsa_key(3072, "sha512", pss=True)], ids=["PKCS#1", "PSS"])
def test_strong_rsa_passes(document: Document, key: issuer.Key) -> None:
    assert judge(signed_with(document, key)).verdict is Verdict.TOTAL_PASSED


def with_csca(document: Document, csca: issuer.Key) -> Document:
    certificate = issuer.ds_certificate(csca, document.signer)
    return build_files(
        replace(document, csca=csca, csca_certificate=issuer.csca_certificate(csca), signer_certificate=certificate)
    )


def test_signer_certificate_signed_over_sha1(document: Document) -> None:
    """A collision would make a second signer of it, so the certificate's own hash counts as much as the document's."""
    weak = with_csca(document, issuer.ec_key("P-384", "sha1"))
    report = judge(weak)
    assert outcome(report, "sod.algorithms") == (Outcome.INDETERMINATE, Reason.CRYPTO_CONSTRAINTS_FAILURE)
    assert report.verdict is Verdict.INDETERMINATE
    assert judge(weak, policy="border").verdict is Verdict.TOTAL_PASSED


def test_crl_signed_over_sha1(document: Document) -> None:
    """A forged list would clear a revoked signer. What a weak list names is revoked all the same."""
    weak = replace(document.csca, hash_name="sha1")
    report = judge(document, trust=document.trust(crls=(issuer.crl(weak),)))
    assert outcome(report, "ds.revocation") == (Outcome.INDETERMINATE, Reason.CRYPTO_CONSTRAINTS_FAILURE)
    assert (failed(report), report.verdict) == ({}, Verdict.INDETERMINATE)
    both = judge(document, trust=document.trust(crls=(issuer.crl(weak, number=9), issuer.crl(document.csca, number=8))))
    assert outcome(both, "ds.revocation") == (Outcome.INDETERMINATE, Reason.CRYPTO_CONSTRAINTS_FAILURE), "newest counts"
    border = judge(document, trust=document.trust(crls=(issuer.crl(weak),)), policy="border")
    assert border.verdict is Verdict.TOTAL_PASSED
    named = issuer.crl(weak, [RevokedCertificate(decode_certificate(document.signer_certificate).serial, NOW)])
    revoked = judge(document, trust=document.trust(crls=(named,)))
    assert outcome(revoked, "ds.revocation") == (Outcome.FAILED, Reason.REVOKED)


def test_crl_of_a_weak_later_key(document: Document) -> None:
    """A later key of the same name speaks for the earlier one, but not where the policy finds it too small."""
    later = issuer.rsa_key(1024)
    authorities = (document.csca_certificate, issuer.csca_certificate(later, serial=2))
    report = judge(document, trust=build_trust_store(authorities, (issuer.crl(later),)))
    assert outcome(report, "ds.revocation") == (Outcome.INDETERMINATE, Reason.CRYPTO_CONSTRAINTS_FAILURE)
    good = build_trust_store(authorities, (issuer.crl(later), issuer.crl(document.csca)))
    assert outcome(judge(document, trust=good), "ds.revocation") == (Outcome.PASSED, None)


@pytest.mark.parametrize(
    ("root", "new"),
    [
        (issuer.ec_key("P-384", "sha1"), issuer.ec_key("P-384", "sha384")),
        (issuer.ec_key("P-384", "sha384"), issuer.rsa_key(1024)),
    ],
    ids=["link signed over SHA-1", "weak key in the link"],
)
def test_weak_link(document: Document, root: issuer.Key, new: issuer.Key) -> None:
    linked = with_csca(document, new)
    link = issuer.certificate(root, new, issuer.csca_extensions(new), subject=issuer.CSCA_NAME, serial=2)
    trust = build_trust_store((issuer.csca_certificate(root), link), (issuer.crl(new), issuer.crl(root, number=9)))
    report = judge(linked, trust=trust)
    assert outcome(report, "csca.trust") == (Outcome.INDETERMINATE, Reason.CRYPTO_CONSTRAINTS_FAILURE)
    assert failed(report) == {}
    assert report.verdict is Verdict.INDETERMINATE


def test_link_that_expired(document: Document) -> None:
    root, new = issuer.ec_key("P-384", "sha384"), issuer.ec_key("P-384", "sha384")
    expired = NOW - timedelta(days=1)
    extensions = issuer.csca_extensions(new)
    link = issuer.certificate(root, new, extensions, subject=issuer.CSCA_NAME, serial=2, not_after=expired)
    trust = build_trust_store((issuer.csca_certificate(root), link), (issuer.crl(new), issuer.crl(root, number=9)))
    report = judge(with_csca(document, new), trust=trust)
    assert outcome(report, "csca.trust") == (Outcome.INDETERMINATE, Reason.OUT_OF_BOUNDS_NO_POE)
    assert report.verdict is Verdict.INDETERMINATE
