"""Chip Authentication: key agreement of the BSI worked example, pairs on all curves and suites, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from hypothesis import given, settings
from hypothesis import strategies as st

from eid.codec import der
from eid.codec.algorithm import AlgorithmIdentifier
from eid.codec.apdu import CommandAPDU, ResponseAPDU
from eid.codec.spki import encode_spki
from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.curves import curve_by_id
from eid.crypto.dh_groups import DH_GROUPS
from eid.crypto.group import DhGroup, EcGroup, Group, compress_public_key
from eid.crypto.points import decode_point
from eid.crypto.public_key import encode_public_key
from eid.crypto.signatures import build_ec_public_key
from eid.errors import (
    AuthenticationError,
    CommandRefused,
    DecodeError,
    LocalProtocolError,
    PeerProtocolError,
    StatusWordError,
)
from eid.lds.security_infos import (
    ID_CA_DH,
    ID_CA_ECDH,
    ID_PK_DH,
    ID_PK_ECDH,
    ChipAuthenticationInfo,
    ChipAuthenticationPublicKeyInfo,
    SecurityInfo,
    decode_security_infos,
)
from eid.protocols.chip_authentication import core, messages
from eid.protocols.chip_authentication.card import ChipAuthenticationCard
from eid.protocols.chip_authentication.core import VERSION_2, ChipKey, StaticKey, find_chip_keys
from eid.protocols.chip_authentication.public_key import DH_KEY_AGREEMENT, DH_PUBLIC_NUMBER
from eid.protocols.chip_authentication.terminal import run_chip_authentication, run_chip_authentication_2
from eid.protocols.exchange import drive, through
from eid.protocols.secure_messaging import SecureMessaging
from tests.builders.chip import Chip
from tests.builders.exchanges import injected, play
from tests.builders.sweep import examples

VECTORS = Path(__file__).parents[1] / "vectors"
CURVE_IDS = [12, 13, 15, 16, 17, 18]


def vectors(name: str) -> dict[str, bytes]:
    loaded = json.loads((VECTORS / f"tr03110-eac-worked-example-{name}.json").read_text())
    return {key: bytes.fromhex(value) for key, value in loaded.items() if key != "source"}


def key_pair(number: int = 13) -> StaticKey:
    curve = curve_by_id(number)
    assert curve is not None
    return StaticKey(EcGroup(curve), EcGroup(curve).generate())


def dh_key(number: int = 2) -> StaticKey:
    group = DhGroup(DH_GROUPS[number])
    return StaticKey(group, group.generate())


def dh_info(key: StaticKey, oid: str, parameters: bytes, key_id: int | None = None) -> ChipAuthenticationPublicKeyInfo:
    value = der.encode_integer(int.from_bytes(key.key.public, "big"))
    return ChipAuthenticationPublicKeyInfo(ID_PK_DH, encode_spki(AlgorithmIdentifier(oid, parameters), value), key_id)


def public_info(key: StaticKey, key_id: int | None = None) -> ChipAuthenticationPublicKeyInfo:
    if isinstance(key.group, DhGroup):
        values = key.group.parameters
        numbers = (der.encode_integer(number) for number in (values.p, values.g, values.q))
        return dh_info(key, DH_PUBLIC_NUMBER, der.encode_sequence(*numbers), key_id)
    assert isinstance(key.group, EcGroup)
    curve = key.group.curve
    spki = encode_public_key(build_ec_public_key(curve, decode_point(curve, key.key.public)), explicit=True)
    return ChipAuthenticationPublicKeyInfo(ID_PK_ECDH, spki, key_id)


def chip_key(key: StaticKey, arc: int, key_id: int | None = None, version: int = 1) -> ChipKey:
    mechanism = ID_CA_ECDH if isinstance(key.group, EcGroup) else ID_CA_DH
    infos = (ChipAuthenticationInfo(f"{mechanism}.{arc}", version, key_id), public_info(key, key_id))
    return find_chip_keys(infos, version)[0]


def speak(terminal: SecureMessaging, card: SecureMessaging) -> bool:
    """Whether both ends have the same keys."""
    try:
        command = card.unprotect_command(terminal.protect_command(CommandAPDU(0, 0xB0, 0, 0, le=1)))
        return command.le == 1 and terminal.unprotect_response(card.protect_response(ResponseAPDU(b"x"))).data == b"x"
    except CommandRefused:
        return False


GROUPS: dict[str, tuple[Group, str]] = {
    "ecdh": (key_pair(13).group, ID_CA_ECDH + ".2"),
    "dh": (DhGroup(DH_GROUPS[0]), ID_CA_DH + ".2"),
}


@pytest.mark.parametrize("name", GROUPS)
def test_worked_example_of_version_2(name: str) -> None:
    """Both ends come to the example's keys and token (BSI worked example for EAC 1.01)."""
    b, (group, protocol) = vectors(name), GROUPS[name]
    for private, public in (("ca_pcd_priv_key", "ca_picc_pub_key"), ("ca_picc_priv_key", "ca_pcd_pub_key")):
        key = group.key(int.from_bytes(b[private], "big"))
        assert key.agree(b[public]) == b["ca_shared_secret_k"]
        session, k_mac = core.derive_session(CipherSuite.AES_128, group, key, b[public], b["ca_nonce"])
        assert (session._ks_enc, k_mac) == (b["ca_k_enc"], b["ca_k_mac"])
        token = core.compute_token(protocol, CipherSuite.AES_128, group, k_mac, b["ca_pcd_pub_key"])
        assert token == b["ca_picc_token"]


@pytest.mark.parametrize("name", GROUPS)
def test_worked_example_by_terminal_and_card(name: str) -> None:
    b, (group, protocol) = vectors(name), GROUPS[name]
    static = StaticKey(group, group.key(int.from_bytes(b["ca_picc_priv_key"], "big")))
    assert static.key.public == b["ca_picc_pub_key"]
    terminal = group.key(int.from_bytes(b["ca_pcd_priv_key"], "big"))
    bound = compress_public_key(group, terminal.public)
    card = ChipAuthenticationCard({1: static}, terminal_key=bound, random=injected(b["ca_nonce"]))
    key = ChipKey(protocol, CipherSuite.AES_128, group, static.key.public, b"", 1, VERSION_2)
    chip = Chip({}, chip_authentication=card)
    result = drive(run_chip_authentication_2(key, terminal), chip)
    assert chip.responses[-1].data == b"\x7c\x14\x81\x08" + b["ca_nonce"] + b"\x82\x08" + b["ca_picc_token"]
    assert chip.session is not None
    assert (chip.session._ks_enc, chip.session._ks_mac) == (b["ca_k_enc"], b["ca_k_mac"])
    assert speak(result.secure_messaging, chip.session)


def test_key_of_the_worked_examples_card_security() -> None:
    """The DH key of EF.CardSecurity: standardised domain parameters 0, version 2."""
    b = vectors("dh")
    start = b["ef_cardsecurity"].index(bytes.fromhex("3182017C"))
    infos = decode_security_infos(b["ef_cardsecurity"][start : start + 4 + 0x17C])
    (found,) = find_chip_keys(infos, VERSION_2)
    assert (found.protocol, found.group.name, found.public) == (ID_CA_DH + ".2", "MODP-1024-160", b["ca_picc_pub_key"])
    assert find_chip_keys(infos) == ()


@pytest.mark.parametrize("number", [*CURVE_IDS, 14])  # 14, brainpoolP320r1: a curve that the library lacks
@pytest.mark.parametrize("arc", [1, 2, 3, 4])
def test_pair(number: int, arc: int) -> None:
    check_pair(key_pair(number), arc)


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize("arc", [1, 4])
def test_pair_over_modp(number: int, arc: int) -> None:
    check_pair(dh_key(number), arc)


def check_pair(key: StaticKey, arc: int) -> None:
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
    public = key.group.key(7).public
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
        core.derive_session(CipherSuite.AES_128, key.group, key.key, key.key.public)


# What DG14 announces


def test_key_without_info_means_3des() -> None:
    (found,) = find_chip_keys([public_info(key_pair())])
    assert (found.protocol, found.suite, found.key_id) == (core.ID_CA_ECDH_3DES, CipherSuite.TDES_112, None)


def test_several_keys_and_protocols() -> None:
    first, second = key_pair(), key_pair(15)
    infos: list[SecurityInfo] = [
        ChipAuthenticationInfo(ID_CA_ECDH + ".1", 1, 1),
        ChipAuthenticationInfo(ID_CA_ECDH + ".4", 1, 2),
        ChipAuthenticationInfo(ID_CA_DH + ".2", 1, 3),
        ChipAuthenticationInfo(ID_CA_ECDH + ".3", 2, 1),
        public_info(first, 1),
        public_info(second, 2),
        public_info(dh_key(), 3),
    ]
    found = find_chip_keys(infos)
    assert [(key.suite, key.key_id, key.group.name) for key in found] == [
        (CipherSuite.AES_256, 2, second.group.name),
        (CipherSuite.AES_128, 3, "MODP-2048-256"),
        (CipherSuite.TDES_112, 1, first.group.name),
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


def test_dh_keys_by_their_parameters() -> None:
    key = dh_key(1)
    assert isinstance(key.group, DhGroup)
    values = key.group.parameters
    p, g, q = (der.encode_integer(number) for number in (values.p, values.g, values.q))
    standardized = "0.4.0.127.0.7.1.2"
    for oid, parameters in (
        (DH_PUBLIC_NUMBER, der.encode_sequence(p, g, q)),
        (DH_KEY_AGREEMENT, der.encode_sequence(p, g)),
        (DH_KEY_AGREEMENT, der.encode_sequence(p, g, der.encode_integer(224))),
        (standardized, der.encode_integer(1)),
    ):
        (found,) = find_chip_keys([dh_info(key, oid, parameters)])
        assert (found.group.name, found.public, found.protocol) == (values.name, key.key.public, core.ID_CA_DH_3DES)
    # Parameters that nobody knows are not taken as given, and a key of another group is none of this one.
    foreign = der.encode_sequence(p, der.encode_integer(4), q)
    assert find_chip_keys([dh_info(key, DH_PUBLIC_NUMBER, foreign)]) == ()
    assert find_chip_keys([dh_info(key, DH_PUBLIC_NUMBER, der.encode_sequence(p, g, g))]) == ()
    assert find_chip_keys([dh_info(key, standardized, der.encode_integer(13))]) == ()
    assert find_chip_keys([dh_info(key, "1.2.3", der.encode_integer(1))]) == ()
    of_another_group = dh_info(dh_key(2), standardized, der.encode_integer(1))
    for info in (of_another_group, dh_info(key, DH_PUBLIC_NUMBER, der.encode_sequence(p))):
        with pytest.raises(DecodeError):
            find_chip_keys([info])


@pytest.mark.parametrize("value", [0, 1, -5, DH_GROUPS[1].p - 1, DH_GROUPS[1].p, DH_GROUPS[1].p + 2, 3])
def test_values_outside_the_subgroup(value: int) -> None:
    spki = encode_spki(AlgorithmIdentifier("0.4.0.127.0.7.1.2", der.encode_integer(1)), der.encode_integer(value))
    with pytest.raises(DecodeError):
        find_chip_keys([ChipAuthenticationPublicKeyInfo(ID_PK_DH, spki)])


def test_curve_by_standardized_identifier() -> None:
    key = key_pair(16)
    spki = encode_spki(AlgorithmIdentifier("0.4.0.127.0.7.1.2", der.encode_integer(16)), key.key.public)
    (found,) = find_chip_keys([ChipAuthenticationPublicKeyInfo(ID_PK_ECDH, spki)])
    assert (found.group.name, found.public) == (key.group.name, key.key.public)
    unknown = encode_spki(AlgorithmIdentifier("0.4.0.127.0.7.1.2", der.encode_integer(99)), key.key.public)
    assert find_chip_keys([ChipAuthenticationPublicKeyInfo(ID_PK_ECDH, unknown)]) == ()


# Version 2


def bound_card(key: StaticKey, bound: bytes) -> Chip:
    return Chip({}, chip_authentication=ChipAuthenticationCard({1: key}, terminal_key=bound))


@pytest.mark.parametrize("key", [key_pair(), dh_key(0)], ids=["ecdh", "dh"])
@pytest.mark.parametrize("arc", [1, 2, 3, 4])
def test_version_2_pair(key: StaticKey, arc: int) -> None:
    own = key.group.generate()
    chip = bound_card(key, compress_public_key(key.group, own.public))
    result = drive(run_chip_authentication_2(chip_key(key, arc, 1, VERSION_2), own), chip)
    assert chip.session is not None
    assert speak(result.secure_messaging, chip.session)


def test_version_2_with_another_key_than_terminal_authentication_named() -> None:
    key = key_pair()
    chip = bound_card(key, compress_public_key(key.group, key.group.generate().public))
    with pytest.raises(StatusWordError) as caught:
        drive(run_chip_authentication_2(chip_key(key, 2, 1, VERSION_2), key.group.generate()), chip)
    assert caught.value.sw == 0x6300
    assert chip.session is None


def test_version_2_notices_a_foreign_key() -> None:
    genuine, cloned = key_pair(), key_pair()
    own = genuine.group.generate()
    chip = bound_card(cloned, compress_public_key(genuine.group, own.public))
    with pytest.raises(AuthenticationError):
        drive(run_chip_authentication_2(chip_key(genuine, 2, 1, VERSION_2), own), chip)


@pytest.mark.parametrize("answer", ["7C00", "7C0A8108" + "11" * 8, "7C0C8101118207" + "22" * 7, "80", "7C02810082"])
def test_version_2_answers_that_are_none(answer: str) -> None:
    key = key_pair()
    replies = [b"\x90\x00", bytes.fromhex(answer) + b"\x90\x00"]
    exchange = run_chip_authentication_2(chip_key(key, 2, 1, VERSION_2), key.group.generate())
    with pytest.raises(PeerProtocolError):
        play(exchange, replies)


def test_versions_are_not_mixed() -> None:
    key = key_pair()
    with pytest.raises(LocalProtocolError):
        drive(run_chip_authentication(chip_key(key, 2, 1, VERSION_2)), bound_card(key, b""))
    with pytest.raises(LocalProtocolError):
        drive(run_chip_authentication_2(chip_key(key, 2, 1), key.group.generate()), bound_card(key, b""))
    card = ChipAuthenticationCard({1: key}, terminal_key=b"x")
    assert refusal(card, messages.encode_set_kat(messages.KeyAgreementTemplate(key.key.public))) == 0x6A81
    # A protocol over MODP groups does not go with a key on a curve.
    assert refusal(card, messages.encode_set_at(messages.AuthenticationTemplate(ID_CA_DH + ".2"))) == 0x6A80


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
    good = messages.encode_general_authenticate(key_pair().key.public)
    kat = messages.encode_set_kat(messages.KeyAgreementTemplate(key_pair().key.public, 1))
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


@settings(max_examples=examples(80), deadline=None)
@given(st.lists(st.tuples(st.sampled_from((0xA6, 0xA4, 0x00)), st.binary(max_size=80)), max_size=4))
def test_card_survives_anything(commands: list[tuple[int, bytes]]) -> None:
    card = ChipAuthenticationCard({None: key_pair(12)})
    for p2, data in commands:
        handler = {0xA6: card.set_kat, 0xA4: card.set_at}.get(p2, card.general_authenticate)
        try:
            handler(CommandAPDU(0, 0x22 if p2 else 0x86, 0x41 if p2 else 0, p2, data))
        except CommandRefused:
            pass
