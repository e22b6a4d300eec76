"""One bit flipped in every byte of EF.SOD: refused under `strict`, whether a signature covers the byte or not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eid.evidence import ReadFile
from eid.verification.report import Verdict
from tests.builders.document import Document, build_document, judge


@pytest.mark.parametrize(("curve", "stride"), [("P-256", 1), ("brainpoolP256r1", 3)])  # a slow curve
def test_every_byte(curve: str, stride: int) -> None:
    document: Document = build_document(curve)
    evidence = document.evidence()
    trust, envelope = document.trust(), document.envelope(evidence)
    genuine = document.files["EF.SOD"]
    accepted = []
    for place in range(0, len(genuine), stride):
        altered = bytearray(genuine)
        altered[place] ^= 1 << (place % 8)
        files = tuple(ReadFile(name, raw) for name, raw in {**document.files, "EF.SOD": bytes(altered)}.items())
        forged = replace(evidence, files=files)
        if judge(document, forged, trust=trust, envelope=envelope).verdict is Verdict.TOTAL_PASSED:
            accepted.append(place)
    assert accepted == []
