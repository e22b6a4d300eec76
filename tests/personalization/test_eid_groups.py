"""The eID application's data groups from a record: every value, and records that do not fit."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eid.errors import ProfileError, RecordError
from eid.identity import BilingualText
from eid.imaging import ImageFormat
from eid.imaging.encode import encode_portrait
from eid.imaging.portrait import draw_specimen_portrait
from eid.lds.eid_application import EID_GROUPS, decode_eid_group
from eid.lds.eid_values import FreetextPlace
from eid.mrz import PartialDate
from eid.personalization.build import verify_record
from eid.personalization.eid_groups import build_eid_groups
from eid.profile.loader import load_profile
from eid.profile.schema import CardProfile, EidApplication
from eid.testing.specimen import specimen_for
from tests.builders.issuance import NOW, issue

PROFILE = load_profile("eid-application").profile
ALL = tuple(group.file.name for group in EID_GROUPS)


@pytest.fixture(scope="module")
def record():
    drawn = encode_portrait(draw_specimen_portrait(width=207, height=266), ImageFormat.JPEG2000, 6000)
    return replace(specimen_for(PROFILE, NOW), signature_image=drawn)


def stated(*names: str) -> EidApplication:
    return EidApplication(data_groups=names, municipality_id="05" if "DG18" in names else None)  # type: ignore[arg-type]  # names of the schema's literals


def test_every_group(record):
    born = replace(record, date_of_birth=PartialDate(1985), sex="X")
    groups = {number: decode_eid_group(number, raw) for number, raw in build_eid_groups(born, stated(*ALL)).items()}
    assert list(groups) == [group.number for group in EID_GROUPS]
    assert groups[5] == record.family_name.latin
    assert (groups[3], groups[15]) == (record.expires_on, record.issued_on)
    assert (groups[8], groups[11]) == (PartialDate(1985), " ")
    assert groups[17] == (FreetextPlace(record.address.latin.replace("\n", ", ")),)
    assert groups[14] == record.signature_image


def test_what_a_record_does_not_have(record):
    for image in (None, record.portrait):  # JPEG is not JPEG 2000
        with pytest.raises(RecordError, match="DG14"):
            build_eid_groups(replace(record, signature_image=image), stated("DG14"))
    with pytest.raises(RecordError, match="DG10"):
        build_eid_groups(replace(record, nationality="UT"), stated("DG10"))


def test_an_address_that_has_no_room(record):
    long = BilingualText(record.address.native, "\n".join(["A STREET OF SPECIMEN NAMES"] * 3))
    narrow = PROFILE.model_copy(update={"eid_application": PROFILE.eid_application.model_copy(update={"room": 32})})
    with pytest.raises(RecordError, match="DG17"):
        issue_with(replace(record, address=long), narrow)


def issue_with(record, profile: CardProfile) -> None:
    from eid.testing.authority import SpecimenAuthority
    from eid.testing.specimen import build_specimen, specimen_terminals

    build_specimen(profile, SpecimenAuthority(profile, NOW), record, terminals=specimen_terminals(profile, NOW))


def test_a_record_is_checked_before_there_is_a_chip(record):
    assert verify_record(record, PROFILE).document_number == record.document_number
    with pytest.raises(RecordError, match="DG10"):
        verify_record(replace(record, nationality="UT"), PROFILE)


def test_no_public_key_of_restricted_identification_leaves_with_the_card():
    """It would be one name for the card in all sectors (TR-03110-2 3.5)."""
    issued = issue("eid-application")
    files = b"".join(file.content for file in (*issued.data.image.master_files,))
    applications = [file.content for application in issued.data.image.applications for file in application.files]
    stored = [
        key
        for directory in issued.card._card.memory.applications.values()
        for key in directory.keys.values()
        if "restricted" in key.purpose
    ]
    assert len(stored) == 2
    from eid.card.keys import key_pair

    for key in stored:
        point = key_pair(key).encoded_public
        assert point not in files + b"".join(applications)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"DG17",', '"DG16",', "no data group"),
        ('"DG17",', '"DG17", "DG17",', "twice"),
        ('municipality_id = "0504010203"', "", "municipality_id"),
        ('passwords = ["MRZ", "CAN", "PIN", "PUK"]', 'passwords = ["MRZ", "CAN"]', "PIN"),
        ("reference = 3", "reference = 1", "reference"),
        ('purpose = "restricted-identification"\n', 'purpose = "active-authentication"\n', "Restricted"),
        ('"DG1", "DG2", "DG14"]', '"DG1", "DG2", "DG3", "DG14"]', "one kind of terminal"),
        ('[authority.cvca]\nmnemonic = "CVCAEID"\ncurve = "brainpoolP256r1"\nhash = "sha256"\n', "", "cvca"),
    ],
)
def test_profiles_that_make_no_card(tmp_path, old, new, words):
    from importlib.resources import files

    text = (files("card_profiles") / "eid-application.toml").read_text()
    assert old in text
    path = tmp_path / "profile.toml"
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(ProfileError, match=words):
        load_profile(str(path))
