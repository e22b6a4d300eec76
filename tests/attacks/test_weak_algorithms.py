"""Hashes and keys below the policy's floor: "cannot tell", neither passed nor failed."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest

from eid.errors import Reason
from eid.verification.report import Outcome, Verdict
from tests.builders import issuer
from tests.builders.document import Document, failed, judge, outcome


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
