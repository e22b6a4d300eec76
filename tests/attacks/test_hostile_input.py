"""Bombs against every decoder: only typed errors, within half a second and 32 MB for half a mebibyte."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from eid.errors import DecodeError
from tests.attacks.hostile_decoding import DECODERS
from tests.builders import issuer
from tests.builders.document import Document

ROOT = Path(__file__).parents[2]
MEMORY = 32 << 20


@pytest.mark.sweep
def test_bombs() -> None:
    """All bombs, in one process that does nothing else; its growth is over the whole run."""
    command = [sys.executable, "-m", "tests.attacks.hostile_decoding"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=170)
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["wrong"] == []
    assert told["slow"] == []
    assert told["growth"] < MEMORY, told["grown"]
    assert told["inputs"] > 200


def genuine(document: Document) -> dict[str, bytes]:
    return {
        "certificate": document.signer_certificate,
        "certificate, tolerant": document.signer_certificate,
        "CRL": issuer.crl(document.csca),
        "CRL, tolerant": issuer.crl(document.csca),
        "EF.SOD": document.files["EF.SOD"],
        "EF.SOD, tolerant": document.files["EF.SOD"],
        "BER": document.files["EF.SOD"],
        "DG1": document.files["DG1"],
        "DG11": document.files["DG11"],
        "DG14": document.files["DG14"],
        "DG15": document.files["DG15"],
        "SPKI": document.signer.spki(),
        "public key": document.signer.spki(),
        "signed evidence": document.envelope(document.evidence()).to_be_signed,
    }


def test_cut_at_each_octet(document: Document) -> None:
    for name, raw in genuine(document).items():
        decode = DECODERS[name]
        for stop in range(len(raw)):
            with pytest.raises(DecodeError):
                decode(raw[:stop])
        with pytest.raises(DecodeError):
            decode(raw + b"\x00")
