"""The observed configurations state what readers of real documents have published; issuing them is tested elsewhere."""

from __future__ import annotations

import pytest

from eid.profile.card_image import KeyPurpose
from eid.profile.loader import load_profile

AA, CA = KeyPurpose.ACTIVE_AUTHENTICATION, KeyPurpose.CHIP_AUTHENTICATION
# name: LDS version, BAC, PACE, keys, extended length; None where it was not published
OBSERVED = {
    "au-passport-2016": ("0107", True, (), {AA: "rsa"}, None),
    "cn-passport-2018": ("0107", True, (), {AA: "rsa"}, False),
    "ph-passport-2020": (None, True, (), {AA: "rsa"}, None),
    "my-passport-2023": (None, True, (), {CA: "brainpoolP256r1 TDES_112"}, None),
    "ru-passport-2020": (None, True, (), {CA: "P-192 TDES_112"}, None),
    "us-passport-2021": ("0107", True, (), {}, False),
    "pt-passport": (None, None, (), {AA: "P-384 sha256"}, None),
    "nz-passport-2017": (None, None, ("GM TDES_112 brainpoolP256r1",), {AA: "rsa"}, False),
    "ca-passport-2023": ("0108", None, ("GM AES_128 P-384",), {}, False),
    "fr-passport-2017": (None, None, ("GM AES_256 P-256",), {CA: "TDES_112"}, None),
    "nl-id-2025": (None, None, ("GM AES_256 brainpoolP320r1",), {CA: "brainpoolP512r1"}, None),
    "hk-passport-2025": (None, None, ("GM AES_256",), {AA: "brainpoolP256r1"}, None),
    "sg-passport-2023": (None, None, ("GM AES_256",), {}, None),
    "tw-passport-2024": (None, None, ("GM AES_256",), {}, None),
    "fi-id-2023": (None, None, ("CAM AES_256 brainpoolP384r1", "GM"), {CA: "brainpoolP384r1"}, None),
    "de-passport-2023": (None, None, ("CAM AES_128 brainpoolP256r1", "GM"), {CA: "brainpoolP256r1"}, None),
    "fr-id-2024": (None, None, ("GM AES_256 brainpoolP256r1", "IM AES_256 brainpoolP256r1"), {}, None),
    "im-only-p521": (None, False, ("IM AES_256 P-521",), {}, None),
    "it-cie-3": (None, None, ("GM TDES_112 MODP-2048-256",), {}, None),
    "uy-id-2022": (None, None, ("GM AES_256 P-384",), {}, None),
}


@pytest.mark.parametrize("name", OBSERVED)
def test_states_what_was_observed(name: str) -> None:
    lds, bac, pace, keys, extended = OBSERVED[name]
    profile = load_profile(name).profile
    assert lds in (None, profile.application.lds_version)
    assert bac in (None, profile.access.bac)
    assert extended in (None, profile.chip.extended_length)
    stated = [f"{item.mapping} {item.cipher} {item.parameters}" for item in profile.access.pace]
    assert len(stated) == len(pace)
    assert all(found.startswith(wanted) for found, wanted in zip(stated, pace, strict=True))
    made = {key.purpose: f"{key.kind} {key.curve} {key.cipher} {key.hash}" for key in profile.application.keys}
    assert made.keys() == keys.keys()
    for purpose, wanted in keys.items():
        assert all(word in made[purpose].split() for word in wanted.split())
    assert profile.authority.organization.startswith("SPECIMEN")


def test_quirks_that_were_observed() -> None:
    assert load_profile("au-passport-2016").profile.quirks.select_master_file_sw == 0x6A86
    assert load_profile("cn-passport-2018").profile.quirks.select_master_file_sw == 0x6A81
    assert load_profile("nz-passport-2017").profile.quirks.select_master_file_sw == 0x6982
    assert load_profile("de-passport-2023").profile.quirks.forbids_le
    assert load_profile("uy-id-2022").profile.quirks.random_historical_bytes
    assert load_profile("uy-id-2022").profile.access.passwords == ("MRZ",)
    assert "DG14" not in load_profile("pt-passport").profile.application.data_groups
