from __future__ import annotations

from pathlib import Path

import pytest

from eid.pki.country import ALPHA_3, alpha_2_of, is_same_state, issuing_codes, state_code_of


@pytest.mark.parametrize(
    ("country", "state"),
    [
        ("MA", "MAR"), ("ma", "MAR"), ("DE", "D<<"), ("DE", "D"), ("DE", "DEU"), ("UT", "UTO"), ("EU", "EUE"),
        ("UN", "UNO"), ("UN", "UNA"), ("UN", "UNK"), ("GB", "GBR"), ("GB", "GBD"), ("HK", "CHN"), ("HK", "HKG"),
        ("HU", "HUN"), ("KS", "RKS"), ("XK", "RKS"), ("CH", "CHE"), ("CN", "CHN"),
    ],
)  # fmt: skip
def test_one_issuer(country: str, state: str) -> None:
    assert is_same_state(country, state)


@pytest.mark.parametrize(
    ("country", "state"),
    [
        ("MA", "MRT"), ("DE", "DNK"), ("HU", "HKG"), ("HK", "HUN"), ("UT", "MAR"), ("", ""), ("", "MAR"), ("MA", ""),
        ("MA", "<<<"), ("ZZ", "ZZZ"), ("MAR", "MAR"), ("M", "M"), ("CN", "HKG"), ("FR", "F"),
    ],
)  # fmt: skip
def test_two_issuers_or_none(country: str, state: str) -> None:
    assert not is_same_state(country, state)


def test_every_country_is_its_own() -> None:
    assert len(ALPHA_3) == len(set(ALPHA_3.values())) == 249
    for alpha_2, alpha_3 in ALPHA_3.items():
        assert is_same_state(alpha_2, alpha_3)
        assert alpha_2_of(alpha_3) == alpha_2
        assert [other for other in ALPHA_3 if is_same_state(other, alpha_3)] in ([alpha_2], ["CN", "HK", "MO"])


def test_the_table_is_complete() -> None:
    """Against the two-letter codes that the time zone database ships."""
    table = Path("/usr/share/zoneinfo/iso3166.tab")
    if not table.exists():
        pytest.skip("no time zone database on this machine")
    lines = table.read_text(encoding="utf-8").splitlines()
    assert {line[:2] for line in lines if line and line[0] != "#"} == set(ALPHA_3)


def test_codes_of_icao() -> None:
    assert issuing_codes("DE") == {"D", "DEU"}
    assert issuing_codes("zz") == frozenset()
    assert alpha_2_of("D<<") == "DE"
    assert alpha_2_of("UTO") == "UT"
    assert alpha_2_of("RKS") is None  # KS and XK
    assert alpha_2_of("XXA") is None
    assert (state_code_of("MA"), state_code_of("de"), state_code_of("UT"), state_code_of("UN")) == (
        "MAR",
        "D",
        "UTO",
        "UNO",
    )
    assert state_code_of("ZZ") is None
