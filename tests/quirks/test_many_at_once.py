"""Chips with many quirks at once: a terminal that copes with each has to cope with what they make of each other."""

from __future__ import annotations

import random
from typing import Any

import pytest

from eid.verification.report import Verdict
from tests.builders.quirky import card_with, judge, read
from tests.builders.sweep import examples

PROFILES = ("ma-cnie", "icao-td3-passport", "de-passport-2023", "hk-passport-2025")
VALUES: dict[str, list[Any]] = {
    "select_master_file": ["3F00", "no-data", "none"],
    "select_master_file_sw": ["6A86", "6982", "6985", "6A87"],
    "short_identifiers": ["not-in-master-file", "nowhere"],
    "forbids_le": [True],
    "largest_read": [100, 160, 192, 223],
    "too_long": ["6700", "6B00", "6CXX", "6282"],
    "response_piece": [40, 100, 255],
    "random_historical_bytes": [True],
    "parameter_reference": ["required", "refused"],
    "refused_files": [{"DG11": "6982"}, {"EF.COM": "6A82"}, {"DG13": "6A82"}],
    "refusal_ends_session": [True],
    "ecdsa_in_der": [True],
    "ef_com_omits": [["DG2"], ["DG14", "DG15"]],
    "chip_authentication_info": [False],
    "chip_authentication_key_id": [False],
    "foreign_security_info": [True],
    "bare_pace_info": [True],
    "excess_octets": ["0000", "80", "00" * 16],
    "sod_indefinite_length": [True],
    "facial_record_short": [True],
    "ef_com_lds_version": ["0107"],
    "sod_content_type": ["1.3.27.1.1.1", "1.2.528.1.1006.1.20.1"],
    "sod_signing_time": [False],
    "sod_attributes": ["unordered", "signed-as-stored"],
    "sod_certificate": [False],
    "portraits": [2, 4],
    "portrait_padding": ["0000"],
    "portrait_feature_points": [5],
    "details_dates_in_bcd": [True],
    "details_empty": [True],
    "details_unknown": [True],
    "details_bare_other_name": [True],
    "details_in_latin_1": [True],
    "security_infos_unordered": [True],
}


@pytest.mark.parametrize("seed", range(examples(24)))
def test_they_are_read_and_verify(seed: int) -> None:
    drawn = random.Random(seed)
    quirks = {name: drawn.choice(VALUES[name]) for name in drawn.sample(sorted(VALUES), drawn.randint(6, 14))}
    specimen = card_with(drawn.choice(PROFILES), **quirks)
    evidence, _ = read(specimen, max_response=drawn.choice((256, 65000)))
    lost = {name for name, raw in specimen.files.items() if evidence.content(name) != raw}
    assert lost <= set(quirks.get("refused_files", {})), quirks
    report = judge(specimen, evidence, "border")
    assert report.verdict is Verdict.TOTAL_PASSED, (quirks, report.checks)
