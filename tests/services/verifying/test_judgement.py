from __future__ import annotations

import os
import threading
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from eid.errors import DecodeError, ProfileError
from eid.evidence import Origin
from eid.evidence.codec import SignedEvidence, encode_evidence, sign_evidence
from eid.services.input_file import read_input
from eid.services.verifying.judgement import default_policy, judge, load_evidence_file, load_upload
from eid.services.verifying.submission import Upload
from tests.builders import document as built


@pytest.fixture(scope="module")
def document() -> built.Document:
    return built.build_document()


def test_both_forms_of_evidence(document, tmp_path):
    path = tmp_path / "evidence"
    evidence = document.evidence()
    path.write_bytes(encode_evidence(evidence))
    assert load_evidence_file(path) == evidence
    key = document.station

    def sign(message: bytes) -> bytes:
        return key.sign(message, ec.ECDSA(hashes.SHA256()))

    path.write_bytes(sign_evidence(evidence, sign, document.key_id))
    loaded = load_evidence_file(path)
    assert isinstance(loaded, SignedEvidence)
    assert loaded.evidence == evidence


def test_default_policies(document):
    assert default_policy(Upload(b"", {})) == "passive"
    assert default_policy(document.evidence()) == default_policy(document.envelope(document.evidence())) == "strict"


def test_time_is_now_unless_given(document):
    late = built.NOW + timedelta(days=365 * 30)
    upload = Upload(document.files["EF.SOD"], {1: document.files["DG1"]})
    report = judge(upload, document.trust(), now=late, at=built.NOW).report
    assert (report.verdict, report.reference_time, report.reference_source) == ("TOTAL_PASSED", built.NOW, "given")
    report = judge(upload, document.trust(), now=late).report
    assert (report.verdict, report.reference_time, report.reference_source) == ("INDETERMINATE", late, "now")


def test_challenge_of_the_judge_counts(document):
    signed = document.envelope(document.evidence())
    assert isinstance(signed, SignedEvidence)
    right = judge(signed, document.trust(), now=built.NOW, challenge=built.CHALLENGE)
    wrong = judge(signed, document.trust(), now=built.NOW, challenge=b"tomorrow")
    assert (right.report.verdict, wrong.report.verdict) == ("TOTAL_PASSED", "TOTAL_FAILED")
    assert right.evidence == signed.evidence


def test_unsigned_evidence_is_judged_as_an_upload(document):
    judged = judge(document.evidence(origin=Origin.RELAY), document.trust(), now=built.NOW)
    assert judged.evidence.origin is Origin.UPLOAD


def test_unknown_policy(document):
    with pytest.raises(ProfileError):
        judge(document.evidence(), document.trust(), "none", now=built.NOW)


def test_upload_of_files(document, tmp_path):
    (tmp_path / "sod").write_bytes(document.files["EF.SOD"])
    (tmp_path / "dg1").write_bytes(document.files["DG1"])
    upload = load_upload(tmp_path / "sod", {1: tmp_path / "dg1"})
    assert (upload.sod, upload.data_groups) == (document.files["EF.SOD"], {1: document.files["DG1"]})


# --- read_input


def test_limit_is_exact(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(bytes(10))
    assert read_input(path, 10, "thing") == bytes(10)
    with pytest.raises(DecodeError, match="over 9 octets, so it is no thing"):
        read_input(path, 9, "thing")


def test_pipe_is_read_no_further_than_the_limit(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)

    def write() -> None:
        try:
            with path.open("wb") as file:
                file.write(bytes(1 << 20))
        except BrokenPipeError:
            pass

    thread = threading.Thread(target=write)
    thread.start()
    with pytest.raises(DecodeError, match="over 100 octets"):
        read_input(path, 100, "thing")
    thread.join()


def test_names_that_are_no_files(tmp_path):
    for path in (tmp_path, tmp_path / "none", tmp_path / "\0", tmp_path / ("x" * 300)):
        with pytest.raises(DecodeError):
            read_input(path, 100, "thing")
