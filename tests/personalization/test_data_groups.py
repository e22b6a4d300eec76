"""Every data group that a record fills, in the biometric format that the profile asks for; what a record lacks."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import cache

import pytest
from PIL import Image

from eid.card.trust import decode_trust
from eid.codec.tlv import decode_tlv
from eid.errors import ProfileError, RecordError
from eid.identity import Fingerprint, IdentityRecord, Iris
from eid.imaging.fingerprint import draw_specimen_fingerprint
from eid.imaging.header import ImageFormat, inspect_image
from eid.imaging.iris import draw_specimen_iris
from eid.lds.card_security import decode_card_security
from eid.lds.cvca import decode_ef_cvca
from eid.lds.dg2 import decode_dg2
from eid.lds.dg3 import decode_dg3
from eid.lds.dg4 import decode_dg4
from eid.lds.dg5 import decode_dg5
from eid.lds.dg7 import decode_dg7
from eid.lds.dg14 import decode_dg14
from eid.lds.dg16 import decode_dg16
from eid.lds.features import decode_dg8, decode_dg9, decode_dg10
from eid.lds.finger_image_data import FingerImageDataBlock
from eid.lds.finger_record import Compression, FingerPosition, FingerRecord
from eid.lds.iris_record import Eye, IrisImage, IrisImageFormat, IrisRecord
from eid.lds.security_infos import ChipAuthenticationPublicKeyInfo, PACEInfo, TerminalAuthenticationInfo
from eid.lds.sod import decode_ef_sod
from eid.personalization.build import CardData, CardSecrets, build_card
from eid.personalization.dialects import plan_card
from eid.profile.card_image import AccessCondition, PasswordId
from eid.profile.loader import load_profile
from eid.profile.schema import CardProfile
from eid.testing.specimen import SPECIMEN_CONTACT, make_chip_keys, specimen_terminals
from tests.builders.issuance import NOW, Authority, build, record_for, secrets_for

FULL = "full-lds"
INDEX, OTHER = FingerPosition.RIGHT_INDEX, FingerPosition.LEFT_INDEX


@cache
def authority_of(name: str) -> Authority:
    return Authority(load_profile(name).profile)


@cache
def keys_of(name: str):
    return make_chip_keys(load_profile(name).profile)


def card_of(name: str, record: IdentityRecord | None = None, profile: CardProfile | None = None, **given) -> CardData:
    stated = profile or load_profile(name).profile
    private, public = keys_of(name)
    authority = authority_of(name)
    terminals = specimen_terminals(stated, NOW)
    settings = {
        "can": secrets_for(stated),
        "public_keys": public,
        "private_keys": private,
        "sign": authority.sign,
        "sign_card_security": authority.sign_card_security,
        "trust_points": () if terminals is None else (terminals.cvca_certificate,),
    }
    return build_card(record or record_for(stated), stated, **{**settings, **given})


def files_of(data: CardData) -> dict[str, bytes]:
    return {file.name: file.content for file in (*data.image.master_files, *data.image.applications[0].files)}


@pytest.fixture(scope="module")
def full() -> dict[str, bytes]:
    return files_of(card_of(FULL))


def test_every_group_is_signed(full: dict[str, bytes]) -> None:
    groups = {int(name[2:]) for name in full if name.startswith("DG")}
    assert groups == {*range(1, 17)} - {6}
    assert set(decode_ef_sod(full["EF.SOD"]).data_group_hashes) == groups


def test_images_and_texts_are_the_records(full: dict[str, bytes]) -> None:
    record = record_for(load_profile(FULL).profile)
    assert decode_dg5(full["DG5"]).images == (record.portrait,)
    assert decode_dg7(full["DG7"]).images == (record.signature_image,)
    (person,) = decode_dg16(full["DG16"]).persons
    assert (person.name, person.telephone) == (SPECIMEN_CONTACT.name, SPECIMEN_CONTACT.telephone)
    assert person.address == ("1 RUE DU MODELE", "RABAT")
    assert person.date_recorded == f"{record.issued_on:%Y%m%d}"


def test_features_are_what_the_profile_states(full: dict[str, bytes]) -> None:
    for decode, name in ((decode_dg8, "DG8"), (decode_dg9, "DG9"), (decode_dg10, "DG10")):
        (item,) = decode(full[name]).objects
        assert (item.tag, item.value) == (0xC0, b"SPECIMEN")


def test_faces_and_fingers_in_the_extensible_format(full: dict[str, bytes]) -> None:
    record = record_for(load_profile(FULL).profile)
    (face,) = decode_dg2(full["DG2"]).instances
    assert face.header.format_type == bytes.fromhex("002A")
    assert face.record.images[0].image == record.portrait
    fingers = decode_dg3(full["DG3"])
    assert [item.header.format_type for item in fingers.instances] == [bytes.fromhex("0028")] * 2
    assert all(isinstance(item.record, FingerImageDataBlock) for item in fingers.instances)
    assert [(image.position, image.image) for image in fingers.images] == [
        (INDEX, record.fingerprints[0].image),
        (OTHER, record.fingerprints[1].image),
    ]


def test_fingers_in_the_older_format() -> None:
    fingers = decode_dg3(files_of(card_of("eu-passport-eac"))["DG3"])
    for instance, position in zip(fingers.instances, (INDEX, OTHER), strict=True):
        assert isinstance(instance.record, FingerRecord)
        assert instance.record.compression == Compression.JPEG2000
        (image,) = instance.record.images
        assert (image.position, image.width, image.height) == (position, 256, 320)
        assert inspect_image(image.image).format is ImageFormat.JPEG2000
    assert fingers.instances[0].header.subtype == b"\x09"  # right index, ISO/IEC 7816-11 table C.2


def test_irises(full: dict[str, bytes]) -> None:
    record = record_for(load_profile(FULL).profile)
    irises = decode_dg4(full["DG4"])
    for instance, eye, taken in zip(irises.instances, (Eye.RIGHT, Eye.LEFT), record.irises, strict=True):
        assert isinstance(instance.record, IrisRecord)
        assert (instance.record.image_format, instance.record.width) == (IrisImageFormat.MONO_JPEG2000, 320)
        assert instance.record.images == (IrisImage(taken.image, eye),)
        assert instance.header.subtype == bytes((eye,))


def test_irises_in_colour_and_as_jpeg() -> None:
    record = record_for(load_profile(FULL).profile)
    assert inspect_image(record.portrait).components == 3
    grey, colour = io.BytesIO(), io.BytesIO()
    Image.new("L", (8, 8)).save(grey, "JPEG")
    Image.new("RGB", (8, 8)).save(colour, "JPEG2000")
    for image, found in (
        (record.portrait, IrisImageFormat.RGB_JPEG),
        (grey.getvalue(), IrisImageFormat.MONO_JPEG),
        (colour.getvalue(), IrisImageFormat.RGB_JPEG2000),
    ):
        (held,) = decode_dg4(files_of(card_of(FULL, replace(record, irises=(Iris("left", image),))))["DG4"]).instances
        assert isinstance(held.record, IrisRecord)
        assert held.record.image_format == found


def test_who_has_no_biometrics_to_give_has_empty_groups_that_do_not_tell() -> None:
    profile = load_profile(FULL).profile
    record = replace(record_for(profile), fingerprints=(), irises=())
    first = files_of(card_of(FULL, record))
    group = decode_dg3(first["DG3"])
    assert group.instances == ()
    assert len(group.discretionary or b"") == 16
    assert group.discretionary != decode_dg4(first["DG4"]).discretionary
    other = replace(secrets_for(profile), filler=b"another card's")
    assert files_of(card_of(FULL, record, can=other))["DG3"] != first["DG3"]
    with pytest.raises(RecordError, match="nothing is given to fill it"):
        card_of(FULL, record, can=replace(other, filler=b""))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"signature_image": None}, "signature_image is missing"),
        ({"persons_to_notify": ()}, "persons_to_notify is missing"),
        ({"fingerprints": (Fingerprint("right-index", b"\xff\xd8\xff" + bytes(9)),)}, "fingerprints.image"),
        ({"irises": (Iris("right", b"\xff\xd8\xff" + bytes(9)),)}, "irises.image"),
    ],
)
def test_what_a_record_lacks(change: dict[str, object], what: str) -> None:
    profile = load_profile(FULL).profile
    with pytest.raises(RecordError, match=what):
        card_of(FULL, replace(record_for(profile), **change))


def test_39794_4_takes_no_jpeg() -> None:
    record = record_for(load_profile(FULL).profile)
    jpeg = replace(record, fingerprints=(Fingerprint("left-thumb", record.portrait),))
    with pytest.raises(RecordError, match="JPEG 2000"):
        card_of(FULL, jpeg)
    assert decode_dg3(files_of(card_of("eu-passport-eac", jpeg))["DG3"]).instances[0].record.compression == 3


def test_announcements_and_access_rules() -> None:
    data = card_of("eu-residence-permit")
    files = files_of(data)
    infos = decode_dg14(files["DG14"]).security_infos
    assert TerminalAuthenticationInfo() in infos
    rules = {file.name: file.read for file in (*data.image.master_files, *data.image.applications[0].files)}
    assert rules["DG3"] is AccessCondition.TA_DG3
    assert rules["DG1"] is rules["EF.CVCA"] is rules["EF.CardSecurity"] is AccessCondition.PACE
    assert rules["EF.CardAccess"] is AccessCondition.ALWAYS
    assert decode_ef_cvca(files["EF.CVCA"]) == ("UTRPSPEC00001",)
    signed = decode_card_security(files["EF.CardSecurity"]).security_infos
    keys = [info for info in infos if isinstance(info, ChipAuthenticationPublicKeyInfo)]
    assert [info for info in signed if isinstance(info, ChipAuthenticationPublicKeyInfo)] == [
        replace(keys[0], key_id=12)  # Doc 9303-11 9.2.1: the identifier of P-256, which the PACEInfo states
    ]
    announced = {info for info in infos if isinstance(info, PACEInfo)}
    assert {info for info in signed if isinstance(info, PACEInfo)} == announced
    tries = {item.id: item.tries for item in data.image.passwords}
    assert tries == {PasswordId.MRZ: None, PasswordId.CAN: None, PasswordId.PIN: 3, PasswordId.PUK: 10}


def test_trust_points_and_date_are_written_with_a_command() -> None:
    data = card_of("eu-residence-permit", trust_date=NOW.date())
    plan = plan_card(data.image, "iso-scp03")
    (step,) = [step for step in plan.files if step.name == "configure trust points"]
    trust = decode_trust(decode_tlv(step.commands[0].data, 0xFF23).value)
    assert trust.today == NOW.date()
    assert [point.certificate.holder_reference for point in trust.points] == ["UTRPSPEC00001"]


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({"trust_points": ()}, "no trust point"),
        ({"trust_points": (b"\x7f\x21\x00",)}, "trust point"),
        ({"sign_card_security": None}, "nobody signs it"),
    ],
)
def test_what_an_issuer_forgets(given: dict[str, object], what: str) -> None:
    with pytest.raises(ProfileError, match=what):
        card_of("eu-residence-permit", **given)


@pytest.mark.parametrize(
    ("secrets", "what"),
    [
        (CardSecrets("123456"), "PIN"),
        (CardSecrets("123456", "12345", "0123456789"), "PIN is not of 6 digits"),
        (CardSecrets("123456", "123456", "12345"), "PUK is not of 10 digits"),
        (CardSecrets("12345", "123456", "0123456789"), "card access number"),
        (CardSecrets("123456", "１２３４５６", "0123456789"), "PIN"),
    ],
)
def test_secrets_are_as_long_as_the_profile_says(secrets: CardSecrets, what: str) -> None:
    with pytest.raises(RecordError, match=what):
        card_of("eu-residence-permit", can=secrets)
    assert secrets.pin not in repr(secrets) or not secrets.pin


def test_a_product_without_all_that_is_as_before() -> None:
    data = build(
        load_profile("eu-td1-id-card").profile, authority_of("eu-td1-id-card"), public_keys=keys_of("eu-td1-id-card")[1]
    )
    assert [file.name for file in data.image.master_files] == ["EF.CardAccess"]
    assert data.image.trust_points == ()
    assert "EF.CVCA" not in files_of(data)


def test_drawn_fingers_and_eyes_differ() -> None:
    drawn = {draw(seed) for draw in (draw_specimen_fingerprint, draw_specimen_iris) for seed in (0, 1)}
    assert len(drawn) == 4
    assert all(inspect_image(raw).components == 1 for raw in drawn)
