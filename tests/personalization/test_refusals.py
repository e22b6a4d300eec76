"""What building and planning a card refuse."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eid.codec.apdu import CommandAPDU
from eid.codec.tlv import encode_tlv
from eid.errors import ProfileError, RecordError
from eid.lds.dg14 import decode_dg14
from eid.lds.security_infos import ActiveAuthenticationInfo
from eid.personalization.build import build_card, verify_record
from eid.personalization.dialects import plan_card
from eid.personalization.dialects.iso_scp03 import plan_iso_scp03
from eid.personalization.plan import Step
from eid.profile.card_image import CardImage, KeyAlgorithm, KeyImage, KeyPurpose
from eid.profile.loader import load_profile, shipped_profiles
from eid.profile.schema import CardProfile
from tests.builders.issuance import CAN, STATUS, issue, record_for

PROFILE = "ma-cnie"


@pytest.fixture(scope="module")
def image() -> CardImage:
    return issue(PROFILE).data.image


def with_groups(profile: CardProfile, *more: str) -> CardProfile:
    groups = (*profile.application.data_groups, *more)
    return profile.model_copy(update={"application": profile.application.model_copy(update={"data_groups": groups})})


@pytest.mark.parametrize("name", shipped_profiles())
def test_records_are_judged_without_a_chip(name: str) -> None:
    profile = load_profile(name).profile
    record = record_for(profile)
    assert verify_record(record, profile).document_number == record.document_number
    with pytest.raises(RecordError, match="portrait"):
        verify_record(replace(record, portrait=b"\xff\xd8\xff" + bytes(9)), profile)
    with pytest.raises(RecordError, match="holds nothing for DG6"):
        verify_record(record, with_groups(profile, "DG6"))


def test_what_a_card_cannot_be_built_of() -> None:
    profile = load_profile(PROFILE).profile
    record = record_for(profile)
    for can in ("", "12345", "1234567", "12345x", "١٢٣٤٥٦"):
        with pytest.raises(RecordError, match="not of 6 digits"):
            build_card(record, profile, can=can, public_keys={}, sign=bytes, status=STATUS)
    with pytest.raises(RecordError, match="key of the chip is missing"):
        build_card(record, profile, can=CAN, public_keys={}, sign=bytes, status=STATUS)


def test_an_rsa_key_needs_no_hash_name_in_dg14(image: CardImage) -> None:
    """Doc 9303-11 9.2.3: ActiveAuthenticationInfo is for ECDSA."""
    dg14 = next(file.content for file in image.applications[0].files if file.name == "DG14")
    assert any(isinstance(info, ActiveAuthenticationInfo) for info in decode_dg14(dg14).security_infos)
    issued = issue("icao-td3-passport")
    keys = {key.purpose: key.kind for key in issued.profile.application.keys}
    files = {file.name: file.content for file in issued.data.image.applications[0].files}
    found = any(isinstance(info, ActiveAuthenticationInfo) for info in decode_dg14(files["DG14"]).security_infos)
    assert found == (keys.get(KeyPurpose.ACTIVE_AUTHENTICATION) == "ec")


def test_dialects(image: CardImage) -> None:
    with pytest.raises(ProfileError, match="iso-scp03"):
        plan_card(image, "no-such")
    assert plan_card(image, "iso-scp03").dialect == "iso-scp03"


def test_what_cannot_be_planned(image: CardImage) -> None:
    (application,) = image.applications
    empty = replace(application, files=(replace(application.files[0], content=b""), *application.files[1:]))
    with pytest.raises(ProfileError, match="is empty"):
        plan_iso_scp03(replace(image, applications=(empty,)))
    for algorithm, words in (
        (KeyAlgorithm("rsa", "2048", "sha256"), "makes no rsa key for chip-authentication"),
        (KeyAlgorithm("ec", "no-such", "sha256"), "not a curve"),
    ):
        key = KeyImage(KeyPurpose.CHIP_AUTHENTICATION, 1, algorithm, None)
        with pytest.raises(ProfileError, match=words):
            plan_iso_scp03(replace(image, applications=(replace(application, keys=(key,)),)))


def test_counters_of_passwords(image: CardImage) -> None:
    limited = tuple(replace(password, tries=3) for password in image.passwords)
    plan = plan_iso_scp03(replace(image, passwords=limited))
    steps = [step for step in plan if step.name.startswith("set password")]
    assert [len(step.commands) for step in steps] == [2] * len(limited)


def question(plan: list[Step], name: str) -> Step:
    return next(step for step in plan if step.name == name)


def test_questions_believe_nothing_that_is_malformed(image: CardImage) -> None:
    plan = list(plan_iso_scp03(image))
    activated = question(plan, "activate the application").question
    assert activated is not None
    for fcp, answer in (
        (encode_tlv(0x62, encode_tlv(0x8A, b"\x05")), True),
        (encode_tlv(0x62, encode_tlv(0x8A, b"\x07")), True),
        (encode_tlv(0x62, encode_tlv(0x8A, b"\x03")), False),
        (encode_tlv(0x62, b""), False),
        (encode_tlv(0x6F, b""), False),
        (b"", False),
        (b"junk", False),
    ):
        assert activated.says_yes(0x9000, fcp) is answer
        assert not activated.says_yes(0x6A82, fcp)
    locked = question(plan, "lock the card").question
    assert locked is not None
    for status, answer in ((b"\x02ab\x0f\x9e", True), (b"\x02ab\x07", False), (b"\x02ab", False), (b"", False)):
        assert locked.says_yes(0x9000, status) is answer
    assert all(isinstance(command, CommandAPDU) for step in plan for command in step.commands)
    assert CAN not in repr(plan)
