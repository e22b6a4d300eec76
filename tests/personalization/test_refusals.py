"""What the dialect cannot write is refused before a card is touched; what a card answers is not believed unseen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from eid.codec.oid import encode_oid_content
from eid.codec.tlv import encode_tlv
from eid.crypto.curves import curve_by_name
from eid.crypto.points import encode_point
from eid.errors import PeerProtocolError, ProfileError, RecordError
from eid.personalization.build import build_card, build_card_mrz, build_data_groups
from eid.personalization.dialects import plan_card
from eid.personalization.public_keys import collect_public_keys
from eid.profile.card_image import CardImage, FileImage, KeyAlgorithm, KeyImage, KeyPurpose
from eid.profile.loader import load_profile
from tests.builders.issuance import order_keys, record_for

PROFILE = load_profile("ma-cnie").profile
RECORD = record_for(PROFILE)
DIALECT = PROFILE.personalization.dialect
SECP256K1 = "1.3.132.0.10"
ACTIVE = KeyPurpose.ACTIVE_AUTHENTICATION


def with_key(image: CardImage, purpose: KeyPurpose, algorithm: KeyAlgorithm) -> CardImage:
    (application,) = image.applications
    return replace(image, applications=(replace(application, keys=(KeyImage(purpose, 1, algorithm),)),))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda image: with_key(image, KeyPurpose.CHIP_AUTHENTICATION, KeyAlgorithm("rsa", "2048")), "no rsa key"),
        (lambda image: with_key(image, ACTIVE, KeyAlgorithm("ec", "P-255")), "P-255"),
        (lambda image: replace(image, master_files=(FileImage("EF.X", 0x0111, None, b""),)), "EF.X is empty"),
    ],
    ids=["algorithm", "curve", "empty file"],
)
def test_an_image_that_cannot_be_written_is_refused(change: Callable[[CardImage], CardImage], told: str) -> None:
    with pytest.raises(ProfileError, match=told):
        plan_card(change(order_keys(PROFILE)), DIALECT)


def test_an_unknown_dialect_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ProfileError, match=r"'latin'; there are .*iso-scp03"):
        plan_card(order_keys(PROFILE), "latin")


# --- public keys that a card claims to have made


def ec_template(curve_name: str) -> bytes:
    curve = curve_by_name(curve_name)
    assert curve is not None
    objects = encode_tlv(0x06, encode_oid_content(curve.oid)) + encode_tlv(0x86, encode_point(curve, curve.generator))
    return encode_tlv(0x7F49, objects)


def rsa_template(bits: int) -> bytes:
    modulus = ((1 << bits - 1) | 1).to_bytes(bits // 8, "big")
    return encode_tlv(0x7F49, encode_tlv(0x81, modulus) + encode_tlv(0x82, b"\x01\x00\x01"))


def collect(template: bytes, algorithm: KeyAlgorithm) -> dict[KeyPurpose, bytes]:
    orders = (KeyImage(ACTIVE, 1, algorithm),)
    return collect_public_keys({ACTIVE.value: template}, explicit=False, orders=orders)


@pytest.mark.parametrize(
    ("template", "algorithm"),
    [(ec_template("P-256"), KeyAlgorithm("ec", "P-256")), (rsa_template(2048), KeyAlgorithm("rsa", "2048"))],
    ids=["EC", "RSA"],
)
def test_keys_as_ordered_are_taken(template: bytes, algorithm: KeyAlgorithm) -> None:
    assert list(collect(template, algorithm)) == [ACTIVE]


@pytest.mark.parametrize(
    ("template", "algorithm", "told"),
    [
        (ec_template("P-256"), KeyAlgorithm("ec", "P-384"), "where P-384 was ordered"),
        (rsa_template(1024), KeyAlgorithm("rsa", "2048"), "1024 bits where 2048 was ordered"),
        (rsa_template(2048), KeyAlgorithm("ec", "P-256"), "2048 bits where P-256 was ordered"),
        (
            encode_tlv(
                0x7F49, encode_tlv(0x06, encode_oid_content("1.3.132.0.10")) + encode_tlv(0x86, b"\x04" + bytes(64))
            ),
            KeyAlgorithm("ec", "P-256"),
            "curve this system does not know",
        ),
        (encode_tlv(0x7F49, b""), KeyAlgorithm("ec", "P-256"), "key"),
    ],
    ids=["another curve", "shorter", "another kind", "unknown curve", "nothing"],
)
def test_keys_other_than_ordered_are_refused(template: bytes, algorithm: KeyAlgorithm, told: str) -> None:
    with pytest.raises(PeerProtocolError, match=told):
        collect(template, algorithm)


# --- records


def test_the_card_access_number_has_as_many_digits_as_the_profile_says() -> None:
    for can in ("", "12345", "1234567", "12345a", "١٢٣٤٥٦"):
        with pytest.raises(RecordError, match="card access number"):
            build_card(RECORD, PROFILE, can=can, public_keys={}, sign=bytes)


def test_a_key_that_the_chip_has_not_made_is_missing() -> None:

    mrz = build_card_mrz(RECORD, PROFILE)
    with pytest.raises(RecordError, match="key of the chip is missing"):
        build_data_groups(RECORD, PROFILE, mrz, {}, None)
