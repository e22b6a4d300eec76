"""The law of the card image: a blank card after apply(plan(image)) is the card that boots from the image."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from eid.card import VirtualCard
from eid.codec.apdu import MAX_SHORT_DATA
from eid.crypto.curves import curve_by_name
from eid.crypto.mac import cmac
from eid.crypto.public_key import encode_public_key
from eid.keystore.card_keys import derive_card_keys
from eid.keystore.ports import StaticKey
from eid.personalization.apply import apply
from eid.personalization.dialects import plan_card
from eid.profile.card_image import KeyPurpose
from eid.profile.loader import load_profile, shipped_profiles
from eid.profile.schema import CardProfile, Key
from eid.protocols.exchange import drive, through
from eid.protocols.scp03.key_set import StaticKeySet
from eid.transport.loopback import LoopbackConnection
from tests.builders.issuance import SERIAL, Authority, blank_card, build, open_for_writing
from tests.builders.rsa_keys import rsa_private_key

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def private_key(key: Key) -> PrivateKey:
    if key.kind == "rsa":
        return rsa_private_key(key.bits or 2048)
    curve = curve_by_name(key.curve or "")
    assert curve is not None
    assert curve.library is not None
    return ec.generate_private_key(curve.library)


def injected(profile: CardProfile) -> tuple[dict[KeyPurpose, bytes], dict[KeyPurpose, bytes]]:
    keys = {key.purpose: private_key(key) for key in profile.keys}
    private = {
        purpose: key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()) for purpose, key in keys.items()
    }
    return private, {purpose: encode_public_key(key.public_key()) for purpose, key in keys.items()}


def issuer_keys(length: int, version: int) -> StaticKeySet:
    master = bytes(range(length))
    keys = derive_card_keys(lambda message: cmac(master, message), SERIAL, version, length)
    return StaticKeySet(version, keys[StaticKey.ENC], keys[StaticKey.MAC], keys[StaticKey.DEK])


@pytest.mark.parametrize("name", shipped_profiles())
def test_written_card_equals_booted_card(name: str) -> None:
    profile = load_profile(name).profile
    private, public = injected(profile)
    data = build(profile, Authority(profile), public_keys=public, private_keys=private)
    written = blank_card(profile)
    link = LoopbackConnection(written)
    opened = open_for_writing(profile, link)
    max_link = None if profile.chip.extended_length else MAX_SHORT_DATA  # an RSA private key is longer: a chain
    steps = apply(plan_card(data.image, profile.personalization.dialect))
    drive(through(opened.channel, steps, max_link=max_link), link)
    domain = profile.security_domain
    keys = issuer_keys(domain.key_length, domain.key_version)
    booted = VirtualCard.from_image(data.image, serial=SERIAL, keys=keys, sequence=1)
    assert written.state() == booted.state()


def test_the_law_can_fail() -> None:
    profile = load_profile("eu-td1-id-card").profile
    _, public = injected(profile)
    data = build(profile, Authority(profile), public_keys=public)
    keys = issuer_keys(24, 1)
    other = replace(data.image, passwords=data.image.passwords[:1])
    first = VirtualCard.from_image(data.image, serial=SERIAL, keys=keys, random=lambda n: b"\x07" * n)
    second = VirtualCard.from_image(other, serial=SERIAL, keys=keys, random=lambda n: b"\x07" * n)
    assert first.state() != second.state()
