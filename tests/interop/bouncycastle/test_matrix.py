"""The whole matrix of algorithms, both ways: BouncyCastle's documents judged by us, ours by BouncyCastle and openssl.

Opt-in as `test_documents.py`. The two generators, Corpus.java and tests/builders, share no code.
"""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from eid.codec import der
from eid.verification.report import Verdict
from tests.builders.legacy import judge_files
from tests.builders.matrix import Combination, combinations, issue_cell
from tests.interop.bouncycastle.driver import Java, build_driver
from tests.interop.conftest import Ledger
from tests.interop.specimen_files import DATA_GROUPS

CELLS = tuple(combinations())


@pytest.fixture(scope="module")
def java(tmp_path_factory: pytest.TempPathFactory) -> Java:
    return build_driver(tmp_path_factory.mktemp("bouncycastle"))


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


def test_documents_of_bouncycastle(java: Java, tmp_path: Path, ledger: Ledger) -> None:
    for number, raw in DATA_GROUPS.items():
        (tmp_path / f"dg{number}").write_bytes(raw)
    java.run("issue", tmp_path, tmp_path / "dg1", tmp_path / "dg2", *(cell.name for cell in CELLS))
    refused = {cell.name: result for cell in CELLS if (result := judge(tmp_path, cell)) != "ok"}
    assert refused == {}
    ledger("BouncyCastle", "our verifier", f"{len(CELLS)} documents: algorithm, curve, form, hash, LDS version")


def test_documents_of_ours_judged_by_ourselves(ours: Path) -> None:
    assert {cell.name: result for cell in CELLS if (result := judge(ours, cell)) != "ok"} == {}


def test_documents_of_ours_judged_by_bouncycastle(java: Java, ours: Path, ledger: Ledger) -> None:
    told = dict(line.split("\t") for line in java.run("check-all", ours).splitlines() if "\t" in line)
    assert {name: result for name, result in told.items() if result != "ok"} == {}
    assert set(told) == {cell.name for cell in CELLS}
    ledger("our documents", "BouncyCastle", f"{len(told)} documents: algorithm, curve, form, hash, LDS version")


def test_documents_of_ours_judged_by_openssl(
    ours: Path, tmp_path: Path, require_tool: Callable[[str], Path], ledger: Ledger
) -> None:
    """`openssl cms -verify` with the CSCA as its only anchor: what it refuses is a closed list of reasons."""
    tool = require_tool("openssl")
    refused: Counter[str] = Counter()
    for cell in CELLS:
        directory = ours / cell.name
        raw = (directory / "sod.bin").read_bytes()
        start, _ = der.enter(raw, 0, len(raw), 0x77, "EF.SOD")
        (tmp_path / "sod.der").write_bytes(raw[start:])
        convert = [tool, "x509", "-inform", "DER", "-in", directory / "csca.der", "-out", tmp_path / "csca.pem"]
        subprocess.run(convert, check=True, capture_output=True)
        arguments = ["-inform", "DER", "-in", tmp_path / "sod.der", "-CAfile", tmp_path / "csca.pem"]
        form = ["-purpose", "any", "-auth_level", "0", "-binary", "-out", tmp_path / "content"]
        done = subprocess.run([tool, "cms", "-verify", *arguments, *form], check=False, capture_output=True, text=True)
        expected = cell.explicit
        assert (done.returncode != 0) is expected, (cell.name, done.stderr)
        if done.returncode:
            assert "explicit" in done.stderr.lower(), (cell.name, done.stderr)
            refused["explicit parameters (openssl issue 25461)"] += 1
    assert refused == {"explicit parameters (openssl issue 25461)": sum(cell.explicit for cell in CELLS)}
    verified = len(CELLS) - refused.total()
    ledger("our documents", "openssl cms -verify", f"{verified} documents; {refused.total()} explicit ones refused")
