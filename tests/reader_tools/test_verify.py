from __future__ import annotations

import json
import os
import re
from pathlib import Path

import jsonschema
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from eid.evidence import Origin, ProtocolName
from eid.evidence.codec import encode_evidence, sign_evidence
from eid.services.trust.imports import import_trust
from tests.builders import document as built
from tests.builders.document import CHALLENGE, NOW, Document

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs/formats/verification-report.schema.json").read_text("utf-8"))
AT = ("--at", "2026-06-01T12:00:00Z")


def signed(document: Document, evidence=None) -> bytes:
    from cryptography.hazmat.primitives import hashes

    def sign(message: bytes) -> bytes:
        return document.station.sign(message, ec.ECDSA(hashes.SHA256()))

    return sign_evidence(document.evidence() if evidence is None else evidence, sign, document.key_id)


@pytest.fixture
def evidence_file(document: Document, tmp_path: Path) -> Path:
    path = tmp_path / "evidence.cbor"
    path.write_bytes(signed(document))
    return path


@pytest.fixture
def files(document: Document, tmp_path: Path) -> dict[str, Path]:
    for name, raw in document.files.items():
        (tmp_path / name).write_bytes(raw)
    return {name: tmp_path / name for name in document.files}


def report(outcome) -> dict:
    told = json.loads(outcome.out)
    jsonschema.validate(told, SCHEMA)
    return told


def failing(told: dict) -> dict[str, str]:
    return {item["id"]: item["reason"] for item in told["checks"] if item["outcome"] == "FAILED"}


def test_genuine_evidence_passes(eid, evidence_file, trust, station_pem):
    outcome = eid("verify", evidence_file, "--trust", trust, "--station", station_pem, *AT)
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("TOTAL_PASSED  policy strict, judged at 2026-06-01T12:00:00Z (given)")


def test_json_report_follows_its_schema(eid, evidence_file, trust, station_pem):
    challenge = CHALLENGE.hex()
    outcome = eid(
        "verify",
        evidence_file,
        "--trust",
        trust,
        "--stations",
        station_pem.parent,
        *AT,
        "--json",
        "--challenge",
        challenge,
    )
    told = report(outcome)
    assert outcome.code == 0
    assert (told["verdict"], told["policy"], told["reference_time"]) == (
        "TOTAL_PASSED",
        "strict",
        "2026-06-01T12:00:00Z",
    )
    passed = {item["id"] for item in told["checks"] if item["outcome"] == "PASSED"}
    assert {"sod.signature", "sod.dg_hashes.dg1", "ds.path", "ds.revocation", "chip.aa", "chip.ca"} <= passed


def test_unknown_station_is_said_and_how_to_name_it(eid, evidence_file, trust):
    outcome = eid("verify", evidence_file, "--trust", trust, *AT)
    assert outcome.code == 2  # whose challenge the chip answered, only the station's word could say
    assert "UNTRUSTED_STATION" in outcome.out
    assert "--station FILE" in outcome.err
    # Active Authentication convinces whoever asked, without a word of anybody.
    assert eid("verify", evidence_file, "--trust", trust, *AT, "--challenge", CHALLENGE.hex()).code == 0


def test_trust_store_and_stations_of_the_settings(eid, evidence_file, trust, station_pem, monkeypatch):
    monkeypatch.setenv("EID_TRUST", str(trust))
    monkeypatch.setenv("EID_STATIONS", str(station_pem.parent))
    told = report(eid("verify", evidence_file, *AT, "--json"))
    assert {item["id"]: item["outcome"] for item in told["checks"]}["station.signature"] == "PASSED"


def test_bare_evidence_is_an_upload(eid, document, tmp_path, trust):
    """What claims to come from a station and is not signed is worth an upload: what the chip has proven is hearsay."""
    (tmp_path / "bare").write_bytes(encode_evidence(document.evidence(origin=Origin.STATION)))
    told = report(eid("verify", tmp_path / "bare", "--trust", trust, *AT, "--json"))
    reasons = {item["id"]: item["reason"] for item in told["checks"]}
    assert reasons["chip.ca"] == reasons["chip.aa"] == "CLIENT_ASSERTED"
    assert reasons["station.signature"] == "NOT_ATTEMPTED"
    asked = ("--challenge", CHALLENGE.hex())
    told = report(eid("verify", tmp_path / "bare", "--trust", trust, *AT, "--json", *asked))
    assert {item["id"]: item["reason"] for item in told["checks"]}["chip.aa"] is None


@pytest.mark.parametrize(
    ("fraud", "check", "reason"),
    [
        ("altered", "sod.dg_hashes.dg1", "HASH_FAILURE"),
        ("cloned", "chip.aa", "CLONE_SUSPECTED"),
        ("replayed", "chip.aa", "CHALLENGE_MISMATCH"),
        ("station", "station.signature", "STATION_SIGNATURE_FAILURE"),
    ],
)
def test_frauds_exit_1_and_name_the_check(eid, document, tmp_path, trust, station_pem, fraud, check, reason):
    challenge = CHALLENGE
    evidence = document.evidence()
    if fraud == "altered":
        dg1 = bytearray(document.files["DG1"])
        dg1[20] ^= 1
        evidence = document.with_files(DG1=bytes(dg1)).evidence()
    elif fraud == "cloned":
        other = ec.generate_private_key(ec.SECP256R1())
        ran = (built.transcript(ProtocolName.PACE), document.active_transcript(key=other))
        evidence = document.evidence(transcripts=ran)
    elif fraud == "replayed":
        challenge = b"tomorrow"
    raw = bytearray(signed(document, evidence))
    if fraud == "station":
        raw[-1] ^= 1
    (tmp_path / "evidence").write_bytes(raw)
    known = ("--trust", trust, "--station", station_pem, "--challenge", challenge.hex())
    outcome = eid("verify", tmp_path / "evidence", *known, *AT, "--json")
    assert outcome.code == 1
    assert failing(report(outcome))[check] == reason


def test_revoked_signer(eid, document, evidence_file, tmp_path):
    (tmp_path / "csca.der").write_bytes(document.csca_certificate)
    (tmp_path / "crl.der").write_bytes(document.revoking_crl())
    import_trust(tmp_path / "store", [tmp_path / "csca.der", tmp_path / "crl.der"], unsigned=False, now=NOW)
    outcome = eid("verify", evidence_file, "--trust", tmp_path / "store", *AT, "--json")
    assert outcome.code == 1
    assert failing(report(outcome)) == {"ds.revocation": "REVOKED"}


def test_unknown_issuer_is_indeterminate(eid, evidence_file, tmp_path):
    stranger = built.build_document()
    (tmp_path / "csca.der").write_bytes(stranger.csca_certificate.replace(b"SPECIMEN CSCA", b"SPECIMEN CSCB"))
    import_trust(tmp_path / "store", [tmp_path / "csca.der"], unsigned=False, now=NOW)
    outcome = eid("verify", evidence_file, "--trust", tmp_path / "store", *AT, "--json")
    assert outcome.code == 2
    assert report(outcome)["verdict"] == "INDETERMINATE"


def test_files(eid, files, trust):
    outcome = eid("verify", "--sod", files["EF.SOD"], "--dg", f"1={files['DG1']}", "--trust", trust, *AT, "--json")
    told = report(outcome)
    assert outcome.code == 0
    assert told["policy"] == "passive"
    assert "dg2" not in " ".join(item["id"] for item in told["checks"] if item["outcome"] == "PASSED")


def test_files_with_the_name_of_the_group(eid, files, trust):
    groups = [part for number in (1, 2) for part in ("--dg", f"DG{number}={files[f'DG{number}']}")]
    assert eid("verify", "--sod", files["EF.SOD"], *groups, "--trust", trust, *AT).code == 0


def test_files_under_the_strict_policy_prove_no_chip(eid, files, trust):
    groups = [part for number in (1, 2) for part in ("--dg", f"{number}={files[f'DG{number}']}")]
    outcome = eid("verify", "--sod", files["EF.SOD"], *groups, "--trust", trust, *AT, "--policy", "strict")
    assert outcome.code == 2


def test_foreign_data_group_fails(eid, files, trust, tmp_path):
    (tmp_path / "other").write_bytes(files["DG1"].read_bytes() + b"\x00")
    outcome = eid(
        "verify", "--sod", files["EF.SOD"], "--dg", f"1={tmp_path / 'other'}", "--trust", trust, *AT, "--json"
    )
    assert outcome.code == 1
    assert failing(report(outcome))["sod.dg_hashes.dg1"] == "HASH_FAILURE"


def test_sod_that_does_not_decode_inside_is_a_failed_check(eid, files, trust, tmp_path):
    """The envelope is well-formed, what is in it is not: that is for the report to say."""
    (tmp_path / "sod").write_bytes(bytes.fromhex("7703300100"))
    outcome = eid("verify", "--sod", tmp_path / "sod", "--dg", f"1={files['DG1']}", "--trust", trust, *AT, "--json")
    assert outcome.code == 1
    assert failing(report(outcome))["sod.format"] == "FORMAT_FAILURE"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "empty"),
        (b"hello", "tag 68 where 77 is due"),
        (bytes.fromhex("7704300100"), "its length says 6"),
        (bytes.fromhex("770330010000"), "its length says 5"),
        (bytes.fromhex("7780"), "indefinite length"),
        (bytes.fromhex("300100"), "tag 30 where 77 is due"),
        (b"\x77", "length field is missing"),
    ],
)
def test_what_is_no_sod_in_form_is_malformed_input(eid, files, trust, tmp_path, content, what):
    (tmp_path / "sod").write_bytes(content)
    outcome = eid("verify", "--sod", tmp_path / "sod", "--dg", f"1={files['DG1']}", "--trust", trust, *AT)
    assert (outcome.code, outcome.out) == (65, "")
    assert what in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("content", [b"", b"\x00", b"%PDF-1.7", b"\xd2\x84", b"\xa1\x61a\x01", b"{}", bytes(1000)])
def test_what_is_no_evidence_is_malformed_input(eid, trust, tmp_path, content):
    (tmp_path / "evidence").write_bytes(content)
    outcome = eid("verify", tmp_path / "evidence", "--trust", trust)
    assert (outcome.code, outcome.out) == (65, "")
    assert outcome.err.count("\n") == 1
    assert str(tmp_path / "evidence") in outcome.err


def test_oversized_files_are_refused_by_size(eid, files, trust, tmp_path):
    huge = tmp_path / "huge"
    with huge.open("wb") as file:
        file.truncate(1 << 40)
    assert "over 4194304 octets" in eid("verify", huge, "--trust", trust).err
    assert eid("verify", "--sod", huge, "--trust", trust).code == 65
    assert eid("verify", "--sod", files["EF.SOD"], "--dg", f"1={huge}", "--trust", trust).code == 65


def test_endless_input_is_refused(eid, trust):
    outcome = eid("verify", "/dev/zero", "--trust", trust)
    assert outcome.code == 65
    assert "over 4194304 octets" in outcome.err


def test_missing_files_and_directories(eid, files, trust, tmp_path):
    missing = tmp_path / "missing"
    for arguments in ((missing,), (tmp_path,), ("--sod", missing), ("--sod", files["EF.SOD"], "--dg", f"1={missing}")):
        outcome = eid("verify", *arguments, "--trust", trust)
        assert (outcome.code, outcome.err.count("\n")) == (65, 1)


def test_missing_trust_store(eid, evidence_file, tmp_path):
    for given in ((), ("--trust", tmp_path / "none")):
        outcome = eid("verify", evidence_file, *given)
        assert outcome.code == 73
        assert "is no trust store; make one with: eid trust import" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ((), "give EVIDENCE, or --sod"),
        (("--dg", "1=x"), "give EVIDENCE, or --sod"),
        (("evidence", "--sod", "x"), "not both"),
        (("--sod", "x", "--dg", "1=x", "--dg", "DG1=y"), "--dg 1 was given twice"),
        (("--sod", "x", "--dg", "17=x"), "there is no data group '17'"),
        (("--sod", "x", "--dg", "DG=x"), "there is no data group 'DG'"),
        (("--sod", "x", "--dg", "1"), "not NUMBER=FILE"),
        (("evidence", "--at", "yesterday"), "not an ISO 8601 date or time"),
        (("evidence", "--at", "0001-01-01T00:00+14:00"), "not an ISO 8601 date or time"),
        (("evidence", "--challenge", "xyz"), "not hexadecimal"),
        (("evidence", "--challenge", ""), "0 octets"),
        (("evidence", "--nonsense"), "No such option"),
    ],
)
def test_wrong_usage(eid, trust, arguments, what):
    outcome = eid("verify", *arguments, "--trust", trust)
    assert outcome.code == 64
    assert what in outcome.err


def test_unknown_policy_and_malformed_station(eid, evidence_file, trust, tmp_path):
    outcome = eid("verify", evidence_file, "--trust", trust, "--policy", "lenient")
    assert outcome.code == 65
    assert "there are age-only, border, kyc-remote, national, offline-mobile, passive, strict" in outcome.err
    (tmp_path / "station.pem").write_text("no key")
    outcome = eid("verify", evidence_file, "--trust", trust, "--station", tmp_path / "station.pem")
    assert outcome.code == 73
    assert "no public key in PEM" in outcome.err


def test_html_page_is_whole_and_private(eid, evidence_file, trust, station_pem, tmp_path):
    page = tmp_path / "report.html"
    known = ("--station", station_pem)
    assert eid("verify", evidence_file, "--trust", trust, *known, *AT, "--html", page).code == 0
    text = page.read_text("utf-8")
    assert "TOTAL_PASSED" in text
    assert "ANNA MARIA" in text
    assert "SPECIMEN CSCA" in text
    assert not re.search(r'(src|href)="(?!data:)', text)
    assert os.stat(page).st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".part")] == []


def test_html_page_that_cannot_be_written(eid, evidence_file, trust, tmp_path):
    outcome = eid("verify", evidence_file, "--trust", trust, *AT, "--html", tmp_path / "none" / "report.html")
    assert outcome.code == 73
    assert "cannot be written" in outcome.err


def test_a_date_is_midnight_utc_and_other_zones_are_converted(eid, evidence_file, trust):
    for given, judged in (
        ("2026-06-01", "2026-06-01T00:00:00Z"),
        ("2026-06-01T12:00:00", "2026-06-01T12:00:00Z"),
        ("2026-06-01T12:00:00.5+02:00", "2026-06-01T10:00:00Z"),
    ):
        told = report(eid("verify", evidence_file, "--trust", trust, "--at", given, "--json"))
        assert (told["reference_time"], told["reference_source"]) == (judged, "given")
