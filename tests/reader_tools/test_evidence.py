from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from eid.evidence import ReadFile
from eid.evidence.codec import encode_evidence, sign_evidence
from eid.imaging.encode import encode_portrait
from eid.imaging.header import PNG_SIGNATURE, ImageFormat
from eid.imaging.portrait import draw_specimen_portrait
from eid.lds.dg2 import build_dg2
from eid.lds.dg3 import build_dg3
from eid.lds.dg5 import DG5
from eid.lds.dg7 import DG7
from eid.lds.finger_record import FingerImage, FingerRecord
from eid.services.reading.extraction import extract_files
from tests.builders.document import Document
from tests.reader_tools.conftest import Eid


@pytest.fixture
def evidence(document: Document, tmp_path: Path) -> Path:
    path = tmp_path / "one.evidence"
    path.write_bytes(sign_evidence(document.evidence(), lambda octets: sign(document, octets), document.key_id))
    return path


def sign(document: Document, octets: bytes) -> bytes:
    return document.station.sign(octets, ec.ECDSA(hashes.SHA256()))


def test_it_is_shown_without_a_judgement(eid: Eid, evidence: Path, document: Document, tmp_path: Path) -> None:
    shown = eid("evidence", "show", evidence)
    assert shown.code == 0
    assert ["DG1", str(len(document.files["DG1"])), "9000"] in [line.split() for line in shown.out.splitlines()]
    assert "SPECIMEN" not in shown.out
    assert "SPECIMEN" in eid("evidence", "show", "--holder", evidence).out
    described = json.loads(eid("evidence", "show", "--json", evidence).out)
    assert (described["format"], described["version"]) == ("eid-evidence-description", 1)
    assert len(described["station"]) == 64
    assert {item["name"] for item in described["files"]} >= {"EF.SOD", "DG1", "DG2"}
    bare = tmp_path / "bare"
    bare.write_bytes(encode_evidence(document.evidence()))
    assert json.loads(eid("evidence", "show", "--json", bare).out)["station"] is None
    assert "signed     by nobody" in eid("evidence", "show", bare).out


def test_its_files_are_those_of_the_chip(eid: Eid, evidence: Path, trust: Path, tmp_path: Path) -> None:
    out = tmp_path / "files"
    written = eid("evidence", "extract", evidence, "--out", out)
    assert written.code == 0
    names = {path.name for path in out.iterdir()}
    assert {"EF.SOD.bin", "DG1.bin", "DG2.bin"} <= names
    assert {path.stat().st_mode & 0o777 for path in (out, *out.iterdir())} == {0o700, 0o600}
    groups = [argument for n in (1, 2) for argument in ("--dg", f"{n}={out}/DG{n}.bin")]
    judged = eid("verify", "--sod", out / "EF.SOD.bin", *groups, "--trust", trust, "--at", "2026-06-01", "--json")
    assert json.loads(judged.out)["verdict"] == "TOTAL_PASSED"


def test_every_picture_comes_out(document: Document) -> None:
    jpeg = encode_portrait(draw_specimen_portrait(width=60, height=80), ImageFormat.JPEG, 4000)
    fingers = [FingerRecord((FingerImage(b"\xff\xa0 SPECIMEN", position, 10, 10),)) for position in (2, 7)]
    groups = {
        "DG2": build_dg2(jpeg, 60, 80).encode(),
        "DG3": build_dg3(fingers).encode(),
        "DG5": DG5((jpeg,)).encode(),
        "DG7": DG7((b"of no known kind",)).encode(),
    }
    files = (*(ReadFile(name, raw) for name, raw in groups.items()), ReadFile("DG4", None, 0x6982))
    found = {item.name: item.content for item in extract_files(replace(document.evidence(), files=files))}
    assert {name: found[f"{name}.bin"] for name in groups} == groups
    assert {name for name in found if not name.endswith(".bin")} == {
        "DG2-1.jpg", "DG3-1.wsq", "DG3-2.wsq", "DG5-1.jpg", "portrait.png"
    }  # fmt: skip
    assert (found["DG2-1.jpg"], found["DG7-1.bin"], "DG4.bin" in found) == (jpeg, b"of no known kind", False)
    assert found["portrait.png"].startswith(PNG_SIGNATURE)
    broken = (ReadFile("DG2", groups["DG2"][:40]),)
    assert [item.name for item in extract_files(replace(document.evidence(), files=broken))] == ["DG2.bin"]


@pytest.mark.parametrize("name", ["../DG1", "DG17", "EF.SOD/..", ""])
def test_a_name_that_is_none_is_not_written(document: Document, name: str) -> None:
    with pytest.raises(ValueError, match=r"no elementary file"):
        extract_files(replace(document.evidence(), files=(ReadFile(name, b"1"),)))


def test_what_is_no_evidence(eid: Eid, tmp_path: Path) -> None:
    junk = tmp_path / "junk"
    junk.write_bytes(b"junk")
    assert eid("evidence", "show", junk).code == 65
    assert eid("evidence", "extract", junk, "--out", tmp_path / "files").code == 65
    assert not (tmp_path / "files").exists()
    assert eid("evidence", "extract", junk).code == 64
