from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from eid.conformance import CASES
from eid.protocols.exchange import Checkpoint
from reader_tools.conformance import Progress
from tests.builders.issuance import CAN

PROFILES = Path(__file__).parents[2] / "card_profiles"
SCHEMA = json.loads((Path(__file__).parents[2] / "docs/formats/conformance-report.schema.json").read_text("utf-8"))


def test_a_profile_is_tested_and_reported(eid, tmp_path: Path) -> None:
    done = eid("conformance", "--profile", "pt-passport", "--out", tmp_path / "report", "--json")
    assert done.code == 0
    report = json.loads(done.out)
    jsonschema.validate(report, SCHEMA)
    assert report["passed"]
    assert len(report["cases"]) == len(CASES)
    assert json.loads((tmp_path / "report/conformance.json").read_text()) == report
    assert (tmp_path / "report/conformance.html").read_text().startswith("<!DOCTYPE html>")


def test_a_card_file_is_tested_with_its_passwords(eid, tmp_path: Path, card_file: Path) -> None:
    (tmp_path / "can").write_text(CAN + "\n")
    done = eid("conformance", "--card-file", card_file, "--can-file", tmp_path / "can", "--unit", "SM", "--verbose")
    assert (done.code, done.out.count(" PASS ")) == (0, 27)
    wrong = tmp_path / "wrong"
    wrong.write_text("654321\n")
    assert eid("conformance", "--card-file", card_file, "--can-file", wrong).code == 77


def test_a_failure_is_exit_code_one(eid, tmp_path: Path) -> None:
    sound, odd = PROFILES / "pt-passport.toml", tmp_path / "odd.toml"
    odd.write_text(sound.read_text("utf-8") + '\n[quirks]\nef_com_omits = ["DG2"]\n', "utf-8")
    done = eid("conformance", "--profile", odd, "--unit", "LDS_06", "--unit", "ISO_01")
    assert done.code == 1
    assert "LDS_06  FAIL" in done.out


def test_cases_are_listed(eid) -> None:
    done = eid("conformance", "--list")
    assert done.code == 0
    assert all(case.id in done.out for case in CASES)


@pytest.mark.parametrize(
    "arguments", [("--profile", "ma-cnie", "--reader", "0"), ("--profile", "ma-cnie", "--unit", "NONE_01")]
)
def test_wrong_usage(eid, arguments) -> None:
    assert eid("conformance", *arguments).code == 64


def test_progress_is_one_line_on_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for live in (True, False):
        progress = Progress(live)
        progress.record(Checkpoint("AA_01", "begin"))
        progress.record(Checkpoint("AA_01", "end", {"outcome": "FAIL"}))
        progress.close()
        said = capsys.readouterr().err
        assert ("1 done, 1 failed" in said) == live
        assert "\n" not in said
