"""ECDSA values that verify for anybody where they are not refused: r or s zero, or a multiple of the order."""

from __future__ import annotations

import pytest

from eid.codec import der
from eid.crypto.curves import curve_by_name
from eid.errors import Reason
from eid.verification.report import Verdict
from tests.builders import issuer
from tests.builders.document import Document, build_document, failed, judge
from tests.builders.forgery import sod_with, with_sod


def values(order: int) -> list[tuple[int, int]]:
    return [(r, s) for r in (0, 1, order, order + 1, -1) for s in (0, order, 2 * order, -1)] + [(0, 1), (order, 1)]


@pytest.mark.parametrize("curve", ["P-256", "brainpoolP256r1"])
@pytest.mark.parametrize("policy", ["strict", "border"])
def test_security_object(curve: str, policy: str) -> None:
    document = build_document(curve)
    known = curve_by_name(curve)
    assert known is not None
    for r, s in values(known.n):
        raw = der.encode_sequence(der.encode_integer(r), der.encode_integer(s))
        report = judge(with_sod(document, sod_with(document, sign=lambda _, raw=raw: raw)), policy=policy)
        assert failed(report) == {"sod.signature": Reason.SIG_CRYPTO_FAILURE}, (r, s)
        assert report.verdict is Verdict.TOTAL_FAILED


@pytest.mark.parametrize(
    "raw", [b"", b"\x30\x00", b"\x30\x06\x02\x01\x00\x02\x01\x00", b"\x00" * 70, b"\x30\x80\x00\x00"]
)
def test_certificate(document: Document, raw: bytes) -> None:
    class Zero(issuer.Key):
        def sign(self, message: bytes) -> bytes:
            return raw

    zero = Zero(document.csca.private, document.csca.hash_name)
    certificate = issuer.ds_certificate(zero, document.signer)
    sod = sod_with(document, certificates=(certificate,))
    assert failed(judge(with_sod(document, sod))) == {"ds.path": Reason.PATH_SIGNATURE_FAILURE}
