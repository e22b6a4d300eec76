"""Integrated and chip-authentication mapping, MODP groups: Doc 9303-11 G.2, H.1, H.2 and I.1, and every combination."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from eid.codec.apdu import ResponseAPDU
from eid.crypto.cipher_suite import CipherSuite
from eid.crypto.curves import CURVES, curve_by_id
from eid.crypto.dh_groups import DH_GROUPS, dh_group_by_id
from eid.crypto.group import DhGroup, EcGroup, Group, GroupKey
from eid.crypto.integrated_mapping import derive_field_element, derive_pseudo_random, map_to_point, nonce_lengths
from eid.errors import AuthenticationError, DecodeError, LocalProtocolError, PeerProtocolError, WrongPasswordError
from eid.lds.security_infos import (
    ID_PACE_DH_GM,
    ID_PACE_DH_IM,
    ID_PACE_ECDH_CAM,
    ID_PACE_ECDH_GM,
    ID_PACE_ECDH_IM,
    ChipAuthenticationPublicKeyInfo,
    PACEInfo,
    decode_security_infos,
)
from eid.profile.card_image import PasswordId
from eid.protocols.exchange import drive
from eid.protocols.pace import core
from eid.protocols.pace.card import PaceCard
from eid.protocols.pace.core import ChipAuthenticationData, Nonce, Password, SessionKeys
from eid.protocols.pace.terminal import run_pace
from tests.builders.chip import Chip
from tests.builders.exchanges import injected, play

VECTORS = Path(__file__).parents[1] / "vectors"


def vector(name: str) -> dict[str, str]:
    return json.loads((VECTORS / f"icao9303-11-{name}.json").read_text())  # type: ignore[no-any-return]  # JSON of our own vectors


G2, H1, H2, I1 = (vector(name) for name in ("G2-pace-gm-dh", "H1-pace-im-ecdh", "H2-pace-im-dh", "I1-pace-cam-ecdh"))
CAN = Password(PasswordId.CAN, b"123456")


def curve_group(number: int = 13) -> EcGroup:
    found = curve_by_id(number)
    assert found is not None
    return EcGroup(found)


def modp(number: int = 0) -> DhGroup:
    found = dh_group_by_id(number)
    assert found is not None
    return DhGroup(found)


def octets(source: dict[str, str], name: str, group: Group) -> bytes:
    """An element of the vector; points are printed without their first octet, some numbers with a leading zero."""
    raw = bytes.fromhex(source[name])
    if isinstance(group, EcGroup):
        return b"\x04" + raw
    return raw.lstrip(b"\0")


def key(source: dict[str, str], name: str, group: Group) -> GroupKey:
    return group.key(int(source[name], 16))


# Published values


@pytest.mark.parametrize(("source", "group"), [(H1, curve_group()), (H2, modp())], ids=["H.1", "H.2"])
def test_integrated_mapping_of_the_vectors(source: dict[str, str], group: Group) -> None:
    suite = CipherSuite.AES_128
    k_pi, s, t = (bytes.fromhex(source[name]) for name in ("k_pi", "nonce_s", "nonce_t"))
    assert core.encrypt_nonce(suite, k_pi, Nonce(s)).hex().upper() == source["encrypted_nonce_z"]
    assert core.decrypt_nonce(suite, k_pi, bytes.fromhex(source["encrypted_nonce_z"])) == s
    assert derive_pseudo_random(suite, s, t, group.field_prime).hex().upper() == source["r_s_t"]
    assert derive_field_element(suite, s, t, group.field_prime) == int(source["rp_s_t"], 16)
    protocol = (ID_PACE_ECDH_IM if isinstance(group, EcGroup) else ID_PACE_DH_IM) + ".2"
    parameters = core.Parameters(protocol, core.Mapping.INTEGRATED, suite, group)
    generator = core.map_nonces(parameters, Nonce(s), t)
    assert generator == octets(source, "mapped_generator", group)
    check_key_agreement(source, parameters, generator)


def test_generic_mapping_over_modp() -> None:
    group = modp()
    parameters = core.Parameters(ID_PACE_DH_GM + ".2", core.Mapping.GENERIC, CipherSuite.AES_128, group)
    nonce = Nonce(bytes.fromhex(G2["nonce_s"]))
    for own, peer in (("terminal", "chip"), ("chip", "terminal")):
        generator = core.map_generator(
            group, nonce, key(G2, f"map_{own}_private", group), octets(G2, f"map_{peer}_public", group)
        )
        assert generator == octets(G2, "mapped_generator", group)
    check_key_agreement(G2, parameters, generator)


def check_key_agreement(source: dict[str, str], parameters: core.Parameters, generator: bytes) -> None:
    """Ephemeral keys on the mapped generator, session keys and both tokens, from both ends."""
    group = parameters.group
    for own, peer in (("terminal", "chip"), ("chip", "terminal")):
        private = key(source, f"ka_{own}_private", group)
        public, other = (octets(source, f"ka_{end}_public", group) for end in (own, peer))
        assert private.multiply(generator) == public
        keys = core.derive_session_keys(parameters.suite, private, public, other)
        assert (keys.ks_enc.hex().upper(), keys.ks_mac.hex().upper()) == (source["ks_enc"], source["ks_mac"])
    terminal, chip = (octets(source, f"ka_{end}_public", group) for end in ("terminal", "chip"))
    assert core.compute_token(parameters, keys, chip).hex().upper() == source["t_ifd"]
    assert core.compute_token(parameters, keys, terminal).hex().upper() == source["t_ic"]


I1_APDUS = [bytes.fromhex(item["apdu"]) for item in I1["apdus"]]  # type: ignore[index]  # JSON of our own vectors
I1_MRZ = Password(PasswordId.MRZ, b"C11T002JM496081222310314")


def i1_info() -> PACEInfo:
    (info,) = decode_security_infos(bytes.fromhex("3114" + I1["pace_info"]))
    assert isinstance(info, PACEInfo)
    return info


def i1_random(*names: str) -> Callable[[int], bytes]:
    return injected(*(int(I1[name], 16) for name in names))


def test_terminal_runs_i1_and_verifies_the_chip() -> None:
    random = i1_random("map_terminal_private", "ka_terminal_private")
    result, sent = play(run_pace(i1_info(), I1_MRZ, random), I1_APDUS[1::2])
    assert sent == I1_APDUS[0::2]
    data = result.chip_authentication
    assert data is not None
    assert data.factor.hex().upper() == I1["decrypted_ca_data"]
    core.verify_chip_authentication_data(curve_group(), data, octets(I1, "chip_static_public", curve_group()))
    (info,) = decode_security_infos(bytes.fromhex("3164" + I1["ca_public_key_info"]))
    assert isinstance(info, ChipAuthenticationPublicKeyInfo)


def test_chip_authentication_data_of_i1() -> None:
    keys = SessionKeys(bytes.fromhex(I1["ks_enc"]), bytes.fromhex(I1["ks_mac"]))
    encrypted = bytes.fromhex(I1["encrypted_ca_data"])
    factor = core.decrypt_chip_authentication_data(CipherSuite.AES_128, keys, encrypted)
    assert factor.hex().upper() == I1["decrypted_ca_data"]
    # The static private key is not printed; the mapping key and the factor give it.
    group = curve_group()
    mapping = int(I1["map_chip_private"], 16)
    static = mapping * pow(int.from_bytes(factor, "big"), -1, group.order) % group.order
    assert group.key(static).public == octets(I1, "chip_static_public", group)
    assert (
        core.encrypt_chip_authentication_data(CipherSuite.AES_128, keys, group, static, mapping).hex().upper()
        == I1["encrypted_ca_data"]
    )


# Pairs


def passwords(identifier: PasswordId) -> bytes | None:
    return {PasswordId.CAN: CAN.value, PasswordId.PIN: b"98765", PasswordId.PUK: b"1234567890"}.get(identifier)


STATIC = {curve.name: 0x1234_5678_9ABC_DEF0 for curve in CURVES}


def chip(info: PACEInfo, **given: object) -> Chip:
    return Chip({}, pace=PaceCard((info,), passwords, static_key=STATIC.get, **given))  # type: ignore[arg-type]  # by name, as the caller has them


ALL_CURVES = [curve.standardized_id for curve in CURVES if curve.standardized_id is not None]


def combinations() -> list[PACEInfo]:
    over_modp = (ID_PACE_DH_GM, ID_PACE_DH_IM)
    found = [PACEInfo(f"{ID_PACE_ECDH_GM}.2", 2, number) for number in ALL_CURVES]
    found += [PACEInfo(f"{ID_PACE_ECDH_CAM}.4", 2, number) for number in ALL_CURVES]
    found += [PACEInfo(f"{ID_PACE_ECDH_IM}.2", 2, number) for number in ALL_CURVES if number != 10]
    found += [PACEInfo(f"{mechanism}.2", 2, group.standardized_id) for mechanism in over_modp for group in DH_GROUPS]
    found += [PACEInfo(f"{ID_PACE_ECDH_IM}.{arc}", 2, 13) for arc in (1, 3, 4)]
    found += [PACEInfo(f"{mechanism}.{arc}", 2, 0) for mechanism in over_modp for arc in (1, 3, 4)]
    return found + [PACEInfo(f"{ID_PACE_ECDH_CAM}.{arc}", 2, 13) for arc in (2, 3)]


@pytest.mark.parametrize("info", combinations(), ids=lambda info: f"{info.protocol[20:]}-{info.parameter_id}")
def test_pair(info: PACEInfo) -> None:
    card = chip(info)
    result = drive(run_pace(info, CAN), card)
    assert card.session is not None
    assert card.session._ks_mac == result.secure_messaging._ks_mac
    if result.chip_authentication is not None:
        group = core.require_parameters(info).group
        public = group.key(STATIC[group.name]).public
        core.verify_chip_authentication_data(group, result.chip_authentication, public)
        with pytest.raises(AuthenticationError):
            core.verify_chip_authentication_data(group, result.chip_authentication, group.generate().public)


@pytest.mark.parametrize("password", [Password(PasswordId.PIN, b"98765"), Password(PasswordId.PUK, b"1234567890")])
def test_pin_and_puk(password: Password) -> None:
    info = PACEInfo(f"{ID_PACE_ECDH_GM}.2", 2, 13)
    assert drive(run_pace(info, password), chip(info)).password is password.id


@pytest.mark.parametrize(
    "info",
    [
        PACEInfo(f"{ID_PACE_ECDH_IM}.2", 2, 13),
        PACEInfo(f"{ID_PACE_DH_IM}.2", 2, 0),
        PACEInfo(f"{ID_PACE_ECDH_CAM}.2", 2, 13),
    ],
)
def test_wrong_password(info: PACEInfo) -> None:
    with pytest.raises(WrongPasswordError):
        drive(run_pace(info, Password(PasswordId.CAN, b"654321")), chip(info))


# Refusals


def test_terminal_insists_on_chip_authentication_data() -> None:
    random = i1_random("map_terminal_private", "ka_terminal_private")
    replies = [*I1_APDUS[1:-1:2], bytes.fromhex("7C0A86088596CF055C67C1A39000")]
    with pytest.raises(PeerProtocolError, match="without its data"):
        play(run_pace(i1_info(), I1_MRZ, random), replies)


@pytest.mark.parametrize("data", [b"", bytes(15), bytes(48), b"\x11" * 32])
def test_chip_authentication_data_that_is_none(data: bytes) -> None:
    keys = SessionKeys(bytes(16), bytes(16))
    with pytest.raises(PeerProtocolError):
        core.decrypt_chip_authentication_data(CipherSuite.AES_128, keys, data)


@pytest.mark.parametrize("factor", [b"", bytes(32), b"\xff" * 32, b"\xff" * 40])
def test_factor_outside_the_group(factor: bytes) -> None:
    group = curve_group()
    with pytest.raises(AuthenticationError):
        core.verify_chip_authentication_data(group, ChipAuthenticationData(factor, b""), group.generate().public)


def test_card_without_a_key_on_the_curve_refuses() -> None:
    info = PACEInfo(f"{ID_PACE_ECDH_CAM}.2", 2, 13)
    card = Chip({}, pace=PaceCard((info,), passwords))
    with pytest.raises(Exception, match="6A80"):
        drive(run_pace(info, CAN), card)


@pytest.mark.parametrize("length", [0, 15, 17, 32])
def test_nonces_have_their_lengths(length: int) -> None:
    parameters = core.require_parameters(PACEInfo(f"{ID_PACE_ECDH_IM}.2", 2, 13))
    with pytest.raises(PeerProtocolError):
        core.map_nonces(parameters, Nonce(bytes(16)), bytes(length))
    with pytest.raises(PeerProtocolError):
        core.map_nonces(parameters, Nonce(bytes(length)), bytes(16))


def test_nonce_lengths() -> None:
    assert [nonce_lengths(suite) for suite in CipherSuite] == [(16, 16), (16, 16), (32, 24), (32, 32)]


def test_field_elements_without_image() -> None:
    group = curve_group()
    with pytest.raises(PeerProtocolError):
        map_to_point(group.curve, 0)
    with pytest.raises(LocalProtocolError):
        map_to_point(curve_group(10).curve, 5)


@pytest.mark.parametrize("number", range(3))
def test_groups_are_sound(number: int) -> None:
    found = modp(number).parameters
    assert pow(found.g, found.q, found.p) == 1
    assert (found.p - 1) % found.q == 0
    assert repr(found) == f"DhParameters({found.name})"


@pytest.mark.parametrize("value", [0, 1, 2, -1])
def test_numbers_outside_the_subgroup_are_refused(value: int) -> None:
    group = modp()
    raw = (value % group.field_prime).to_bytes(group.parameters.length, "big")
    with pytest.raises(DecodeError):
        group.require_element(raw)
    with pytest.raises(DecodeError):
        group.generate().agree(raw)


def test_element_too_long() -> None:
    group = modp()
    with pytest.raises(DecodeError):
        group.require_element(bytes(2) + group.generate().public)
    assert group.require_element(b"\x00" + group.generate().public)


def test_numbers_have_no_leading_zeros_and_secrets_have_all() -> None:
    group = modp()
    scalar = next(n for n in range(2, 5000) if pow(group.parameters.g, n, group.field_prime) < 1 << 1016)
    key = group.key(scalar)
    assert len(key.public) < group.parameters.length
    assert group.require_element(key.public) == key.public
    assert len(group.key(1).agree(key.public)) == group.parameters.length


def test_keys_hide_themselves() -> None:
    for group in (modp(), curve_group()):
        secret = group.generate()
        assert repr(secret) == f"GroupKey({group.name})"
    with pytest.raises(LocalProtocolError):
        modp().key(0)


def test_same_keys_over_modp_are_refused() -> None:
    group = modp()
    own = group.generate()
    with pytest.raises(PeerProtocolError):
        core.map_generator(group, Nonce(b"\x01" * 16), own, own.public)
    with pytest.raises(PeerProtocolError):
        core.derive_session_keys(CipherSuite.AES_128, own, own.public, b"\x00" + own.public)


def test_references_are_answered_in_step_four() -> None:
    info = PACEInfo(f"{ID_PACE_ECDH_GM}.2", 2, 13)
    card = chip(info, references=lambda _: (b"UTCVCA00002", b"UTCVCA00001"))
    seen: list[ResponseAPDU] = card.responses
    drive(run_pace(info, CAN), card)
    assert b"\x87\x0bUTCVCA00002\x88\x0bUTCVCA00001" in seen[-1].data
