"""The whole matrix of algorithms, both ways: BouncyCastle's documents judged by us, ours by BouncyCastle and openssl.

Opt-in as `test_documents.py`. The two generators, Corpus.java and tests/builders, share no code.
"""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from eid.codec import der
from eid.errors import Reason
from eid.verification.report import Verdict
from tests.builders.legacy import judge_files
from tests.builders.matrix import Combination, combinations, issue_cell, thinned
from tests.interop.bouncycastle.driver import Java
from tests.interop.conftest import Control, Ledger
from tests.interop.judging import flipped
from tests.interop.specimen_files import DATA_GROUPS

pytestmark = pytest.mark.xdist_group("matrix")  # one process issues the documents
CELLS = tuple(combinations())
THIN = tuple(thinned())
# Each with one of another key: neighbours share it, and so do all of RSA.
OTHERS = tuple(zip(THIN, (*THIN[5:], *THIN[:5]), strict=True))
WHO = "bouncycastle"
WHAT = "algorithm, curve, form, hash, LDS version"


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("ours")
    for cell in CELLS:
        made = issue_cell(cell, DATA_GROUPS)
        directory = place / cell.name
        directory.mkdir()
        for name, raw in (("csca.der", made.csca), ("ds.der", made.signer), ("clean.crl", made.crl)):
            (directory / name).write_bytes(raw)
        (directory / "sod.bin").write_bytes(made.sod)
    return place


def judge(place: Path, cell: Combination) -> str:
    files = {path.name: path.read_bytes() for path in (place / cell.name).iterdir()}
    report = judge_files(files["sod.bin"], DATA_GROUPS, files["csca.der"], files["clean.crl"])
    if report.verdict is Verdict.TOTAL_PASSED and not any("tolerated" in item.detail for item in report.checks):
        return "ok"
    return ", ".join(f"{item.id} {item.reason} {item.detail}" for item in report.checks if item.reason or item.detail)


@pytest.fixture(scope="module")
def theirs(java: Java, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("theirs")
    for number, raw in DATA_GROUPS.items():
        (place / f"dg{number}").write_bytes(raw)
    java.run("issue", place, place / "dg1", place / "dg2", *(cell.name for cell in CELLS))
    return place


def test_documents_of_bouncycastle(theirs: Path, ledger: Ledger) -> None:
    assert {cell.name: result for cell in CELLS if (result := judge(theirs, cell)) != "ok"} == {}
    ledger(WHO, "our verifier", f"{len(CELLS)} documents: {WHAT}", None, Control.WORKS)


def test_altered_documents_of_bouncycastle(theirs: Path, ledger: Ledger) -> None:
    for cell in THIN:
        files = {path.name: path.read_bytes() for path in (theirs / cell.name).iterdir()}
        report = judge_files(flipped(files["sod.bin"], -1), DATA_GROUPS, files["csca.der"], files["clean.crl"])
        assert {item.id: item.reason for item in report.failures} == {"sod.signature": Reason.SIG_CRYPTO_FAILURE}
    ledger(WHO, "our verifier", f"{len(THIN)} documents with an altered signature", None, Control.NOTICED)


def test_documents_of_bouncycastle_under_another_csca(theirs: Path, ledger: Ledger) -> None:
    for cell, other in OTHERS:
        sod, csca = (theirs / cell.name / "sod.bin", theirs / other.name / "csca.der")
        crl = theirs / other.name / "clean.crl"
        report = judge_files(sod.read_bytes(), DATA_GROUPS, csca.read_bytes(), crl.read_bytes())
        found = report.check("ds.path")
        assert found is not None
        assert found.reason is Reason.NO_CERTIFICATE_CHAIN_FOUND, cell.name
    ledger(WHO, "our verifier", f"{len(THIN)} documents under another CSCA", None, Control.REFUSED)


def test_documents_of_ours_judged_by_ourselves(ours: Path) -> None:
    assert {cell.name: result for cell in CELLS if (result := judge(ours, cell)) != "ok"} == {}


def test_documents_of_ours_judged_by_bouncycastle(java: Java, ours: Path, ledger: Ledger) -> None:
    told = check_all(java, ours)
    assert {name: result for name, result in told.items() if result != "ok"} == {}
    assert set(told) == {cell.name for cell in CELLS}
    ledger(WHO, "our documents", f"{len(told)} documents: {WHAT}", None, Control.WORKS)


def check_all(java: Java, place: Path) -> dict[str, str]:
    return dict(line.split("\t") for line in java.run("check-all", place).splitlines() if "\t" in line)


@pytest.mark.parametrize("control", [Control.NOTICED, Control.REFUSED])
def test_wrong_documents_of_ours_judged_by_bouncycastle(
    java: Java, ours: Path, tmp_path: Path, ledger: Ledger, control: Control
) -> None:
    for cell, other in OTHERS:
        directory = tmp_path / cell.name
        shutil.copytree(ours / cell.name, directory)
        if control is Control.NOTICED:
            (directory / "sod.bin").write_bytes(flipped((directory / "sod.bin").read_bytes(), -1))
        else:
            shutil.copy(ours / other.name / "csca.der", directory / "csca.der")
    told = check_all(java, tmp_path)
    assert len(told) == len(THIN)
    assert [name for name, result in told.items() if result == "ok"] == []
    what = "an altered signature" if control is Control.NOTICED else "another CSCA"
    ledger(WHO, "our documents", f"{len(THIN)} documents with {what}", None, control)


@dataclass(frozen=True)
class Openssl:
    """`openssl cms -verify` with a CSCA as its only anchor."""

    tool: Path
    place: Path

    def judge(self, sod: bytes, csca: bytes) -> str:
        """Nothing where it accepts, else what it says."""
        start, _ = der.enter(sod, 0, len(sod), 0x77, "EF.SOD")
        (self.place / "sod.der").write_bytes(sod[start:])
        (self.place / "csca.pem").write_bytes(pem(csca))
        arguments = ["-inform", "DER", "-in", self.place / "sod.der", "-CAfile", self.place / "csca.pem"]
        form = ["-purpose", "any", "-auth_level", "0", "-binary", "-out", self.place / "content"]
        command = [self.tool, "cms", "-verify", *arguments, *form]
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        return "" if done.returncode == 0 else done.stderr or "refused"


@pytest.fixture
def openssl(require_tool: Callable[[str], Path], tmp_path: Path) -> Openssl:
    return Openssl(require_tool("openssl"), tmp_path)


def test_documents_of_ours_judged_by_openssl(ours: Path, openssl: Openssl, ledger: Ledger) -> None:
    """What it refuses is a closed list: explicit parameters (openssl issue 25461), each of them."""
    refused = 0
    for cell in CELLS:
        directory = ours / cell.name
        answer = openssl.judge((directory / "sod.bin").read_bytes(), (directory / "csca.der").read_bytes())
        assert bool(answer) is cell.explicit, (cell.name, answer)
        assert not answer or "explicit" in answer.lower(), (cell.name, answer)
        refused += bool(answer)
    assert refused == sum(cell.explicit for cell in CELLS) == 120
    told = f"{len(CELLS) - refused} documents: {WHAT}; {refused} with explicit parameters refused"
    ledger("openssl", "our documents", told, None, Control.WORKS)


@pytest.mark.parametrize("control", [Control.NOTICED, Control.REFUSED])
def test_wrong_documents_of_ours_judged_by_openssl(
    ours: Path, openssl: Openssl, ledger: Ledger, control: Control
) -> None:
    named = [(cell, other) for cell, other in OTHERS if not cell.explicit]
    for cell, other in named:
        sod, csca = (ours / cell.name / "sod.bin").read_bytes(), (ours / cell.name / "csca.der").read_bytes()
        if control is Control.NOTICED:
            sod = flipped(sod, -1)
        else:
            csca = (ours / other.name / "csca.der").read_bytes()
        assert openssl.judge(sod, csca), cell.name
    what = "an altered signature" if control is Control.NOTICED else "another CSCA"
    ledger("openssl", "our documents", f"{len(named)} documents with {what}", None, control)


def pem(raw: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(raw) + b"-----END CERTIFICATE-----\n"
