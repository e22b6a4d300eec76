"""Doc 9303-11 G.2, H.1, H.2 and I.1 by terminal and card: each end alone, with the randomness of the example.

G.2 and I.1 print their APDUs. H.1 and H.2 print values only, and the key K_pi in the place of a password; there the
APDUs are built from the values.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eid.codec.apdu import decode_command
from eid.codec.tlv import encode_tlv
from eid.crypto.group import EcGroup
from eid.lds.security_infos import ID_PACE_DH_IM, ID_PACE_ECDH_IM, PACEInfo, decode_security_infos
from eid.profile.card_image import PasswordId
from eid.protocols.pace import core, messages
from eid.protocols.pace.card import PaceCard
from eid.protocols.pace.core import Password
from eid.protocols.pace.messages import SetAuthenticationTemplate, Step
from eid.protocols.pace.terminal import run_pace
from tests.builders.exchanges import injected, play

VECTORS = Path(__file__).parents[1] / "vectors"
OK = b"\x90\x00"


def vector(name: str) -> dict[str, Any]:
    return json.loads((VECTORS / f"icao9303-11-{name}.json").read_text())  # type: ignore[no-any-return]  # JSON of our own vectors


G2, H1, H2, I1 = (vector(name) for name in ("G2-pace-gm-dh", "H1-pace-im-ecdh", "H2-pace-im-dh", "I1-pace-cam-ecdh"))
G2_MRZ = Password(PasswordId.MRZ, b"T22000129364081251010318")
I1_MRZ = Password(PasswordId.MRZ, b"C11T002JM496081222310314")


def announced(source: dict[str, Any]) -> PACEInfo:
    (info,) = decode_security_infos(bytes.fromhex("3114" + source["pace_info"]))
    assert isinstance(info, PACEInfo)
    return info


def scalars(source: dict[str, Any], order: int, *names: str) -> list[bytes | int]:
    return [int(source[name], 16) % order for name in names]


def order(info: PACEInfo) -> int:
    return core.require_parameters(info).group.order


def run_card(card: PaceCard, commands: list[bytes], session: dict[str, Any]) -> list[bytes]:
    """The answers; the session that opens has the keys of the example."""
    answers = [card.set_at(decode_command(commands[0])).encode()]
    result = None
    for command in commands[1:]:
        response, result = card.general_authenticate(decode_command(command))
        answers.append(response.encode())
    assert result is not None
    require_keys(result, session)
    return answers


def require_keys(result: core.PaceResult, session: dict[str, Any]) -> None:
    keys = result.secure_messaging
    assert (keys._ks_enc.hex().upper(), keys._ks_mac.hex().upper()) == (session["ks_enc"], session["ks_mac"])


# Printed APDUs


def printed(source: dict[str, Any]) -> tuple[list[bytes], list[bytes]]:
    """Commands and answers; the last answer of G.2 is put right: it lacks 9000 and has a trust point's name."""
    apdus = [bytes.fromhex(item["apdu"]) for item in source["apdus"]]
    answers = apdus[1::2]
    if "erratum" in source:
        answers[-1] = encode_tlv(0x7C, encode_tlv(0x86, bytes.fromhex(source["t_ic"]))) + OK
    return apdus[0::2], answers


def static_scalar() -> int:
    """Of I.1, which does not print it: the mapping key and the factor give it; its public key is printed."""
    n = order(announced(I1))
    return int(I1["map_chip_private"], 16) * pow(int(I1["decrypted_ca_data"], 16), -1, n) % n


@pytest.mark.parametrize(("source", "password"), [(G2, G2_MRZ), (I1, I1_MRZ)], ids=["G.2", "I.1"])
def test_terminal_sends_what_is_printed(source: dict[str, Any], password: Password) -> None:
    info = announced(source)
    commands, answers = printed(source)
    random = injected(*scalars(source, order(info), "map_terminal_private", "ka_terminal_private"))
    result, sent = play(run_pace(info, password, random), answers)
    assert sent == commands
    require_keys(result, source)


@pytest.mark.parametrize(("source", "password"), [(G2, G2_MRZ), (I1, I1_MRZ)], ids=["G.2", "I.1"])
def test_card_answers_what_is_printed(source: dict[str, Any], password: Password) -> None:
    info = announced(source)
    commands, answers = printed(source)
    secrets = scalars(source, order(info), "map_chip_private", "ka_chip_private")
    card = PaceCard(
        [info],
        {password.id: password.value}.get,
        injected(bytes.fromhex(source["nonce_s"]), *secrets),
        static_key=lambda _: static_scalar(),
    )
    assert run_card(card, commands, source) == answers


# Printed values


def elements(source: dict[str, Any], info: PACEInfo, name: str) -> bytes:
    raw = bytes.fromhex(source[name])
    return b"\x04" + raw if isinstance(core.require_parameters(info).group, EcGroup) else raw.lstrip(b"\0")


def built(source: dict[str, Any], info: PACEInfo) -> tuple[list[bytes], list[bytes]]:
    """Commands and answers out of the values of H.1 or H.2."""
    sent = {
        Step.NONCE: b"",
        Step.MAPPING: bytes.fromhex(source["nonce_t"]),
        Step.KEY_AGREEMENT: elements(source, info, "ka_terminal_public"),
        Step.TOKEN: bytes.fromhex(source["t_ifd"]),
    }
    received = {
        Step.NONCE: bytes.fromhex(source["encrypted_nonce_z"]),
        Step.MAPPING: b"",
        Step.KEY_AGREEMENT: elements(source, info, "ka_chip_public"),
        Step.TOKEN: bytes.fromhex(source["t_ic"]),
    }
    template = SetAuthenticationTemplate(info.protocol, PasswordId.CAN)
    commands = [messages.encode_set_at(template)]
    commands += [messages.encode_general_authenticate(step, value) for step, value in sent.items()]
    objects = [encode_tlv(0x7C, encode_tlv(step.response_tag, value)) for step, value in received.items()]
    return [command.encode() for command in commands], [OK, *(item + OK for item in objects)]


EXAMPLES = [(H1, PACEInfo(f"{ID_PACE_ECDH_IM}.2", 2, 13)), (H2, PACEInfo(f"{ID_PACE_DH_IM}.2", 2, 0))]


@pytest.fixture
def k_pi_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any]], None]:
    def take(source: dict[str, Any]) -> None:
        monkeypatch.setattr(core, "derive_nonce_key", lambda _suite, _password: bytes.fromhex(source["k_pi"]))

    return take


@pytest.mark.parametrize(("source", "info"), EXAMPLES, ids=["H.1", "H.2"])
def test_terminal_with_integrated_mapping(source: dict[str, Any], info: PACEInfo, k_pi_of: Any) -> None:
    k_pi_of(source)
    commands, answers = built(source, info)
    random = injected(bytes.fromhex(source["nonce_t"]), *scalars(source, order(info), "ka_terminal_private"))
    result, sent = play(run_pace(info, Password(PasswordId.CAN, b"123456"), random), answers)
    assert sent == commands
    require_keys(result, source)


@pytest.mark.parametrize(("source", "info"), EXAMPLES, ids=["H.1", "H.2"])
def test_card_with_integrated_mapping(source: dict[str, Any], info: PACEInfo, k_pi_of: Any) -> None:
    k_pi_of(source)
    commands, answers = built(source, info)
    random = injected(bytes.fromhex(source["nonce_s"]), *scalars(source, order(info), "ka_chip_private"))
    card = PaceCard([info], {PasswordId.CAN: b"123456"}.get, random)
    assert run_card(card, commands, source) == answers
