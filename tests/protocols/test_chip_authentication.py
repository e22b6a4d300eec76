"""Chip Authentication: key agreement of the BSI worked example, pairs on all curves and suites, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.crypto import points
from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.curves import curve_by_id
from eid.crypto.kdf import derive_k_enc, derive_k_mac
from eid.crypto.key_agreement import EcKeyPair
from eid.crypto.public_key import encode_public_key
from eid.crypto.signatures import build_ec_public_key
from eid.errors import CommandRefused, DecodeError, PeerProtocolError, StatusWordError
from eid.lds.security_infos import (
    ID_CA_DH,
    ID_CA_ECDH,
    ID_PK_DH,
    ID_PK_ECDH,
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    SecurityInfo,
)
from eid.protocols.chip_authentication import core, messages
from eid.protocols.chip_authentication.card import ChipAuthenticationCard
from eid.protocols.chip_authentication.core import ChipKey, find_chip_keys
from eid.protocols.chip_authentication.terminal import run_chip_authentication
from eid.protocols.exchange import drive, through
from eid.protocols.secure_messaging import SecureMessaging
from tests.builders.chip import Chip
from tests.builders.exchanges import injected, play

BSI = json.loads((Path(__file__).parents[1] / "vectors" / "tr03110-eac-worked-example-ecdh.json").read_text())
CURVE_IDS = [12, 13, 15, 16, 17, 18]


def key_pair(number: int = 13) -> EcKeyPair:
    curve = curve_by_id(number)
    assert curve is not None
    return EcKeyPair.generate(curve)


def public_info(key: EcKeyPair, key_id: int | None = None) -> ChipAuthenticationPublicKeyInfo:
    spki = encode_public_key(build_ec_public_key(key.curve, key.public_point), explicit=True)
    return ChipAuthenticationPublicKeyInfo(ID_PK_ECDH, spki, key_id)


def chip_key(key: EcKeyPair, arc: int, key_id: int | None = None) -> ChipKey:
    infos = (ChipAuthenticationInfo(f"{ID_CA_ECDH}.{arc}", 1, key_id), public_info(key, key_id))
    return find_chip_keys(infos)[0]


def speak(terminal: SecureMessaging, card: SecureMessaging) -> bool:
    """Whether both ends have the same keys."""
    try:
        command = card.unprotect_command(terminal.protect_command(CommandAPDU(0, 0xB0, 0, 0, le=1)))
        return command.le == 1 and terminal.unprotect_response(card.protect_response(ResponseAPDU(b"x"))).data == b"x"
    except CommandRefused:
        return False


def test_key_agreement_of_the_worked_example() -> None:
    """Version 2 of the protocol, whose key derivation takes a nonce besides."""
    b = {name: bytes.fromhex(value) for name, value in BSI.items() if name != "source"}
    curve = curve_by_id(13)
    assert curve is not None
    ends = (("ca_pcd_priv_key", "ca_picc_pub_key"), ("ca_picc_priv_key", "ca_pcd_pub_key"))
    for private, public in ends:
        key = EcKeyPair.from_scalar(curve, int.from_bytes(b[private], "big"))
        secret = key.agree(points.decode_point(curve, b[public]))
        assert secret == b["ca_shared_secret_k"]
        assert derive_k_enc(CipherSuite.AES_128, secret, b["ca_nonce"]) == b["ca_k_enc"]
        assert derive_k_mac(CipherSuite.AES_128, secret, b["ca_nonce"]) == b["ca_k_mac"]
        session = core.derive_session(CipherSuite.AES_128, key, points.decode_point(curve, b[public]))
        assert session._ks_enc == derive_k_enc(CipherSuite.AES_128, secret)


@pytest.mark.parametrize("number", [*CURVE_IDS, 14])  # 14, brainpoolP320r1: a curve that the library lacks
@pytest.mark.parametrize("arc", [1, 2, 3, 4])
def test_pair(number: int, arc: int) -> None:
    key = key_pair(number)
    card = Chip({}, chip_authentication=ChipAuthenticationCard({None: key}))
    old = bytes(16)
    card.session, terminal = (SecureMessaging(CipherSuite.TDES_112, old, old) for _ in range(2))
    result = drive(through(terminal, run_chip_authentication(chip_key(key, arc))), card)
    assert card.session is not None
    assert card.session.suite is result.secure_messaging.suite
    assert speak(result.secure_messaging, card.session)
    assert [command.p2 for command in card.commands] == ([0xA6] if arc == 1 else [0xA4, 0x00])


def test_commands_on_the_wire() -> None:
    key = key_pair()
    _, sent = play(run_chip_authentication(chip_key(key, 1, 5), injected(7)), [b"\x90\x00"])
    public = EcKeyPair.from_scalar(key.curve, 7).encoded_public
    assert sent == [bytes.fromhex("002241A646") + b"\x91\x41" + public + b"\x84\x01\x05"]
    _, sent = play(run_chip_authentication(chip_key(key, 2), injected(7)), [b"\x90\x00", b"\x7c\x00\x90\x00"])
    assert sent[0] == bytes.fromhex("002241A40C800A04007F00070202030202")
    assert sent[1] == bytes.fromhex("00860000457C438041") + public + b"\x00"


def test_foreign_key_is_noticed() -> None:
    """A chip that does not have the private key agrees on other session keys."""
    genuine, cloned = key_pair(), key_pair()
    card = Chip({}, chip_authentication=ChipAuthenticationCard({None: cloned}))
    result = drive(run_chip_authentication(chip_key(genuine, 2)), card)
    assert card.session is not None
    assert not speak(result.secure_messaging, card.session)


def test_chip_refuses() -> None:
    with pytest.raises(StatusWordError):
        play(run_chip_authentication(chip_key(key_pair(), 2)), [b"\x6a\x80"])


def test_own_key_is_refused() -> None:
    key = key_pair()
    with pytest.raises(PeerProtocolError):
        core.derive_session(CipherSuite.AES_128, key, key.public_point)


# What DG14 announces


def test_key_without_info_means_3des() -> None:
    (found,) = find_chip_keys([public_info(key_pair())])
    assert (found.protocol, found.suite, found.key_id) == (core.ID_CA_ECDH_3DES, CipherSuite.TDES_112, None)


def test_several_keys_and_protocols() -> None:
    first, second = key_pair(), key_pair(15)
    infos: list[SecurityInfo] = [
        ChipAuthenticationInfo(ID_CA_ECDH + ".1", 1, 1),
        ChipAuthenticationInfo(ID_CA_ECDH + ".4", 1, 2),
        ChipAuthenticationInfo(ID_CA_DH + ".2", 1, 1),
        ChipAuthenticationInfo(ID_CA_ECDH + ".3", 2, 1),
        public_info(first, 1),
        public_info(second, 2),
        ChipAuthenticationPublicKeyInfo(ID_PK_DH, b"\x30\x00", 3),
    ]
    found = find_chip_keys(infos)
    assert [(key.suite, key.key_id, key.curve.standardized_id) for key in found] == [
        (CipherSuite.AES_256, 2, 15),
        (CipherSuite.TDES_112, 1, 13),
    ]


def test_missing_key_id_on_one_side() -> None:
    infos = (ChipAuthenticationInfo(ID_CA_ECDH + ".2", 1, 1), public_info(key_pair()))
    assert find_chip_keys(infos)[0].suite is CipherSuite.AES_128


def test_unknown_and_malformed_keys() -> None:
    rsa = bytes.fromhex("301A300D06092A864886F70D010101050003090030060201" + "0F020103")
    assert find_chip_keys([ChipAuthenticationPublicKeyInfo(ID_PK_ECDH, rsa)]) == ()
    sound_rsa = encode_public_key(generate_private_key(65537, 1024).public_key())
    assert find_chip_keys([ChipAuthenticationPublicKeyInfo(ID_PK_ECDH, sound_rsa)]) == ()
    with pytest.raises(DecodeError):
        find_chip_keys([ChipAuthenticationPublicKeyInfo(ID_PK_ECDH, b"\x30\x00")])


# The card


def refusal(card: ChipAuthenticationCard, command: CommandAPDU) -> int:
    handler = {0xA6: card.set_kat, 0xA4: card.set_at}.get(command.p2, card.general_authenticate)
    with pytest.raises(CommandRefused) as caught:
        handler(command)
    assert not card.awaits_key
    return caught.value.sw


SET_AT = messages.encode_set_at(messages.AuthenticationTemplate(ID_CA_ECDH + ".2"))


def test_card_refusals() -> None:
    card = ChipAuthenticationCard({1: key_pair(), 2: key_pair()}, [ID_CA_ECDH + ".2"])
    good = messages.encode_general_authenticate(key_pair().encoded_public)
    kat = messages.encode_set_kat(messages.KeyAgreementTemplate(key_pair().encoded_public, 1))
    assert refusal(card, kat) == 0x6A81
    assert refusal(card, good) == 0x6985
    assert refusal(card, SET_AT) == 0x6A88  # which of the two keys?
    assert refusal(card, messages.encode_set_at(messages.AuthenticationTemplate(ID_CA_ECDH + ".2", 9))) == 0x6A88
    assert refusal(card, messages.encode_set_at(messages.AuthenticationTemplate(ID_CA_ECDH + ".4", 1))) == 0x6A80
    assert refusal(card, CommandAPDU(0, 0x22, 0x41, 0xA4, b"\x80")) == 0x6A80
    assert refusal(card, CommandAPDU(0, 0x22, 0x41, 0xA4, b"\x83\x01\x01")) == 0x6A80
    assert refusal(card, CommandAPDU(0, 0x22, 0x41, 0xA4, SET_AT.data + b"\x84\x00")) == 0x6A80


@pytest.mark.parametrize("point", [b"", b"\x00", b"\x04" + bytes(64)])
def test_card_refuses_points_off_the_curve(point: bytes) -> None:
    card = ChipAuthenticationCard({None: key_pair()})
    card.set_at(SET_AT)
    assert card.awaits_key
    assert refusal(card, messages.encode_general_authenticate(point)) == 0x6A80
    assert refusal(card, messages.encode_set_kat(messages.KeyAgreementTemplate(point))) == 0x6A80


def test_card_general_authenticate_form() -> None:
    card = ChipAuthenticationCard({None: key_pair()})
    card.set_at(SET_AT)
    assert refusal(card, CommandAPDU(0, 0x86, 0, 1, b"")) == 0x6A86
    card.set_at(SET_AT)
    assert refusal(card, CommandAPDU(0, 0x86, 0, 0, b"\x7c\x00")) == 0x6A80
    card.set_at(SET_AT)
    card.reset()
    assert refusal(card, messages.encode_general_authenticate(b"")) == 0x6985


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.sampled_from((0xA6, 0xA4, 0x00)), st.binary(max_size=80)), max_size=4))
def test_card_survives_anything(commands: list[tuple[int, bytes]]) -> None:
    card = ChipAuthenticationCard({None: key_pair(12)})
    for p2, data in commands:
        handler = {0xA6: card.set_kat, 0xA4: card.set_at}.get(p2, card.general_authenticate)
        try:
            handler(CommandAPDU(0, 0x22 if p2 else 0x86, 0x41 if p2 else 0, p2, data))
        except CommandRefused:
            pass
