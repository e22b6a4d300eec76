"""`eid verify-batch` as a person meets it."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from eid.evidence.codec import sign_evidence
from eid.pki.status_list import StatusType
from eid.services.trust.files import load_trust_store
from eid.services.verifying.status_shelf import keep_list, shelf_of
from tests.builders.document import STATUS, Document, status_signer

AT = ("--at", "2026-06-01T12:00:00Z")
TODAY = datetime.now(UTC).replace(microsecond=0)  # status lists are verified by the clock, whatever --at says


@pytest.fixture
def folder(document: Document, tmp_path: Path) -> Path:
    place = tmp_path / "evidence"
    place.mkdir()
    for number in range(3):
        raw = sign_evidence(
            document.evidence(), lambda raw: document.station.sign(raw, ec.ECDSA(hashes.SHA256())), document.key_id
        )
        (place / f"{number}.cbor").write_bytes(raw)
    return place


def test_all_pass(eid, folder, trust, station_pem, tmp_path):
    out = tmp_path / "results.jsonl"
    given = ("verify-batch", folder, "--trust", trust, "--station", station_pem, *AT, "--out", out, "--workers", 2)
    outcome = eid(*given)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.split() == ["verdict", "files", "TOTAL_PASSED", "3", "total", "3"]
    before = out.read_bytes()
    again = eid(*given, "--json")
    assert (again.code, json.loads(again.out)) == (0, {"files": 3, "verdicts": {"TOTAL_PASSED": 3}, "reasons": []})
    assert out.read_bytes() == before


def test_the_worst_decides_the_exit_code(eid, folder, trust, station_pem, tmp_path, document):
    given = ("verify-batch", folder, "--trust", trust, *AT, "--workers", 1, "--out")
    assert eid(*given, tmp_path / "1", "--policy", "kyc-remote", "--station", station_pem).code == 0
    (folder / "3.cbor").write_bytes(b"no evidence")
    outcome = eid(*given, tmp_path / "2", "--station", station_pem)
    assert (outcome.code, "UNREADABLE" in outcome.out) == (65, True)
    altered = bytearray((folder / "0.cbor").read_bytes())
    altered[-1] ^= 1
    (folder / "0.cbor").write_bytes(bytes(altered))
    outcome = eid(*given, tmp_path / "3", "--station", station_pem)
    assert outcome.code == 1
    assert "station.signature" in outcome.out


def test_what_cannot_be_told(eid, folder, trust, tmp_path):
    """A station that nobody knows: the chip's own word for Chip Authentication counts no more."""
    (tmp_path / "own.toml").write_text(
        Path("eid/verification/policies/strict.toml").read_text().replace('"chip.aa", ', "").replace("SPECIMEN", "")
    )
    outcome = eid(
        "verify-batch", folder, "--trust", trust, *AT, "--out", tmp_path / "o", "--policy", tmp_path / "own.toml"
    )
    assert outcome.code == 2
    assert ["station.signature", "UNTRUSTED_STATION", "3"] in [line.split() for line in outcome.out.splitlines()]


def test_status_lists_are_read_as_verify_does(eid, folder, trust, station_pem, tmp_path, document):
    """A list that is named, and one on the trust store's shelf; of one that does not count it is said why."""
    signer = status_signer((document.csca, document.csca_certificate))
    for name, hours, statuses in (("valid", 2, ()), ("revoked", 1, ((STATUS.index, StatusType.INVALID),))):
        issued, until = TODAY - timedelta(hours=hours), TODAY + timedelta(days=1)
        (tmp_path / name).write_bytes(signer.sign(statuses, issued_at=issued, expires_at=until))
    store = tmp_path / "store"
    shutil.copytree(trust, store)
    given = ("verify-batch", folder, "--trust", store, "--station", station_pem, *AT, "--policy", "national", "--json")

    def judge(out: str, *more: object) -> tuple[int, dict[tuple[str, str], int], str]:
        outcome = eid(*given, "--out", tmp_path / out, *more)
        told = json.loads(outcome.out)["reasons"] if outcome.out else []
        return outcome.code, {(item["check"], item["reason"]): item["count"] for item in told}, outcome.err

    assert judge("none") == (2, {("document.status", "TRY_LATER"): 3}, "")
    assert judge("valid.jsonl", "--status", tmp_path / "valid", "--workers", 2) == (0, {}, "")
    (folder.parent / "broken").write_bytes(b"no list")
    code, _, said = judge("broken.jsonl", "--status", tmp_path / "valid", "--status", tmp_path / "broken")
    assert (code, len(said.splitlines()), "broken: " in said) == (0, 1, True)
    keep_list(shelf_of(store), (tmp_path / "revoked").read_bytes(), load_trust_store(store), TODAY)
    assert judge("shelf.jsonl", "--workers", 1) == (1, {("document.status", "REVOKED"): 3}, "")
    code, _, said = judge("valid.jsonl", "--status", tmp_path / "valid")
    assert (code, "status_lists_digest" in said) == (73, True)


def test_errors_are_one_line(eid, folder, trust, tmp_path):
    (tmp_path / "text").write_text("SPECIMEN\n")
    outcome = eid("verify-batch", folder, "--trust", trust, "--out", tmp_path / "text")
    assert (outcome.code, len(outcome.err.splitlines())) == (73, 1)
    assert eid("verify-batch", folder, "--trust", tmp_path / "none", "--out", tmp_path / "o").code == 73
    assert eid("verify-batch", folder, "--trust", trust, "--out", tmp_path / "o", "--policy", "lenient").code == 65
    assert eid("verify-batch", tmp_path / "absent", "--trust", trust, "--out", tmp_path / "o").code == 65
    assert eid("verify-batch", folder, "--trust", trust, "--out", tmp_path / "o", "--workers", 0).code == 64
    assert eid("verify-batch", folder, "--trust", trust).code == 64
