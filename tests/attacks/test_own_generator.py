"""A certificate on a curve of somebody's own: known p, a, b, n, h, and a base point that makes the CSCA's key his own
(CVE-2020-0601). Nothing is computed with such parameters: they are those of no known curve.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from eid.codec.spki import encode_ec_spki
from eid.crypto.curves import curve_by_name
from eid.crypto.points import add, encode_point, multiply
from eid.crypto.public_key import explicit_parameters, load_public_key
from eid.errors import Reason, VerificationError
from eid.pki.trust_store import build_trust_store
from eid.verification.report import Outcome, Verdict
from tests.builders import issuer
from tests.builders.document import Document, build_files, judge, outcome

CURVE = curve_by_name("P-384")
assert CURVE is not None


class OwnGenerator(issuer.Key):
    """A key that states the CSCA's very point, on the curve whose base point is that point: its private key is 1."""

    def spki(self, explicit: bool = True) -> bytes:
        numbers = self.private.public_key().public_numbers()
        point = encode_point(CURVE, (numbers.x, numbers.y))  # type: ignore[union-attr]  # an EC key
        return encode_ec_spki(replace(explicit_parameters(CURVE), generator=point), point)


def spoofed(document: Document) -> OwnGenerator:
    return OwnGenerator(document.csca.private, "sha384")


def test_spoofed_csca_in_the_store(document: Document) -> None:
    """Even an operator who imports it gets no anchor."""
    certificate = issuer.csca_certificate(spoofed(document))
    store = build_trust_store((certificate,))
    assert store.anchors == ()
    assert "no known curve" in store.unusable[0].why


def test_spoofed_signer(document: Document) -> None:
    key = OwnGenerator(issuer.ec_key("P-384", "sha384").private, "sha384")
    certificate = issuer.certificate(document.csca, key, issuer.ds_extensions(document.csca, key))
    report = judge(build_files(replace(document, signer=key, signer_certificate=certificate)))
    assert outcome(report, "sod.signature") == (Outcome.INDETERMINATE, Reason.ALGORITHM_UNSUPPORTED)
    assert report.verdict is Verdict.INDETERMINATE


@pytest.mark.parametrize("field", ["p", "a", "b", "n", "h", "generator"])
def test_one_parameter_that_differs(field: str) -> None:
    parameters = explicit_parameters(CURVE)
    point = encode_point(CURVE, CURVE.generator)
    changed = encode_point(CURVE, multiply(CURVE, 2, CURVE.generator)) if field == "generator" else None
    own = replace(parameters, **{field: changed or getattr(parameters, field) + 2})
    with pytest.raises(VerificationError) as refusal:
        load_public_key(encode_ec_spki(own, point))
    assert refusal.value.reason is Reason.ALGORITHM_UNSUPPORTED


def test_the_spoof_is_sound() -> None:
    """With the point as generator, 1 is its private key: the attack is real where parameters are taken as given."""
    generator = multiply(CURVE, 12345, CURVE.generator)
    assert add(CURVE, generator, generator) == multiply(CURVE, 2, generator)
