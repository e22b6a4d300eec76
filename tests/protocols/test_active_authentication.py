"""Active Authentication: Doc 9303-11 Appendix F, RSA and ECDSA pairs, forged signatures."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from eid.codec.apdu import CommandAPDU
from eid.codec.oid import ECDSA_WITH_SHA256
from eid.crypto import iso9796
from eid.crypto.curves import curve_by_name
from eid.crypto.public_key import encode_public_key
from eid.errors import CommandRefused, LocalProtocolError, PeerProtocolError, Reason, StatusWordError, VerificationError
from eid.lds.security_infos import ActiveAuthenticationInfo
from eid.protocols.active_authentication.card import ActiveAuthenticationCard
from eid.protocols.active_authentication.core import ECDSA_PLAIN, verify_active_authentication
from eid.protocols.active_authentication.terminal import run_active_authentication
from eid.protocols.exchange import drive
from tests.builders.chip import Chip
from tests.builders.exchanges import play
from tests.builders.rsa_keys import rsa_private_key

VECTOR = json.loads((Path(__file__).parents[1] / "vectors" / "icao9303-11-F-aa.json").read_text())
CHALLENGE = bytes.fromhex(VECTOR["rnd_ifd"])
CURVES = ["P-256", "P-384", "P-521", "brainpoolP256r1", "brainpoolP384r1", "brainpoolP512r1"]


@cache
def rsa_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    return rsa_private_key(bits)


def ec_key(name: str = "P-256") -> ec.EllipticCurvePrivateKey:
    curve = curve_by_name(name)
    assert curve is not None
    assert curve.library is not None
    return ec.generate_private_key(curve.library)


def spki(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return encode_public_key(key.public_key())


def chip(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, hash_name: str = "sha256") -> Chip:
    return Chip({}, active_authentication=ActiveAuthenticationCard(key, hash_name))


def verdict(public: bytes, info: ActiveAuthenticationInfo | None, challenge: bytes, signature: bytes) -> Reason:
    with pytest.raises(VerificationError) as caught:
        verify_active_authentication(public, info, challenge, signature)
    return caught.value.reason


def test_appendix_f() -> None:
    signature = bytes.fromhex(VECTOR["signature"])
    result, sent = play(run_active_authentication(CHALLENGE), [signature + b"\x90\x00"])
    assert sent == [bytes.fromhex(VECTOR["capdu"])]
    assert result == signature
    recovered = iso9796.recover(bytes.fromhex(VECTOR["f"]))
    assert recovered.m1 == bytes.fromhex(VECTOR["m1"])
    assert recovered.message_digest == bytes.fromhex(VECTOR["h"])


@pytest.mark.parametrize("hash_name", ["sha1", "sha224", "sha256", "sha384", "sha512"])
def test_rsa_pair(hash_name: str) -> None:
    key = rsa_key()
    signature = drive(run_active_authentication(CHALLENGE), chip(key, hash_name))
    assert verify_active_authentication(spki(key), None, CHALLENGE, signature) == hash_name


def test_rsa_with_the_implicit_trailer() -> None:
    key = rsa_key()
    card = ActiveAuthenticationCard(key, "sha1", implicit_trailer=True)
    signature = drive(run_active_authentication(CHALLENGE), Chip({}, active_authentication=card))
    assert verify_active_authentication(spki(key), None, CHALLENGE, signature) == "sha1"


@pytest.mark.parametrize("name", CURVES)
@pytest.mark.parametrize("hash_name", ["sha1", "sha256", "sha512"])
def test_ecdsa_pair(name: str, hash_name: str) -> None:
    key = ec_key(name)
    signature = drive(run_active_authentication(CHALLENGE), chip(key, hash_name))
    info = ActiveAuthenticationInfo(ECDSA_PLAIN[hash_name])
    assert verify_active_authentication(spki(key), info, CHALLENGE, signature) == hash_name
    assert verify_active_authentication(spki(key), None, CHALLENGE, signature) == hash_name


def test_ecdsa_in_der_and_announced_by_x962() -> None:
    key = ec_key()
    signature = key.sign(CHALLENGE, ec.ECDSA(hashes.SHA256()))
    info = ActiveAuthenticationInfo(ECDSA_WITH_SHA256)
    assert verify_active_authentication(spki(key), info, CHALLENGE, signature) == "sha256"


@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_clones(kind: str) -> None:
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = rsa_key() if kind == "rsa" else ec_key()
    other: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = rsa_key(1024) if kind == "rsa" else ec_key()
    genuine = drive(run_active_authentication(CHALLENGE), chip(key))
    foreign = drive(run_active_authentication(CHALLENGE), chip(other))
    altered = bytes((genuine[0] ^ 1,)) + genuine[1:]
    for signature in (foreign, altered, b"", b"\x00", genuine + b"\x00", bytes(len(genuine)), b"\xff" * len(genuine)):
        assert verdict(spki(key), None, CHALLENGE, signature) is Reason.CLONE_SUSPECTED
    assert verdict(spki(key), None, bytes(8), genuine) is Reason.CLONE_SUSPECTED  # another challenge
    assert verify_active_authentication(spki(key), None, CHALLENGE, genuine) == "sha256"


def test_announced_hash_counts() -> None:
    key = ec_key()
    signature = drive(run_active_authentication(CHALLENGE), chip(key, "sha1"))
    info = ActiveAuthenticationInfo(ECDSA_PLAIN["sha256"])
    assert verdict(spki(key), info, CHALLENGE, signature) is Reason.CLONE_SUSPECTED


def test_what_cannot_be_judged() -> None:
    key = ec_key()
    assert verdict(spki(key), ActiveAuthenticationInfo("1.2.3"), CHALLENGE, bytes(64)) is Reason.ALGORITHM_UNSUPPORTED
    assert verdict(b"\x30\x00", None, CHALLENGE, bytes(64)) is Reason.FORMAT_FAILURE
    assert verdict(spki(key), None, bytes(7), bytes(64)) is Reason.CHALLENGE_MISMATCH


def test_terminal_refusals() -> None:
    with pytest.raises(LocalProtocolError):
        play(run_active_authentication(bytes(7)), [])
    with pytest.raises(PeerProtocolError):
        play(run_active_authentication(CHALLENGE), [b"\x90\x00"])
    with pytest.raises(StatusWordError):
        play(run_active_authentication(CHALLENGE), [b"\x6a\x88"])


@pytest.mark.parametrize(
    ("command", "sw"),
    [
        (CommandAPDU(0, 0x88, 0, 0, bytes(7), le=256), 0x6700),
        (CommandAPDU(0, 0x88, 0, 0, bytes(9), le=256), 0x6700),
        (CommandAPDU(0, 0x88, 0, 0, le=256), 0x6700),
        (CommandAPDU(0, 0x88, 1, 0, bytes(8), le=256), 0x6A86),
    ],
)
def test_card_refusals(command: CommandAPDU, sw: int) -> None:
    with pytest.raises(CommandRefused) as caught:
        ActiveAuthenticationCard(ec_key()).internal_authenticate(command)
    assert caught.value.sw == sw
