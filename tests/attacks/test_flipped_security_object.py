"""One bit flipped in every byte of EF.SOD: refused under `strict`, whether a signature covers the byte or not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eid.evidence import ReadFile
from eid.verification.report import Verdict
from tests.builders.document import Document, build_document, judge
from tests.builders.sweep import places


@pytest.mark.sweep
@pytest.mark.parametrize(("curve", "one_in"), [("P-256", 3), ("brainpoolP256r1", 9)])  # a slow curve
def test_every_byte(curve: str, one_in: int) -> None:
    document: Document = build_document(curve)
    evidence = document.evidence()
    trust, envelope = document.trust(), document.envelope(evidence)
    genuine = document.files["EF.SOD"]
    accepted = []
    for place in places(range(len(genuine)), one_in):
        altered = bytearray(genuine)
        altered[place] ^= 1 << (place % 8)
        files = tuple(ReadFile(name, raw) for name, raw in {**document.files, "EF.SOD": bytes(altered)}.items())
        forged = replace(evidence, files=files)
        if judge(document, forged, trust=trust, envelope=envelope).verdict is Verdict.TOTAL_PASSED:
            accepted.append(place)
    assert accepted == []
